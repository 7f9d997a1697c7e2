"""Every row of one database into another one with the same tables: ours, Optuna's and the two version tables."""

from collections.abc import Callable, Iterator

import sqlalchemy as sa
from sqlalchemy import URL, Connection, MetaData, Table, func, insert, select, text

from amnl_tune.database.tables import OPTUNA_VERSION_TABLE, VERSION_TABLE, table_names
from amnl_tune.database.urls import shown_url
from amnl_tune.errors import StorageError

SCHEMA_TABLES = {VERSION_TABLE, OPTUNA_VERSION_TABLE, "version_info"}
"""Have rows in an empty storage too."""

BATCH = 1000

Progress = Callable[[int, int], None]
"""Called with how much is done, of how much."""


def _tables(connection: Connection) -> list[Table]:
    """Those of `table_names` that a database has, referred ones first."""
    there = set(sa.inspect(connection).get_table_names()) & table_names()
    metadata = MetaData()
    metadata.reflect(connection, only=sorted(there))
    return [table for table in metadata.sorted_tables if table.name in there]


def row_counts(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in _tables(connection)
    }


def copy_into(target: Connection, url: URL, source: Connection, progress: Progress) -> dict[str, int]:
    """Every row, within the target's transaction. Both databases have the same tables, described by themselves."""
    _require_same_versions(source, target)
    require_empty(target, url)
    counts, origin = row_counts(source), {table.name: table for table in _tables(source)}
    done, total = 0, sum(counts.values())
    tables = _tables(target)
    for table in reversed(tables):
        target.execute(table.delete())  # what making the schema entered
    for table in tables:
        for batch in _batches(source, origin[table.name]):
            target.execute(insert(table), batch)
            done += len(batch)
            progress(done, total)
    _set_sequences(target, tables)
    require_counts(row_counts(target), counts, shown_url(url))
    return counts


def _batches(source: Connection, table: Table) -> Iterator[list[dict[str, object]]]:
    # a connection's options are its own for good; a statement's are not
    found = source.execute(select(table).execution_options(yield_per=BATCH))
    for rows in found.mappings().partitions():
        yield [dict(row) for row in rows]


def _require_same_versions(source: Connection, target: Connection) -> None:
    for name, whose in ((VERSION_TABLE, "amnl-tune's"), (OPTUNA_VERSION_TABLE, "Optuna's")):
        query = text(f"select version_num from {name}")
        there, here = source.scalars(query).all(), target.scalars(query).all()
        if there != here:
            raise StorageError(
                f"A copy must have the schema of its source, but {whose} is {', '.join(there) or 'none'} there and "
                f"{', '.join(here) or 'none'} here; use the version of amnl-tune and Optuna that wrote the source"
            )


def _set_sequences(target: Connection, tables: list[Table]) -> None:
    """PostgreSQL: the next row's number comes after the copied ones; SQLite counts by itself."""
    if target.dialect.name != "postgresql":
        return
    for table in tables:
        for column in table.primary_key:
            owned = text("select pg_get_serial_sequence(:table, :column)")
            sequence = target.scalar(owned, {"table": f'"{table.name}"', "column": column.name})
            if sequence:
                after = (target.scalar(select(func.max(column))) or 0) + 1
                target.execute(text("select setval(:sequence, :after, false)"), {"sequence": sequence, "after": after})


def require_empty(target: Connection, url: URL) -> None:
    filled = {name: rows for name, rows in row_counts(target).items() if rows and name not in SCHEMA_TABLES}
    if filled:
        held = ", ".join(f"{name} {rows}" for name, rows in sorted(filled.items()))
        raise StorageError(
            f"A backup is restored into an empty database, but {shown_url(url)} has rows "
            f"({held}); name a new one with --storage"
        )


def require_counts(found: dict[str, int], wanted: dict[str, int], place: str) -> None:
    differing = [f"{name} {found.get(name)} of {rows}" for name, rows in wanted.items() if found.get(name) != rows]
    if differing:
        raise StorageError(
            f"A copy must have every row, but {place} has {', '.join(differing)}; check the disk, then run the same "
            "command again"
        )
