"""The one door for the schema: creates and upgrades Optuna's tables and ours."""

import time
from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from optuna.storages._rdb.models import BaseModel as OptunaBase
from psycopg.pq import Ping
from sqlalchemy import URL

from amnl_tune.database.engine import Ledger, make_file
from amnl_tune.database.failures import RESTORE, server_ping
from amnl_tune.database.file_systems import require_local
from amnl_tune.database.locks import exclusive
from amnl_tune.database.models import Base
from amnl_tune.database.optuna_schema import make_tables
from amnl_tune.database.tables import VERSION_TABLE, require_own_database
from amnl_tune.database.urls import parse_url, shown_url
from amnl_tune.errors import StorageError, StorageKind

PING_SECONDS = 0.5


def await_server(storage: str, seconds: float) -> None:
    """Returns when a PostgreSQL server takes connections, or after so many seconds: whoever connects next says why not.

    A server that answers is enough, whatever it thinks of the password: a wrong one is told at once.
    """
    url = parse_url(storage)
    if url.get_backend_name() == "sqlite":
        return
    until = time.monotonic() + seconds
    while time.monotonic() < until and server_ping(url) != Ping.OK:
        time.sleep(PING_SECONDS)


def upgrade(storage: str, *, revision: str = "head") -> None:
    """Brings both schemas to this version, or leaves all as it is; any number of processes may do so at once.

    Args:
        storage: its URL.
        revision: ours at most; a backup's own where an older one is restored.

    Raises:
        StorageError: the database is out of reach, read-only, another program's, or newer than this version; SQLite on
            a network file system; another Optuna's trials.
    """
    url = parse_url(storage)
    require_local(url)
    make_file(url)
    ledger = Ledger(storage)
    try:
        with exclusive(ledger) as session:
            connection = session.connection()
            require_own_database(connection, url)
            _refuse_newer(connection, url)
            require_whole(connection, url)
            make_tables(connection, url)
            config = _config()
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, revision)
    finally:
        ledger.close()


def require_schema(storage: str) -> None:
    """Raises StorageError unless `upgrade` has been run by this version; its kind says what is in the way."""
    url = parse_url(storage)
    empty = StorageError(
        f"The storage {shown_url(url)} must hold studies, but it holds none",
        "run `amnl-tune run studies/quickstart.toml`, or set --home or --storage",
        kind=StorageKind.EMPTY,
    )
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        raise empty
    ledger = Ledger(storage)
    try:
        with ledger.read() as session:
            current = current_revision(session.connection())
            if current is None:
                require_own_database(session.connection(), url)
    finally:
        ledger.close()
    if current is None:
        raise empty
    if current != head_revision():
        raise other_schema(current)


def other_schema(revision: str) -> StorageError:
    """What is said where a schema is not this version's; its kind is OUTDATED or NEWER."""
    return StorageError(
        f"The storage's schema must be {head_revision()}, but it is {revision}",
        "run `amnl-tune db upgrade`, with one version of amnl-tune everywhere",
        kind=StorageKind.OUTDATED if revision in known_revisions() else StorageKind.NEWER,
    )


def require_whole(connection: sa.Connection, url: URL) -> None:
    """Raises StorageError if tables were dropped: new ones in their place would be empty, and nobody would know."""
    current = current_revision(connection)
    if current is None:
        return
    wanted = set(Base.metadata.tables if current == head_revision() else ()) | set(OptunaBase.metadata.tables)
    missing = sorted(wanted - set(sa.inspect(connection).get_table_names()))
    if missing:
        raise StorageError(
            f"The storage {shown_url(url)} must have all its tables, but {', '.join(missing)} was dropped; {RESTORE}"
        )


def migrations() -> Path:
    """Where the migrations are: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parents[1]
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
            f"{current} is unknown to this version",
            "upgrade amnl-tune",
            kind=StorageKind.NEWER,
        )
