"""One consistent copy of a database in one SQLite file, and back into an empty database of either kind.

A backup holds what is in SQL: studies, trials, curves, scores. Checkpoints and promoted weights are files of the
artifact folder, which are copied like any other files.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy.exc
from sqlalchemy import Connection

from amnl_tune.database.copying import Progress, copy_into, require_counts, require_empty, row_counts
from amnl_tune.database.engine import READ_ONLY, Ledger
from amnl_tune.database.failures import sqlite_remedy, storage_failures
from amnl_tune.database.locks import exclusive
from amnl_tune.database.schema import current_revision, head_revision, known_revisions, upgrade
from amnl_tune.database.tables import VERSION_TABLE
from amnl_tune.database.urls import database_file, shown_url
from amnl_tune.documents import brief
from amnl_tune.errors import StorageError, StorageKind
from amnl_tune.files import writing
from amnl_tune.settings import sqlite_url
from amnl_tune.unfinished import unfinished

PAGES = 1024


@dataclass(frozen=True)
class Copied:
    """What a finished copy holds: rows of each table, and the schema's revision."""

    rows: dict[str, int]
    revision: str
    bytes: int

    @property
    def total(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())


def back_up(storage: str, out: Path, progress: Progress = lambda done, total: None) -> Copied:
    """Writes a snapshot of one moment while workers go on; `out` appears whole and checked, or not at all.

    Args:
        storage: URL of the source, of any schema that this version knows.
        out: a file that is not there yet.
        progress: of the pages of an SQLite source, of the rows of a PostgreSQL one.

    Raises:
        StorageError: no studies there, a schema of another version, `out` exists or cannot be written.
    """
    if out.exists():
        raise StorageError(f"A backup must not replace a file, but {out} exists; choose another --out, or move it away")
    ledger = Ledger(storage)
    try:
        with _snapshot(ledger) as source, _file(out) as temporary:
            revision = _known_revision(source, shown_url(ledger.url))
            rows = row_counts(source)
            if source.dialect.name == "sqlite":
                _copy_pages(source, temporary, progress)
            else:
                upgrade(sqlite_url(temporary), revision=revision)
                _fill(sqlite_url(temporary), source, progress)
            _verify(temporary, rows)
            size = temporary.stat().st_size
            _put(temporary, out)
    finally:
        ledger.close()
    return Copied(rows, revision, size)


def restore(file: Path, storage: str, progress: Progress = lambda done, total: None) -> Copied:
    """Brings a backup into an empty database, all of it or nothing, at the schema that the backup has.

    Raises:
        StorageError: no backup, one of a newer version, or a database that holds something.
    """
    _require_whole(file)
    source_ledger = Ledger(sqlite_url(file))
    try:
        with _snapshot(source_ledger) as source:
            revision = _known_revision(source, str(file))
            _require_room(storage, revision)
            upgrade(storage, revision=revision)
            rows = _fill(storage, source, progress)
    except sqlalchemy.exc.IntegrityError as error:
        raise StorageError(
            f"A backup's rows must refer to rows that it has, but {file}: {str(error.orig).splitlines()[0]}; restore "
            "it into an SQLite file, which does not insist"
        ) from error
    except (sqlalchemy.exc.SQLAlchemyError, UnicodeDecodeError) as error:
        said = brief(str(getattr(error, "orig", None) or error), 200)
        raise StorageError(f"A backup's rows must be as they were written, but {file}: {said}; use another") from error
    finally:
        source_ledger.close()
    return Copied(rows, revision, file.stat().st_size)


def _fill(storage: str, source: Connection, progress: Progress) -> dict[str, int]:
    """Every row; nobody opens a study between the look and the rows."""
    ledger = Ledger(storage)
    try:
        with exclusive(ledger) as session:
            return copy_into(session.connection(), ledger.url, source, progress)
    finally:
        ledger.close()


