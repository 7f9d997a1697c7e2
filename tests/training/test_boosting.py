from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from amnl_tune.rul.configuration import DataConfig
from amnl_tune.rul.layouts import SENSORS
from amnl_tune.rul.metrics import mean_predictor_rmse
from amnl_tune.rul.preparation import PreparedData, prepare
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import FleetSource, TrainingFleet
from amnl_tune.rul.statistics import STATISTICS, history_statistics
from amnl_tune.training.boosting import SETTINGS, Boosting, fit_age_alone, fit_boosting


@pytest.fixture(scope="module")
def boosting(tiny_data: PreparedData) -> Boosting:
    return fit_boosting(tiny_data)


@pytest.fixture(scope="module")
def statistics(tiny_data: PreparedData) -> NDArray[np.float32]:
    return of_all_rows(tiny_data)


def of_all_rows(data: PreparedData) -> NDArray[np.float32]:
    return history_statistics(data.rows.features.numpy(), data.rows.first.numpy())[0]


def learned_from(data: PreparedData) -> NDArray[np.bool_]:
    return torch.isin(data.rows.unit, data.training_units).numpy()


def fitted_by_sklearn(data: PreparedData) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    own = learned_from(data)
    return HistGradientBoostingRegressor(**SETTINGS).fit(of_all_rows(data)[own], data.rows.rul.numpy()[own])


def rmse(boosting: Boosting, data: PreparedData) -> float:
    last = data.validation_windows()
    return float(np.sqrt(np.mean((boosting.at(data.rows, last) - data.rows.rul[last].numpy()) ** 2)))


def test_it_learns(boosting: Boosting, tiny_data: PreparedData) -> None:
    truth = tiny_data.rows.rul[tiny_data.validation_windows()].numpy()
    assert rmse(boosting, tiny_data) < 0.6 * mean_predictor_rmse(truth)
    assert boosting.names == STATISTICS
    assert boosting.fit_seconds > 0


def test_shuffled_labels_teach_nothing(tiny_data: PreparedData) -> None:
    own = np.flatnonzero(learned_from(tiny_data))
    rul = tiny_data.rows.rul.clone()
    rul[own] = rul[np.random.default_rng(0).permutation(own)]
    shuffled = fit_boosting(replace(tiny_data, rows=replace(tiny_data.rows, rul=rul)))
    truth = tiny_data.rows.rul[tiny_data.validation_windows()].numpy()
    assert rmse(shuffled, tiny_data) == pytest.approx(np.sqrt(np.mean((truth - rul[own].mean().item()) ** 2)), rel=0.1)


def test_held_out_engines_teach_nothing(boosting: Boosting, tiny_data: PreparedData) -> None:
    frame = simulate("SIM1", engines=10).train
    held_out = frame["unit"].isin(tiny_data.validation_units.tolist())
    frame.loc[held_out, list(SENSORS)] *= 17.0
    garbled = prepare(TrainingFleet("SIM1", "0" * 64, frame), DataConfig(dataset="SIM1"))
    rul = torch.where(torch.isin(garbled.rows.unit, garbled.validation_units), 0.0, garbled.rows.rul)
    again = fit_boosting(replace(garbled, rows=replace(garbled.rows, rul=rul)))
    assert again.onnx == boosting.onnx
    last = torch.from_numpy(np.flatnonzero(~held_out))
    assert np.array_equal(again.at(garbled.rows, last), boosting.at(tiny_data.rows, last))


def test_what_comes_after_a_row_does_not_change_its_prediction(boosting: Boosting, tiny_data: PreparedData) -> None:
    rows, last = tiny_data.rows, torch.tensor([50])
    features = rows.features.clone()
    features[51:] = 1e6
    assert np.array_equal(boosting.at(replace(rows, features=features), last), boosting.at(rows, last))


def test_the_same_data_gives_the_same_bytes(boosting: Boosting, tiny_data: PreparedData) -> None:
    assert fit_boosting(tiny_data).onnx == boosting.onnx


