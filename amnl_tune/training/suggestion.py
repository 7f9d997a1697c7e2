"""A learning rate from a range test's curve: pure functions of the recorded history.

Notation: lr (n,) rising rates, loss (n,) raw losses, one a batch. torch-lr-finder computes a suggestion of its own
inside `plot()` only. Losses are smoothed to both sides alike, so that the curve is not shifted towards higher rates.
Non-finite losses end the curve; a curve without a fall suggests nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

__all__ = ["RangeTestCurve", "Suggestion", "suggestions"]

SHORTEST = 8
SMOOTHING = 0.04
"""Standard deviation of the smoothing kernel, as a share of the curve's length."""

LEAST_FALL = 0.01
"""Share of the first loss by which the curve must fall to say anything."""


@dataclass(frozen=True)
class RangeTestCurve:
    """lr (n,) and loss (n,), n <= num_iter: the test stops once the loss has diverged.

    The loss is the sum of the tasks' raw terms, each as a share of its first value.
    """

    lr: tuple[float, ...]
    loss: tuple[float, ...]

    def diverged_at(self, end_lr: float) -> float | None:
        """The rate at which the sweep ended before it came to `end_lr`; None if it got there."""
        return self.lr[-1] if self.lr and self.lr[-1] < end_lr * (1 - 1e-6) else None


class Suggestion(StrEnum):
    """`steepest`: where the loss falls fastest over log lr (Smith 2015). `valley`: the middle of the longest fall,
    two thirds down (fastai). `minimum/10`: a tenth of the rate with the lowest loss (fastai)."""

    STEEPEST = "steepest"
    VALLEY = "valley"
    MINIMUM_10 = "minimum/10"


def suggestions(lr: Sequence[float], loss: Sequence[float]) -> dict[Suggestion, float | None]:
    """Every suggestion for one curve; None where the curve says nothing: too short, or its loss never falls."""
    rates, losses = _usable(lr, loss)
    if len(rates) < SHORTEST or losses.min() > losses[0] * (1 - LEAST_FALL):
        return dict.fromkeys(Suggestion)
    return {
        Suggestion.STEEPEST: _steepest(rates, losses),
        Suggestion.VALLEY: _valley(rates, losses),
        Suggestion.MINIMUM_10: float(rates[losses.argmin()] / 10),
    }


def _usable(lr: Sequence[float], loss: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """The curve up to its first non-finite loss, smoothed."""
    rates, losses = np.asarray(lr, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(losses))
    end = int(bad[0]) if len(bad) else len(losses)
    return rates[:end], _smoothed(losses[:end])


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Gaussian average over the neighbours that exist."""
    position = np.arange(len(losses))
    width = max(1.0, SMOOTHING * len(losses))
    kernel = np.exp(-0.5 * ((position[:, None] - position) / width) ** 2)
    return np.asarray(kernel @ losses / kernel.sum(axis=1)) if len(losses) else losses


def _steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    before_minimum = slice(0, int(losses.argmin()) + 1)
    slope = np.gradient(losses, np.log(rates))[before_minimum]
    return float(rates[slope.argmin()])


def _valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """fastai's `valley`: the longest decreasing subsequence, then its point two thirds along."""
    longest = _longest_decreasing(losses)
    third = (longest[-1] - longest[0]) / 3
    return float(rates[int(longest[0] + third) + int(third / 2)])


def _longest_decreasing(losses: np.ndarray) -> list[int]:
    """Indices of the longest strictly decreasing subsequence; n is a hundred or so, so the quadratic form will do."""
    n = len(losses)
    length, previous = np.ones(n, dtype=int), np.full(n, -1)
    for i in range(1, n):
        candidates = np.flatnonzero(losses[:i] > losses[i])
        if len(candidates):
            best = candidates[length[candidates].argmax()]
            length[i], previous[i] = length[best] + 1, best
    index = int(length.argmax())
    chain = []
    while index >= 0:
        chain.append(index)
        index = int(previous[index])
    return chain[::-1]
