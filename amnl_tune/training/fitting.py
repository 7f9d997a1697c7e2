"""`fit()`: one run as a generator of epochs.

Notation: B batch, T window, F features (17), M training windows.
"""

import math
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from amnl_tune.errors import ConfigurationError
from amnl_tune.rul.loss import LossTerms
from amnl_tune.rul.preparation import EngineRows, PreparedData
from amnl_tune.training.checkpoint import Checkpoint
from amnl_tune.training.config import RunConfig
from amnl_tune.training.evaluation import FullValidation, validate, validate_fully
from amnl_tune.training.rng import own_rng
from amnl_tune.training.schedule import lr_factor
from amnl_tune.training.state import RunState

__all__ = ["EpochResult", "fit"]


@dataclass(frozen=True)
class EpochResult:
    """One epoch of a run.

    Attributes:
        number: 1-based.
        epochs: of the whole run.
        train_rul_loss: mean raw RUL term, cycles^2 (weighted as the configuration says).
        train_health_loss: mean raw health term, nats.
        learning_rate: after the epoch's last step.
        validation_rmse: on the truncated validation engines, in cycles; NaN when the run has diverged.
        best_validation_rmse: up to here. is_best: this epoch is it.
        samples: training windows seen. seconds: wall time of the epoch, validation included.
        last: no epoch follows.
        state: the run itself, to be checkpointed; it moves on with the next epoch.
        final: the full pass over the best weights, on the last epoch only; None if the run has diverged.
    """

    number: int
    epochs: int
    train_rul_loss: float
    train_health_loss: float
    learning_rate: float
    validation_rmse: float
    best_validation_rmse: float
    is_best: bool
    samples: int
    seconds: float
    last: bool
    state: RunState
    final: FullValidation | None = None

    @property
    def diverged(self) -> bool:
        """A loss or a prediction is not finite."""
        return not math.isfinite(self.train_rul_loss + self.train_health_loss + self.validation_rmse)

    def plain(self) -> dict[str, Any]:
        """Everything but the state and the full pass, JSON-serialisable."""
        return {name: value for name, value in vars(self).items() if name not in {"state", "final"}}


def fit(
    config: RunConfig, data: PreparedData, *, resume: Checkpoint | None = None, device: torch.device | str = "cpu"
) -> Generator[EpochResult, None, None]:
    """Trains; yields after every epoch. Closing the generator frees the device.

    The caller reports, prunes, checkpoints and draws the progress bar. With the same configuration, data, device and
    thread count, a run resumed from a checkpoint yields what the undisturbed run yields from there on: bit for bit
    on a CPU. A resumed run that had already ended yields its last epoch again.

    Args:
        config: everything that decides the run.
        data: training and validation engines.
        resume: where to go on.
        device: where to train.

    Raises:
        ConfigurationError: a window longer than every engine, a batch larger than the data, a foreign checkpoint.
    """
    device = torch.device(device)
    engines = _Engines.of(config, data, device)
    mean_rul = float(engines.rows.rul[engines.training].mean())
    state = RunState.start(config, mean_rul=mean_rul, data_sha256=data.sha256, device=device)
    if resume:
        resume.restore(state)
        if _ended(state):
            yield _finished(EpochResult(**state.curve[-1] | {"last": True}, state=state), data, engines)
            return
    while True:
        result = _epoch(state, engines, device)
        yield _finished(result, data, engines) if result.last else result
        if result.last:
            return


@dataclass(frozen=True)
class _Engines:
    """What a run gathers its windows from, on its device: last rows (M,) and (V,) into `rows`."""

    rows: EngineRows
    training: Tensor
    validation: Tensor

    @classmethod
    def of(cls, config: RunConfig, data: PreparedData, device: torch.device) -> "_Engines":
        training = data.training_windows(config.window, config.stride)
        if config.batch_size > len(training):
            raise ConfigurationError(
                f"`batch_size` must be at most the number of training windows, but got batch_size={config.batch_size} "
                f"for {len(training)} windows of {data.dataset}; lower `batch_size` or `stride`"
            )
        return cls(
            data.rows.to(device), training.to(device), data.validation_windows(config.validation_subset).to(device)
        )


