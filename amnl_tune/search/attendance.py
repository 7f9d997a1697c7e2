"""Who works on what: every worker of a storage, its run, its lease and its pace, in one look."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import and_, select

from amnl_tune.search.host import host_name
from amnl_tune.search.ledger.engine import Ledger, database_time
from amnl_tune.search.ledger.models import AttemptRow, EpochRow, RunRow, RunStatus, WorkerRow
from amnl_tune.search.ledger.workers import is_gone
from amnl_tune.search.progress import SEEN_WITHIN

__all__ = ["Assignment", "Attendance", "Presence", "attendance"]


class Presence(StrEnum):
    """`dead`: its process on this host is gone. `silent`: on another host, without a sign of life for long."""

    WORKING = "working"
    WAITING = "waiting"
    DEAD = "dead"
    SILENT = "silent"
    LEFT = "left"

    @property
    def is_alive(self) -> bool:
        """As far as anybody can tell from here."""
        return self in {Presence.WORKING, Presence.WAITING}


@dataclass(frozen=True)
class Assignment:
    """The run that a worker holds.

    Attributes:
        label: for a line of a display. epoch: epochs done, of `epochs`.
        samples_per_second: in its latest epoch; None before the first.
        lease_age: seconds since the worker took the run; None where an older version took it.
        lease_left: seconds until others may take over, negative once they may.
    """

    run: int
    label: str
    promotion: int
    trial_number: int | None
    seed: int
    epoch: int
    epochs: int
    samples_per_second: float | None
    lease_age: float | None
    lease_left: float


@dataclass(frozen=True)
class Attendance:
    """One worker. Times are seconds by the database's clock; `accelerators` is its share of devices.

    Versions and `clock_skew` (its clock less the database's) are None where an older version signed in.
    """

    id: str
    study: str
    presence: Presence
    host: str
    pid: int
    device: str
    threads: int
    accelerators: float
    version: str
    optuna_version: str | None
    torch_version: str | None
    clock_skew: float | None
    up_for: float
    seen_ago: float
    assignment: Assignment | None


def attendance(ledger: Ledger, study: str | None = None, *, everyone: bool = False) -> list[Attendance]:
    """The workers of a study, or of all, the longest-serving first.

    Args:
        ledger: our tables.
        study: its name; None: every study of the storage.
        everyone: those who left, too.
    """
    query = (
        select(WorkerRow, RunRow, EpochRow, AttemptRow)
        .outerjoin(RunRow, and_(RunRow.owner == WorkerRow.id, RunRow.status == RunStatus.RUNNING))
        .outerjoin(EpochRow, and_(EpochRow.run == RunRow.id, EpochRow.number == RunRow.epochs_done))
        .outerjoin(AttemptRow, and_(AttemptRow.run == RunRow.id, AttemptRow.fence == RunRow.fence))
        .order_by(WorkerRow.study, WorkerRow.started_at, WorkerRow.id)
    )
    if study is not None:
        query = query.where(WorkerRow.study == study)
    if not everyone:
        query = query.where(WorkerRow.stopped_at.is_(None))
    with ledger.read() as session:
        rows = session.execute(query).all()
        now = database_time(session)
    return [_seen(*row, now) for row in rows]


def _seen(
    worker: WorkerRow, run: RunRow | None, epoch: EpochRow | None, attempt: AttemptRow | None, now: float
) -> Attendance:
    signs = [worker.seen_at]
    if epoch and epoch.recorded_at > worker.started_at:  # earlier ones are another worker's
        signs.append(epoch.recorded_at)
    assignment = _assignment(run, epoch, attempt, now) if run else None
    return Attendance(
        id=worker.id,
        study=worker.study,
        presence=_presence(worker, assignment, now - max(signs)),
        host=worker.host,
        pid=worker.pid,
        device=worker.device,
        threads=worker.threads,
        accelerators=worker.accelerators,
        version=worker.version,
        optuna_version=worker.optuna_version,
        torch_version=worker.torch_version,
        clock_skew=worker.clock_skew,
        up_for=(worker.stopped_at or now) - worker.started_at,
        seen_ago=max(0.0, now - max(signs)),
        assignment=assignment,
    )


def _presence(worker: WorkerRow, assignment: Assignment | None, seen_ago: float) -> Presence:
    if worker.stopped_at is not None:
        return Presence.LEFT
    if is_gone(worker, seen_ago):
        return Presence.DEAD
    holds = assignment is not None and assignment.lease_left > 0
    if worker.host != host_name() and not holds and seen_ago >= SEEN_WITHIN:
        return Presence.SILENT
    return Presence.WORKING if assignment else Presence.WAITING


def _assignment(run: RunRow, epoch: EpochRow | None, attempt: AttemptRow | None, now: float) -> Assignment:
    trial = "new trial" if run.trial_number is None else f"trial {run.trial_number}"
    return Assignment(
        run=run.id,
        label=trial if run.is_trial else f"promotion {run.promotion} of {trial}, seed {run.seed}",
        promotion=run.promotion,
        trial_number=run.trial_number,
        seed=run.seed,
        epoch=run.epochs_done,
        epochs=run.epochs,
        samples_per_second=epoch.samples / epoch.seconds if epoch and epoch.seconds > 0 else None,
        lease_age=now - attempt.started_at if attempt else None,
        lease_left=(run.expires_at or now) - now,
    )