@contextmanager
def _snapshot(ledger: Ledger) -> Iterator[Connection]:
    """One moment of a database, for as long as the block takes."""
    if ledger.url.get_backend_name() == "sqlite":
        if not database_file(ledger.url).exists():
            raise StorageError(
                f"A storage must be there, but there is no {ledger.url.database}; set --home or --storage"
            )
        options: dict[str, Any] = {READ_ONLY: True}
    else:
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with (
        storage_failures(ledger.url),
        ledger.engine.connect().execution_options(**options) as connection,
        connection.begin(),
    ):
        yield connection


def _known_revision(source: Connection, place: str) -> str:
    revision = current_revision(source)
    if revision is None:
        raise StorageError(
            f"{place} must hold studies of amnl-tune, but it has no table {VERSION_TABLE}",
            "choose another",
            kind=StorageKind.EMPTY,
        )
    if revision not in known_revisions():
        raise StorageError(
            f"{place} must not be newer than amnl-tune, but its schema {revision} is unknown to this version, which "
            f"knows up to {head_revision()}",
            "upgrade amnl-tune",
            kind=StorageKind.NEWER,
        )
    return revision


def _copy_pages(source: Connection, path: Path, progress: Progress) -> None:
    """SQLite's own backup, from within the transaction that counted: its pages are of that very moment."""
    driver = source.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    with closing(sqlite3.connect(path)) as target:
        driver.backup(target, pages=PAGES, progress=lambda _, left, total: progress(total - left, total))
        target.execute("pragma journal_mode = delete")  # one file, whatever the source's mode


def _require_room(storage: str, revision: str) -> None:
    """Nothing there but a schema of the same revision, if anything: so is a target that failed half-way, too."""
    ledger = Ledger(storage)
    if ledger.url.get_backend_name() == "sqlite" and not database_file(ledger.url).exists():
        return
    try:
        with ledger.read() as session:
            require_empty(session.connection(), ledger.url)
            current = current_revision(session.connection())
    finally:
        ledger.close()
    if current not in {None, revision}:
        raise StorageError(
            f"A backup is restored into an empty database or one of its own schema {revision}, but "
            f"{shown_url(ledger.url)} has {current}; name a new one with --storage"
        )


def _require_whole(file: Path) -> None:
    if not file.is_file():
        raise StorageError(
            f"A backup must be a file, but there is no {file}; name one that `amnl-tune db backup` wrote"
        )
    try:
        problems = _problems(file)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the words of its error are the file's own
        problems = [str(error)]
    if problems:
        said = brief(problems[0], 200)
        raise StorageError(f"A backup must be a whole SQLite file, but {file}: {said}; use another backup")


def _problems(file: Path) -> list[str]:
    """What SQLite finds wrong with a file's pages."""
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        found = [str(row[0]) for row in connection.execute("pragma quick_check")]
    return [problem for problem in found if problem != "ok"]


def _verify(file: Path, rows: dict[str, int]) -> None:
    problems = _problems(file)
    if problems:
        raise StorageError(
            f"A backup must be whole, but: {problems[0]}; check the disk, then run the same command again"
        )
    with closing(sqlite3.connect(file)) as connection:
        found = {name: connection.execute(f'select count(*) from "{name}"').fetchone()[0] for name in rows}
    require_counts(found, rows, str(file))


@contextmanager
def _file(out: Path) -> Iterator[Path]:
    """The temporary file, which is gone afterwards however the block ends."""
    with writing(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with writing(out.parent):
            temporary, _ = held.enter_context(unfinished(out))
        try:
            yield temporary
        except sqlite3.Error as error:
            raise StorageError(
                f"{out} must be writable, but: {error}; {sqlite_remedy(error)}; or choose another --out"
            ) from error


def _put(temporary: Path, out: Path) -> None:
    with writing(out):
        try:
            out.hardlink_to(temporary)  # unlike a rename it replaces nothing that came in the meantime
        except FileExistsError:
            raise StorageError(
                f"A backup must not replace a file, but {out} has just appeared; choose another --out"
            ) from None
        except OSError:  # a file system without hard links
            temporary.rename(out)
