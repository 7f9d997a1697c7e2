"""The workers' own rows: who is there, and which of this host's have died without a word."""

import time
from dataclasses import dataclass

import optuna
import torch
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from amnl_tune import __version__
from amnl_tune.errors import StorageError
from amnl_tune.search.host import host_name, is_alive, is_earlier_boot, process_started
from amnl_tune.search.ledger.engine import SQLITE_WORKERS, Ledger, database_time
from amnl_tune.search.ledger.models import RunRow, RunStatus, WorkerRow

__all__ = ["WorkerIdentity", "bury_dead", "is_gone", "live_workers_here", "seen", "sign_in", "sign_out"]

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
