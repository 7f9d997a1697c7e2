"""The door to the database: URLs, connections, transactions, and what their failures are called.

Our tables stand beside Optuna's in one database, SQLite (one host) or PostgreSQL (teams).
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy.exc
from optuna.exceptions import StorageInternalError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import NullPool

from amnl_tune.errors import StorageAwayError, StorageError
from amnl_tune.masking import has_stray_at, masked, without_secrets

__all__ = [
    "SQLITE_WORKERS",
    "Ledger",
    "connect_options",
    "database_time",
    "insert_if_absent",
    "parse_url",
    "shown_url",
    "storage_failures",
]

READ_ONLY = "amnl_read_only"
BUGS = (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError, sqlalchemy.exc.DataError)
"""Database errors that are ours, not the surroundings'."""

SQLITE_TIMEOUT = 60.0
"""Seconds that a writer waits for the others (optuna: a report's p99 is 1.4 s at 16 workers)."""

SQLITE_WORKERS = 8
"""Workers at once on an SQLite file (optuna: SQLite for one host and few workers)."""


def parse_url(storage: str) -> URL:
    """A storage URL of a kind we know, with its driver.

    Raises:
        StorageError: not a URL, or a database we do not support.
    """
    remedy = "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE, special characters percent-encoded"
    try:
        url = make_url(storage)
    except (sqlalchemy.exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        raise StorageError(f"`--storage` must be a database URL, but got {masked(storage)!r}; {remedy}") from None
    if has_stray_at(storage) or "@" in (url.host or ""):
        raise StorageError(
            f"`--storage` must have one `@`, before the host, but got {masked(storage)!r}; write an `@` of the "
            "password as %40"
        )
    kind = url.get_backend_name()
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite")
    if kind in {"postgresql", "postgres"} and (url.host or "host" in url.query):
        _require_known_options(url)
        return url.set(drivername="postgresql+psycopg")
    raise StorageError(
        f"`--storage` must name an SQLite file or a PostgreSQL server, but got {masked(storage)!r}; {remedy}"
    )


def _require_known_options(url: URL) -> None:
    import psycopg  # noqa: PLC0415  (not for SQLite)

    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    unknown = sorted(set(url.query) - known)
    if unknown:
        raise StorageError(
            f"The query of `--storage` must have libpq's options, but got {', '.join(unknown)} in "
            f"{shown_url(url)!r}; see https://www.postgresql.org/docs/current/libpq-connect.html"
        )


def shown_url(url: URL) -> str:
    """The URL as it may be told: without its secrets."""
    return masked(url.render_as_string(hide_password=False))


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
        self.engine = _engine(self.url)
        self._reader = self.engine.execution_options(**{READ_ONLY: True})

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


def database_time(session: Session) -> float:
    """Seconds since 1970 (UTC) by the database's clock: leases do not depend on how well hosts agree."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    now = "(julianday('now') - 2440587.5) * 86400.0" if sqlite else "extract(epoch from clock_timestamp())"
    return float(session.execute(text(f"select {now}")).scalar_one())


def insert_if_absent(session: Session, table: type[DeclarativeBase], **values: Any) -> None:
    """One row; nothing where a row with its key is there already."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(insert(table).values(**values).on_conflict_do_nothing())


@contextmanager
def storage_failures(url: URL) -> Iterator[None]:
    """Database failures in the user's words; programming errors keep their traceback."""
    try:
        yield
    except (sqlalchemy.exc.DBAPIError, StorageInternalError) as error:
        if isinstance(error, BUGS):
            raise
        place = shown_url(url)
        reason = without_secrets(_first_line(error), url.render_as_string(hide_password=False))
        kind = StorageAwayError if _may_return(error, reason, url) else StorageError
        raise kind(f"The storage {place} must answer, but: {reason}; {_remedy(reason, url)}") from error


def _let_go(interrupt: BaseException) -> None:
    """Drops the cursors that an interrupted statement left in the frames of its traceback.

    SQLite keeps a closed connection, and its lock, for as long as a statement of it is unfinished: while the interrupt
    travels up and waits for workers to leave, they would wait for the lock.
    """
    traceback.clear_frames(interrupt.__traceback__)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        _require_folder(Path(str(url.database)))
    engine = create_engine(url, **connect_options(url))
    if url.get_backend_name() == "sqlite":
        # SQLAlchemy's documented recipe: take transactions over from the sqlite3 module, which starts them too late.
        event.listen(engine, "connect", _manual_transactions)
        event.listen(engine, "begin", _begin)
    return engine


def _manual_transactions(connection: Any, _: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get(READ_ONLY)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _require_folder(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The storage's folder must be writable, but {database.parent} cannot be made: {error.strerror}; "
            "set --home or --storage to a place that is"
        ) from error


def _may_return(error: Exception, reason: str, url: URL) -> bool:
    """A server that restarts or a broken connection, not a refusal; on SQLite another writer that takes too long."""
    if url.get_backend_name() == "sqlite":
        return "locked" in reason
    return isinstance(_cause(error), sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError)


def _cause(error: Exception) -> BaseException:
    return error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error


def _first_line(error: Exception) -> str:
    cause = _cause(error)
    original = getattr(cause, "orig", None) or cause
    return (str(original).strip().splitlines() or [type(original).__name__])[0]


def _remedy(reason: str, url: URL) -> str:
    if "disk is full" in reason:
        return "free space, then run the same command again: nothing is lost"
    if "not a database" in reason:
        return "move the file away, or set --storage to another one"
    if "readonly" in reason or "unable to open" in reason:
        return "make the file and its folder writable, or set --home or --storage"
    if url.get_backend_name() == "sqlite":
        return "run the same command again"
    return "start the server or mend the URL, then run the same command again"
