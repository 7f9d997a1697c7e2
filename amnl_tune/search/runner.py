"""Carries one claimed run to its end: a trial of the search, or a run of a promotion."""

import logging
from typing import Any

import torch
from optuna.trial import Trial, TrialState
from safetensors.torch import save

from amnl_tune.database.models import RunRow, RunStatus
from amnl_tune.database.optuna_storage import joined
from amnl_tune.errors import ConfigurationError
from amnl_tune.ledger.attempts import in_vain
from amnl_tune.ledger.leases import Lease, finish, held
from amnl_tune.ledger.stored import stored_config
from amnl_tune.masking import without_secrets
from amnl_tune.search.attempt import Attempt
from amnl_tune.search.checkpoints import Checkpoints
from amnl_tune.search.policy import competes_when_complete, competition
from amnl_tune.search.trials import ask, bracket_of, tell
from amnl_tune.search.workplace import Workplace
from amnl_tune.training.checkpoint import Checkpoint
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fit import EpochResult

logger = logging.getLogger(__name__)


def carry_out(place: Workplace, lease: Lease, run: RunRow) -> None:
    """Trains and records; the run is finished when this returns.

    Raises:
        LeaseLostError: another worker has taken over.
        LeavingError: the worker is to leave, or the study is stopped; the run goes on from its checkpoint.
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
    if _given_up(place, lease, run):
        return
    run, config = place.persist(lambda: _begin(place, lease))
    checkpoints = Checkpoints(place.artifacts.store, place.artifacts.folder(run), lease.fence)
    attempt = Attempt(
        place,
        lease,
        run,
        config,
        checkpoints,
        every=place.spec.trial.checkpoint_every,
        keep_every=place.spec.trial.keep_every,
        judge=lambda curve, reported: competition(place.spec, run.bracket, curve, reported),
    )
    epoch = attempt.train()
    place.persist(lambda: _end(place, lease, run, attempt, epoch))
    if not (place.spec.trial.horizon and epoch and epoch.final and not attempt.ending):
        checkpoints.discard()


def _begin(place: Workplace, lease: Lease) -> tuple[RunRow, RunConfig]:
    """The run with its trial and configuration: those that it has, or new ones, written in one transaction."""
    with place.ledger.write() as session, joined(place.storage, session):
        run = held(session, lease)
        if run.config is not None and run.trial_id is not None:  # schema 0001 did not keep the id
            return run, stored_config(run)
        trial, parameters = _ask(place, run)
        config = place.spec.run_config(parameters)
        trial.set_user_attr("config", config.plain())
        run.config = config.model_dump_json()
        return run, config


def _ask(place: Workplace, run: RunRow) -> tuple[Trial, dict[str, Any]]:
    trial, parameters = ask(place.storage, place.spec, place.prior, run)
    run.trial_number, run.trial_id, run.bracket = trial.number, trial._trial_id, bracket_of(trial)
    return trial, parameters


def _end(place: Workplace, lease: Lease, run: RunRow, attempt: Attempt, epoch: EpochResult | None) -> None:
    """Told to Optuna and finished in our row, in one transaction."""
    final = epoch.final if epoch and not attempt.ending else None
    diverged = None if final or attempt.ending or not epoch else epoch.number
    ended = str(attempt.ending) if attempt.ending and not attempt.ending.is_pruner else None
    notes = {f"validation_{name}": value for name, value in final.plain().items()} if final else {}
    notes |= {name: note for name, note in (("diverged", diverged), ("ended", ended)) if note}
    with place.ledger.write() as session, joined(place.storage, session):
        state = TrialState.COMPLETE if final else TrialState.PRUNED
        told = tell(place.storage, place.spec, run, state, value=final.rmse if final else None, notes=notes)
        finish(
            place.ledger,
            lease,
            RunStatus.COMPLETE if final else RunStatus.PRUNED,
            value=told.value,
            reason=f"diverged in epoch {diverged}" if diverged else ended,
            result=(final.plain() if final else {}) | _how(epoch),
            competes=final is not None and competes_when_complete(place.spec),
            within=session,
        )


def _how(epoch: EpochResult | None) -> dict[str, str]:
    """What a replay must know beside the configuration."""
    return {"precision": str(epoch.state.precision)} if epoch else {}


def _carry_out_promoted(place: Workplace, lease: Lease, run: RunRow) -> None:
    if _given_up(place, lease, run):
        return
    assert run.config is not None
    config = stored_config(run)
    checkpoints = Checkpoints(place.artifacts.store, place.artifacts.folder(run), lease.fence)
    attempt = Attempt(
        place,
        lease,
        run,
        config,
        checkpoints,
        every=place.spec.promotion.checkpoint_every,
        keep_every=place.spec.promotion.keep_every,
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
    if place.spec.promotion.keep_last:
        checkpoints.keep_last(epoch.state)
    value, result = epoch.final.rmse, epoch.final.plain() | {"best_epoch": epoch.state.best_epoch} | _how(epoch)
    place.persist(lambda: finish(place.ledger, lease, RunStatus.COMPLETE, value=value, result=result))
    checkpoints.discard()


def _trial_checkpoint(place: Workplace, run: RunRow, config: RunConfig) -> Checkpoint | None:
    """The state that the promoted run's trial left, where the horizon lets it go on."""
    if run.trial_number is None or config.horizon is None:
        return None
    folder = place.artifacts.trial_folder(run.study, run.trial_number)
    return Checkpoints(place.artifacts.store, folder).latest(config, place.data.sha256, place.device)


def _given_up(place: Workplace, lease: Lease, run: RunRow) -> bool:
    """After as many attempts as the study allows since the run last got further."""
    if run.failures < place.spec.trial.max_attempts:
        return False
    whys = place.persist(lambda: in_vain(place.ledger, run.id, _resumes_at(place, run)))
    if len(whys) < place.spec.trial.max_attempts:
        return False
    _fail(place, lease, run, f"given up after {len(whys)} attempts: {'; '.join(whys)}")
    return True


def _resumes_at(place: Workplace, run: RunRow) -> int:
    """The epoch from which the run would go on now."""
    if run.config is None or (run.is_trial and run.trial_number is None):
        return 0
    config = stored_config(run)
    own = Checkpoints(place.artifacts.store, place.artifacts.folder(run))
    resume = own.latest(config, place.data.sha256, place.device)
    resume = resume or (None if run.is_trial else _trial_checkpoint(place, run, config))
    return resume.epoch if resume else 0


def _fail(place: Workplace, lease: Lease, run: RunRow, reason: str) -> None:
    """Ends the run with its reason; the search goes on."""
    reason = without_secrets(reason)
    logger.warning("run %s failed: %s", run.id, reason)
    run = place.persist(lambda: _end_failed(place, lease, reason))
    Checkpoints(place.artifacts.store, place.artifacts.folder(run)).discard()


def _end_failed(place: Workplace, lease: Lease, reason: str) -> RunRow:
    with place.ledger.write() as session, joined(place.storage, session):
        finish(place.ledger, lease, RunStatus.FAIL, reason=reason, within=session)
        run = session.get_one(RunRow, lease.run)
        if run.is_trial:
            if run.trial_id is None:
                _ask(place, run)
            tell(place.storage, place.spec, run, TrialState.FAIL, notes={"failure": reason})
        return run


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
