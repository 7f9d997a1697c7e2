"""Figures below what 30 to 50 cycles can give must come from history, and from nothing else.

The narrow studies' figures are below the literature's (studies/README.md). Whatever could make them so by mistake is
tried here on the real training engines: labels, later rows, held-out engines, shared rows, the history itself. Test
files are read for their rows alone, nothing is scored on them; where validation is held against test, the fleet is
simulated. That garbled test files change nothing before the look is in test_promotion.py.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from amnl_tune.rul.layouts import COLUMNS, SUBSETS
from amnl_tune.rul.metrics import mean_predictor_rmse, rmse
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import PreparedData, engine_rows, prepare
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import FleetSource, TrainingFleet
from amnl_tune.training.boosting import fit_boosting
from amnl_tune.training.config import RunConfig
from amnl_tune.training.evaluation import predict_windows
from amnl_tune.training.fit import fit

HISTORY = {"age": True, "deviation": 20, "ewma": [0.1, 0.03], "pad_short": True, "drop_settings": True}
NONE = {"age": False, "deviation": 0, "ewma": [], "pad_short": False, "drop_settings": False}
NARROW = {
    "conv_channels": [8, 16, 8], "hidden_size": 16, "num_layers": 1, "num_heads": 4,
    "fc_sizes": [32, 16], "loss": "rul_only", "dropout": 0.0, "attention_dropout": 0.0, "learning_rate": 3e-3,
    "batch_size": 64, "schedule": "cosine", "epochs": 6, "patience": None,
}  # fmt: skip

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def real_data(cmapss_dir: Path) -> FleetSource:
    return FleetSource((cmapss_dir,))


@pytest.fixture(scope="module", params=SUBSETS)
def fleet(request: pytest.FixtureRequest, real_data: FleetSource) -> TrainingFleet:
    return real_data.training(request.param)


@pytest.fixture(scope="module")
def data(fleet: TrainingFleet) -> PreparedData:
    return prepare(fleet, of(fleet.name))


def of(dataset: str, **settings: object) -> RunConfig:
    """The narrow network on a data set; fewer windows where there are more engines."""
    stride = 8 if dataset in {"FD001", "FD003"} else 24
    return RunConfig.build(NARROW | {"dataset": dataset, "stride": stride} | settings)


def best(data: PreparedData, **settings: object) -> float:
    """Validation RMSE in cycles."""
    return min(epoch.validation_rmse for epoch in fit(of(data.dataset, **settings), data))


def with_labels(data: PreparedData, order: np.ndarray) -> PreparedData:
    """The labels of the training engines' rows in another order; the held-out engines keep theirs."""
    rul = data.rows.rul.clone()
    own = torch.isin(data.rows.unit, data.training_units).nonzero().flatten()
    rul[own] = rul[own][torch.from_numpy(order)]
    return replace(data, rows=replace(data.rows, rul=rul))


@pytest.fixture(scope="module")
def shuffled(data: PreparedData) -> PreparedData:
    count = int(torch.isin(data.rows.unit, data.training_units).sum())
    return with_labels(data, np.random.default_rng(0).permutation(count))


def mean_predictor(data: PreparedData) -> float:
    return mean_predictor_rmse(data.rows.rul[data.validation_windows()].numpy())


def test_labels_in_another_order_give_the_mean_predictor_from_boosting(shuffled: PreparedData) -> None:
    last = shuffled.validation_windows()
    found = rmse(fit_boosting(shuffled).at(shuffled.rows, last), shuffled.rows.rul[last].numpy())
    assert found > 0.93 * mean_predictor(shuffled)


@pytest.mark.slow
def test_labels_in_another_order_give_the_mean_predictor_from_the_network(shuffled: PreparedData) -> None:
    assert best(shuffled, **HISTORY, epochs=3) > 0.9 * mean_predictor(shuffled)


