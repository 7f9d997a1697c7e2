"""How a study stands, in one consistent look, and what its search has used of what it may spend."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from amnl_tune.database.engine import database_time
from amnl_tune.database.models import EpochRow, RunRow, RunStatus, StudyRow
from amnl_tune.ledger.leases import FINISHED
from amnl_tune.ledger.stored import stored_spec
from amnl_tune.ledger.studies import Study
from amnl_tune.ledger.workers import live_workers
from amnl_tune.rul.metrics import worst_if_unknown

VIEWED = ("id", "promotion", "trial_number", "origin", "seed", "status", "epochs_done", "epochs", "reason")
"""Columns of a run that its view repeats."""


@dataclass(frozen=True)
class RunView:
    """One run: number of its trial, status, epochs done of how many, best validation RMSE so far (cycles)."""

    id: int
    promotion: int
    trial_number: int | None
    origin: str
    seed: int
    status: RunStatus
    epochs_done: int
    epochs: int
    best: float | None
    reason: str | None

    @property
    def label(self) -> str:
        """For a line of a display."""
        if self.promotion:
            return f"promotion of trial {self.trial_number}, seed {self.seed}"
        return f"trial {self.trial_number}" if self.trial_number is not None else "new trial"


@dataclass(frozen=True)
class WorkerView:
    """One live worker and the run it holds, if any."""

    id: str
    host: str
    pid: int
    device: str
    threads: int
    run: RunView | None


@dataclass(frozen=True)
class Progress:
    """A study, or the runs of one of its promotions.

    Attributes:
        runs: in order of their slots. total: slots in the end.
        workers: alive now.
        best: finished or running run with the lowest validation RMSE.
        seconds_left: estimated from the epochs so far; None while there are none.
    """

    runs: tuple[RunView, ...]
    total: int
    workers: tuple[WorkerView, ...]
    best: RunView | None
    seconds_left: float | None

    def count(self, status: RunStatus) -> int:
        """Runs of a status."""
        return sum(run.status is status for run in self.runs)

    @property
    def finished(self) -> int:
        """Complete, pruned and failed ones."""
        return sum(run.status in FINISHED for run in self.runs)

    @property
    def epochs_done(self) -> int:
        """Over all runs."""
        return sum(run.epochs_done for run in self.runs)

    @property
    def epochs_in_all(self) -> int:
        """When all runs have ended: what the finished ones took, and the others in full, those to come included."""
        longest = max((run.epochs for run in self.runs), default=0)
        known = sum(run.epochs_done if run.status in FINISHED else run.epochs for run in self.runs)
        return known + longest * (self.total - len(self.runs))


def progress(study: Study, *, promotion: int = 0, total: int | None = None) -> Progress:
    """How the search (promotion 0) or a promotion stands.

    Args:
        ledger: our tables.
        study: its name.
        promotion: its number; 0 is the search.
        total: trials in the budget; None: the runs there are.
    """
    with study.ledger.read() as session:
        now = database_time(session)
        # Columns, not rows: of ten thousand runs, the objects and their configurations would take seconds.
        rows = session.execute(
            select(*(getattr(RunRow, name) for name in (*VIEWED, "owner", "expires_at")))
            .where(RunRow.study == study.name, RunRow.promotion == promotion)
            .order_by(RunRow.slot)
        ).all()
        best = _best_by_run(session, study.name, promotion)
        seconds = session.scalar(
            select(func.avg(EpochRow.seconds))
            .join(RunRow, RunRow.id == EpochRow.run)
            .where(RunRow.study == study.name, RunRow.promotion == promotion)
        )
        workers = live_workers(session, now, study.name)
    views = {row.id: RunView(**{name: getattr(row, name) for name in VIEWED}, best=best.get(row.id)) for row in rows}
    held = {row.owner: views[row.id] for row in rows if row.owner and (row.expires_at or 0) > now}
    alive = tuple(WorkerView(w.id, w.host, w.pid, w.device, w.threads, held.get(w.id)) for w in workers)
    runs = tuple(views.values())
    total = max(len(runs), total or 0)
    judged = [run for run in runs if run.best is not None and run.status is not RunStatus.FAIL]
    return Progress(
        runs=runs,
        total=total,
        workers=alive,
        best=min(judged, key=lambda run: worst_if_unknown(run.best), default=None),
        seconds_left=_seconds_left(runs, total, seconds, len(alive)),
    )


def _best_by_run(session: Session, study: str, promotion: int) -> dict[int, float | None]:
    query = (
        select(EpochRow.run, func.min(EpochRow.validation_rmse))
        .join(RunRow, RunRow.id == EpochRow.run)
        .where(RunRow.study == study, RunRow.promotion == promotion)
        .group_by(EpochRow.run)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _seconds_left(runs: tuple[RunView, ...], total: int, seconds: float | None, workers: int) -> float | None:
    """Epochs to come, at the mean epoch so far; a run takes as many as the finished ones did, or all if past that."""
    if seconds is None:
        return None
    done = [run.epochs_done for run in runs if run.status in FINISHED]
    typical = fmean(done) if done else max(run.epochs for run in runs)
    under_way = sum(
        (typical if run.epochs_done < typical else run.epochs) - run.epochs_done
        for run in runs
        if run.status not in FINISHED
    )
    return float(seconds) * (under_way + typical * (total - len(runs))) / max(1, workers)


class Use(NamedTuple):
    """One resource: trials, epochs, wall_time (seconds) or accelerator_hours. `limit` None: nothing but the others."""

    resource: str
    used: float
    limit: float | None


def budget_uses(session: Session, studies: Sequence[StudyRow], now: float) -> dict[str, list[Use]]:
    """By study.

    Args:
        session: on our tables.
        studies: whose.
        now: by the database's clock; what wall time runs up to while trials are open.
    """
    opened = func.sum(case((RunRow.status.in_(FINISHED), 0), else_=1))
    query = (
        select(
            RunRow.study,
            func.count(),
            func.sum(RunRow.epochs_done),
            func.sum(RunRow.busy_seconds),
            func.max(RunRow.finished_at),
            opened,
        )
        .where(RunRow.promotion == 0, RunRow.study.in_([row.name for row in studies]))
        .group_by(RunRow.study)
    )
    sums = {row[0]: row[1:] for row in session.execute(query)}
    uses = {}
    for row in studies:
        trials, epochs, busy, last, under_way = sums.get(row.name, (0, 0, 0.0, None, 0))
        end = now if under_way or last is None else last
        limits = stored_spec(row).budget.model_dump()
        uses[row.name] = [
            Use("trials", trials, limits["trials"]),
            Use("epochs", epochs, limits["epochs"]),
            Use("wall_time", max(0.0, end - row.started_at) if row.started_at else 0.0, limits["wall_time"]),
            Use("accelerator_hours", busy / 3600, limits.get("accelerator_hours")),
        ]
    return uses
