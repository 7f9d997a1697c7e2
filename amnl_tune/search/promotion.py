"""From the best trials to full runs: what to train, and which configuration the validation engines choose.

The test engines play no part here.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from statistics import fmean

from sqlalchemy import func, select

from amnl_tune.bounds import MOST_RUNS, MOST_SEEDS, MOST_TOP, require
from amnl_tune.errors import StudyError
from amnl_tune.rul.metrics import worst_if_unknown
from amnl_tune.search.ledger.engine import Ledger, database_time
from amnl_tune.search.ledger.models import Origin, PromotionRow, RunRow, RunStatus
from amnl_tune.search.ledger.stored import stored_config
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.spec import StudySpec
from amnl_tune.training.config import RunConfig

__all__ = [
    "Candidate",
    "best_trials",
    "find_run",
    "latest_promotion",
    "open_promotion",
    "promoted_candidates",
    "seeds_for",
]

PUBLISHED_SEEDS = (42, 123, 456, 789, 1024)
"""Of the recipe (amnl)."""


@dataclass(frozen=True)
class Candidate:
    """One configuration of a promotion with its runs, one a seed.

    Attributes:
        trial_number: where it comes from. origin: and why.
        runs: as they are in the ledger, by seed.
    """

    trial_number: int
    origin: Origin
    runs: tuple[RunRow, ...]

    @property
    def complete(self) -> tuple[RunRow, ...]:
        """The runs that reached their end."""
        return tuple(run for run in self.runs if run.status is RunStatus.COMPLETE and run.value is not None)

    @property
    def validation_rmse(self) -> float:
        """Mean over the seeds, in cycles; infinite if no run reached its end."""
        values = [worst_if_unknown(run.value) for run in self.complete]
        return fmean(values) if values else inf


def best_trials(ledger: Ledger, study: str, most: int | None = None) -> list[RunRow]:
    """Feasible trials, best validation RMSE first: complete ones, so neither pruned nor failed nor diverged.

    Args:
        ledger: our tables. study: its name.
        most: of them; None: all.
    """
    with ledger.read() as session:
        query = (
            select(RunRow)
            .where(RunRow.study == study, RunRow.promotion == 0, RunRow.status == RunStatus.COMPLETE)
            .where(RunRow.value.is_not(None))
            .order_by(RunRow.value, RunRow.slot)
            .limit(most)
        )
        return list(session.scalars(query))


def open_promotion(
    ledger: Ledger,
    spec: StudySpec,
    *,
    top_k: int | None = None,
    seeds: Sequence[int] | None = None,
    random: int = 0,
) -> int:
    """Plans the promotion of the best trials and the published defaults; the same plan is the same promotion.

    Args:
        ledger: our tables.
        spec: the study's.
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
    plan = _plan(ledger, spec, top_k or spec.promotion.top_k, tuple(seeds or spec.promotion.seeds), random)
    document = [(run.trial_number, config.fingerprint()) for run, config in plan]
    fingerprint = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    with ledger.write() as session:
        known = session.scalars(
            select(PromotionRow).where(PromotionRow.study == spec.name, PromotionRow.fingerprint == fingerprint)
        ).first()
        if known:
            return known.number
        number = 1 + (session.scalar(select(func.max(PromotionRow.number)).where(PromotionRow.study == spec.name)) or 0)
        session.add(
            PromotionRow(study=spec.name, number=number, fingerprint=fingerprint, created_at=database_time(session))
        )
        for slot, (trial, config) in enumerate(plan):
            session.add(
                RunRow(
                    study=spec.name,
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


def seeds_for(spec: StudySpec, count: int) -> tuple[int, ...]:
    """So many seeds: the file's, then the published ones, then the numbers after the largest of these."""
    require("seeds", count, MOST_SEEDS)
    known = list(dict.fromkeys([*spec.promotion.seeds, *PUBLISHED_SEEDS]))
    return tuple([*known, *range(max(known) + 1, max(known) + 1 + count)][:count])


def _plan(
    ledger: Ledger, spec: StudySpec, top_k: int, seeds: tuple[int, ...], random: int
) -> list[tuple[RunRow, RunConfig]]:
    ranked = best_trials(ledger, spec.name)
    if not ranked:
        raise StudyError(
            f"A promotion needs a complete trial, but study {spec.name!r} has none; raise `budget.trials` or widen the "
            "space, and run it again"
        )
    chosen, others = ranked[:top_k], ranked[top_k:]
    chosen += Random(spec.seed).sample(others, min(random, len(others)))
    incumbent = _incumbent(ledger, spec.name)
    if spec.promotion.incumbent and incumbent and incumbent.id not in {run.id for run in chosen}:
        chosen.append(incumbent)
    require("trials times seeds", len(chosen) * len(seeds), MOST_RUNS)
    configs = [(run, stored_config(run)) for run in chosen]
    return [(run, spec.promotion_config(config, seed)) for run, config in configs for seed in seeds]


def _incumbent(ledger: Ledger, study: str) -> RunRow | None:
    """The published defaults' trial, pruned or not: it is the one to beat at full length."""
    with ledger.read() as session:
        query = select(RunRow).where(RunRow.study == study, RunRow.promotion == 0, RunRow.config.is_not(None))
        return session.scalars(query.where(RunRow.origin == Origin.PUBLISHED_DEFAULTS)).first()


def find_run(ledger: Ledger, study: str, trial: int, seed: int | None) -> RunRow:
    """A trial, or with a seed the run of it in the newest promotion that has one.

    Raises:
        StudyError: there is none.
    """
    find_study(ledger, study)
    kind = RunRow.promotion == 0 if seed is None else RunRow.promotion > 0
    query = select(RunRow).where(RunRow.study == study, RunRow.trial_number.is_not(None), kind)
    with ledger.read() as session:
        runs = list(session.scalars(query.order_by(RunRow.promotion.desc(), RunRow.trial_number, RunRow.seed)))
    for run in runs:
        if run.trial_number == trial and seed in (None, run.seed):
            return run
    which = f"Trial {trial}" if seed is None else f"Trial {trial} with seed {seed}"
    kind_of = "a trial" if seed is None else "a promoted run"
    known = dict.fromkeys(f"{run.trial_number}" + ("" if seed is None else f" seed {run.seed}") for run in runs)
    raise StudyError(
        f"{which} must be {kind_of} that the study has, but {study!r} has {', '.join(known) or 'none'}; name one of "
        "these"
    )


def latest_promotion(ledger: Ledger, study: str) -> PromotionRow | None:
    """The study's newest promotion."""
    with ledger.read() as session:
        query = select(PromotionRow).where(PromotionRow.study == study).order_by(PromotionRow.number.desc())
        return session.scalars(query).first()


def promoted_candidates(ledger: Ledger, study: str, number: int) -> list[Candidate]:
    """A promotion's configurations, the validation engines' choice first."""
    with ledger.read() as session:
        query = select(RunRow).where(RunRow.study == study, RunRow.promotion == number).order_by(RunRow.slot)
        runs = list(session.scalars(query))
    trials = dict.fromkeys(run.trial_number for run in runs)
    candidates = [
        Candidate(trial, own[0].origin, own)
        for trial in trials
        if trial is not None and (own := tuple(run for run in runs if run.trial_number == trial))
    ]
    return sorted(candidates, key=lambda candidate: candidate.validation_rmse)
