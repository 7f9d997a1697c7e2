"""A driver's error as one line with its remedy, told by PostgreSQL's SQLSTATE and SQLite's error code, not by words.

The one place that knows them: sqlite.org/rescode.html, postgresql.org/docs/current/errcodes-appendix.html.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import sqlalchemy.exc
from optuna.exceptions import StorageInternalError
from psycopg.pq import Ping
from sqlalchemy import URL

from amnl_tune.database.urls import conninfo, database_file, shown_url
from amnl_tune.errors import StorageAwayError, StorageError
from amnl_tune.masking import without_secrets

BUGS = (
    sqlalchemy.exc.IntegrityError,
    sqlalchemy.exc.ProgrammingError,
    sqlalchemy.exc.DataError,
    sqlalchemy.exc.NotSupportedError,
)
"""Database errors that are ours, not the surroundings', unless their code is known below."""

PASSING = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError)


@dataclass(frozen=True)
class Failure:
    """What to do; `away`: it may pass by itself, so that a worker waits."""

    remedy: str
    away: bool = False


AGAIN = Failure("run the same command again", away=True)
REFUSED = Failure(AGAIN.remedy)
START = Failure("start the server or mend the URL, then run the same command again", away=True)
RESTORE = "bring a backup into a new database with `amnl-tune db restore FILE --storage URL`"
LOST = Failure(
    "its tables were dropped, or are in a schema that the role's search_path or USAGE does not reach: mend that, or "
    + RESTORE
)
ENCODING = Failure(
    "use a database of its own with UTF8: `create database amnl encoding 'UTF8' template template0`, then "
    "`amnl-tune db backup` here and `amnl-tune db restore` there"
)
OWN = Failure("something of another program's has this name: make an empty database and name it with --storage")
SERVER_ROOM = Failure("make room on the server; workers wait, nothing is lost", away=True)

POSTGRESQL = {
    "08": START,
    "22P05": ENCODING,
    "22021": ENCODING,
    "25006": Failure(
        "name the primary server instead of a standby (with several hosts in the URL: "
        "?target_session_attrs=read-write), or take default_transaction_read_only off",
        away=True,  # after a failover the same name leads to the primary again
    ),
    "25P03": AGAIN,
    "25P04": AGAIN,
    "28": Failure("mend user and password of the URL"),
    "3D000": Failure("mend the URL's database, or make it: `create database NAME encoding 'UTF8' template template0`"),
    "3F000": Failure(
        "make a schema that the role finds: `create schema amnl`, `alter role ROLE set search_path = amnl`"
    ),
    "40": AGAIN,
    "42501": Failure(
        "let the database's owner grant it: CREATE on the schema to make tables (`amnl-tune db upgrade`, `run`); "
        "SELECT, INSERT, UPDATE, DELETE on its tables and USAGE on its sequences to work on studies; SELECT to look"
    ),
    "42710": OWN,
    "42P01": LOST,
    "42P07": OWN,
    "42703": LOST,
    "53": SERVER_ROOM,
    "53300": Failure("raise max_connections on the server, or start fewer workers", away=True),
    "55P03": Failure(
        "another transaction holds it (psql, pg_dump, `amnl-tune db upgrade`): end that one (pg_stat_activity, "
        "pg_blocking_pids), then run the same command again",
        away=True,
    ),
    "57": START,
    "57014": Failure("somebody or a statement_timeout cancelled it; run the same command again", away=True),
    "58": Failure("look at the server's disk and log, then run the same command again", away=True),
    "XX001": Failure(f"look at the server's disk; {RESTORE}"),
    "XX002": Failure(f"let its owner `reindex` it, or {RESTORE}"),
}
"""By SQLSTATE, or by its class of two characters."""

