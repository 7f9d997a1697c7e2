"""Who works on what, who is alive, and which workers of this host have died without a word."""

import time
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

import optuna
import torch
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from amnl_tune.database.engine import SQLITE_WORKERS, Ledger, database_time
from amnl_tune.database.models import AttemptRow, EpochRow, RunRow, RunStatus, WorkerRow
from amnl_tune.errors import StorageError
from amnl_tune.host import host_name, is_alive, is_earlier_boot, process_started
from amnl_tune.ledger.progress import SEEN_WITHIN
from amnl_tune.version import __version__

SILENT_SECONDS = 300.0
"""After so long without a sign of life a worker counts as gone."""


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


def sign_in(ledger: Ledger, worker: WorkerIdentity) -> None:
    """Enters a worker that has just started.

    Raises:
        StorageError: one more than SQLite can serve, or workers with another Optuna major are at work.
    """
    with ledger.write() as session:
        now = database_time(session)
        _require_one_optuna(session, now)
        if session.get_bind().dialect.name == "sqlite":
            _require_room(session)
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
                torch_version=torch.__version__,
                started_at=now,
                seen_at=now,
            )
        )


def _require_room(session: Session) -> None:
    rows = session.scalars(select(WorkerRow).where(WorkerRow.host == host_name(), WorkerRow.stopped_at.is_(None)))
    alive = sum(is_alive(row.pid, row.process_started) for row in rows)
    if alive >= SQLITE_WORKERS:
        raise StorageError(
            f"SQLite serves at most {SQLITE_WORKERS} workers at once, but {alive} are at work; wait for one to end, or "
            "set --storage to postgresql://USER:PASSWORD@HOST/DATABASE"
        )


def _require_one_optuna(session: Session, now: float) -> None:
    """Two major versions write times differently (optuna: New in 5.0)."""
    rows = session.scalars(
        select(WorkerRow).where(WorkerRow.stopped_at.is_(None), WorkerRow.seen_at > now - SILENT_SECONDS)
    )
    here = optuna.__version__
    others = sorted(
        {row.optuna_version for row in rows if row.optuna_version and _major(row.optuna_version) != _major(here)}
    )
    if others:
        raise StorageError(
            f"Optuna must be of one major version everywhere, but it is {here} here and {', '.join(others)} with "
            "workers that are at work; install one version, or wait until they have left"
        )


def _major(version: str) -> str:
    return version.split(".", maxsplit=1)[0]


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
        rows = session.scalars(select(WorkerRow).where(WorkerRow.host == host_name(), WorkerRow.stopped_at.is_(None)))
        return sum(is_alive(row.pid, row.process_started) for row in rows)


def is_gone(worker: WorkerRow, silent_for: float) -> bool:
    """Whether a worker that has not signed out has ended: its process here, or its machine was started again since.

    Args:
        worker: not signed out.
        silent_for: seconds since its last sign of life.
    """
    if worker.host == host_name():
        return not is_alive(worker.pid, worker.process_started)
    return silent_for >= SILENT_SECONDS and is_earlier_boot(worker.host)


def bury_dead(ledger: Ledger, study: str) -> None:
    """Lets the leases of this host's dead workers run out now, so that nobody waits for them."""
    with ledger.read() as session:
        now = database_time(session)
        rows = session.scalars(select(WorkerRow).where(WorkerRow.study == study, WorkerRow.stopped_at.is_(None)))
        dead = [row.id for row in rows if is_gone(row, now - row.seen_at)]
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


def hosts_of_live_workers(session: Session, now: float) -> dict[str, list[str]]:
    """By study the host of each worker that has not left and holds a lease or was seen a short while ago."""
    holding = select(RunRow.owner).where(RunRow.owner.is_not(None), RunRow.expires_at > now)
    hosts: defaultdict[str, list[str]] = defaultdict(list)
    query = (
        select(WorkerRow.study, WorkerRow.host)
        .where(WorkerRow.stopped_at.is_(None))
        .where(or_(WorkerRow.seen_at > now - SEEN_WITHIN, WorkerRow.id.in_(holding)))
        .order_by(WorkerRow.host)
    )
    for study, host in session.execute(query):
        hosts[study].append(host)
    return hosts
