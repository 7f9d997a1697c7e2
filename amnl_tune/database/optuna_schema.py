"""Optuna's tables, made as Optuna makes them but on a connection of ours: both schemas are there, or neither."""

from pathlib import Path

import optuna
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from optuna.storages import _rdb as rdb
from optuna.storages._rdb.models import SCHEMA_VERSION, BaseModel
from sqlalchemy import URL, Connection

from amnl_tune.database.urls import shown_url
from amnl_tune.errors import StorageError

VERSION_INFO = BaseModel.metadata.tables["version_info"]


def make_tables(connection: Connection, url: URL) -> None:
    """Those that are missing.

    Raises:
        StorageError: they were made by an Optuna of another schema, or of another major version.
    """
    BaseModel.metadata.create_all(connection)
    if made_by(connection) is None:
        versions = {"schema_version": SCHEMA_VERSION, "library_version": optuna.__version__}
        connection.execute(sa.insert(VERSION_INFO).values(version_info_id=1, **versions))
    if revision_here(connection) is None:
        MigrationContext.configure(connection).stamp(_scripts(), revision_wanted())
    require_this_optuna(connection, url)


def revision_here(connection: Connection) -> str | None:
    """Of Optuna's tables; None where there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def revision_wanted() -> str:
    """Of Optuna's tables, as the Optuna that is installed needs them."""
    return str(_scripts().get_current_head())


def made_by(connection: Connection) -> str | None:
    """Version of the Optuna that made the tables."""
    version: str | None = connection.scalar(sa.select(VERSION_INFO.c.library_version))
    return version


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(Path(rdb.__file__).with_name("alembic")))


def require_this_optuna(connection: Connection, url: URL) -> None:
    """Raises StorageError if another Optuna made the tables.

    Versions 4 and 5 have one schema, but 4 writes local times and 5 UTC (optuna: New in 5.0).
    """
    place, by, here = shown_url(url), made_by(connection), optuna.__version__
    revision = revision_here(connection)
    if revision != revision_wanted():
        raise StorageError(
            f"Optuna's schema must be {revision_wanted()}, but {place} has {revision}, made by Optuna {by}; set "
            "--storage to another database"
        )
    if by and by.split(".")[0] != here.split(".")[0]:
        raise StorageError(
            f"The storage {place} must be of this Optuna's major version, {here}, but it was made by {by}; set "
            "--storage to another database"
        )
