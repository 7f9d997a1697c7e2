"""Carries one claimed run to its end: a trial of the search, or a run of a promotion."""

import logging
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from optuna.storages import RDBStorage
from optuna.trial import Trial, TrialState
from safetensors.torch import save

from amnl_tune.errors import CheckpointError, ConfigurationError
from amnl_tune.files import write_content
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.models import RunRow, RunStatus
from amnl_tune.search.ledger.runs import DIVERGED_RMSE, Lease, finish, record_epoch, settle
from amnl_tune.search.ledger.studies import Prior
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.trials import attach_trial, frozen, report
from amnl_tune.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fitting import EpochResult, fit
from amnl_tune.training.scalars import scalar_log

__all__ = ["DIVERGED_RMSE", "MAX_FAILURES", "LeavingError", "Workplace", "carry_out"]

logger = logging.getLogger(__name__)

MAX_FAILURES = 3
"""Attempts that may end with the worker's death before a run is given up."""


class LeavingError(Exception):
    """The worker has been asked to leave; the run is checkpointed."""


@dataclass(frozen=True)
class Workplace:
    """What a worker has at hand for every run of its study; with `promotion`, it works on that one only."""

    ledger: Ledger
    storage: RDBStorage
    spec: StudySpec
    prior: Prior
    data: PreparedData
    artifacts: Artifacts
    device: str
    lease_ttl: float
    tensorboard: bool
    leaving: Callable[[], bool]
    promotion: int | None = None


def carry_out(place: Workplace, lease: Lease, run: RunRow) -> None:
    """Trains and records; the run is finished when this returns.

    Raises:
        LeaseLostError: another worker has taken over.
        LeavingError: the worker is to leave; the run goes on elsewhere from its checkpoint.
        StorageError: database or disk refuse; likewise.
    """
    try:
        if run.is_trial:
            _carry_out_trial(place, lease, run)
        else:
            _carry_out_promoted(place, lease, run)
    except ConfigurationError as error:
        _fail(place, lease, run, str(error))
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        _fail(place, lease, run, f"out of memory on {place.device}: {str(error).splitlines()[0]}")


def _carry_out_trial(place: Workplace, lease: Lease, run: RunRow) -> None:
    trial, parameters = attach_trial(place.storage, place.spec, place.prior, run)
    run.trial_number = trial.number
    settle(place.ledger, lease, trial_number=trial.number)
    state = frozen(trial).state
    if state.is_finished():  # told, but the worker died before our row said so
        _finish_as_told(place, lease, trial)
        return
    if run.failures >= MAX_FAILURES:
        _fail(place, lease, run, f"given up after {run.failures} attempts: {run.reason}")
        return
    config = place.spec.run_config(parameters)
    trial.set_user_attr("config", config.plain())
    settle(place.ledger, lease, config=config.model_dump_json())
    epoch = _train(place, lease, run, config, lambda epoch: _follow(trial, epoch))
    _tell(place, lease, trial, epoch)
    if not (place.spec.trial.horizon and epoch.final):
        _discard(place.artifacts.checkpoint(run))


def _follow(trial: Trial, epoch: EpochResult) -> bool:
    """Reports the running best (a pruned trial's value is its last report); True if the trial is to be pruned."""
    report(trial, DIVERGED_RMSE if epoch.diverged else epoch.best_validation_rmse, epoch.number)
    return not epoch.last and trial.should_prune()


def _tell(place: Workplace, lease: Lease, trial: Trial, epoch: EpochResult) -> None:
    if epoch.diverged:
        trial.set_user_attr("diverged", epoch.number)
    if epoch.final:
        for name, value in epoch.final.plain().items():
            trial.set_user_attr(f"validation_{name}", value)
        trial.study.tell(trial, epoch.final.rmse, skip_if_finished=True)
    else:
        trial.study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
    _finish_as_told(place, lease, trial)


def _finish_as_told(place: Workplace, lease: Lease, trial: Trial) -> None:
    told = frozen(trial)
    statuses = {TrialState.COMPLETE: RunStatus.COMPLETE, TrialState.PRUNED: RunStatus.PRUNED}
    diverged = told.user_attrs.get("diverged")
    finish(
        place.ledger,
        lease,
        statuses.get(told.state, RunStatus.FAIL),
        value=told.value,
        reason=f"diverged in epoch {diverged}" if diverged else told.user_attrs.get("failure"),
        result={
            name.removeprefix("validation_"): value
            for name, value in told.user_attrs.items()
            if name.startswith("validation_")
        },
    )


