"""What a row knows of its engine's whole record, as one flat vector: for models that see no window.

Notation: N rows, engine after engine; M rows asked for; S = 14 sensors, scaled by condition; F = 127 statistics.

Causal, and the same in parts: exponential means, mean so far and age are the recursion of `history.remember`; what is
taken over a row's last rows is summed from that row backwards, one shift after another, so that neither the other rows
of a call nor the place where a record is cut can reach a bit of it. It needs a record from the engine's first cycle on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amnl_tune.rul.history import Past, remember
from amnl_tune.rul.layouts import SENSORS, SETTINGS

RATES = (0.3, 0.1, 0.03)
MEANS, DEVIATION, SLOPES = (10, 30), 30, (30, 80)
"""Cycles that a mean, the standard deviation and a slope are taken over; of a younger engine, the rows that it has."""
REACH = max(*MEANS, DEVIATION, *SLOPES)

KINDS = (
    *(f"ewma_{rate:g}" for rate in RATES),
    *(f"mean_{cycles}" for cycles in MEANS),
    f"sd_{DEVIATION}",
    *(f"slope_{cycles}" for cycles in SLOPES),
    "mean_so_far",
)
STATISTICS: tuple[str, ...] = (*(f"{name}_{kind}" for kind in KINDS for name in SENSORS), "age")
"""Names of the F columns. `sd` divides by the number of rows, `slope` is the least-squares line's, a cycle."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StatisticsPast:
    """All that the next row needs to know of an engine's record so far.

    Attributes:
        recursion: of the exponential means, the mean so far and the age.
        tail: (up to 79, S) float32, its last rows: as far as the next row's longest slope reaches back.
    """

    recursion: Past
    tail: NDArray[np.float32]


def history_statistics(
    features: NDArray[np.float32],
    first: NDArray[np.int64],
    at: NDArray[np.int64] | None = None,
    *,
    past: StatisticsPast | None = None,
    before: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float32], StatisticsPast]:
    """The statistics of some rows, and where the last engine's record goes on.

    Args:
        features: (N, 17) as `Scaling.transform` gives them.
        first: (N,) index of the first row of each row's engine.
        at: (M,) rows asked for; None: all, M = N.
        past: of the first engine, whose record goes on; None: it begins here.
        before: (N,) cycles of each row's engine before its record begins; None: none.

    Returns:
        (M, F) float32, F = len(STATISTICS).
    """
    sensors = features[:, len(SETTINGS) :]
    known = remember(sensors, first, base=None, rates=RATES, past=past.recursion if past else None)
    age = known.age if before is None else known.age + before
    rows = np.arange(len(first)) if at is None else at
    earlier = past.tail if past else sensors[:0]
    record = np.concatenate((earlier, sensors))
    begins = np.where(first == first[0], 0, first + len(earlier))
    ewma = known.ewma[rows].reshape(len(rows), len(RATES) * len(SENSORS))
    recent = _recent(record, rows + len(earlier), begins[rows])  # (M, 5 S)
    statistics = np.concatenate((ewma, recent, known.first_mean[rows], age[rows, None]), axis=1).astype(np.float32)
    return statistics, StatisticsPast(known.past, record[max(begins[-1], len(record) - REACH + 1) :].copy())


def _recent(record: NDArray[np.float32], row: NDArray[np.int64], begin: NDArray[np.int64]) -> Array:
    """Means, standard deviation and slopes over the last rows of each of `row`, whose engine begins at `begin`.

    All follow from the differences d_k to the row itself, k cycles back: their sum, the sum of k d_k and that of d_k^2.
    """
    now, has = record[row].astype(np.float64), row - begin + 1
    total, moment, square = np.zeros_like(now), np.zeros_like(now), np.zeros_like(now)
    means, slopes = [], []
    for back in range(REACH):
        difference = record[np.where(back < has, row - back, row)] - now  # 0, where the engine has no such row
        total += difference
        moment += back * difference
        if back < DEVIATION:
            square += difference * difference
        cycles = back + 1
        n = np.minimum(cycles, has)[:, None]
        if cycles in MEANS:
            means.append(now + total / n)
        if cycles == DEVIATION:
            deviation = np.sqrt(np.maximum(square / n - (total / n) ** 2, 0.0))
        if cycles in SLOPES:
            slopes.append((total * (n - 1) / 2 - moment) / np.maximum(n * (n * n - 1) / 12, 0.5))  # 0.5: of two rows
    return np.concatenate((*means, deviation, *slopes), axis=1)
