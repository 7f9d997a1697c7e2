"""The learning-rate range test (Smith 2015, arXiv:1506.01186) through torch-lr-finder, and what its curve suggests.

Notation: lr (n,) rising rates, loss (n,) raw losses, one a batch. torch-lr-finder computes a suggestion of its own
inside `plot()` only. Losses are smoothed to both sides alike, so that the curve is not shifted towards higher rates.
Non-finite losses end the curve; a curve without a fall suggests nothing.
"""

import contextlib
import io
import math
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from amnl_tune.errors import ConfigurationError
from amnl_tune.rul.configuration import Loss
from amnl_tune.rul.losses import DualTaskLoss, LossTerms
from amnl_tune.rul.networks.amnl import Prediction
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import RangeTestCurve, RangeTestOptions, RunConfig, Suggestion
from amnl_tune.training.execution import own_threads, sweep_threads
from amnl_tune.training.state import RunState, own_rng


def lr_range_test(
    config: RunConfig, data: PreparedData, options: RangeTestOptions, *, device: torch.device | str = "cpu"
) -> RangeTestCurve:
    """Trains a fresh network of `config` with rising rates and records its raw loss.

    The gradients are the configured loss's; the recorded value comes from the raw terms, because the normalised
    combinations are the constant 1. The caller's RNG is left alone, and so is every other model: the test has its own.

    Raises:
        ConfigurationError: as `fit`, for windows longer than every engine.
    """
    device = torch.device(device)
    rows = data.rows.seen_by(config).to(device)
    last = data.training_windows(config, config.stride)
    mean_rul = float(data.rows.rul[last].mean())
    state = RunState.start(config, mean_rul=mean_rul, data_sha256=data.sha256, device=device)

    def collate(part: list[Tensor]) -> tuple[Tensor, Tensor]:
        chosen = torch.stack(part).to(device)
        return rows.windows(chosen, config.window), rows.rul[chosen]

    loader: DataLoader[Tensor] = DataLoader(
        last,  # type: ignore[arg-type]  # a tensor of indices is a map-style dataset
        batch_size=min(config.batch_size, len(last)),
        shuffle=True,
        drop_last=True,
        collate_fn=collate,
        generator=state.order,
    )
    criterion = _RawValued(state.loss, state.shared)
    with own_rng(state.rng, device), own_threads(sweep_threads(state.model)):
        history = _sweep(state, criterion, loader, options, device)
    return RangeTestCurve(tuple(history["lr"]), tuple(history["loss"]))


class _RawValued(nn.Module):
    """A criterion over the pair (rul, health): value of the raw terms, gradient of the configured loss."""

    def __init__(self, loss: DualTaskLoss, shared: list[nn.Parameter]) -> None:
        super().__init__()
        self.loss = loss
        self.shared = shared
        self.first: LossTerms | None = None

    def forward(self, predicted: Prediction, rul: Tensor) -> Tensor:
        terms: LossTerms = self.loss(predicted, rul, self.shared)
        self.first = self.first or terms
        raw = terms.rul / self.first.rul
        if self.loss.config.loss is not Loss.RUL_ONLY:
            raw = raw + terms.health / self.first.health
        value = raw + (terms.total - terms.total.detach())
        if not math.isfinite(float(value.detach())):
            raise _NotFiniteError
        return value


class _NotFiniteError(ArithmeticError):
    """Ends a sweep that torch-lr-finder itself would go on with."""


def _sweep(
    state: RunState,
    criterion: nn.Module,
    loader: "DataLoader[Tensor]",
    options: RangeTestOptions,
    device: torch.device,
) -> dict[str, list[float]]:
    with _quiet():
        finder = _finder_class()(state.model, _clipped(state), criterion, device=device)
        with contextlib.suppress(_NotFiniteError):
            finder.range_test(
                loader,
                start_lr=options.start_lr,
                end_lr=options.end_lr,
                num_iter=options.num_iter,
                smooth_f=0,  # its smoothing lags behind by a decade of rates; `suggestion` smooths both ways
                diverge_th=options.diverge_th,
            )
    history: dict[str, list[float]] = finder.history
    length = len(history["loss"])
    return {"lr": history["lr"][:length], "loss": history["loss"]}


def _finder_class() -> Any:
    """torch-lr-finder imports matplotlib.pyplot, which refuses a backend that is not installed here.

    A notebook hands MPLBACKEND to every command started from it; nothing is drawn, so it is set aside meanwhile. Where
    matplotlib is imported already, its backend is the caller's own.

    Raises:
        ConfigurationError: a `matplotlibrc` of the current folder or the user cannot be read.
    """
    backend = os.environ.get("MPLBACKEND")
    first = "matplotlib" not in sys.modules and backend is not None
    if first:
        os.environ["MPLBACKEND"] = "agg"
    try:
        from torch_lr_finder import LRFinder  # noqa: PLC0415
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The range test's library loads matplotlib, whose settings must be readable text, but: {error}; "
            "correct or move `matplotlibrc` in this folder, or the one in ~/.config/matplotlib"
        ) from error
    finally:
        if first and backend is not None:
            os.environ["MPLBACKEND"] = backend
    return LRFinder


def _clipped(state: RunState) -> torch.optim.Optimizer:
    """The run's optimiser, clipping as the run does."""
    if state.config.clip:
        state.optimizer.register_step_pre_hook(
            lambda *_: void(torch.nn.utils.clip_grad_norm_(state.model.parameters(), state.config.clip, foreach=True))
        )
    return state.optimizer


def void(_: object) -> None:
    """A step hook must return nothing."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch-lr-finder prints to stdout and draws a progress bar on stderr."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


SHORTEST = 8
SMOOTHING = 0.04
"""Standard deviation of the smoothing kernel, as a share of the curve's length."""

LEAST_FALL = 0.01
"""Share of the first loss by which the curve must fall to say anything."""


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
