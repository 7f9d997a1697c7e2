"""A classical rival for the network: gradient boosting on what each row knows of its engine's whole record.

Notation: M rows; F = 127 statistics of `rul/statistics.py`, of which a model reads some.

A fitted model is an ONNX file and nothing else: what predicts here is what is exported.
"""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from amnl_tune.rul.layouts import RUL_CAP
from amnl_tune.rul.preparation import EngineRows, PreparedData
from amnl_tune.rul.statistics import STATISTICS, history_statistics

SETTINGS: dict[str, Any] = {
    "max_iter": 300,
    "learning_rate": 0.05,
    "max_leaf_nodes": 15,
    "max_features": 0.3,
    "min_samples_leaf": 200,
    "early_stopping": False,
    "random_state": 0,
}
"""Chosen by the RMSE of five folds of the training engines of FD001..FD004; no test engine had a say."""


@dataclass(frozen=True)
class Boosting:
    """Fitted trees.

    Attributes:
        onnx: input `statistics` (B, len(names)) float32, output `rul` (B,) float32 in cycles, within [0, RUL_CAP].
        names: which of STATISTICS it reads, in order.
        fit_seconds: that the statistics and the trees took.
    """

    onnx: bytes
    names: tuple[str, ...]
    fit_seconds: float

    def predict(self, statistics: NDArray[np.float32]) -> NDArray[np.float64]:
        """(M, F) -> (M,) cycles; a row's prediction is the same in every batch. Any number of threads may call it."""
        seen = np.ascontiguousarray(statistics[:, [STATISTICS.index(name) for name in self.names]], dtype=np.float32)
        (rul,) = self._session.run(["rul"], {"statistics": seen})
        return np.asarray(rul, dtype=np.float64)

    def at(self, rows: EngineRows, last: Tensor) -> NDArray[np.float64]:
        """(M,) rows of engines as prepared, whole records -> (M,) cycles."""
        statistics, _ = history_statistics(rows.features.cpu().numpy(), rows.first.cpu().numpy(), last.cpu().numpy())
        return self.predict(statistics)

    @cached_property
    def _session(self) -> Any:
        import onnxruntime  # noqa: PLC0415  (a third of a second; only who predicts needs it)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # with more, onnxruntime adds up the trees in another order for few rows
        return onnxruntime.InferenceSession(self.onnx, options, providers=["CPUExecutionProvider"])


def fit_boosting(data: PreparedData) -> Boosting:
    """Learns from every row of the training engines, never from one that is held out."""
    return _fit(data, STATISTICS)


def fit_age_alone(data: PreparedData) -> Boosting:
    """The same on the age alone: what a model knows that looks at no sensor."""
    return _fit(data, ("age",))


def _fit(data: PreparedData, names: tuple[str, ...]) -> Boosting:
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415  (a second to import)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    started = time.perf_counter()
    rows, own = data.rows, torch.isin(data.rows.unit, data.training_units).numpy()
    statistics, _ = history_statistics(rows.features.numpy(), rows.first.numpy(), np.flatnonzero(own))
    seen = statistics[:, [STATISTICS.index(name) for name in names]]
    # One thread: the trees are the same with more, but OpenMP's threads wait by spinning, and beside busy processes two
    # of them took twenty times as long as one.
    with threadpool_limits(1, user_api="openmp"):
        fitted = HistGradientBoostingRegressor(**SETTINGS).fit(seen, rows.rul.numpy()[own])
    return Boosting(_onnx(fitted), names, time.perf_counter() - started)


def _onnx(fitted: Any) -> bytes:
    """The trees of a HistGradientBoostingRegressor, and a cut to the labels' range.

    In doubles, as scikit-learn compares and adds up: a float32 threshold could send a value the other way. By hand,
    because skl2onnx 1.20 rounds these thresholds to float32, and fails with onnx 1.23.
    """
    from onnx import TensorProto, helper  # noqa: PLC0415  (half a second; a cached model never needs it)

    trees = [tree.nodes for (tree,) in fitted._predictors]  # private: scikit-learn has no other door to its trees
    nodes = np.concatenate(trees)
    leaf = nodes["is_leaf"].astype(bool)
    tree_ids = np.repeat(np.arange(len(trees)), [len(tree) for tree in trees])
    node_ids = np.concatenate([np.arange(len(tree)) for tree in trees])

    def doubles(name: str, values: NDArray[Any]) -> Any:
        return helper.make_tensor(name, TensorProto.DOUBLE, values.shape, values)

    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["doubles"],
        ["sum"],
        domain="ai.onnx.ml",
        n_targets=1,
        base_values_as_tensor=doubles("base", np.ravel(fitted._baseline_prediction)),
        nodes_treeids=tree_ids.tolist(),
        nodes_nodeids=node_ids.tolist(),
        nodes_featureids=nodes["feature_idx"].tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_values_as_tensor=doubles("thresholds", np.where(leaf, 0.0, nodes["num_threshold"])),
        nodes_truenodeids=nodes["left"].tolist(),
        nodes_falsenodeids=nodes["right"].tolist(),
        target_treeids=tree_ids[leaf].tolist(),
        target_nodeids=node_ids[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()),
        target_weights_as_tensor=doubles("leaves", nodes["value"][leaf]),
    )
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["statistics"], ["doubles"], to=TensorProto.DOUBLE),
            ensemble,
            helper.make_node("Clip", ["sum", "lowest", "highest"], ["cut"]),
            helper.make_node("Squeeze", ["cut", "columns"], ["number"]),
            # NaN where a statistic is not finite, else 0: trees answer to anything
            helper.make_node("Mul", ["statistics", "zero"], ["nothing"]),
            helper.make_node("ReduceSum", ["nothing", "columns"], ["none"], keepdims=0),
            helper.make_node("Add", ["number", "none"], ["rul"]),
        ],
        "boosting",
        [helper.make_tensor_value_info("statistics", TensorProto.FLOAT, ["batch", fitted.n_features_in_])],
        [helper.make_tensor_value_info("rul", TensorProto.FLOAT, ["batch"])],
        [
            helper.make_tensor("lowest", TensorProto.FLOAT, (), [0.0]),
            helper.make_tensor("highest", TensorProto.FLOAT, (), [RUL_CAP]),
            helper.make_tensor("columns", TensorProto.INT64, (1,), [1]),
            helper.make_tensor("zero", TensorProto.FLOAT, (), [0.0]),
        ],
    )
    # The oldest versions that hold all of this, so that old runtimes read it too.
    versions = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=8, producer_name="amnl-tune")
    return bytes(model.SerializeToString())
