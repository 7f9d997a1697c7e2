"""The simulated fleets: in form, deterministic, and worth learning from."""

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from amnl_tune.errors import ConfigurationError, StorageError
from amnl_tune.rul.layouts import COLUMNS, CONDITIONS, SENSORS
from amnl_tune.rul.metrics import mean_predictor_rmse, rmse
from amnl_tune.rul.reading import parse_fleet, parse_rul
from amnl_tune.rul.simulator import SIMULATED, SimulatedFleet, simulate, write_fleet

UNINFORMATIVE = [column for column in COLUMNS[5:] if column not in SENSORS]
Array = NDArray[np.float64]


@cache
def fleet_of(name: str) -> SimulatedFleet:
    return simulate(name)


def condition_of(frame: pd.DataFrame) -> "pd.Series[int]":
    return frame["setting_1"].round().astype(int)


@pytest.mark.parametrize("name", SIMULATED)
def test_files_hold_exactly_what_is_simulated(name: str, tmp_path: Path) -> None:
    write_fleet(name, tmp_path, seed=7, engines=4)
    fleet = simulate(name, seed=7, engines=4)
    for file_name, frame in ((f"train_{name}.txt.gz", fleet.train), (f"test_{name}.txt.gz", fleet.test)):
        content = gzip.decompress((tmp_path / file_name).read_bytes())
        assert all(line.endswith(b"  ") and len(line.split()) == 26 for line in content.splitlines())
        pd.testing.assert_frame_equal(parse_fleet(content, Path(file_name)), frame)
    rul = parse_rul(gzip.decompress((tmp_path / f"RUL_{name}.txt.gz").read_bytes()), Path("RUL"), engines=4)
    assert rul.tolist() == fleet.rul.tolist()


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_fleet("SIM6", tmp_path / folder, seed, engines=2)
    a, b, c = ({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in "abc")
    assert a == b
    assert a != c
    assert sorted(a) == ["RUL_SIM6.txt.gz", "test_SIM6.txt.gz", "train_SIM6.txt.gz"]


@pytest.mark.parametrize(("name", "engines"), [("SIM1", 100), ("SIM6", 120)])
def test_fleets_are_of_the_size_of_fd001(name: str, engines: int) -> None:
    fleet = fleet_of(name)
    lives = fleet.train.groupby("unit")["cycle"].max()
    cuts = fleet.test.groupby("unit")["cycle"].max()
    assert (len(lives), len(cuts), len(fleet.rul)) == (engines, 100, 100)
    assert lives.between(130, 350).all()
    assert cuts.min() >= 20
    assert (cuts < 30).any()
    assert fleet.rul.min() >= 1
    assert np.all(cuts.to_numpy() + fleet.rul <= 350)
    assert condition_of(fleet.train).nunique() == CONDITIONS[name]


def test_sensors_within_a_condition_say_something_or_nothing() -> None:
    train = fleet_of("SIM6").train
    by_condition = train.groupby(condition_of(train))
    assert (by_condition[UNINFORMATIVE].nunique() == 1).all(axis=None)
    spread = by_condition[list(SENSORS)].std().mean()
    levels = by_condition[list(SENSORS)].mean().std()
    assert (spread > 0).all()
    assert (levels / spread).median() > 5  # conditions lie farther apart than wear and noise reach


def test_fault_modes_move_some_sensors_in_opposite_directions() -> None:
    train = fleet_of("SIM6").train
    sensor = train["sensor_12"] / train.groupby(condition_of(train))["sensor_12"].transform("median")
    worn = sensor.groupby(train["unit"]).apply(lambda rows: rows.iloc[-5:].mean())
    assert (worn > 1.003).sum() > 20
    assert (worn < 0.998).sum() > 20


@pytest.mark.parametrize("name", SIMULATED)
def test_a_simple_model_beats_the_mean_predictor_by_far(name: str) -> None:
    from sklearn.linear_model import Ridge

    fleet = fleet_of(name)
    features, labels, test_features = window_means(fleet, per_condition=True)
    predicted = Ridge().fit(features, labels).predict(test_features)
    assert rmse(predicted, fleet.rul) < 0.5 * mean_predictor_rmse(fleet.rul)


def test_condition_normalisation_matters_on_six_conditions() -> None:
    from sklearn.neighbors import KNeighborsRegressor

    fleet = fleet_of("SIM6")
    scores = {}
    for per_condition in (True, False):
        features, labels, test_features = window_means(fleet, per_condition=per_condition)
        model = KNeighborsRegressor(10).fit(features, labels)
        scores[per_condition] = rmse(model.predict(test_features), fleet.rul)
    assert scores[True] < 0.5 * scores[False]


def window_means(fleet: SimulatedFleet, *, per_condition: bool) -> tuple[Array, Array, Array]:
    """Means of the 14 z-scored sensors over the last 30 and 10 cycles: training windows, their labels, test engines."""
    sensors = list(SENSORS)

    def group(frame: pd.DataFrame) -> "pd.Series[int]":
        return condition_of(frame) * per_condition

    by_group = fleet.train.groupby(group(fleet.train))[sensors]
    mean, std = by_group.mean(), by_group.std()

    def scaled(frame: pd.DataFrame) -> list[Array]:
        key = group(frame)
        values = (frame[sensors].to_numpy() - mean.loc[key].to_numpy()) / std.loc[key].to_numpy()
        return np.split(values, np.flatnonzero(frame["cycle"].to_numpy() == 1)[1:])

    def summary(rows: Array) -> Array:
        return np.concatenate((rows[-30:].mean(axis=0), rows[-10:].mean(axis=0)))

    windows = [(rows[:end], len(rows) - end) for rows in scaled(fleet.train) for end in range(len(rows), 29, -7)]
    labels = np.minimum([rul for _, rul in windows], 125.0)
    return np.stack([summary(rows) for rows, _ in windows]), labels, np.stack([summary(r) for r in scaled(fleet.test)])


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="must be SIM1 or SIM6, but got 'SIM2'"):
        simulate("SIM2")
    with pytest.raises(ConfigurationError, match="at least 1, but got 0"):
        simulate("SIM1", engines=0)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="must be writable"):
        write_fleet("SIM1", tmp_path / "file" / "data", seed=1, engines=1)
