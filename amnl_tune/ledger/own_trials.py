"""Our own trials among those of Optuna's study: somebody's plain `study.optimize` may have put others there.

Ours have a slot. The others were trained by nobody here, on nobody knows what; a sampler that learned from them would
be steered in silence.
"""

from collections import defaultdict
from collections.abc import Container
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import text

from amnl_tune.database.engine import Ledger

SLOT = "slot"
"""User attribute of our trials."""

IS_OURS = f"exists (select 1 from trial_user_attributes a where a.trial_id = t.trial_id and a.key = '{SLOT}')"
FOREIGN = text(
    "select s.study_name, t.number from trials t join studies s on s.study_id = t.study_id "
    f"join amnl_studies o on o.name = s.study_name where not {IS_OURS} order by s.study_name, t.number"
)
COMPLETE = text(
    "select t.trial_id, t.number, v.value, p.param_name, p.param_value, p.distribution_json from trials t "
    "join studies s on s.study_id = t.study_id "
    "join trial_values v on v.trial_id = t.trial_id and v.objective = 0 and v.value_type = 'FINITE' "
    "left join trial_params p on p.trial_id = t.trial_id "
    f"where s.study_name = :study and t.state = 'COMPLETE' and {IS_OURS} order by t.number, p.param_id"
)


class OwnTrials(_CachedStorage):
    """Optuna's storage as a sampler and a pruner are to see it."""

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Without the foreign ones."""
        return [trial for trial in super().get_all_trials(study_id, deepcopy, states) if SLOT in trial.user_attrs]


class CompleteTrials(optuna.Study):
    """Optuna's study with our complete trials alone, read at once and without their reports.

    Optuna itself reads everything of each trial: of ten thousand, a minute.

    Raises:
        KeyError: there is no such study in Optuna's tables.
    """

    def __init__(self, ledger: Ledger, study: str, storage: RDBStorage) -> None:
        super().__init__(study_name=study, storage=storage)
        self._complete = _read(ledger, study)

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """By number; none unless complete ones are asked for."""
        return list(self._complete) if states is None or TrialState.COMPLETE in states else []


def foreign_trials(ledger: Ledger) -> dict[str, list[int]]:
    """Numbers of trials that amnl-tune did not make, by study of ours. Raises StorageError."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    with ledger.read() as session:
        for study, number in session.execute(FOREIGN):
            found[study].append(number)
    return dict(found)


def _read(ledger: Ledger, study: str) -> list[FrozenTrial]:
    kinds: dict[str, BaseDistribution] = {}
    trials: dict[int, FrozenTrial] = {}
    now = datetime.now(UTC)
    with ledger.read() as session:
        for key, number, value, name, stored, kind in session.execute(COMPLETE, {"study": study}):
            if key not in trials:
                empty: dict[str, Any] = {"user_attrs": {}, "system_attrs": {}, "intermediate_values": {}}
                trials[key] = FrozenTrial(
                    number=number, trial_id=key, state=TrialState.COMPLETE, value=value, datetime_start=now,
                    datetime_complete=now, params={}, distributions={}, **empty,
                )  # fmt: skip
            if name is not None:
                if kind not in kinds:
                    kinds[kind] = json_to_distribution(kind)
                trials[key]._distributions[name] = kinds[kind]
                trials[key]._params[name] = kinds[kind].to_external_repr(stored)
    return list(trials.values())
