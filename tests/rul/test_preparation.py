from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from amnl_tune.errors import ConfigurationError
from amnl_tune.rul.configuration import DataConfig, InputConfig, Normalization
from amnl_tune.rul.layouts import SENSORS
from amnl_tune.rul.preparation import PreparedData, cached_prepare, engine_rows, prepare
from amnl_tune.rul.scaling import Scaling, fit_scaling
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import FleetSource, TrainingFleet

CONFIG = DataConfig(dataset="SIM6")
WINDOW = InputConfig(window=30)


@pytest.fixture(scope="module")
def fleet() -> TrainingFleet:
    return TrainingFleet("SIM6", "ab" * 32, simulate("SIM6", engines=15).train)


@pytest.fixture(scope="module")
def data(fleet: TrainingFleet) -> PreparedData:
    return prepare(fleet, CONFIG)


def test_the_split_is_by_engine(data: PreparedData, fleet: TrainingFleet) -> None:
    training, validation = set(data.training_units.tolist()), set(data.validation_units.tolist())
    assert not training & validation
    assert training | validation == set(fleet.frame["unit"])
    assert len(validation) == 3
    used = data.rows.unit[data.training_windows(WINDOW)].unique().tolist()
    assert set(used) <= training
    assert set(data.rows.unit[data.all_validation_windows(WINDOW)].tolist()) <= validation


def test_another_seed_holds_out_other_engines(fleet: TrainingFleet, data: PreparedData) -> None:
    other = prepare(fleet, CONFIG.model_copy(update={"split_seed": 1}))
    assert set(other.validation_units.tolist()) != set(data.validation_units.tolist())


def test_normalisation_never_sees_the_held_out_engines(fleet: TrainingFleet, data: PreparedData) -> None:
    spoilt = fleet.frame.copy()
    spoilt.loc[spoilt["unit"].isin(data.validation_units.tolist()), list(SENSORS)] *= 17.0
    assert prepare(TrainingFleet("SIM6", "cd" * 32, spoilt), CONFIG).scaling.to_plain() == data.scaling.to_plain()


def test_training_rows_are_standardised_per_condition(data: PreparedData) -> None:
    own = torch.isin(data.rows.unit, data.training_units)
    sensors = data.rows.features[own][:, 3:]
    assert sensors.mean(dim=0) == pytest.approx(np.zeros(14), abs=1e-3)
    assert sensors.std(dim=0) == pytest.approx(np.ones(14), abs=1e-2)
    assert data.scaling.centroids.shape == (6, 3)


def test_labels_are_capped_and_end_at_zero(data: PreparedData) -> None:
    assert data.rows.rul.max() == 125.0
    last = torch.cat([(data.rows.unit == unit).nonzero()[-1] for unit in data.training_units])
    assert data.rows.rul[last].abs().max() == 0.0


def test_windows_end_at_their_row_and_repeat_the_first_cycle_on_the_left(data: PreparedData) -> None:
    start = int(data.rows.first.unique()[1])
    full, short = data.rows.windows(torch.tensor([start + 40, start + 3]), 30)
    assert torch.equal(full, data.rows.features[start + 11 : start + 41])
    assert torch.equal(short[-4:], data.rows.features[start : start + 4])
    assert torch.equal(short[:-4], data.rows.features[start].expand(26, -1))


def test_strides_count_back_from_the_end(data: PreparedData) -> None:
    every, fourth = data.training_windows(WINDOW), data.training_windows(WINDOW, 4)
    assert set(fourth.tolist()) < set(every.tolist())
    for unit in data.training_units[:3]:
        own = fourth[data.rows.unit[fourth] == unit]
        assert data.rows.rul[own[-1]] == 0.0
        assert (own.diff() == 4).all()


def test_truncations_stay_in_their_engine_and_do_not_depend_on_the_window(data: PreparedData) -> None:
    units = data.rows.unit[data.truncations]
    assert (units == data.validation_units[:, None]).all()
    assert (data.truncations - data.rows.first[data.truncations] >= 19).all()
    assert data.truncations.shape == (3, 10)
    assert len(data.validation_windows(0.4)) == 10


def test_a_window_longer_than_every_engine_is_refused(data: PreparedData) -> None:
    with pytest.raises(
        ConfigurationError, match="`window` must be at most the longest training engine, but got window=500"
    ):
        data.training_windows(InputConfig(window=500))


