"""Is the winner better than the incumbent, or was it luck? Bootstrap over engines and seeds.

Notation: S seeds, E test engines, R resamples.

Each resample draws E engines with replacement, the same for winner and incumbent, since some engines are harder than
others; and S - 1 of each configuration's seeds: with S, the bootstrap would show only (S - 1)/S of the variance of a
mean over S seeds (Rao and Wu 1988, "Resampling inference with complex survey data"). A resample's figure is the mean
over its seeds, as the reported one is. Intervals are percentiles.

The winner is the best of K on the validation engines. The test engines had no part in that, yet the interval that
decides is that of K comparisons, 1 - 0.05/K (Bonferroni), as if the best of K had been picked on them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from amnl_tune.rul.configuration import RUL_CAP
from amnl_tune.rul.metrics import nasa_penalty

__all__ = ["Comparison", "Estimate", "compare"]

RESAMPLES = 10_000
SEED = 0
LEVEL = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval. A side that hopeless predictions make infinite is infinite."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Comparison:
    """Winner and incumbent on the test engines.

    Attributes:
        level: of the four figures' intervals. corrected_level: of the differences', for the best of `candidates`.
        candidates: configurations that the winner was picked from, the incumbent apart.
        seeds: of the winner, and of the incumbent.
        winner_rmse, incumbent_rmse: cycles. winner_nasa, incumbent_nasa: NASA scores. None: there is no incumbent.
        rmse_difference, nasa_difference: incumbent less winner, so that positive is better; None where they
            are one, or both infinite.
        better: established beyond engines' and seeds' noise. words: the verdict.
    """

    level: float
    corrected_level: float
    candidates: int
    seeds: tuple[int, int]
    winner_rmse: Estimate
    winner_nasa: Estimate
    incumbent_rmse: Estimate | None
    incumbent_nasa: Estimate | None
    rmse_difference: Estimate | None
    nasa_difference: Estimate | None
    better: bool
    words: str

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Inverts `plain`."""
        built = {name: Estimate(**value) if isinstance(value, Mapping) else value for name, value in values.items()}
        return cls(**built | {"seeds": tuple(values["seeds"])})


def compare(true: Array, winner: Array, incumbent: Array | None, *, candidates: int, same: bool = False) -> Comparison:
    """The winner against the incumbent.

    Args:
        true: (E,) capped labels in cycles.
        winner: (S, E) predictions in cycles. incumbent: likewise, of its own seeds; None: it was not promoted.
        candidates: that the winner was picked from, the incumbent apart.
        same: winner and incumbent are one configuration.
    """
    draws = np.random.default_rng(SEED)
    engines = draws.multinomial(len(true), np.full(len(true), 1 / len(true)), size=RESAMPLES).astype(np.float64)
    labels = np.minimum(true, RUL_CAP)
    one = _Sampled.of(labels, winner, engines, draws)
    other = None if incumbent is None else one if same else _Sampled.of(labels, incumbent, engines, draws)
    corrected = 1 - (1 - LEVEL) / max(1, candidates)
    apart = other is not None and not same
    rmse, nasa = (_difference(other, one, name, corrected) if apart and other else None for name in ("rmse", "nasa"))
    seeds = len(winner), 0 if incumbent is None else len(incumbent)
    better, words = _verdict(rmse, seeds, same=same)
    return Comparison(
        level=LEVEL,
        corrected_level=corrected,
        candidates=candidates,
        seeds=seeds,
        winner_rmse=one.estimate("rmse"),
        winner_nasa=one.estimate("nasa"),
        incumbent_rmse=other.estimate("rmse") if other else None,
        incumbent_nasa=other.estimate("nasa") if other else None,
        rmse_difference=rmse,
        nasa_difference=nasa,
        better=better,
        words=words,
    )


@dataclass(frozen=True)
class _Sampled:
    """One configuration's figures: of the engines as they are, and (R,) of the resamples."""

    values: dict[str, float]
    resampled: dict[str, Array]

    @classmethod
    def of(cls, true: Array, predicted: Array, engines: Array, draws: np.random.Generator) -> Self:
        error = predicted - true  # (S, E)
        squares, penalties = error**2, nasa_penalty(error)
        with np.errstate(invalid="ignore", over="ignore"):
            rmse = np.sqrt(engines @ squares.T / len(true))  # (R, S)
            nasa = _weighed(engines, penalties)
            share = _seed_shares(len(predicted), draws)
            return cls(
                {"rmse": float(np.sqrt(squares.mean(axis=1)).mean()), "nasa": float(penalties.sum(axis=1).mean())},
                {"rmse": (share * rmse).sum(axis=1), "nasa": _weighed_rows(share, nasa)},
            )

    def estimate(self, name: str) -> Estimate:
        return _estimate(self.values[name], self.resampled[name], LEVEL)


def _weighed(engines: Array, penalties: Array) -> Array:
    """(R, E) counts, (S, E) penalties -> (R, S) sums; an engine that was not drawn counts nothing, even if infinite."""
    infinite = ~np.isfinite(penalties)
    sums: Array = engines @ np.where(infinite, 0.0, penalties).T
    sums[(engines @ infinite.T.astype(np.float64)) > 0] = np.inf
    return sums


def _weighed_rows(share: Array, values: Array) -> Array:
    """(R,) sums over seeds; one that was not drawn counts nothing, even if infinite."""
    drawn: Array = np.where(share > 0, values, 0.0)
    sums: Array = (share * drawn).sum(axis=1)
    return sums


def _seed_shares(seeds: int, draws: np.random.Generator) -> Array:
    """(R, S) share of each seed in a resample's mean."""
    if seeds == 1:
        return np.ones((RESAMPLES, 1))
    return draws.multinomial(seeds - 1, np.full(seeds, 1 / seeds), size=RESAMPLES) / (seeds - 1)


def _difference(one: _Sampled, other: _Sampled, name: str, level: float) -> Estimate | None:
    """None where both are infinite."""
    with np.errstate(invalid="ignore"):
        value = one.values[name] - other.values[name]
        return None if np.isnan(value) else _estimate(value, one.resampled[name] - other.resampled[name], level)


def _estimate(value: float, resampled: Array, level: float) -> Estimate:
    """Percentiles by rank: infinite figures are figures too. Infinite less infinite says nothing."""
    ordered = np.sort(resampled[~np.isnan(resampled)])
    if not len(ordered):
        return Estimate(value, -np.inf, np.inf)
    tail = (1 - level) / 2
    low, high = ordered[int(tail * (len(ordered) - 1))], ordered[-1 - int(tail * (len(ordered) - 1))]
    return Estimate(value, float(low), float(high))


def _verdict(difference: Estimate | None, seeds: tuple[int, int], *, same: bool) -> tuple[bool, str]:
    if same:
        return False, "the published defaults are the validation engines' choice: keep the incumbent"
    if difference is None:
        return False, "the published defaults were not promoted: there is nothing to compare with"
    by = f"by {abs(difference.value):.1f} cycles"
    interval = f"[{difference.low:.1f}, {difference.high:.1f}]"
    if min(seeds) == 1:
        found = "better" if difference.value > 0 else "worse"
        return False, f"{found} {by} {interval} over engines alone: one seed says nothing about seed noise"
    if difference.low > 0:
        return True, f"better {by} {interval}"
    if difference.high < 0:
        return False, f"worse {by} [{-difference.high:.1f}, {-difference.low:.1f}]: keep the incumbent"
    return False, f"inside seed noise ({difference.value:+.1f} cycles {interval}): keep the incumbent"
