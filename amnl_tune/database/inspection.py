"""A database as it is: versions, tables and their sizes, connections, integrity. Changes nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc
from sqlalchemy import Connection, text

from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import StudyRow
from amnl_tune.database.optuna_schema import made_by, revision_here, revision_wanted
from amnl_tune.database.schema import current_revision, head_revision, known_revisions, other_schema, require_whole
from amnl_tune.database.tables import OPTUNA_VERSION_TABLE, require_own_database, table_names
from amnl_tune.database.urls import database_file, shown_url
from amnl_tune.errors import StorageError, StorageKind

SERVERS = {"sqlite": ("SQLite", "select sqlite_version()"), "postgresql": ("PostgreSQL", "show server_version")}


@dataclass(frozen=True)
class TableSize:
    """Rows, and bytes with indexes where the database tells (SQLite only if it was built to)."""

    name: str
    rows: int
    bytes: int | None


@dataclass(frozen=True)
class Connections:
    """Of a PostgreSQL server, all databases: `used` now, `available` to users that are not superusers."""

    used: int
    maximum: int
    reserved: int

    @property
    def available(self) -> int:
        """What workers may have together."""
        return self.maximum - self.reserved


@dataclass(frozen=True)
class SqliteFile:
    """`integrity` is `ok` or what `pragma quick_check` found first."""

    path: Path
    bytes: int
    journal_mode: str
    integrity: str


@dataclass(frozen=True)
class DatabaseStatus:
    """What `db status` tells.

    Attributes:
        url: without its password. server: kind and version.
        schema, optuna_schema: as found, None where there is none; `*_wanted`: as this version needs them.
        optuna_made_by: version of Optuna that made its tables; 4.x and 5.x share a schema, but not what they write.
        studies: names, oldest first.
    """

    url: str
    kind: str
    server: str
    schema: str | None
    schema_wanted: str
    optuna_schema: str | None
    optuna_schema_wanted: str
    optuna_made_by: str | None
    tables: tuple[TableSize, ...]
    studies: tuple[str, ...]
    connections: Connections | None
    file: SqliteFile | None

    @property
    def problem(self) -> StorageError | None:
        """Why this version cannot work on it; None if it can."""
        if self.schema is None:
            what = f"{self.url} must hold amnl-tune's tables, but it holds none"
            return StorageError(what, "run `amnl-tune db upgrade`", kind=StorageKind.EMPTY)
        if self.schema not in known_revisions():
            what = (
                f"{self.url} must not be newer than amnl-tune, but its schema {self.schema} is unknown to this version"
            )
            return StorageError(what, "upgrade amnl-tune", kind=StorageKind.NEWER)
        if self.schema != self.schema_wanted:
            return other_schema(self.schema)
        if self.optuna_schema != self.optuna_schema_wanted:
            return StorageError(
                f"Optuna's schema must be {self.optuna_schema_wanted}, but it is {self.optuna_schema or 'missing'}",
                "install the version of Optuna that the other workers have (amnl-tune needs Optuna 5)",
            )
        if self.file and self.file.integrity != "ok":
            what = f"{self.file.path} must be whole, but: {self.file.integrity}"
            return StorageError(what, "see `amnl-tune db restore --help`")
        return None


def database_status(storage: str) -> DatabaseStatus:
    """Looks at a database, empty or not; makes no file.

    Raises:
        StorageError: it does not answer, is another program's, tables were dropped, or the SQLite file is not there.
    """
    ledger = Ledger(storage)
    path = database_file(ledger.url)
    if ledger.url.get_backend_name() == "sqlite" and not path.exists():
        raise StorageError(
            f"A storage must be there, but there is no {path}; run `amnl-tune run studies/quickstart.toml`, or set "
            "--home or --storage"
        )
    try:
        with ledger.read() as session:
            connection = session.connection()
            require_own_database(connection, ledger.url)
            require_whole(connection, ledger.url)
            there = set(sa.inspect(connection).get_table_names())
            kind, version = SERVERS[connection.dialect.name]
            server = f"{kind} {connection.scalar(text(version))}"
            table = sa.table(StudyRow.__tablename__, sa.column("name"), sa.column("created_at"))  # as in every schema
            oldest_first = sa.select(table.c.name).order_by(table.c.created_at)
            return DatabaseStatus(
                url=shown_url(ledger.url),
                kind=connection.dialect.name,
                server=server,
                schema=current_revision(connection),
                schema_wanted=head_revision(),
                optuna_schema=revision_here(connection) if OPTUNA_VERSION_TABLE in there else None,
                optuna_schema_wanted=revision_wanted(),
                optuna_made_by=made_by(connection) if "version_info" in there else None,
                tables=_sizes(connection, sorted(there & table_names())),
                studies=tuple(connection.scalars(oldest_first)) if StudyRow.__tablename__ in there else (),
                connections=connections(connection),
                file=_file(connection, path),
            )
    finally:
        ledger.close()


def connections(connection: Connection) -> Connections | None:
    """None where nothing limits them: SQLite."""
    if connection.dialect.name == "sqlite":
        return None
    used = "select count(*) from pg_stat_activity where backend_type = 'client backend'"
    # `reserved_connections` came with PostgreSQL 16
    reserved = "select coalesce(sum(setting::int), 0) from pg_settings where name in "
    reserved += "('superuser_reserved_connections', 'reserved_connections')"
    return Connections(
        used=_number(connection, used),
        maximum=_number(connection, "select setting::int from pg_settings where name = 'max_connections'"),
        reserved=_number(connection, reserved),
    )


def _number(connection: Connection, query: str) -> int:
    return int(connection.execute(text(query)).scalar_one())


def _sizes(connection: Connection, names: list[str]) -> tuple[TableSize, ...]:
    rows = {name: _number(connection, f'select count(*) from "{name}"') for name in names}
    if connection.dialect.name == "sqlite":
        size = _sqlite_sizes(connection)
    else:
        query = text("select relname, pg_total_relation_size(oid) from pg_class where relname = any(:names)")
        size = {row[0]: row[1] for row in connection.execute(query, {"names": names})}
    return tuple(TableSize(name, rows[name], size.get(name)) for name in names)


def _sqlite_sizes(connection: Connection) -> dict[str, int]:
    query = "select m.tbl_name, sum(s.pgsize) from dbstat s join sqlite_master m on m.name = s.name group by 1"
    try:
        return {row[0]: int(row[1]) for row in connection.execute(text(query))}
    except sqlalchemy.exc.OperationalError:  # SQLite without its dbstat table
        return {}


def _file(connection: Connection, path: Path) -> SqliteFile | None:
    if connection.dialect.name != "sqlite":
        return None

    def told(pragma: str) -> Any:
        return connection.execute(text(f"pragma {pragma}")).scalar_one()

    beside = (path.with_name(f"{path.name}{ending}") for ending in ("", "-wal"))
    size = sum(file.stat().st_size for file in beside if file.exists())
    return SqliteFile(path, size, str(told("journal_mode")), str(told("quick_check(1)")))
