"""The door to the database: connections and transactions.

Our tables stand beside Optuna's in one database, SQLite (one host) or PostgreSQL (teams).
"""

import traceback
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import NullPool

from amnl_tune.database.failures import storage_failures
from amnl_tune.database.urls import database_file, driver_url, parse_url
from amnl_tune.errors import StorageError

READ_ONLY = "amnl_read_only"

SQLITE_TIMEOUT = 60.0
"""Seconds that a writer waits for the others (optuna: a report's p99 is 1.4 s at 16 workers)."""

LOCK_MILLISECONDS = int(SQLITE_TIMEOUT * 1000)
"""The same on PostgreSQL, whose own default is for ever."""

SQLITE_WORKERS = 8
"""Workers at once on an SQLite file (optuna: SQLite for one host and few workers)."""


def connect_options(url: URL, *, pooled: bool = True) -> dict[str, Any]:
    """Keyword arguments of `create_engine` that survive many workers and dropped connections (optuna: Traps).

    Args:
        url: of the database.
        pooled: keep one connection; else none: for what is asked now and then, so that a worker holds one in all.
    """
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": SQLITE_TIMEOUT}}
    pool = {"pool_pre_ping": True, "pool_recycle": 1800, "pool_size": 1, "max_overflow": 2}
    return {
        **(pool if pooled else {"poolclass": NullPool}),
        "connect_args": {
            "prepare_threshold": None,  # behind a pooler the next statement may be in a session that knows none of it
            "client_encoding": "utf8",  # whatever PGCLIENTENCODING says; SQL_ASCII would give bytes
            "connect_timeout": 10,
            "keepalives": 1,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "tcp_user_timeout": 30_000,  # milliseconds
        },
    }


class Ledger:
    """Transactions on our tables. Built once a process, after it was spawned; knows nothing of their content."""

    def __init__(self, storage: str) -> None:
        self.url = parse_url(storage)
        self.engine = open_engine(self.url)
        self._reader = self.engine.execution_options(**{READ_ONLY: True})
        weakref.finalize(self, self.engine.dispose)  # whoever forgets to close it leaves no connection behind

    @contextmanager
    def write(self, within: Session | None = None) -> Iterator[Session]:
        """One transaction, or the part of the one under way; on SQLite it holds the write lock from its start."""
        if within is not None:
            yield within
            return
        with self._transaction(self.engine) as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent look that never blocks a writer for long."""
        with self._transaction(self._reader) as session:
            yield session

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Session]:
        try:
            with storage_failures(self.url), Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
        except BaseException as error:
            if not isinstance(error, Exception):
                _let_go(error)
            raise

    def close(self) -> None:
        """Gives the connections back."""
        self.engine.dispose()


NOW = {"sqlite": "(julianday('now') - 2440587.5) * 86400.0", "postgresql": "extract(epoch from clock_timestamp())"}
"""SQL for seconds since 1970 (UTC), by dialect; within a PostgreSQL transaction, too, it goes on."""


def database_time(session: Session) -> float:
    """Seconds since 1970 (UTC) by the database's clock: leases do not depend on how well hosts agree."""
    return float(session.execute(text(f"select {NOW[session.get_bind().dialect.name]}")).scalar_one())


def insert_if_absent(session: Session, table: type[DeclarativeBase], **values: Any) -> None:
    """One row; nothing where a row with its key is there already."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(insert(table).values(**values).on_conflict_do_nothing())


def _let_go(interrupt: BaseException) -> None:
    """Drops the cursors that an interrupted statement left in the frames of its traceback.

    SQLite keeps a closed connection, and its lock, for as long as a statement of it is unfinished: while the interrupt
    travels up and waits for workers to leave, they would wait for the lock.
    """
    traceback.clear_frames(interrupt.__traceback__)


def open_engine(url: URL, *, pooled: bool = True) -> Engine:
    """Connections to a database that is there; SQLite's transactions are ours to begin."""
    engine = guarded(create_engine(driver_url(url), **connect_options(url, pooled=pooled)), url)
    if url.get_backend_name() == "sqlite":
        # SQLAlchemy's documented recipe: take transactions over from the sqlite3 module, which starts them too late.
        event.listen(engine, "connect", _manual_transactions)
        event.listen(engine, "begin", _begin)
    return engine


def guarded(engine: Engine, url: URL) -> Engine:
    """The engine, whose transactions wait for nobody for ever, and stay in the file that the first one was in."""
    sqlite = url.get_backend_name() == "sqlite"
    event.listen(engine, "begin", SameFile(database_file(url)) if sqlite else _limit_waiting)
    return engine


class SameFile:
    """Refuses to go on in an SQLite file that has been moved, deleted or replaced: its writes would be lost.

    SQLite itself compares inodes, too, but only before it writes.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._inode: int | None = None

    def __call__(self, _: Connection) -> None:
        try:
            inode = self.file.stat().st_ino
        except OSError as error:
            reason = error.strerror
        else:
            self._inode = self._inode or inode
            if inode == self._inode:
                return
            reason = "another file has taken its place"
        raise StorageError(
            f"An SQLite file must stay where it is while it is in use, but {self.file}: {reason}; put the file back, "
            "then run the same command again"
        )


def _limit_waiting(connection: Connection) -> None:
    """For this transaction alone: behind a pooler a session is somebody else's afterwards."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(f"set local lock_timeout = {LOCK_MILLISECONDS}")


def _manual_transactions(connection: Any, _: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get(READ_ONLY)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def make_file(url: URL) -> None:
    """An SQLite database that is not there yet, with its folder; the only place that makes one.

    Raises:
        StorageError: the folder cannot be written.
    """
    if url.get_backend_name() == "sqlite":
        file = database_file(url)
        try:
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
        except OSError as error:
            raise StorageError(
                f"The storage's folder must be writable, but {file} cannot be made: {error.strerror}; "
                "set --home or --storage to a place that is"
            ) from error
