"""Our slots and Optuna's trials: with `own_trials`, what reaches below Optuna's ask and tell.

A trial outlives its worker: whoever claims a slot goes on with the slot's own trial, which keeps its number,
its parameters and its curve (optuna: Traps, "stock retry drops the curve").
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.pruners import HyperbandPruner
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from amnl_tune.database.models import Origin, RunRow
from amnl_tune.errors import StudyError
from amnl_tune.ledger.leases import first_origins
from amnl_tune.ledger.own_trials import SLOT, OwnTrials
from amnl_tune.ledger.studies import Prior
from amnl_tune.studies.optuna_parts import build_pruner, build_sampler, experiments_intended
from amnl_tune.studies.space import stored
from amnl_tune.studies.spec import StudySpec

ORIGIN = "origin"
WARM_START = "warm_start"
FIXED = "fixed_params"
"""Optuna's own name of the parameters that a trial is told to have."""


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


def slot_seed(seed: int, slot: int) -> int:
    """A sampler's seed, one for each slot: workers never draw alike, and a slot draws the same on any worker."""
    return int.from_bytes(hashlib.sha256(f"{seed} {slot}".encode()).digest()[:4], "big")


def ask(storage: RDBStorage, spec: StudySpec, prior: Prior, run: RunRow) -> tuple[Trial, dict[str, Any]]:
    """`Study.ask` with the slot's own sampler: a new trial and its sampled parameters; those that it has, if any."""
    study = _load(storage, spec, run)
    if run.trial_number is None:
        parameters, noted = _given(spec, prior, run)
        given = {name: stored(value) for name, value in parameters.items()}
        template = create_trial(
            state=TrialState.RUNNING,
            user_attrs={SLOT: run.slot, ORIGIN: str(run.origin)} | noted,
            system_attrs={FIXED: given} if given else {},
        )
        trial_id = study._storage.create_new_trial(study._study_id, template_trial=template)
    else:
        trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, run.trial_number)
    trial = Trial(study, trial_id)
    space = spec.space.narrowed(learning_rate=prior.interval) if prior.interval else spec.space
    return trial, space.ask(trial, spec.settled())


def tell(
    storage: RDBStorage,
    spec: StudySpec,
    run: RunRow,
    state: TrialState,
    *,
    value: float | None = None,
    notes: Mapping[str, Any] | None = None,
) -> FrozenTrial:
    """Ends the run's trial, with `notes` as user attributes; one that has ended stays as it is."""
    assert run.trial_number is not None and run.trial_id is not None
    study = _load(storage, spec, run)
    for name, noted in (notes or {}).items():
        study._storage.set_trial_user_attr(run.trial_id, name, noted)
    return study.tell(run.trial_number, value, state=state, skip_if_finished=True)


def _load(storage: RDBStorage, spec: StudySpec, run: RunRow) -> optuna.Study:
    with experiments_intended():
        return optuna.load_study(
            study_name=spec.name,
            storage=OwnTrials(storage),
            sampler=build_sampler(spec, slot_seed(spec.seed, run.slot)),
            pruner=build_pruner(spec),
        )


def bracket_of(trial: Trial) -> int:
    """The Hyperband bracket that a trial competes in; 0 under any other pruner."""
    pruner = trial.study.pruner
    if not isinstance(pruner, HyperbandPruner):
        return 0
    if not pruner._pruners:
        pruner._try_initialization(trial.study)
    return pruner._get_bracket_id(trial.study, trial.study._storage.get_trial(trial._trial_id))


def _given(spec: StudySpec, prior: Prior, run: RunRow) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters that the slot's trial is told to have, and notes of where they come from."""
    match run.origin:
        case Origin.PUBLISHED_DEFAULTS:
            return spec.incumbent_parameters(), {}
        case Origin.LR_RANGE_TEST:
            return spec.incumbent_parameters() | {"learning_rate": prior.suggested}, {}
        case Origin.WARM_START:
            start = prior.warm_start[run.slot - first_origins(prior).index(Origin.WARM_START)]
            return start["parameters"], {WARM_START: start["origin"]}
        case Origin.SAMPLER:
            return {}, {}
