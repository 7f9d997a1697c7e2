"""From the best trials to full runs: what to train, and which configuration the validation engines choose.

The test engines play no part here.
"""

from collections.abc import Sequence
from itertools import groupby
from random import Random

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from amnl_tune.bounds import MOST_RUNS, MOST_SEEDS, MOST_TOP, require
from amnl_tune.database.engine import database_time
from amnl_tune.database.models import PromotionRow, RunRow, RunStatus
from amnl_tune.errors import StudyError
from amnl_tune.files import canonical_hash
from amnl_tune.ledger.promotions import _incumbent, best_trials
from amnl_tune.ledger.stored import stored_config
from amnl_tune.ledger.studies import Study
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig

PUBLISHED_SEEDS = (42, 123, 456, 789, 1024)
"""Of the recipe (amnl)."""


def open_promotion(
    study: Study,
    *,
    top_k: int | None = None,
    seeds: Sequence[int] | None = None,
    random: int = 0,
) -> int:
    """Plans the promotion of the best trials and the published defaults; the same plan is the same promotion.

    Args:
        study: as opened.
        top_k: trials to promote; None: the file's.
        seeds: of each configuration; None: the file's.
        random: further complete trials, drawn by the study's seed: for the proxy check, which best trials alone cannot
            answer.

    Returns:
        The promotion's number in the study, from 1.

    Raises:
        StudyError: no trial has completed.
        ConfigurationError: more than anyone would train.
    """
    require("top", top_k, MOST_TOP)
    require("random", random, MOST_TOP, least=0)
    require("seeds", len(seeds) if seeds else None, MOST_SEEDS)
    own = study.spec.promotion
    plan = _plan(study, top_k or own.top_k, tuple(seeds or own.seeds), random)
    with study.ledger.write() as session:
        known = _same_plan(session, study.name, plan)
        if known is not None:
            return known
        fingerprint = canonical_hash([(run.trial_number, config.fingerprint()) for run, config in plan])
        number = 1 + (
            session.scalar(select(func.max(PromotionRow.number)).where(PromotionRow.study == study.name)) or 0
        )
        session.add(
            PromotionRow(study=study.name, number=number, fingerprint=fingerprint, created_at=database_time(session))
        )
        for slot, (trial, config) in enumerate(plan):
            session.add(
                RunRow(
                    study=study.name,
                    promotion=number,
                    slot=slot,
                    origin=trial.origin,
                    trial_number=trial.trial_number,
                    seed=config.seed,
                    config=config.model_dump_json(),
                    status=RunStatus.WAITING,
                    epochs=config.epochs,
                )
            )
        return number


def _same_plan(session: Session, study: str, plan: list[tuple[RunRow, RunConfig]]) -> int | None:
    """The promotion of these trials with these configurations, whatever settings later versions have added to them.

    Raises:
        StudyError: a promotion has a run that this version cannot read: it might be the same one.
    """
    query = select(RunRow).where(RunRow.study == study, RunRow.promotion > 0).order_by(RunRow.promotion, RunRow.slot)
    planned = [(run.trial_number, config) for run, config in plan]
    for number, runs in groupby(session.scalars(query), key=lambda run: run.promotion):
        if [(run.trial_number, stored_config(run)) for run in runs] == planned:
            return int(number)
    return None


def seeds_for(spec: StudySpec, count: int) -> tuple[int, ...]:
    """So many seeds: the file's, then the published ones, then the numbers after the largest of these."""
    require("seeds", count, MOST_SEEDS)
    known = list(dict.fromkeys([*spec.promotion.seeds, *PUBLISHED_SEEDS]))
    return tuple([*known, *range(max(known) + 1, max(known) + 1 + count)][:count])


def _plan(study: Study, top_k: int, seeds: tuple[int, ...], random: int) -> list[tuple[RunRow, RunConfig]]:
    spec, ranked = study.spec, best_trials(study)
    if not ranked:
        raise StudyError(
            f"A promotion needs a complete trial, but study {spec.name!r} has none; raise `budget.trials` or widen the "
            "space, and run it again"
        )
    chosen, others = ranked[:top_k], ranked[top_k:]
    chosen += Random(spec.seed).sample(others, min(random, len(others)))
    incumbent = _incumbent(study)
    if spec.promotion.incumbent and incumbent and incumbent.id not in {run.id for run in chosen}:
        chosen.append(incumbent)
    require("trials times seeds", len(chosen) * len(seeds), MOST_RUNS)
    configs = [(run, stored_config(run)) for run in chosen]
    return [(run, spec.promotion_config(config, seed)) for run, config in configs for seed in seeds]