def _carry_out_promoted(place: Workplace, lease: Lease, run: RunRow) -> None:
    if run.failures >= MAX_FAILURES:
        _fail(place, lease, run, f"given up after {run.failures} attempts: {run.reason}")
        return
    assert run.config is not None
    config = RunConfig.model_validate_json(run.config)
    epoch = _train(place, lease, run, config, lambda _: False)
    if epoch.final is None:
        _fail(place, lease, run, f"diverged in epoch {epoch.number}")
        return
    weights = epoch.state.best_model().state_dict()
    write_content(
        place.artifacts.weights(run), save({name: value.cpu().contiguous() for name, value in weights.items()})
    )
    result = epoch.final.plain() | {"best_epoch": epoch.state.best_epoch}
    finish(place.ledger, lease, RunStatus.COMPLETE, value=epoch.final.rmse, result=result)
    _discard(place.artifacts.checkpoint(run))


def _train(
    place: Workplace, lease: Lease, run: RunRow, config: RunConfig, follow: Callable[[EpochResult], bool]
) -> EpochResult:
    """Runs `fit` from the latest checkpoint until it ends or `follow` says to stop; returns the last epoch."""
    path = place.artifacts.checkpoint(run)
    every = place.spec.trial.checkpoint_every if run.is_trial else place.spec.promotion.checkpoint_every
    resume = _latest(place, run, config)
    folder = place.artifacts.scalars(run) if place.tensorboard else None
    with (
        scalar_log(folder, first_epoch=resume.epoch + 1 if resume else 1) as log,
        closing(fit(config, place.data, resume=resume, device=place.device)) as epochs,
    ):
        for epoch in epochs:
            record_epoch(place.ledger, lease, _row(epoch), ttl=place.lease_ttl)
            log(epoch)
            stop = follow(epoch) or epoch.last
            leaving = not stop and place.leaving()
            if leaving or epoch.is_best or epoch.last or epoch.number % every == 0:
                save_checkpoint(path, epoch.state)
            if stop:
                return epoch
            if leaving:
                raise LeavingError
    raise AssertionError("fit() always yields a last epoch")


def _latest(place: Workplace, run: RunRow, config: RunConfig) -> Checkpoint | None:
    """The run's own checkpoint; for a promoted run's start, its trial's where the horizon lets it go on."""
    own = place.artifacts.checkpoint(run)
    try:
        checkpoint = load_checkpoint(own, place.device)
        if checkpoint and not checkpoint.continues_as(config, place.data.sha256):
            raise CheckpointError(f"A checkpoint must be the run's own, but {own} is left over from another study")
    except CheckpointError as error:
        logger.warning("%s; starting over", error)
        _discard(own)
        return None
    if checkpoint or run.is_trial or run.trial_number is None or config.horizon is None:
        return checkpoint
    trial = load_checkpoint(place.artifacts.trial_checkpoint(run.study, run.trial_number), place.device)
    return trial if trial and trial.continues_as(config, place.data.sha256) else None


def _row(epoch: EpochResult) -> dict[str, float | int | None]:
    values = epoch.plain()
    kept = ("number", "train_rul_loss", "train_health_loss", "learning_rate", "validation_rmse", "best_validation_rmse",
            "samples", "seconds")  # fmt: skip
    return {name: values[name] if abs(values[name]) < float("inf") else None for name in kept}


def _fail(place: Workplace, lease: Lease, run: RunRow, reason: str) -> None:
    """Ends the run with its reason; the search goes on."""
    logger.warning("run %s failed: %s", run.id, reason)
    if run.is_trial:
        trial, _ = attach_trial(place.storage, place.spec, place.prior, run)
        if not frozen(trial).state.is_finished():
            trial.set_user_attr("failure", reason)
        trial.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
    finish(place.ledger, lease, RunStatus.FAIL, reason=reason)
    _discard(place.artifacts.checkpoint(run))


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)
    with suppress(OSError):
        path.parent.rmdir()