@pytest.mark.slow
def test_without_history_the_network_has_the_literatures_figure(data: PreparedData) -> None:
    """The best of 30 published leak-free methods; with a window of 30 cycles nothing of ours is below it."""
    without, with_history = best(data, **NONE), best(data, **HISTORY)
    assert without > {"FD001": 11.7, "FD002": 12.3, "FD003": 10.3, "FD004": 13.1}[data.dataset]
    assert with_history < without - 1.0


def test_later_rows_change_no_prediction(fleet: TrainingFleet, data: PreparedData) -> None:
    """Each held-out engine garbled after one of its cuts: network and boosting answer at the cut as before."""
    cut = data.truncations[:, 0]
    frame = fleet.frame.copy()
    noise = np.random.default_rng(0)
    unit, columns = frame["unit"].to_numpy(), list(COLUMNS[2:])
    values = frame[columns].to_numpy(copy=True)
    for row in cut.tolist():
        later = (unit == unit[row]) & (np.arange(len(unit)) > row)
        values[later] = noise.normal(0, 1e3, (int(later.sum()), len(columns)))
    frame[columns] = values
    garbled = engine_rows(frame, data.scaling)
    config, boosting = of(fleet.name, **HISTORY, pool=2), fit_boosting(data)
    torch.manual_seed(0)
    model = AMNL(config)
    answers: list[Callable[..., np.ndarray]] = [
        lambda rows: predict_windows(model, rows.seen_by(config), cut, config.window).rul.numpy(),
        lambda rows: boosting.at(rows, cut),
    ]
    for answer in answers:
        np.testing.assert_array_equal(answer(garbled), answer(data.rows))
    assert not torch.equal(garbled.features, data.rows.features)


def test_held_out_engines_change_nothing_that_is_learned(fleet: TrainingFleet, data: PreparedData) -> None:
    frame = fleet.frame.copy()
    held_out = frame["unit"].isin(data.validation_units.tolist())
    frame.loc[held_out, list(COLUMNS[2:])] *= 3.0
    other = prepare(replace(fleet, frame=frame), of(fleet.name))
    assert other.scaling.to_plain() == data.scaling.to_plain()
    assert fit_boosting(other).onnx == fit_boosting(data).onnx
    config = of(fleet.name, **HISTORY | {"epochs": 1, "stride": 40})
    losses = [next(fit(config, each)).train_rul_loss for each in (data, other)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", SUBSETS)
def test_training_and_test_files_share_no_row(real_data: FleetSource, name: str) -> None:
    values = list(COLUMNS[2:])
    training, test = real_data.training(name).frame, real_data.test(name).frame
    assert not set(map(tuple, training[values].to_numpy())) & set(map(tuple, test[values].to_numpy()))


def test_validation_and_test_agree_where_looking_is_free() -> None:
    """A simulated fleet: what boosting gives on held-out training engines it gives on unseen test engines."""
    fleet = simulate("SIM6", seed=5, engines=60)
    data = prepare(TrainingFleet("SIM6", "0" * 64, fleet.train), RunConfig(dataset="SIM6", validation_truncations=30))
    boosting, last = fit_boosting(data), data.validation_windows()
    rows = engine_rows(fleet.test, data.scaling, fleet.rul)
    validation = rmse(boosting.at(data.rows, last), data.rows.rul[last].numpy())
    test = rmse(boosting.at(rows, rows.ends()), rows.rul[rows.ends()].numpy())
    assert 0.6 < test / validation < 1.6


ANSWERS = Path(__file__).parents[2] / "studies" / "README.md"


def test_the_published_answers_are_above_what_must_be_suspected() -> None:
    """And validation is not so far below test that the choice was anything but luck and size."""

    def figures(row: str) -> list[float]:
        (line,) = [line for line in ANSWERS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {row}")]
        return [float(re.search(r"\d+\.\d+", cell)[0]) for cell in line.split("|")[2:6]]  # type: ignore[index]

    test, suspect = figures("**the choice: mix"), figures("suspect a leak below")
    assert all(found > limit for found, limit in zip(test, suspect, strict=True))
    validation = figures("validation RMSE: mix")
    assert all(0.9 < found / chosen_by < 1.5 for found, chosen_by in zip(test, validation, strict=True))
