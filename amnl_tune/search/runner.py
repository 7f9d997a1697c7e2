"""Carries one claimed run to its end: a trial of the search, or a run of a promotion."""

import logging

import torch
from optuna.trial import Trial, TrialState
from safetensors.torch import save

from amnl_tune.errors import ConfigurationError
from amnl_tune.search.attempt import Attempt
from amnl_tune.search.checkpoints import Checkpoints
from amnl_tune.search.ledger.models import RunRow, RunStatus
from amnl_tune.search.ledger.runs import Lease, finish, reasons, settle
from amnl_tune.search.pruning import competes_when_complete, competition
from amnl_tune.search.trials import attach_trial, bracket_of, fenced, frozen
from amnl_tune.search.workplace import Workplace
from amnl_tune.training.checkpoint import Checkpoint
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fitting import EpochResult

__all__ = ["carry_out"]

logger = logging.getLogger(__name__)


def carry_out(place: Workplace, lease: Lease, run: RunRow) -> None:
    """Trains and records; the run is finished when this returns.

    Raises:
        LeaseLostError: another worker has taken over.
        LeavingError: the worker is to leave, or the study is stopped; the run goes on from its checkpoint.
        StorageError: database or disk refuse; likewise.
    """
    with fenced(place.storage, lease):
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
    trial, parameters = place.persist(lambda: attach_trial(place.storage, place.spec, place.prior, run))
    run.trial_number, run.trial_id, run.bracket = trial.number, trial._trial_id, bracket_of(trial)
    known = {"trial_number": run.trial_number, "trial_id": run.trial_id, "bracket": run.bracket}
    place.persist(lambda: settle(place.ledger, lease, **known))
    checkpoints = Checkpoints(place.artifacts.store, place.artifacts.folder(run), lease.fence)
    if place.persist(lambda: frozen(trial)).state.is_finished():  # told, but the worker died before our row said so
        _finish_as_told(place, lease, trial)
        checkpoints.discard()
        return
    if _given_up(place, lease, run):
        return
    config = place.spec.run_config(parameters)
    place.persist(lambda: trial.set_user_attr("config", config.plain()))
    place.persist(lambda: settle(place.ledger, lease, config=config.model_dump_json()))
    attempt = Attempt(
        place,
        lease,
        run,
        config,
        checkpoints,
        every=place.spec.trial.checkpoint_every,
        judge=lambda curve, reported: competition(place.spec, run.bracket, curve, reported),
    )
    epoch = attempt.train()
    place.persist(lambda: _tell(trial, attempt, epoch))
    _finish_as_told(place, lease, trial)
    if not (place.spec.trial.horizon and epoch and epoch.final and not attempt.ending):
        checkpoints.discard()


def _tell(trial: Trial, attempt: Attempt, epoch: EpochResult | None) -> None:
    if attempt.ending is None and epoch is not None and epoch.final:
        for name, value in epoch.final.plain().items():
            trial.set_user_attr(f"validation_{name}", value)
        trial.study.tell(trial, epoch.final.rmse, skip_if_finished=True)
        return
    if attempt.ending is None and epoch is not None:
        trial.set_user_attr("diverged", epoch.number)
    elif attempt.ending and not attempt.ending.is_pruner:
        trial.set_user_attr("ended", str(attempt.ending))
    trial.study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)


def _finish_as_told(place: Workplace, lease: Lease, trial: Trial) -> None:
    told = place.persist(lambda: frozen(trial))
    statuses = {TrialState.COMPLETE: RunStatus.COMPLETE, TrialState.PRUNED: RunStatus.PRUNED}
    noted = told.user_attrs
    diverged = noted.get("diverged")
    reason = f"diverged in epoch {diverged}" if diverged else noted.get("ended") or noted.get("failure")
    result = {
        name.removeprefix("validation_"): value for name, value in noted.items() if name.startswith("validation_")
    }
    status = statuses.get(told.state, RunStatus.FAIL)
    competes = status is RunStatus.COMPLETE and competes_when_complete(place.spec)
    place.persist(
        lambda: finish(place.ledger, lease, status, value=told.value, reason=reason, result=result, competes=competes)
    )


def _carry_out_promoted(place: Workplace, lease: Lease, run: RunRow) -> None:
    if _given_up(place, lease, run):
        return
    assert run.config is not None
    config = RunConfig.model_validate_json(run.config)
    checkpoints = Checkpoints(place.artifacts.store, place.artifacts.folder(run), lease.fence)
    attempt = Attempt(
        place,
        lease,
        run,
        config,
        checkpoints,
        every=place.spec.promotion.checkpoint_every,
        start_from=_trial_checkpoint(place, run, config),
    )
    epoch = attempt.train()
    assert epoch is not None, "nothing ends a promoted run early"
    if epoch.final is None:
        _fail(place, lease, run, f"diverged in epoch {epoch.number}")
        return
    weights = epoch.state.best_model().state_dict()
    place.artifacts.store.write(
        place.artifacts.weights(run), save({name: value.cpu().contiguous() for name, value in weights.items()})
    )
    value, result = epoch.final.rmse, epoch.final.plain() | {"best_epoch": epoch.state.best_epoch}
    place.persist(lambda: finish(place.ledger, lease, RunStatus.COMPLETE, value=value, result=result))
    checkpoints.discard()


def _trial_checkpoint(place: Workplace, run: RunRow, config: RunConfig) -> Checkpoint | None:
    """The state that the promoted run's trial left, where the horizon lets it go on."""
    if run.trial_number is None or config.horizon is None:
        return None
    folder = place.artifacts.trial_folder(run.study, run.trial_number)
    return Checkpoints(place.artifacts.store, folder).latest(config, place.data.sha256, place.device)


def _given_up(place: Workplace, lease: Lease, run: RunRow) -> bool:
    if run.failures < place.spec.trial.max_attempts:
        return False
    whys = "; ".join(place.persist(lambda: reasons(place.ledger, run.id)))
    _fail(place, lease, run, f"given up after {run.failures} attempts: {whys}")
    return True


def _fail(place: Workplace, lease: Lease, run: RunRow, reason: str) -> None:
    """Ends the run with its reason; the search goes on."""
    logger.warning("run %s failed: %s", run.id, reason)
    if run.is_trial:
        place.persist(lambda: _tell_failed(place, run, reason))
    place.persist(lambda: finish(place.ledger, lease, RunStatus.FAIL, reason=reason))
    if run.trial_number is not None:
        Checkpoints(place.artifacts.store, place.artifacts.folder(run)).discard()


def _tell_failed(place: Workplace, run: RunRow, reason: str) -> None:
    trial, _ = attach_trial(place.storage, place.spec, place.prior, run)
    if not frozen(trial).state.is_finished():
        trial.set_user_attr("failure", reason)
    trial.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