WRITABLE = Failure("make the file and its folder writable, or set --home or --storage")
GONE = Failure(f"its tables were dropped: {RESTORE}")
MOVED = Failure("it was moved, deleted or replaced while it was open: put it back, then run the same command again")
SQLITE = {
    "SQLITE_AUTH": WRITABLE,
    "SQLITE_BUSY": Failure(
        "another process has kept it locked for a minute (a worker on a slow disk, an sqlite3 shell or a viewer with "
        "an open transaction): end that one, then run the same command again",
        away=True,
    ),
    "SQLITE_CANTOPEN": WRITABLE,
    "SQLITE_CORRUPT": Failure(f"{RESTORE}, or save what can be read with `sqlite3 FILE .recover`"),
    "SQLITE_FULL": Failure("free space, then run the same command again: nothing is lost"),
    "SQLITE_IOERR": Failure("check the disk, then run the same command again"),
    "SQLITE_NOTADB": Failure("move the file away, or set --storage to another one"),
    "SQLITE_PERM": WRITABLE,
    "SQLITE_READONLY": WRITABLE,
    "SQLITE_READONLY_DBMOVED": MOVED,
}
SQLITE["SQLITE_LOCKED"] = SQLITE["SQLITE_BUSY"]

ON_PING = {
    Ping.OK: Failure(
        "the server is there: mend the URL (user, password, database), or see whether it has a connection left "
        "(max_connections; fewer workers)",
        away=True,
    ),
    Ping.REJECT: Failure("it is starting or stopping; run the same command again", away=True),
    Ping.NO_RESPONSE: START,
    Ping.NO_ATTEMPT: Failure("mend the URL"),
}


@contextmanager
def storage_failures(url: URL) -> Iterator[None]:
    """Database failures in the user's words; programming errors keep their traceback."""
    try:
        yield
    except (sqlalchemy.exc.DBAPIError, sqlalchemy.exc.TimeoutError, StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        failure = _failure(cause, url)
        if failure is None:
            raise
        kind = StorageAwayError if failure.away else StorageError
        place = shown_url(url)
        reason = without_secrets(_first_line(cause), url.render_as_string(hide_password=False))
        raise kind(f"The storage {place} must answer, but: {reason}", failure.remedy) from error


def next_pause(pause: float) -> float:
    """Seconds until a database that is away is asked again, after a pause: 0.25 at first, then twice it, up to 5."""
    return min(max(0.25, pause * 2), 5.0)


def _failure(error: BaseException, url: URL) -> Failure | None:
    """None: a bug of ours."""
    original = getattr(error, "orig", None)
    server = url.get_backend_name() != "sqlite"
    known = _of_postgresql(error, original, url) if server else _of_sqlite(original, url)
    if known or isinstance(error, BUGS):
        return known
    return START if server and isinstance(error, PASSING) else REFUSED


def _of_postgresql(error: BaseException, original: object, url: URL) -> Failure | None:
    state = original.sqlstate if isinstance(original, psycopg.Error) else None
    if state:
        return POSTGRESQL.get(state) or POSTGRESQL.get(state[:2])
    refused = isinstance(error, sqlalchemy.exc.OperationalError) and error.statement is None
    return ON_PING[server_ping(url)] if refused else None  # libpq keeps the code of a refused connection to itself


def server_ping(url: URL) -> Ping:
    """Whether a PostgreSQL server takes connections, whoever asks."""
    return Ping(psycopg.pq.PGconn.ping(conninfo(url).encode()))


def _of_sqlite(original: object, url: URL) -> Failure | None:
    name = getattr(original, "sqlite_errorname", None)
    if name is None:
        return None
    if name.startswith("SQLITE_CANTOPEN") and not database_file(url).exists():
        return MOVED
    if name == "SQLITE_ERROR":  # all that is wrong with a statement; SQLite's words are the same in every language
        return GONE if str(original).startswith(("no such table", "no such column")) else REFUSED
    return _by_code(name)


def _by_code(name: str) -> Failure | None:
    """By the extended code, else by the primary one."""
    return SQLITE.get(name) or SQLITE.get("_".join(name.split("_")[:2]))


def sqlite_remedy(error: Exception) -> str:
    """What to do about an error of the sqlite3 module itself, on a file of ours."""
    return (_by_code(getattr(error, "sqlite_errorname", "")) or REFUSED).remedy


def _first_line(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or [type(original).__name__])[0]
