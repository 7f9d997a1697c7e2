"""Who works on what, and who is alive: decided here, by `presence`, for every command, figure and check.

A worker of this host is alive while its process is. One of another host is while it holds a lease, or has shown itself
within SEEN_WITHIN; a machine that was started again since has none of its former workers.
"""

import time
from collections import defaultdict
from dataclasses import dataclass, fields
from enum import StrEnum

import optuna
from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from amnl_tune.database.engine import SQLITE_WORKERS, Ledger, database_time
from amnl_tune.database.models import AttemptRow, EpochRow, RunRow, RunStatus, WorkerRow
from amnl_tune.errors import StorageError
from amnl_tune.host import host_name, is_alive, is_earlier_boot, process_started
from amnl_tune.version import __version__

SEEN_WITHIN = 180.0
"""Seconds for which a worker's last sign of life says that it is there: three leases of the usual length, of which it
renews each four times, so that a database that restarts and a slow network take nobody away."""


@dataclass(frozen=True)
class WorkerIdentity:
    """A worker process; `id` is new for every process. The rest as in WorkerRow."""

    id: str
    study: str
    pid: int
    device: str
    threads: int
    accelerators: float = 1.0
    artifacts: str | None = None
    torch_version: str | None = None


def sign_in(ledger: Ledger, worker: WorkerIdentity) -> None:
    """Enters a worker that has just started.

    Raises:
        StorageError: one more than SQLite can serve, or workers with another Optuna major are at work.
    """
    with ledger.write() as session:
        now = database_time(session)
        alive = live_workers(session, now)
        _require_one_optuna(alive)
        if session.get_bind().dialect.name == "sqlite":
            _require_room(alive)
        session.add(
            WorkerRow(
                id=worker.id,
                study=worker.study,
                host=host_name(),
                pid=worker.pid,
                process_started=process_started(),
                device=worker.device,
                threads=worker.threads,
                accelerators=worker.accelerators,
                artifacts=worker.artifacts,
                clock_skew=time.time() - now,
                version=__version__,
                optuna_version=optuna.__version__,
                torch_version=worker.torch_version,
                started_at=now,
                seen_at=now,
            )
        )


def _require_room(alive: list[WorkerRow]) -> None:
    here = sum(worker.host == host_name() for worker in alive)
    if here >= SQLITE_WORKERS:
        raise StorageError(
            f"SQLite serves at most {SQLITE_WORKERS} workers at once, but {here} are at work",
            "wait for one to end, or set --storage to postgresql://USER:PASSWORD@HOST/DATABASE",
        )


def _require_one_optuna(alive: list[WorkerRow]) -> None:
    """Two major versions write times differently (optuna: New in 5.0)."""
    here, versions = optuna.__version__, {worker.optuna_version for worker in alive if worker.optuna_version}
    others = sorted(version for version in versions if version.split(".")[0] != here.split(".")[0])
    if others:
        raise StorageError(
            f"Optuna must be of one major version everywhere, but it is {here} here and {', '.join(others)} with "
            "workers that are at work",
            "install one version, or wait until they have left",
        )


def sign_out(ledger: Ledger, worker: WorkerIdentity) -> None:
    """Enters that a worker has left in order."""
    with ledger.write() as session:
        session.execute(update(WorkerRow).where(WorkerRow.id == worker.id).values(stopped_at=database_time(session)))


def seen(ledger: Ledger, worker: WorkerIdentity) -> None:
    """A sign of life."""
    with ledger.write() as session:
        session.execute(update(WorkerRow).where(WorkerRow.id == worker.id).values(seen_at=database_time(session)))


def live_workers_here(ledger: Ledger) -> int:
    """Workers of any study whose process runs on this host."""
    with ledger.read() as session:
        return sum(worker.host == host_name() for worker in live_workers(session, database_time(session)))


def bury_dead(ledger: Ledger, study: str) -> None:
    """Lets the leases of this host's dead workers run out now, so that nobody waits for them."""
    with ledger.read() as session:
        there = _unsigned(session, database_time(session), study)
        dead = [worker.id for worker, found in there if found is Presence.DEAD]
    if not dead:
        return
    with ledger.write() as session:
        now = database_time(session)
        session.execute(update(WorkerRow).where(WorkerRow.id.in_(dead)).values(stopped_at=now))
        session.execute(
            update(RunRow).where(RunRow.owner.in_(dead), RunRow.status == RunStatus.RUNNING).values(expires_at=now - 1)
        )


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


def presence(worker: WorkerRow, silent_for: float, lease_left: float | None) -> Presence:
    """Whether a worker is there, as far as anybody can tell from this host.

    Args:
        worker: its row.
        silent_for: seconds since its last sign of life.
        lease_left: seconds until others may take over its run, negative once they may; None: it has none.
    """
    if worker.stopped_at is not None:
        return Presence.LEFT
    if worker.host == host_name():
        if not is_alive(worker.pid, worker.process_started):
            return Presence.DEAD
    elif silent_for >= SEEN_WITHIN:
        if is_earlier_boot(worker.host):
            return Presence.DEAD
        if lease_left is None or lease_left <= 0:
            return Presence.SILENT
    return Presence.WAITING if lease_left is None else Presence.WORKING


def live_workers(session: Session, now: float, study: str | None = None) -> list[WorkerRow]:
    """Workers of a study, or of all, that are alive at `now` by the database's clock, the longest-serving first."""
    return [worker for worker, found in _unsigned(session, now, study) if found.is_alive]


def _unsigned(session: Session, now: float, study: str | None) -> list[tuple[WorkerRow, Presence]]:
    """Those who have not signed out."""
    query = (
        select(WorkerRow, RunRow.expires_at)
        .outerjoin(RunRow, and_(RunRow.owner == WorkerRow.id, RunRow.status == RunStatus.RUNNING))
        .where(WorkerRow.stopped_at.is_(None), *([] if study is None else [WorkerRow.study == study]))
        .order_by(WorkerRow.started_at, WorkerRow.id)
    )
    return [
        (worker, presence(worker, now - worker.seen_at, None if expires_at is None else expires_at - now))
        for worker, expires_at in session.execute(query)
    ]


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
        **{field.name: getattr(worker, field.name) for field in fields(Attendance) if hasattr(worker, field.name)},
        presence=presence(worker, now - max(signs), assignment.lease_left if assignment else None),
        up_for=(worker.stopped_at or now) - worker.started_at,
        seen_ago=max(0.0, now - max(signs)),
        assignment=assignment,
    )


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


def hosts_of_live_workers(session: Session, now: float) -> dict[str, list[str]]:
    """By study the host of each live worker, in alphabetical order."""
    hosts: defaultdict[str, list[str]] = defaultdict(list)
    for worker in sorted(live_workers(session, now), key=lambda worker: worker.host):
        hosts[worker.study].append(worker.host)
    return hosts
