"""How far luck moves a figure on the test engines: bootstrap over engines and seeds.

Notation: S seeds, E test engines, R resamples.

Each resample draws E engines with replacement, the same for every candidate, since some engines are harder than others;
and S - 1 of each configuration's seeds: with S, the bootstrap would show only (S - 1)/S of the variance of a mean over
S seeds (Rao and Wu 1988, "Resampling inference with complex survey data"). Intervals are percentiles.

* Networks: a resample's figure is the mean of its seeds' figures, as the reported one is.
* Boosting has no seeds: only the engines are drawn.
* The mix is one prediction, the mean of boosting and of the seeds' mean prediction. A resample takes the mean
  prediction of the seeds that it has drawn, then mixes: the mean of mixes of single seeds would be another, noisier
  model. The seeds are those drawn for the same configuration's networks, so that network and mix are paired in them
  too. A mean of S - 1 drawn seeds is a little worse than that of all S: the interval errs against the mix (by 0.04
  cycles with 3 seeds that differ by 3 cycles), be it the choice, where that is caution, or a rival of the choice, where
  it is as much too kind to the choice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amnl_tune.rul.layouts import RUL_CAP
from amnl_tune.rul.metrics import nasa_penalty

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
class Seeds:
    """`predicted` (S, E) of a configuration's seeds in cycles, and the `share` (R, S) of each in the resamples."""

    predicted: Array
    share: Array


@dataclass(frozen=True)
class Sampled:
    """One candidate's figures `rmse` (cycles) and `nasa`: of the engines as they are, and (R,) of the resamples.

    `seeds` is how many it has; None: it has no seed noise.
    """

    values: dict[str, float]
    resampled: dict[str, Array]
    seeds: int | None

    def estimate(self, name: str) -> Estimate:
        """A figure with its 95% interval."""
        return _estimate(self.values[name], self.resampled[name], LEVEL)

    def less(self, other: "Sampled", name: str, level: float) -> Estimate | None:
        """This figure less the other's, paired; None where both are infinite."""
        with np.errstate(invalid="ignore"):
            value = self.values[name] - other.values[name]
            difference = self.resampled[name] - other.resampled[name]
        return None if np.isnan(value) else _estimate(value, difference, level)


class Bootstrap:
    """The resamples that all candidates share.

    Args:
        true: (E,) labels in cycles; capped here.
    """

    def __init__(self, true: Array) -> None:
        self._true = np.minimum(true, RUL_CAP)
        self._draws = np.random.default_rng(SEED)
        count = len(true)
        drawn = self._draws.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
        self._engines = drawn.astype(np.float64)  # (R, E) times that each is in a resample

    def seeds(self, predicted: Array) -> Seeds:
        """Draws seeds of (S, E) predictions; of one seed there is nothing to draw."""
        count = len(predicted)
        if count == 1:
            return Seeds(predicted, np.ones((RESAMPLES, 1)))
        return Seeds(predicted, self._draws.multinomial(count - 1, np.full(count, 1 / count), RESAMPLES) / (count - 1))

    def networks(self, seeds: Seeds) -> Sampled:
        """A configuration: the mean of its seeds' figures."""
        error = seeds.predicted - self._true  # (S, E)
        squares, penalties = error**2, nasa_penalty(error)
        with np.errstate(invalid="ignore", over="ignore"):
            rmse = np.sqrt(self._engines @ squares.T / len(self._true))  # (R, S)
            nasa = _weighed(self._engines, penalties)
            return Sampled(
                {"rmse": float(np.sqrt(squares.mean(axis=1)).mean()), "nasa": float(penalties.sum(axis=1).mean())},
                {"rmse": (seeds.share * rmse).sum(axis=1), "nasa": _drawn_sum(seeds.share, nasa)},
                len(seeds.predicted),
            )

    def fixed(self, predicted: Array) -> Sampled:
        """One prediction (E,) without seeds."""
        one = self.networks(Seeds(predicted[None], np.ones((RESAMPLES, 1))))
        return Sampled(one.values, one.resampled, None)

    def mix(self, seeds: Seeds, fixed: Array) -> Sampled:
        """The mean of a configuration's mean prediction and of a prediction (E,) without seeds."""
        error = (seeds.predicted.mean(axis=0) + fixed) / 2 - self._true
        drawn = (seeds.share @ seeds.predicted + fixed) / 2 - self._true  # (R, E)
        with np.errstate(over="ignore"):
            rmse = np.sqrt(np.einsum("re,re->r", self._engines, drawn**2) / len(self._true))
            nasa = _drawn_sum(self._engines, nasa_penalty(drawn))
            values = {"rmse": float(np.sqrt((error**2).mean())), "nasa": float(nasa_penalty(error).sum())}
        return Sampled(values, {"rmse": rmse, "nasa": nasa}, len(seeds.predicted))


def _weighed(engines: Array, penalties: Array) -> Array:
    """(R, E) counts, (S, E) penalties -> (R, S) sums; an engine that was not drawn counts nothing, even if infinite."""
    infinite = ~np.isfinite(penalties)
    sums: Array = engines @ np.where(infinite, 0.0, penalties).T
    sums[(engines @ infinite.T.astype(np.float64)) > 0] = np.inf
    return sums


def _drawn_sum(share: Array, values: Array) -> Array:
    """(R,) sums of values weighted by share, both (R, N); what was not drawn counts nothing, even if infinite."""
    sums: Array = (share * np.where(share > 0, values, 0.0)).sum(axis=1)
    return sums


def _estimate(value: float, resampled: Array, level: float) -> Estimate:
    """Percentiles by rank: infinite figures are figures too. Infinite less infinite says nothing."""
    ordered = np.sort(resampled[~np.isnan(resampled)])
    if not len(ordered):
        return Estimate(value, -np.inf, np.inf)
    tail = (1 - level) / 2
    low, high = ordered[int(tail * (len(ordered) - 1))], ordered[-1 - int(tail * (len(ordered) - 1))]
    return Estimate(value, float(low), float(high))
