import numpy as np
import pytest
from numpy.typing import NDArray

from amnl_tune.rul.layouts import SENSORS
from amnl_tune.rul.statistics import STATISTICS, StatisticsPast, history_statistics

LENGTHS = (130, 1, 2, 35, 9, 101)
FIRST = np.repeat(np.cumsum((0, *LENGTHS[:-1])), LENGTHS)
CUTS = [(1,), (79, 80), (131, 132), (100, 150, 200), (33, 129, 168, 177, 277), tuple(range(1, len(FIRST)))]


@pytest.fixture(scope="module")
def features() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(len(FIRST), 17)).astype(np.float32)


@pytest.fixture(scope="module")
def whole(features: NDArray[np.float32]) -> NDArray[np.float32]:
    return history_statistics(features, FIRST)[0]


def slope(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.polyfit(np.arange(len(values)), values, 1)[0] if len(values) > 1 else np.zeros(values.shape[1])


def ewma(values: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    weight = (1.0 - rate) ** np.arange(len(values))[::-1]
    return (weight[:, None] * values).sum(axis=0) / weight.sum()


PLAIN = {
    "ewma_0.3": lambda seen: ewma(seen, 0.3),
    "ewma_0.1": lambda seen: ewma(seen, 0.1),
    "ewma_0.03": lambda seen: ewma(seen, 0.03),
    "mean_10": lambda seen: seen[-10:].mean(axis=0),
    "mean_30": lambda seen: seen[-30:].mean(axis=0),
    "sd_30": lambda seen: seen[-30:].std(axis=0),
    "slope_30": lambda seen: slope(seen[-30:]),
    "slope_80": lambda seen: slope(seen[-80:]),
    "mean_so_far": lambda seen: seen.mean(axis=0),
}


def test_every_name_is_there_once() -> None:
    assert len(STATISTICS) == len(set(STATISTICS)) == 127
    assert set(STATISTICS) == {f"{sensor}_{kind}" for sensor in SENSORS for kind in PLAIN} | {"age"}


@pytest.mark.parametrize("kind", list(PLAIN))
def test_each_statistic_is_its_plain_computation(
    kind: str, features: NDArray[np.float32], whole: NDArray[np.float32]
) -> None:
    columns = [STATISTICS.index(f"{sensor}_{kind}") for sensor in SENSORS]
    for row, first in enumerate(FIRST):
        expected = PLAIN[kind](features[first : row + 1, 3:].astype(np.float64))
        assert whole[row, columns] == pytest.approx(expected, abs=1e-6)


def test_age_counts_from_the_first_record_and_what_was_before_it(
    features: NDArray[np.float32], whole: NDArray[np.float32]
) -> None:
    age = np.arange(len(FIRST)) - FIRST + 1
    assert np.array_equal(whole[:, -1], age)
    before = np.where(FIRST == 0, 40, 0)
    later, _ = history_statistics(features, FIRST, before=before)
    assert np.array_equal(later[:, -1], age + before)
    assert np.array_equal(later[:, :-1], whole[:, :-1])


def test_one_row_has_neither_slope_nor_deviation(whole: NDArray[np.float32]) -> None:
    moving = [index for index, name in enumerate(STATISTICS) if "_sd_" in name or "_slope_" in name]
    assert len(moving) == 3 * 14
    assert (whole[np.unique(FIRST)][:, moving] == 0.0).all()


def test_a_sensor_that_stands_still_has_exactly_neither(features: NDArray[np.float32]) -> None:
    still = np.full_like(features, 0.1)
    statistics, _ = history_statistics(still, FIRST)
    moving = [index for index, name in enumerate(STATISTICS) if "_sd_" in name or "_slope_" in name]
    assert (statistics[:, moving] == 0.0).all()


def test_rows_asked_for_are_those_of_all(features: NDArray[np.float32], whole: NDArray[np.float32]) -> None:
    at = np.array([276, 0, 129, 129, 131, 88])
    assert np.array_equal(history_statistics(features, FIRST, at)[0], whole[at])
    assert history_statistics(features, FIRST, at[:0])[0].shape == (0, 127)


@pytest.mark.parametrize("row", [0, 40, 129, 130, 165, 200])
def test_nothing_after_a_row_reaches_it(row: int, features: NDArray[np.float32], whole: NDArray[np.float32]) -> None:
    garbled = features.copy()
    garbled[row + 1 :] = 1e6
    assert np.array_equal(history_statistics(garbled, FIRST)[0][: row + 1], whole[: row + 1])
    assert np.array_equal(history_statistics(features[: row + 1], FIRST[: row + 1])[0], whole[: row + 1])


def test_no_other_engine_reaches_a_row(features: NDArray[np.float32], whole: NDArray[np.float32]) -> None:
    own = FIRST == 133
    garbled = np.where(own[:, None], features, np.float32(1e6))
    assert np.array_equal(history_statistics(garbled, FIRST)[0][own], whole[own])


@pytest.mark.parametrize("cuts", CUTS, ids=len)
def test_parts_are_the_whole_to_the_bit(
    cuts: tuple[int, ...], features: NDArray[np.float32], whole: NDArray[np.float32]
) -> None:
    past: StatisticsPast | None = None
    parts = []
    for start, end in zip((0, *cuts), (*cuts, len(FIRST)), strict=True):
        goes_on = start > 0 and FIRST[start] == FIRST[start - 1]
        own = np.maximum(FIRST[start:end] - start, 0)
        statistics, past = history_statistics(features[start:end], own, past=past if goes_on else None)
        assert len(past.tail) == min(79, end - FIRST[end - 1])
        parts.append(statistics)
    assert np.concatenate(parts).tobytes() == whole.tobytes()
