"""What a row knows of its engine's whole record: channels beside the sensors, causal and recursive.

Notation: N rows, engine after engine; U engines; S = 14 sensors, scaled by condition; R rates; K cycles of a base.

Everything here follows from the row before and the new row, so that a record read in parts gives what it gives at once,
bit for bit, and nothing after a row can change it. It needs an engine's record from its first cycle on.
Why (measured): windows of 30 to 50 cycles hide how the engine began; with history the same small network is 2.6 to
3.9 cycles better (studies/README.md).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amnl_tune.rul.configuration import InputConfig
from amnl_tune.rul.layouts import SENSORS, SETTINGS
from amnl_tune.rul.reading import engine_starts

AGE_SCALE = 100.0
"""Cycles that make 1 in the channel `age`."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Past:
    """All that the next row needs to know of an engine's record so far.

    Attributes:
        cycles: rows so far.
        first_sum: (S,) sum of its first K rows.
        ewma: (R, S) exponential means from zero on. weight: (R, 1) likewise of ones, to correct them for their start.
    """

    cycles: int
    first_sum: Array
    ewma: Array
    weight: Array

    @classmethod
    def nothing(cls, rates: int) -> "Past":
        """Before the first row."""
        return cls(0, np.zeros(len(SENSORS)), np.zeros((rates, len(SENSORS))), np.zeros((rates, 1)))


@dataclass(frozen=True)
class Remembered:
    """What each row knows.

    Attributes:
        age: (N,) rows of its engine up to it, itself included.
        first_mean: (N, S) mean of its engine's first K rows, of those so far while there are fewer.
        ewma: (N, R, S) exponential means, corrected for their start.
        past: of the last engine, after its last row: where the next part of a record goes on.
    """

    age: NDArray[np.int64]
    first_mean: Array
    ewma: Array
    past: Past


def remember(
    sensors: NDArray[Any],
    first: NDArray[np.int64],
    *,
    base: int | None,
    rates: tuple[float, ...],
    past: Past | None = None,
) -> Remembered:
    """Goes through every engine's rows in order, all engines side by side.

    Args:
        sensors: (N, S), scaled.
        first: (N,) index of the first row of each row's engine.
        base: K; None: all rows, so that `first_mean` is the mean so far.
        rates: of the exponential means, each in (0, 1).
        past: of the first engine, whose record goes on; None: it begins here.
    """
    starts = engine_starts(first)
    lengths = np.diff(np.r_[starts, len(first)])
    order = np.argsort(-lengths, kind="stable")  # longest first: those that have a row at a step are the first ones
    alpha = np.array(rates, dtype=np.float64)[:, None]  # (R, 1)
    values = np.asarray(sensors, dtype=np.float64)
    nothing = Past.nothing(len(rates))
    begun = [past if past and not place else nothing for place in order]
    first_sum, ewma, weight = (np.stack([getattr(own, n) for own in begun]) for n in ("first_sum", "ewma", "weight"))
    cycles = np.zeros(len(starts), dtype=np.int64)
    cycles[0] = past.cycles if past else 0
    age = np.arange(len(first)) - first + 1 + np.repeat(cycles, lengths)
    first_means, ewmas = np.empty_like(values), np.empty((len(values), len(rates), values.shape[1]))
    begin, alive = starts[order], np.searchsorted(-lengths[order], -np.arange(lengths.max()), side="left")
    for step, count in enumerate(alive):
        rows, own = begin[:count] + step, slice(count)
        x, t = values[rows], age[rows]
        first_sum[own] += x if base is None else np.where((t <= base)[:, None], x, 0.0)
        ewma[own] *= 1.0 - alpha
        ewma[own] += alpha * x[:, None, :]
        weight[own] *= 1.0 - alpha
        weight[own] += alpha
        first_means[rows] = first_sum[own] / (t if base is None else np.minimum(t, base))[:, None]
        ewmas[rows] = ewma[own] / weight[own]
    last = int(np.argmax(order))  # of the last engine
    return Remembered(age, first_means, ewmas, Past(int(age[-1]), first_sum[last], ewma[last], weight[last]))


def channel_names(config: InputConfig) -> tuple[str, ...]:
    """What a network of `config` sees of a row, in order."""
    settings = () if config.drop_settings else SETTINGS
    deviation = tuple(f"{name}_deviation_{config.deviation}" for name in SENSORS) if config.deviation else ()
    ewma = tuple(f"{name}_ewma_{rate:g}" for rate in config.ewma for name in SENSORS)
    return (*settings, *SENSORS, *deviation, *ewma, *(("age",) if config.age else ()))


def channels(
    features: NDArray[np.float32],
    first: NDArray[np.int64],
    config: InputConfig,
    *,
    past: Past | None = None,
    before: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float32], Past]:
    """The channels of every row, and where the last engine's record goes on.

    Args:
        features: (N, 17) as `Scaling.transform` gives them. first: as in `remember`.
        config: what the network sees.
        past: of the first engine, whose record goes on.
        before: (N,) cycles of each row's engine before its record begins; None: none.

    Returns:
        (N, C) float32, C = len(channel_names(config)).
    """
    seen: list[NDArray[Any]] = [features[:, len(SETTINGS) :] if config.drop_settings else features]
    if not config.needs_whole_record:
        return seen[0], Past.nothing(0)
    sensors = features[:, len(SETTINGS) :].astype(np.float64)
    known = remember(sensors, first, base=config.deviation or None, rates=config.ewma, past=past)
    if config.deviation:
        seen.append(sensors - known.first_mean)
    seen += [known.ewma[:, rate] for rate in range(len(config.ewma))]
    if config.age:
        age = known.age if before is None else known.age + before
        seen.append(age[:, None] / AGE_SCALE)
    return np.concatenate(seen, axis=1).astype(np.float32), known.past


def trailing_mean(values: NDArray[np.float32], first: NDArray[np.int64], steps: int) -> NDArray[np.float32]:
    """(N, C) mean of each row and the `steps` - 1 before it, of those that its engine has; (N,) its first row."""
    row = np.arange(len(first))
    total = values.astype(np.float64)
    for back in range(1, steps):
        has = row - back >= first
        total[has] += values[row[has] - back]
    return np.asarray(total / np.minimum(steps, row - first + 1)[:, None], dtype=np.float32)