def test_a_split_needs_an_engine_on_either_side(fleet: TrainingFleet) -> None:
    with pytest.raises(ConfigurationError, match=r"must leave at least one training engine, but got 0\.99 of 15"):
        prepare(fleet, CONFIG.model_copy(update={"validation_fraction": 0.99}))


def test_more_conditions_than_settings_are_refused(fleet: TrainingFleet) -> None:
    same = fleet.frame.assign(setting_1=0.0, setting_2=0.0, setting_3=100.0)
    with pytest.raises(ConfigurationError, match="`conditions` must be at most"):
        fit_scaling(same, conditions=2, normalization=Normalization.CONDITION, seed=0)


def test_a_constant_sensor_divides_by_one(fleet: TrainingFleet) -> None:
    flat = fleet.frame.assign(sensor_2=641.82)
    scaling = fit_scaling(flat, conditions=6, normalization=Normalization.CONDITION, seed=0)
    assert np.abs(scaling.transform(flat)[:, 3]).max() < 1e-6


def test_the_scaling_survives_json(data: PreparedData, fleet: TrainingFleet) -> None:
    again = Scaling.from_plain(data.scaling.to_plain())
    assert np.array_equal(again.transform(fleet.frame), data.scaling.transform(fleet.frame))
    assert again.condition_distance(fleet.frame).max() < 1.0


def test_the_cache_gives_back_what_was_prepared(fleet: TrainingFleet, data: PreparedData, tmp_path: Path) -> None:
    first, second = (cached_prepare(fleet, CONFIG, tmp_path) for _ in range(2))
    for made in (first, second):
        for name, tensor in data.rows.tensors.items():
            assert torch.equal(getattr(made.rows, name), tensor)
        assert torch.equal(made.truncations, data.truncations)
        assert made.scaling.to_plain() == data.scaling.to_plain()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(cached_prepare(fleet, CONFIG, tmp_path).rows.features, data.rows.features)


def test_the_cache_tells_settings_and_files_apart(fleet: TrainingFleet, tmp_path: Path) -> None:
    cached_prepare(fleet, CONFIG, tmp_path)
    cached_prepare(fleet, CONFIG.model_copy(update={"split_seed": 1}), tmp_path)
    cached_prepare(TrainingFleet("SIM6", "ef" * 32, fleet.frame), CONFIG, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_test_engines_are_labelled_from_their_remaining_cycles(data: PreparedData) -> None:
    frame: pd.DataFrame = simulate("SIM6", engines=15).train
    two = frame[frame["unit"].isin([1, 2])]
    rows = engine_rows(two, data.scaling, np.array([7.0, 300.0]))
    last = torch.tensor([int((rows.unit == 1).sum()) - 1, len(rows.unit) - 1])
    assert rows.rul[last].tolist() == [7.0, 125.0]


COUNTS = {"FD001": 17_731, "FD002": 46_219, "FD003": 21_820, "FD004": 54_028}


@pytest.mark.realdata
@pytest.mark.parametrize("name", list(COUNTS))
def test_windows_of_the_real_files(name: str, cmapss_dir: Path) -> None:
    made = prepare(FleetSource((cmapss_dir,)).training(name), DataConfig(dataset=name))
    assert len(made._windows_of(made.rows.unit.unique(), WINDOW, 1)) == COUNTS[name]
    assert len(made.validation_units) == round(0.2 * len(made.rows.unit.unique()))


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "engines", "short"), [("FD001", 100, 0), ("FD002", 259, 6), ("FD003", 100, 0), ("FD004", 248, 11)]
)
def test_short_test_engines_are_padded_not_dropped(name: str, engines: int, short: int, cmapss_dir: Path) -> None:
    source = FleetSource((cmapss_dir,))
    test = source.test(name)
    made = prepare(source.training(name), DataConfig(dataset=name))
    rows = engine_rows(test.frame, made.scaling, test.rul)
    last = torch.from_numpy(np.flatnonzero(np.r_[np.diff(test.frame["unit"]) != 0, True]))
    assert rows.windows(last, 30).shape == (engines, 30, 17)
    assert int((last - rows.first[last] + 1 < 30).sum()) == short
