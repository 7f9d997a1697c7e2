"""Our slots and Optuna's trials: the only module that reaches below Optuna's ask and tell.

A trial outlives its worker: whoever claims a slot attaches to the slot's own trial, which keeps its number,
its parameters and its curve (optuna: Traps, "stock retry drops the curve").
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.pruners import HyperbandPruner
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial
from sqlalchemy import event
from sqlalchemy.orm import Session

from amnl_tune.errors import StudyError
from amnl_tune.search.ledger.engine import Ledger, connect_options, storage_failures
from amnl_tune.search.ledger.models import Origin, RunRow
from amnl_tune.search.ledger.runs import Lease, require_held
from amnl_tune.search.ledger.studies import Prior
from amnl_tune.search.optuna_parts import build_pruner, build_sampler, experiments_intended
from amnl_tune.search.space import Space
from amnl_tune.search.spec import StudySpec

__all__ = [
    "SLOT",
    "attach_trial",
    "borrowed_storage",
    "bracket_of",
    "create_optuna_study",
    "fenced",
    "first_origins",
    "open_storage",
    "slot_seed",
]

SLOT = "slot"
ORIGIN = "origin"
FIXED = "fixed_params"
"""Optuna's own name of the parameters that a trial is told to have."""


def open_storage(ledger: Ledger) -> RDBStorage:
    """Optuna's storage on our database; it never creates tables (optuna: Traps). Build it after a fork, not before."""
    with storage_failures(ledger.url):
        return RDBStorage(
            ledger.url.render_as_string(hide_password=False),
            engine_kwargs=connect_options(ledger.url, pooled=False),
            skip_table_creation=True,
        )


@contextmanager
def borrowed_storage(ledger: Ledger) -> Iterator[RDBStorage]:
    """Optuna's storage for as long as the block takes; its connections are given back."""
    storage = open_storage(ledger)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def fenced(storage: RDBStorage, lease: Lease) -> Iterator[None]:
    """Whatever Optuna writes in the block is written only while the lease is held, in the same transaction.

    A worker that was stopped past its lease may wake up anywhere: between looking for the slot's trial and making it,
    for example. Without this it would make a second one.

    Raises:
        LeaseLostError: from whatever was to be written.
    """

    def ask(session: Session) -> None:
        session.flush()  # SQLite locks with the first write
        require_held(session, lease)

    event.listen(storage.scoped_session, "before_commit", ask)
    try:
        yield
    finally:
        event.remove(storage.scoped_session, "before_commit", ask)


def create_optuna_study(storage: RDBStorage, spec: StudySpec, *, new: bool) -> None:
    """Makes Optuna's study, in the same step as our row.

    Raises:
        StudyError: Optuna has a study of that name that amnl-tune did not make.
    """
    taken = new and spec.name in {known.study_name for known in optuna.get_all_study_summaries(storage)}
    if taken and optuna.load_study(study_name=spec.name, storage=storage).trials:
        raise StudyError(
            f"A new study's name must be free, but the storage already has an Optuna study {spec.name!r} that "
            "amnl-tune did not make; give the file another `name`"
        )
    study = optuna.create_study(storage=storage, study_name=spec.name, direction="minimize", load_if_exists=True)
    with experiments_intended():
        study.set_metric_names([spec.objective.metric])
    study.set_user_attr("question", spec.question)
    study.set_user_attr("dataset", spec.data.dataset)


def first_origins(prior: Prior) -> tuple[Origin, ...]:
    """What the first slots are for: the incumbent to beat, then the range test's suggestion where there is one."""
    return (Origin.PUBLISHED_DEFAULTS, Origin.LR_RANGE_TEST) if prior.interval else (Origin.PUBLISHED_DEFAULTS,)


def slot_seed(seed: int, slot: int) -> int:
    """A sampler's seed, one for each slot: workers never draw alike, and a slot draws the same on any worker."""
    return int.from_bytes(hashlib.sha256(f"{seed} {slot}".encode()).digest()[:4], "big")


def attach_trial(storage: RDBStorage, spec: StudySpec, prior: Prior, run: RunRow) -> tuple[Trial, dict[str, Any]]:
    """The slot's trial, made if there is none yet, and its sampled parameters.

    The slot is written in the same transaction that makes the trial, so a worker that dies in between leaves a trial
    that the next one finds.
    """
    with experiments_intended():
        study = optuna.load_study(
            study_name=spec.name,
            storage=storage,
            sampler=build_sampler(spec, slot_seed(spec.seed, run.slot)),
            pruner=build_pruner(spec),
        )
        trial_id = _find(study, run)
        if trial_id is None:
            template = create_trial(
                state=TrialState.RUNNING,
                user_attrs={SLOT: run.slot, ORIGIN: str(run.origin)},
            )
            trial_id = study._storage.create_new_trial(study._study_id, template_trial=template)
        space = spec.space.narrowed(learning_rate=prior.interval) if prior.interval else spec.space
        _settle_parameters(Trial(study, trial_id), space, spec, _given_parameters(spec, prior, run.origin))
        trial = Trial(study, trial_id)
        return trial, space.ask(trial, spec.settled())


def _settle_parameters(trial: Trial, space: Space, spec: StudySpec, given: dict[str, Any]) -> None:
    """Draws all parameters at once and writes them in one statement; nothing, if that has been done.

    Optuna writes one parameter a statement. Whoever goes on after a worker that died between two of them would draw
    the rest from a sampler that is at its beginning again: another configuration than the undisturbed one's.
    """
    if FIXED in frozen(trial).system_attrs:
        return
    storage = trial.storage
    trial.storage = _Unwritten(storage)  # type: ignore[assignment]  # reads go through
    trial._fixed_params = given
    space.ask(trial, spec.settled())
    storage.set_trial_system_attr(trial._trial_id, FIXED, trial.params)


class _Unwritten:
    """Optuna's storage, for a trial that draws parameters and keeps them to itself."""

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_param(self, *_: object) -> None:
        """Not yet: the others are still to be drawn."""


def bracket_of(trial: Trial) -> int:
    """The Hyperband bracket that a trial competes in; 0 under any other pruner."""
    pruner = trial.study.pruner
    if not isinstance(pruner, HyperbandPruner):
        return 0
    if not pruner._pruners:
        pruner._try_initialization(trial.study)
    return pruner._get_bracket_id(trial.study, frozen(trial))


def frozen(trial: Trial) -> FrozenTrial:
    """The trial as the storage has it now."""
    return trial.study._storage.get_trial(trial._trial_id)


def _find(study: optuna.Study, run: RunRow) -> int | None:
    if run.trial_number is not None:
        return study._storage.get_trial_id_from_study_id_trial_number(study._study_id, run.trial_number)
    return next((t._trial_id for t in study.get_trials(deepcopy=False) if t.user_attrs.get(SLOT) == run.slot), None)


def _given_parameters(spec: StudySpec, prior: Prior, origin: Origin) -> dict[str, Any]:
    match origin:
        case Origin.PUBLISHED_DEFAULTS:
            return spec.incumbent_parameters()
        case Origin.LR_RANGE_TEST:
            return spec.incumbent_parameters() | {"learning_rate": prior.suggested}
        case Origin.SAMPLER:
            return {}
