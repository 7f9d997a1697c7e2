"""How good a prediction is: NumPy functions of predicted and true RUL in cycles.

True labels are capped at `RUL_CAP` here, so that no caller can score against other labels than everyone else;
capping labels that are capped already changes nothing. Predictions are taken as they are.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from amnl_tune.rul.layouts import RUL_CAP

EARLY, LATE = 13.0, 10.0
"""Cycles in which the score's penalty grows e-fold: a late warning costs more than an early one (amnl)."""


def rmse(predicted: ArrayLike, true: ArrayLike) -> float:
    """Root mean square error in cycles; (N,) and (N,). NaN if a prediction is NaN."""
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean(np.square(_errors(predicted, true)))))


def nasa_score(predicted: ArrayLike, true: ArrayLike) -> float:
    """Sum over engines of exp(-d/13) - 1 (early, d < 0) and exp(d/10) - 1 (late), d = predicted - true.

    Args:
        predicted, true: (N,) of each engine's last window. Infinite where a prediction is hopelessly far off.
    """
    return float(np.sum(nasa_penalty(_errors(predicted, true))))


def nasa_penalty(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each engine's part of the NASA score; errors (predicted - true) in cycles, of any shape."""
    with np.errstate(over="ignore"):
        return np.expm1(np.where(error < 0, -error / EARLY, error / LATE))


def worst_if_unknown(error: float | None) -> float:
    """For comparing: NaN and None as infinite. NaN is neither above nor below anything, so that an order with it in it
    depends on where it stood before."""
    return math.inf if error is None or math.isnan(error) else error


def mean_predictor_rmse(true: ArrayLike) -> float:
    """RMSE in cycles of always predicting the mean of these capped labels: what every model must beat.

    With the test engines' own labels this is the best that any constant can do (amnl: 40.1, 42.9, 39.2 and 43.0 on
    FD001..FD004); the mean over training rows would do 2 to 5 cycles worse.
    """
    labels = _capped(true)
    return rmse(np.full_like(labels, labels.mean()), labels)


def _capped(true: ArrayLike) -> NDArray[np.float64]:
    return np.minimum(np.asarray(true, dtype=np.float64), RUL_CAP)


def _errors(predicted: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    """(N,) differences; refuses shapes that would broadcast and empty input, which are bugs of the caller."""
    given, labels = np.asarray(predicted, dtype=np.float64), _capped(true)
    if given.shape != labels.shape or given.ndim != 1 or not len(given):
        raise ValueError(f"predicted and true must both be (N,), N > 0, but got {given.shape} and {labels.shape}")
    return given - labels
