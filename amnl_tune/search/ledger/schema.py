"""The one door for the schema: creates and upgrades Optuna's tables and ours."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
import alembic.config
import optuna
import psycopg
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, text

from amnl_tune.errors import StorageError
from amnl_tune.files import locked
from amnl_tune.search.ledger.engine import connect_options, parse_url, shown_url, storage_failures
from amnl_tune.search.ledger.file_systems import require_local

__all__ = [
    "VERSION_TABLE",
    "await_server",
    "current_revision",
    "exclusive",
    "head_revision",
    "known_revisions",
    "migrations",
    "outdated",
    "require_schema",
    "upgrade",
]

VERSION_TABLE = "amnl_schema_version"
ADVISORY_LOCK = 0x616D6E6C
"""'amnl': one PostgreSQL session at a time upgrades."""

PING_SECONDS = 0.5


def await_server(storage: str, seconds: float) -> None:
    """Returns when a PostgreSQL server takes connections, or after so many seconds: whoever connects next says why not.

    A server that answers is enough, whatever it thinks of the password: a wrong one is told at once.
    """
    url = parse_url(storage)
    if url.get_backend_name() == "sqlite":
        return
    address = url.set(drivername="postgresql").render_as_string(hide_password=False).encode()
    until = time.monotonic() + seconds
    while time.monotonic() < until and psycopg.pq.PGconn.ping(address) != psycopg.pq.Ping.OK:
        time.sleep(PING_SECONDS)


def upgrade(storage: str, *, revision: str = "head") -> None:
    """Brings both schemas to this version; safe against any number of processes doing so at once.

    Args:
        storage: its URL.
        revision: ours at most; a backup's own where an older one is restored.

    Raises:
        StorageError: the database is out of reach, read-only, or newer than this version; SQLite on a network file
            system; another Optuna's trials.
    """
    url = parse_url(storage)
    require_local(url)
    with storage_failures(url), exclusive(url):
        try:
            made = optuna.storages.RDBStorage(
                url.render_as_string(hide_password=False), engine_kwargs=connect_options(url)
            )
            made.engine.dispose()
        except RuntimeError as error:  # Optuna's own: another schema version than its code
            raise StorageError(f"The storage must have been made by Optuna 5, but: {error}") from error
        with _opened(url) as engine, engine.begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            _refuse_newer(connection, url)
            _refuse_another_optuna(connection, url)
            alembic.command.upgrade(config, revision)


def require_schema(storage: str) -> None:
    """Raises StorageError unless `upgrade` has been run by this version."""
    url = parse_url(storage)
    missing = f"The storage {shown_url(url)} must hold studies, but it holds none; "
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        raise StorageError(missing + "run `amnl-tune run studies/quickstart.toml`, or set --home or --storage")
    with storage_failures(url), _opened(url) as engine, engine.connect() as connection:
        current = current_revision(connection)
    if current is None:
        raise StorageError(missing + "run `amnl-tune run studies/quickstart.toml`, or set --home or --storage")
    if current != head_revision():
        raise StorageError(outdated(current))


def outdated(revision: str) -> str:
    """Rule, values and remedy where a schema is not this version's."""
    return (
        f"The storage's schema must be {head_revision()}, but it is {revision}; run `amnl-tune db upgrade`, with one "
        "version of amnl-tune everywhere"
    )


def migrations() -> Path:
    """Where the migrations are: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parents[2]
    inside = package / "_migrations"
    return inside if inside.exists() else package.parent / "storage" / "migrations"


def _config() -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    return config


def head_revision() -> str:
    """Of our tables, as this version of the package needs them."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def known_revisions() -> list[str]:
    """Every schema that this version of the package can upgrade, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def current_revision(connection: sa.Connection) -> str | None:
    """Of our tables in a database; None where there are none."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def _refuse_newer(connection: sa.Connection, url: URL) -> None:
    current = current_revision(connection)
    if current is not None and current not in known_revisions():
        raise StorageError(
            f"The storage {shown_url(url)} must not be newer than amnl-tune, but its schema "
            f"{current} is unknown to this version; upgrade amnl-tune"
        )


def _refuse_another_optuna(connection: sa.Connection, url: URL) -> None:
    """Versions 4 and 5 have one schema, but 4 writes local times and 5 UTC (optuna: New in 5.0)."""
    made_by = connection.execute(sa.text("select library_version from version_info")).scalar()
    here = optuna.__version__
    if made_by and made_by.split(".")[0] != here.split(".")[0]:
        raise StorageError(
            f"The storage {shown_url(url)} must be of this Optuna's major version, {here}, "
            f"but it was made by {made_by}; set --storage to another database"
        )


@contextmanager
def exclusive(url: URL) -> Iterator[None]:
    """One process at a time makes tables or studies (optuna: 41 of 80 fail otherwise)."""
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        with locked(path.with_name(f"{path.name}.lock")):
            yield
        return
    with _opened(url) as engine, engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        yield  # the lock goes with the connection, however the block ends


@contextmanager
def _opened(url: URL) -> Iterator[Engine]:
    engine = create_engine(url, **connect_options(url))
    try:
        yield engine
    finally:
        engine.dispose()