def _epoch(state: RunState, engines: _Engines, device: torch.device) -> EpochResult:
    """Trains and validates one epoch; the state is one epoch further."""
    started = time.perf_counter()
    with own_rng(state.rng, device):
        losses = _train_epoch(state, engines)
    state.epoch += 1
    score = validate(state.evaluated, engines.rows, engines.validation, state.config.window)
    rul_loss, health_loss = losses.tolist()
    diverged = not math.isfinite(rul_loss + health_loss + score)
    is_best = not diverged and state.observe(score)
    result = EpochResult(
        number=state.epoch,
        epochs=state.config.epochs,
        train_rul_loss=rul_loss,
        train_health_loss=health_loss,
        learning_rate=state.optimizer.param_groups[0]["lr"],
        validation_rmse=math.nan if diverged else score,
        best_validation_rmse=state.best_rmse,
        is_best=is_best,
        samples=len(engines.training),
        seconds=time.perf_counter() - started,
        last=diverged or _ended(state),
        state=state,
    )
    state.curve.append(result.plain())
    return result


def _ended(state: RunState) -> bool:
    """No epoch follows: all are done, early stopping has spoken, or the run had diverged."""
    diverged = bool(state.curve) and not math.isfinite(state.curve[-1]["validation_rmse"])
    return state.epoch >= state.config.epochs or state.out_of_patience or diverged


def _finished(result: EpochResult, data: PreparedData, engines: _Engines) -> EpochResult:
    """The last epoch with the full validation pass over the best weights."""
    if result.diverged:
        return result
    state = result.state
    return replace(result, final=validate_fully(state.best_model(), data, engines.rows, state.config.window))


def _train_epoch(state: RunState, engines: _Engines) -> Tensor:
    """One pass in random order; (2,) mean raw RUL and health terms. Nothing in it waits for the device."""
    config, windows = state.config, engines.training
    state.model.train()
    shuffled = windows[torch.randperm(len(windows), generator=state.order).to(windows.device)]
    batches = torch.split(shuffled, config.batch_size)
    total = torch.zeros(2, device=windows.device)
    for last in batches:
        progress = min(1.0, (state.step + 1) / (config.schedule_epochs * len(batches)))
        _set_learning_rate(state, progress)
        terms = _step(state, engines.rows, last)
        total += torch.stack((terms.rul, terms.health)) * (len(last) / len(windows))
    return total


def _set_learning_rate(state: RunState, progress: float) -> None:
    config = state.config
    factor = lr_factor(progress, config.schedule, warmup=config.warmup_fraction, final=config.final_lr_fraction)
    for group in state.optimizer.param_groups:
        group["lr"] = config.learning_rate * factor


def _step(state: RunState, rows: EngineRows, last: Tensor) -> LossTerms:
    """One optimiser step on the windows ending at `last` (B,), in `accumulation_steps` micro-batches."""
    config = state.config
    state.optimizer.zero_grad(set_to_none=True)
    rul, health = last.new_zeros((), dtype=torch.float32), last.new_zeros((), dtype=torch.float32)
    for part in last.tensor_split(min(config.accumulation_steps, len(last))):
        share = len(part) / len(last)
        terms: LossTerms = state.loss(state.model(rows.windows(part, config.window)), rows.rul[part], state.shared)
        (terms.total * share).backward()  # type: ignore[no-untyped-call]
        rul, health = rul + terms.rul * share, health + terms.health * share
    if config.clip:
        torch.nn.utils.clip_grad_norm_(state.parameters, config.clip, foreach=True)
    state.optimizer.step()
    state.step += 1
    if state.ema:
        state.ema.update(state.step)
    return LossTerms(terms.total.detach(), rul, health)
