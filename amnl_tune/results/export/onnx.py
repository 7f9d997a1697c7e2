"""An export's model as ONNX, for those who predict without PyTorch: networks, boosting, or the mix of both."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import torch
from onnx import compose, helper
from torch import Tensor, nn

from amnl_tune.rul.configuration import InputConfig
from amnl_tune.rul.history import channel_names
from amnl_tune.rul.networks.amnl import AMNL, Prediction
from amnl_tune.training.boosting import Boosting

METADATA = "amnl_tune.preprocessing"
"""Key of the model's metadata: `preprocessing.json`, so that the file by itself says what it takes."""


def onnx_model(
    networks: Sequence[AMNL],
    config: InputConfig,
    boosting: Boosting | None = None,
    described: Mapping[str, Any] | None = None,
) -> bytes:
    """One file with all of it.

    Inputs: `windows` (B, window, C), if there are networks: the channels that `preprocessing.json` names; `statistics`
    (B, F), if there is boosting. Outputs: `rul` (B,) in cycles, and with networks `health` (B, 3) logits. B is dynamic.

    Args:
        networks: whose mean is meant, none for boosting alone. config: what they see. boosting: the other half of a
            mix. described: the content of `preprocessing.json`.
    """
    parts = [
        *([_traced(networks, config)] if networks else []),
        *([onnx.load_from_string(boosting.onnx)] if boosting else []),
    ]
    model = _mixed(*parts) if len(parts) == 2 else parts[0]
    helper.set_model_props(model, {METADATA: json.dumps(described or {})})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Mean(nn.Module):
    """The mean of several networks' answers; its logits are the logarithms of their mean probabilities.

    Of a window that is not finite it answers NaN: onnxruntime's ReLU makes a number of NaN, and the answer would be
    one that looks like any other.
    """

    def __init__(self, networks: Sequence[AMNL]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, windows: Tensor) -> Prediction:
        nothing = (windows * 0).sum(dim=(1, 2))  # (B,) NaN where a value is infinite or NaN, else 0
        answer = self.mean(windows)
        return Prediction(answer.rul + nothing, answer.health + nothing[:, None])

    def mean(self, windows: Tensor) -> Prediction:
        answers: list[Prediction] = [network(windows) for network in self.networks]
        if len(answers) == 1:
            return answers[0]
        rul = torch.stack([answer.rul for answer in answers]).mean(dim=0)
        return Prediction(rul, torch.stack([answer.health.softmax(dim=1) for answer in answers]).mean(dim=0).log())


def _traced(networks: Sequence[AMNL], config: InputConfig) -> onnx.ModelProto:
    """Traced: the network has no branch that a window's values could take, and torch's other exporter takes twenty
    times as long. What its warnings doubt, other batch sizes, is tested against onnxruntime.
    """
    model = _Mean(networks)
    names = ["windows", "rul", "health"]
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.cpu().eval(),
            (torch.zeros(1, config.window, len(channel_names(config))),),
            path,
            dynamo=False,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "batch"} for name in names},
        )
        return onnx.load(path)


def _mixed(network: onnx.ModelProto, boosting: onnx.ModelProto) -> onnx.ModelProto:
    """Both in one graph, `rul` the mean of theirs, `health` the network's."""
    one = compose.add_prefix(network, "network_", rename_inputs=False)
    other = compose.add_prefix(boosting, "boosting_", rename_inputs=False)
    half = helper.make_tensor("half", onnx.TensorProto.FLOAT, [], [0.5])
    joined = [
        helper.make_node("Add", ["network_rul", "boosting_rul"], ["sum"]),
        helper.make_node("Mul", ["sum", "half"], ["rul"]),
        helper.make_node("Identity", ["network_health"], ["health"]),
    ]
    graph = helper.make_graph(
        [*one.graph.node, *other.graph.node, *joined],
        "mix",
        [*one.graph.input, *other.graph.input],
        list(network.graph.output),
        [*one.graph.initializer, *other.graph.initializer, half],
    )
    opsets = {opset.domain: opset for opset in (*other.opset_import, *one.opset_import)}
    return helper.make_model(
        graph, opset_imports=list(opsets.values()), ir_version=max(one.ir_version, other.ir_version)
    )