def test_the_onnx_is_scikit_learn_on_its_very_thresholds(
    boosting: Boosting, tiny_data: PreparedData, statistics: NDArray[np.float32]
) -> None:
    fitted = fitted_by_sklearn(tiny_data)
    nodes = np.concatenate([tree.nodes for (tree,) in fitted._predictors])
    nodes = nodes[nodes["is_leaf"] == 0]
    random = np.random.default_rng(0)
    edges = statistics[random.integers(0, len(statistics), 2000)]
    for column in np.unique(nodes["feature_idx"]):
        near = random.choice(nodes["num_threshold"][nodes["feature_idx"] == column], len(edges)).astype(np.float32)
        edges[:, column] = np.where(random.random(len(edges)) < 0.5, near, np.nextafter(near, np.float32(-np.inf)))
    for values in (statistics, edges):
        expected = np.clip(fitted.predict(values), 0.0, 125.0)
        assert np.abs(boosting.predict(values) - expected).max() < 1e-5


@pytest.mark.parametrize("make", [fit_boosting, fit_age_alone])
def test_the_onnx_stands_on_its_own(make: Any, tiny_data: PreparedData, statistics: NDArray[np.float32]) -> None:
    import onnxruntime

    made = make(tiny_data)
    onnx.checker.check_model(onnx.load_from_string(made.onnx), full_check=True)
    session = onnxruntime.InferenceSession(made.onnx, providers=["CPUExecutionProvider"])
    (given,), (taken,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("statistics", "tensor(float)", ["batch", len(made.names)])
    assert (taken.name, taken.type, taken.shape) == ("rul", "tensor(float)", ["batch"])
    seen = statistics[:, [STATISTICS.index(name) for name in made.names]]
    assert np.abs(session.run(None, {"statistics": seen})[0] - made.predict(statistics)).max() < 1e-4


def test_a_prediction_does_not_depend_on_its_batch(boosting: Boosting, statistics: NDArray[np.float32]) -> None:
    together = boosting.predict(statistics)
    alone = np.concatenate([boosting.predict(row[None]) for row in statistics[:200]])
    assert np.array_equal(alone, together[:200])
    assert np.array_equal(boosting.predict(statistics[7:500]), together[7:500])
    assert boosting.predict(statistics[:0]).shape == (0,)


def test_threads_share_one_model(boosting: Boosting, statistics: NDArray[np.float32]) -> None:
    expected = boosting.predict(statistics)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(boosting.predict, [statistics] * 16):
            assert np.array_equal(found, expected)


def test_predictions_stay_within_the_labels(tiny_data: PreparedData, statistics: NDArray[np.float32]) -> None:
    wide = replace(tiny_data, rows=replace(tiny_data.rows, rul=8.0 * tiny_data.rows.rul - 500.0))
    found = fit_boosting(wide).predict(statistics)
    assert (found.min(), found.max()) == (0.0, 125.0)


def test_too_few_rows_for_two_leaves_give_their_mean(tiny_data: PreparedData, statistics: NDArray[np.float32]) -> None:
    one = replace(tiny_data, training_units=tiny_data.training_units[:1])
    rul = one.rows.rul[torch.from_numpy(learned_from(one))]
    assert len(rul) < 2 * SETTINGS["min_samples_leaf"]
    assert fit_boosting(one).predict(statistics) == pytest.approx(rul.mean().item())


def test_age_alone_looks_at_no_sensor(tiny_data: PreparedData, statistics: NDArray[np.float32]) -> None:
    alone = fit_age_alone(tiny_data)
    garbled = np.concatenate((1e6 * statistics[:, :-1], statistics[:, -1:]), axis=1)
    assert alone.names == ("age",)
    assert np.array_equal(alone.predict(garbled), alone.predict(statistics))


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(("name", "leak", "reached"), [("FD001", 7.5, 11.0), ("FD004", 9.0, 13.5)])
def test_the_real_files(name: str, leak: float, reached: float, cmapss_dir: Path) -> None:
    data = prepare(FleetSource((cmapss_dir,)).training(name), DataConfig(dataset=name))
    made = fit_boosting(data)
    held_out = ~learned_from(data)
    statistics = of_all_rows(data)[held_out]
    expected = np.clip(fitted_by_sklearn(data).predict(statistics), 0.0, 125.0)
    assert np.abs(made.predict(statistics) - expected).max() < 1e-5
    assert leak < rmse(made, data) < reached
