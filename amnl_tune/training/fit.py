"""`fit()`: one run as a generator of epochs.

Notation: B batch, T window, F channels of a row, M training windows.
"""

import math
import random
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from amnl_tune.errors import ConfigurationError
from amnl_tune.rul.preparation import EngineRows, PreparedData
from amnl_tune.training.batches import Batches, LoaderBatches, ResidentBatches, choose_data_path
from amnl_tune.training.checkpoint import Checkpoint
from amnl_tune.training.config import DataPath, Precision, RunConfig
from amnl_tune.training.evaluation import FullValidation, validate, validate_fully
from amnl_tune.training.execution import Execution, Team
from amnl_tune.training.precision import float32_mode, require_supported, supported
from amnl_tune.training.probe import best_precision
from amnl_tune.training.state import RunState, own_rng
from amnl_tune.training.step import GraphedStep, Step, make_step


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
    config: RunConfig, data: PreparedData, *, resume: Checkpoint | None = None, execution: Execution | None = None
) -> Generator[EpochResult, None, None]:
    """Trains; yields after every epoch. Closing the generator frees the device.

    The caller reports, prunes, checkpoints and draws the progress bar. With the same configuration, data, device,
    precision and thread count, a run resumed from a checkpoint yields what the undisturbed run yields from there on:
    bit for bit on a CPU. A resumed run that had already ended yields its last epoch again.

    Args:
        config: everything that decides the run.
        data: training and validation engines.
        resume: where to go on; in the precision that it began with.
        execution: where and how; by default in float32 on the CPU.

    Raises:
        ConfigurationError: a window longer than every engine, a batch larger than the data, a foreign checkpoint, a
            precision that the device lacks.
    """
    execution = execution or Execution()
    engines = Engines.of(config, data, execution)
    state = RunState.start(
        config,
        mean_rul=float(data.rows.rul[engines.training].mean()),
        data_sha256=data.sha256,
        device=execution.device,
        precision=_precision(config, engines, resume, execution),
    )
    if resume:
        resume.restore(state)
        if _ended(state):
            yield _finished(EpochResult(**state.curve[-1] | {"last": True}, state=state), data, engines)
            return
    step = make_step(state, execution)
    while True:
        result = _epoch(state, engines, step, execution)
        yield _finished(result, data, engines) if result.last else result
        if result.last:
            return


def _precision(config: RunConfig, engines: "Engines", resume: Checkpoint | None, execution: Execution) -> Precision:
    """A resumed run's own, where the device has it; otherwise as wanted, or as the probe finds."""
    require_supported(execution.precision, execution.device)
    if resume:
        return resume.precision if resume.precision in supported(execution.device) else Precision.FP32
    if execution.precision is not Precision.AUTO:
        return execution.precision
    team = execution.team
    best = best_precision(config, engines.batches, engines.training, execution) if team.leads else None
    return Precision(team.tell(str(best)))


@dataclass(frozen=True)
class Engines:
    """What a run learns from and is scored on.

    Attributes:
        rows: on the device, or on the host where a DataLoader gathers. batches: gathers windows from them.
        training: (M,) last rows, on the host. validation: (V,), where the rows are.
    """

    rows: EngineRows
    batches: Batches
    training: Tensor
    validation: Tensor

    @classmethod
    def of(cls, config: RunConfig, data: PreparedData, execution: Execution) -> "Engines":
        """As a run of `config` has them. Raises ConfigurationError as `fit`."""
        training = data.training_windows(config, config.stride)
        if config.batch_size > len(training):
            raise ConfigurationError(
                f"`batch_size` must be at most the number of training windows, but got batch_size={config.batch_size} "
                f"for {len(training)} windows of {data.dataset}; lower `batch_size` or `stride`"
            )
        device, seen = execution.device, data.rows.seen_by(config)
        if choose_data_path(execution.data_path, seen, device) is DataPath.LOADER:
            rows = seen
            batches: Batches = LoaderBatches(rows, config.window, device, execution.loader_workers)
        else:
            rows = seen.to(device)
            batches = ResidentBatches(rows, config.window)
        validation = data.validation_windows(config.validation_subset).to(rows.features.device)
        return cls(rows, batches, training, validation)


def _epoch(state: RunState, engines: Engines, step: Step | GraphedStep, execution: Execution) -> EpochResult:
    """Trains and validates one epoch; the state is one epoch further."""
    started = time.perf_counter()
    team = execution.team
    with own_rng(state.rng, execution.device), float32_mode(state.precision, execution.device):
        if not team.leads:
            torch.manual_seed(random.Random(f"{state.config.seed} {team.rank} {state.epoch}").getrandbits(63))
        losses = _train_epoch(state, engines, step, team)
    state.epoch += 1
    score = team.tell(validate(state.evaluated, engines.rows, engines.validation, state.config.window))
    rul_loss, health_loss = losses.tolist()
    diverged = not math.isfinite(rul_loss + health_loss + score)
    is_best = not diverged and state.observe(score)
    result = EpochResult(
        number=state.epoch,
        epochs=state.config.epochs,
        train_rul_loss=rul_loss,
        train_health_loss=health_loss,
        learning_rate=state.learning_rate,
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


def _finished(result: EpochResult, data: PreparedData, engines: Engines) -> EpochResult:
    """The last epoch with the full validation pass over the best weights."""
    if result.diverged:
        return result
    state = result.state
    return replace(result, final=validate_fully(state.best_model(), data, engines.rows, state.config))


def _train_epoch(state: RunState, engines: Engines, step: Step | GraphedStep, team: Team) -> Tensor:
    """One pass in random order; (2,) mean raw RUL and health terms. Nothing in it waits for the device.

    A last batch of fewer windows than a team has processes is left out.
    """
    windows = engines.training
    state.model.train()
    shuffled = windows[torch.randperm(len(windows), generator=state.order)]
    batches = [batch for batch in torch.split(shuffled, state.config.batch_size) if len(batch) >= team.size]
    total = torch.zeros(2, device=state.parameters[0].device)
    shares = [team.share(batch) for batch in batches]
    for batch, (own, rul) in zip(batches, engines.batches(shares), strict=True):
        state.begin_step(len(batches))
        total += step(own, rul) * (len(batch) / len(windows))
    return total
