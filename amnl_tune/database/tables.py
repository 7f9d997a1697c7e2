"""Whose tables a database holds: ours, Optuna's, or another program's."""

from optuna.storages._rdb.models import BaseModel as OptunaBase
from sqlalchemy import URL, Connection, inspect, text

from amnl_tune.database.failures import RESTORE
from amnl_tune.database.models import Base
from amnl_tune.database.urls import shown_url
from amnl_tune.errors import StorageError

VERSION_TABLE = "amnl_schema_version"
OPTUNA_VERSION_TABLE = "alembic_version"
OPTUNA_SIGN = "version_info"
"""Optuna's; `alembic_version` is what every program with Alembic calls its own."""


def table_names() -> set[str]:
    """Ours, Optuna's, and the two version tables."""
    return {*Base.metadata.tables, *OptunaBase.metadata.tables, VERSION_TABLE, OPTUNA_VERSION_TABLE}


def require_own_database(connection: Connection, url: URL) -> None:
    """Looks before any table is made; a database that has ours already is left in peace.

    Raises:
        StorageError: another program's tables are there, or some of ours; texts cannot be kept; no schema is found.
    """
    found = inspect(connection)
    there = {*found.get_table_names(), *found.get_view_names()}
    if VERSION_TABLE in there and connection.scalar(text(f"select count(*) from {VERSION_TABLE}")):
        return
    if ours := sorted(there & set(Base.metadata.tables)):
        raise StorageError(
            f"amnl-tune's tables must come with {VERSION_TABLE}, but {shown_url(url)} has {ours[0]} and no version; "
            f"{RESTORE}"
        )
    there.discard(VERSION_TABLE)
    foreign = there - table_names() if OPTUNA_SIGN in there else there
    if foreign:
        shown = ", ".join(sorted(foreign)[:5]) + (f" and {len(foreign) - 5} more" if len(foreign) > 5 else "")
        raise StorageError(
            f"amnl-tune must have a database of its own, but {shown_url(url)} has tables of "
            f"another program ({shown}); make an empty one and name it with --storage"
        )
    if connection.dialect.name != "sqlite":
        _require_postgresql_fit(connection, url)


def _require_postgresql_fit(connection: Connection, url: URL) -> None:
    if connection.scalar(text("select current_schema()")) is None:
        raise StorageError(
            f"The role must find a schema for its tables, but of {shown_url(url)}'s search_path "
            f"({connection.scalar(text('show search_path'))}) there is none; make a schema (`create schema amnl`) and "
            "let the role find it (`alter role ROLE set search_path = amnl`)"
        )
    encoding = connection.scalar(text("show server_encoding"))
    if encoding != "UTF8":
        raise StorageError(
            f"The database's encoding must be UTF8, but {shown_url(url)} has {encoding}; "
            "make one with `create database amnl encoding 'UTF8' template template0` and name it with --storage"
        )
