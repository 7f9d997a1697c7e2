"""`[warm_start]`: best configurations of other studies in this storage, evaluated before the sampler begins.

They are settled when the study is opened, so that every worker agrees on them though the other studies go on.
"""

from typing import Any

from amnl_tune.errors import StudyError
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.models import RunRow
from amnl_tune.search.ledger.stored import stored_config
from amnl_tune.search.ledger.studies import Prior, study_names
from amnl_tune.search.promotion import best_trials
from amnl_tune.search.spec import StudySpec

__all__ = ["require_sources", "warm_starts"]


def require_sources(ledger: Ledger, spec: StudySpec) -> None:
    """Refuses, before anything is kept, studies that are not there or have nothing to give.

    Raises:
        StudyError: which, and what there is.
    """
    known = study_names(ledger)
    if spec.name in known:
        return
    for study in spec.warm_start.studies:
        if study not in known:
            raise StudyError(
                f"`warm_start.from` must name other studies of this storage, but there is no {study!r} "
                f"({', '.join(known) or 'none at all'}); run it first, or leave it out"
            )
        if not best_trials(ledger, study, 1):
            raise StudyError(
                f"`warm_start.from` must name studies with a complete trial, but {study!r} has none; run it first, or "
                "leave it out"
            )


def warm_starts(ledger: Ledger, spec: StudySpec, prior: Prior) -> tuple[dict[str, Any], ...]:
    """`origin` and `parameters` of each, the first study's best first; equal ones, and the incumbent's own, once.

    A setting that the other study did not search counts with the value that it had there. A value that this study's
    space cannot give is left to the sampler, and the origin says so.
    """
    space = spec.space.narrowed(learning_rate=prior.interval) if prior.interval else spec.space
    seen, found = [spec.incumbent_parameters()], []
    for study in spec.warm_start.studies:
        for run in best_trials(ledger, study, spec.warm_start.top):
            values = _values(run) | spec.settled()
            own = {name: space[name].own(values[name]) for name in space.active(values)}
            parameters = {name: value for name, value in own.items() if value is not None}
            if not parameters or parameters in seen:
                continue
            seen.append(parameters)
            outside = sorted(set(own) - set(parameters))
            left = f" ({', '.join(outside)} outside of this space)" if outside else ""
            found.append({"origin": f"{study} trial {run.trial_number}{left}", "parameters": parameters})
    if len(found) > spec.budget.trials:
        raise StudyError(
            f"`budget.trials` must leave room for the warm start, but got {spec.budget.trials} for {len(found)} "
            "configurations; raise it, or lower `warm_start.top`"
        )
    return tuple(found)


def _values(run: RunRow) -> dict[str, Any]:
    return stored_config(run).plain()
