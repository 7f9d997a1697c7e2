"""Promotions as they are remembered, and the trials that they are made of."""

from dataclasses import dataclass
from math import inf
from statistics import fmean

from sqlalchemy import select

from amnl_tune.database.models import Origin, PromotionRow, RunRow, RunStatus
from amnl_tune.errors import StudyError
from amnl_tune.ledger.studies import Study
from amnl_tune.rul.metrics import worst_if_unknown


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


def best_trials(study: Study, most: int | None = None) -> list[RunRow]:
    """Feasible trials, best validation RMSE first: complete ones, so neither pruned nor failed nor diverged.

    Args:
        ledger: our tables. study: its name.
        most: of them; None: all.
    """
    with study.ledger.read() as session:
        query = (
            select(RunRow)
            .where(RunRow.study == study.name, RunRow.promotion == 0, RunRow.status == RunStatus.COMPLETE)
            .where(RunRow.value.is_not(None))
            .order_by(RunRow.value, RunRow.slot)
            .limit(most)
        )
        return list(session.scalars(query))


def _incumbent(study: Study) -> RunRow | None:
    """The published defaults' trial, pruned or not: it is the one to beat at full length."""
    with study.ledger.read() as session:
        query = select(RunRow).where(RunRow.study == study.name, RunRow.promotion == 0, RunRow.config.is_not(None))
        return session.scalars(query.where(RunRow.origin == Origin.PUBLISHED_DEFAULTS)).first()


def find_run(study: Study, trial: int, seed: int | None) -> RunRow:
    """A trial, or with a seed the run of it in the newest promotion that has one.

    Raises:
        StudyError: there is none.
    """
    kind = RunRow.promotion == 0 if seed is None else RunRow.promotion > 0
    query = select(RunRow).where(RunRow.study == study.name, RunRow.trial_number.is_not(None), kind)
    with study.ledger.read() as session:
        runs = list(session.scalars(query.order_by(RunRow.promotion.desc(), RunRow.trial_number, RunRow.seed)))
    for run in runs:
        if run.trial_number == trial and seed in (None, run.seed):
            return run
    which = f"Trial {trial}" if seed is None else f"Trial {trial} with seed {seed}"
    kind_of = "a trial" if seed is None else "a promoted run"
    known = dict.fromkeys(f"{run.trial_number}" + ("" if seed is None else f" seed {run.seed}") for run in runs)
    raise StudyError(
        f"{which} must be {kind_of} that the study has, but {study.name!r} has {', '.join(known) or 'none'}; name "
        "one of these"
    )


def latest_promotion(study: Study) -> PromotionRow | None:
    """The study's newest promotion."""
    with study.ledger.read() as session:
        query = select(PromotionRow).where(PromotionRow.study == study.name).order_by(PromotionRow.number.desc())
        return session.scalars(query).first()


def promoted_candidates(study: Study, number: int) -> list[Candidate]:
    """A promotion's configurations, the validation engines' choice first."""
    with study.ledger.read() as session:
        query = select(RunRow).where(RunRow.study == study.name, RunRow.promotion == number).order_by(RunRow.slot)
        runs = list(session.scalars(query))
    trials = dict.fromkeys(run.trial_number for run in runs)
    candidates = [
        Candidate(trial, own[0].origin, own)
        for trial in trials
        if trial is not None and (own := tuple(run for run in runs if run.trial_number == trial))
    ]
    return sorted(candidates, key=lambda candidate: candidate.validation_rmse)


def find_promotion(study: Study, number: int) -> PromotionRow:
    """A study's promotion by its number."""
    with study.ledger.read() as session:
        query = select(PromotionRow).where(PromotionRow.study == study.name, PromotionRow.number == number)
        return session.scalars(query).one()
