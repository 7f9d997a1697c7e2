"""What a row knows of its engine's past: the channels by their definitions, causal, recursive, the same in parts."""

import itertools

import numpy as np
import pytest
import torch

from amnl_tune.errors import ConfigurationError
from amnl_tune.rul.configuration import InputConfig, NetworkConfig
from amnl_tune.rul.history import AGE_SCALE, Past, channel_names, channels, trailing_mean
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import EngineRows, PreparedData, prepare
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import TrainingFleet
from amnl_tune.studies.study_file import parse_study_spec
from amnl_tune.training.config import RunConfig
from amnl_tune.training.evaluation import predict_windows
from amnl_tune.training.fit import fit

EVERYTHING = InputConfig(age=True, deviation=5, ewma=(0.3, 0.05), pool=3, window=4)
EACH = [
    InputConfig(age=True),
    InputConfig(deviation=7),
    InputConfig(ewma=(0.1,)),
    InputConfig(pool=4),
    InputConfig(drop_settings=True),
    EVERYTHING,
]


def rows_of(*lengths: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(N, 17) prepared rows and (N,) first rows of engines of these lengths."""
    features = np.random.default_rng(seed).normal(size=(sum(lengths), 17)).astype(np.float32)
    starts = np.cumsum([0, *lengths[:-1]])
    return features, np.repeat(starts, lengths).astype(np.int64)


def engines(features: np.ndarray, first: np.ndarray) -> EngineRows:
    unit = torch.from_numpy(np.unique(first, return_inverse=True)[1].astype(np.int64))
    return EngineRows(torch.from_numpy(features), torch.from_numpy(first), torch.zeros(len(first)), unit)


def test_each_channel_is_what_its_name_says() -> None:
    features, first = rows_of(40, 3, 25)
    seen, _ = channels(features, first, EVERYTHING)
    names = channel_names(EVERYTHING)
    assert seen.shape == (68, 3 + 14 * 4 + 1) == (68, len(names))
    assert len(set(names)) == len(names)
    np.testing.assert_array_equal(seen[:, :17], features)
    sensors = features[:, 3:].astype(np.float64)
    for row in range(len(features)):
        own = sensors[first[row] : row + 1]
        np.testing.assert_allclose(seen[row, 17:31], own[-1] - own[:5].mean(axis=0), rtol=1e-5, atol=1e-6)
        for place, rate in enumerate((0.3, 0.05)):
            weights = rate * (1 - rate) ** np.arange(len(own))[::-1]
            expected = (weights[:, None] * own).sum(axis=0) / weights.sum()
            np.testing.assert_allclose(seen[row, 31 + 14 * place : 45 + 14 * place], expected, rtol=1e-4, atol=1e-6)
        assert seen[row, -1] == pytest.approx(len(own) / AGE_SCALE)
    assert names[17] == "sensor_2_deviation_5"
    assert names[31] == "sensor_2_ewma_0.3"
    assert names[-1] == "age"


def test_a_pooled_step_is_the_mean_of_its_cycles() -> None:
    features, first = rows_of(20, 2)
    pooled = trailing_mean(features, first, 3)
    for row in range(len(features)):
        own = features[max(first[row], row - 2) : row + 1].astype(np.float64)
        np.testing.assert_allclose(pooled[row], own.mean(axis=0), rtol=1e-6)
    seen = engines(features, first).seen_by(InputConfig(pool=3, window=4))
    window = seen.windows(torch.tensor([19]), 4)[0].numpy()
    np.testing.assert_array_equal(window, pooled[[10, 13, 16, 19]])
    short = seen.windows(torch.tensor([21]), 4)[0].numpy()
    np.testing.assert_array_equal(short, pooled[[20, 20, 20, 21]])


@pytest.mark.parametrize("config", EACH, ids=lambda config: str(config.model_dump(exclude_defaults=True)))
def test_nothing_after_a_row_reaches_it(config: InputConfig) -> None:
    features, first = rows_of(30, 12, 20)
    whole = engines(features, first).seen_by(config).features.numpy()
    for cut in (1, 10, 29, 35, 50):
        garbled = features.copy()
        garbled[cut:] = np.random.default_rng(1).normal(size=garbled[cut:].shape) * 1e3
        np.testing.assert_array_equal(engines(garbled, first).seen_by(config).features.numpy()[:cut], whole[:cut])
        ended = engines(features[:cut], first[:cut]).seen_by(config).features.numpy()
        np.testing.assert_array_equal(ended, whole[:cut])


@pytest.mark.parametrize("config", EACH, ids=lambda config: str(config.model_dump(exclude_defaults=True)))
def test_no_engine_reaches_another(config: InputConfig) -> None:
    features, first = rows_of(30, 12, 20)
    whole = engines(features, first).seen_by(config).features.numpy()
    garbled = features.copy()
    garbled[30:42] = np.nan
    others = np.r_[0:30, 42:62]
    np.testing.assert_array_equal(engines(garbled, first).seen_by(config).features.numpy()[others], whole[others])


@pytest.mark.parametrize("cuts", [(1,), (29,), (30,), (5, 6, 7), (10, 45), tuple(range(1, 62))])
def test_a_record_in_parts_is_the_record(cuts: tuple[int, ...]) -> None:
    features, first = rows_of(30, 12, 20)
    whole, end = channels(features, first, EVERYTHING)
    parts, past = [], None
    for begin, stop in itertools.pairwise((0, *cuts, len(features))):
        goes_on = begin > 0 and first[begin] < begin
        own = np.maximum(first[begin:stop] - begin, 0)
        seen, past = channels(features[begin:stop], own, EVERYTHING, past=past if goes_on else None)
        parts.append(seen)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    for name in ("cycles", "first_sum", "ewma", "weight"):
        np.testing.assert_array_equal(getattr(past, name), getattr(end, name))


def test_cycles_before_the_record_count_in_the_age_alone() -> None:
    features, first = rows_of(10)
    config = InputConfig(age=True, deviation=3)
    (plain, _), (late, _) = (channels(features, first, config, before=before) for before in (None, np.full(10, 30)))
    np.testing.assert_array_equal(plain[:, :-1], late[:, :-1])
    np.testing.assert_allclose(late[:, -1] - plain[:, -1], 30 / AGE_SCALE, rtol=1e-5)


def test_without_history_the_rows_are_the_prepared_ones() -> None:
    rows = engines(*rows_of(5, 6))
    assert rows.seen_by(InputConfig(window=80)) is rows
    assert channels(rows.features.numpy(), rows.first.numpy(), InputConfig())[1].cycles == Past.nothing(0).cycles


def test_windows_are_gathered_from_resident_rows() -> None:
    """Channels are columns of the rows: no window is ever held, however long it is."""
    rows = engines(*rows_of(300, 200))
    seen = rows.seen_by(EVERYTHING)
    assert seen.features.shape == (500, 60)
    assert sum(tensor.nbytes for tensor in seen.tensors.values()) == 500 * (60 * 4 + 8 + 4 + 8)
    assert seen.seen_by(InputConfig()).features.data_ptr() == seen.features.data_ptr()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ewma": [0.1, 0.1]}, "`ewma` must be different rates, but got"),
        ({"ewma": [1.5]}, "`ewma.0`: Input should be less than 1"),
        ({"pool": 0}, "`pool`"),
        ({"deviation": -1}, "`deviation`"),
    ],
)
def test_settings_that_make_no_channel(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RunConfig.build(values)


def test_a_network_takes_as_many_channels_as_it_is_told() -> None:
    plain = {"hidden_size": 4, "num_heads": 2, "window": 6}
    for config in (NetworkConfig(**plain), NetworkConfig(**plain, age=True, deviation=20, ewma=(0.1, 0.03))):
        model = AMNL(config).eval()
        assert model(torch.zeros(2, 6, len(channel_names(config)))).rul.shape == (2,)
    assert len(channel_names(config)) == 60
    assert len(channel_names(NetworkConfig(**plain, drop_settings=True))) == 14


def test_short_engines_are_padded_in_training_as_in_prediction(tiny_data: PreparedData) -> None:
    full, padded = InputConfig(window=60), InputConfig(window=60, pad_short=True)
    rows = tiny_data.rows
    every = tiny_data.training_windows(padded)
    assert len(every) == int(torch.isin(rows.unit, tiny_data.training_units).sum())
    assert set(tiny_data.training_windows(full).tolist()) < set(every.tolist())
    begin = int(rows.first[every[0]])
    window = rows.windows(torch.tensor([begin + 2]), 60)[0]
    assert (window[:58] == rows.features[begin]).all()
    with pytest.raises(ConfigurationError, match=r"window=200 of 5 cycles for engines .* or set `pad_short = true`"):
        tiny_data.training_windows(InputConfig(window=200, pool=5))
    assert len(tiny_data.training_windows(InputConfig(window=200, pool=5, pad_short=True))) == len(every)


def test_a_run_learns_from_its_channels(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    config = tiny_config.replaced(age=True, deviation=5, ewma=(0.1,), pool=2, pad_short=True, epochs=2)
    *_, last = fit(config, tiny_data)
    assert last.final is not None
    cut = tiny_data.validation_windows()
    seen = tiny_data.rows.seen_by(config)
    predicted = predict_windows(last.state.evaluated, seen, cut, config.window).rul
    assert predicted.isfinite().all()
    first = last.state.model.convolutions[0]
    assert isinstance(first, torch.nn.Conv1d)
    assert first.in_channels == 17 + 14 + 14 + 1


def test_a_study_without_history_is_what_it_was(tiny_study: str) -> None:
    """Fingerprints and learning curve, recorded with the release before history channels."""
    former = '[lr_range_test]\nstart_lr = 1e-6\nsuggestion = "minimum/10"'  # defaults that have changed since
    spec = parse_study_spec(tiny_study.replace("[lr_range_test]", former), name="tiny")
    config = spec.run_config(spec.incumbent_parameters())
    assert spec.fingerprint() == "2b9ec91d661b7d94785b4e03400897f8438464c2d298effd3babe3908cae4024"
    assert config.fingerprint() == "b28cd86b285ce244f15ba5119f4d39ec941aab76262ac12b13a007bbce2b301a"
    data = prepare(TrainingFleet("SIM1", "0" * 64, simulate("SIM1", engines=10).train), config)
    found = [(epoch.train_rul_loss, epoch.train_health_loss, epoch.validation_rmse) for epoch in fit(config, data)]
    recorded = [
        (2079.283203125, 1.0931520462036133, 31.4136117495704),
        (2087.80224609375, 1.0812898874282837, 31.381250754960085),
        (2073.311767578125, 1.0629159212112427, 31.371633814956283),
    ]
    np.testing.assert_allclose(found, recorded, rtol=1e-5)  # other processors differ in the last bits


def test_settings_that_a_run_does_not_use_are_no_part_of_its_identity() -> None:
    """Records of the first release know nothing of them: their fingerprints were taken from its own code."""
    assert RunConfig().fingerprint() == "6040e03b4d1a308d7320050520166651429b25ded062eaff18cdd9e63794b347"
    assert (
        RunConfig(window=50, loss="fixed", hidden_size=32).fingerprint()
        == "44a09c059ae4d8efedfa311e0c1fe787fb2326a3e94858e46823745b61b7421f"
    )
    assert RunConfig(age=True).fingerprint() != RunConfig().fingerprint()
    assert "age" not in RunConfig().identity()
    assert RunConfig(age=True).identity()["age"] is True
