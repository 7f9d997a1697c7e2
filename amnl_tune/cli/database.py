"""`amnl-tune db`: the shared storage's schema, state and backups."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.bounds import MOST_SECONDS
from amnl_tune.cli.options import Home, Json, Storage, finite, settings

if TYPE_CHECKING:
    from rich.console import Console

    from amnl_tune.database.inspection import DatabaseStatus

SUMMARY = "The shared storage: its schema, its state, its backups."
app = typer.Typer(no_args_is_help=True, help=SUMMARY)


@app.callback(help=SUMMARY)
def _group() -> None:
    pass


@app.command(epilog="Example: amnl-tune db upgrade --storage postgresql://me@db/amnl")
def upgrade(
    storage: Storage = None,
    home: Home = None,
    wait: Annotated[
        float,
        typer.Option(min=0.0, max=MOST_SECONDS, callback=finite, help="Seconds for a server that is still coming up."),
    ] = 0.0,
) -> None:
    """Create or upgrade Optuna's tables and ours; `amnl-tune run` does so by itself. Make a backup first."""
    from amnl_tune.database.schema import await_server
    from amnl_tune.database.schema import upgrade as upgrade_schema
    from amnl_tune.database.urls import parse_url, shown_url

    places = settings(storage, home)
    await_server(places.storage, wait)
    upgrade_schema(places.storage)
    typer.echo(f"{shown_url(parse_url(places.storage))} is up to date")


@app.command(epilog="Example: amnl-tune db status --json")
def status(storage: Storage = None, home: Home = None, as_json: Json = False) -> None:
    """Show versions, tables, sizes and connections; exit code 2 if this version cannot work on the storage."""
    from dataclasses import asdict

    from rich.console import Console

    from amnl_tune.database.inspection import database_status

    found = database_status(settings(storage, home).storage)
    if as_json:
        typer.echo(json.dumps(asdict(found) | {"problem": found.problem}, indent=2, default=str))
    else:
        _print_status(Console(), found)
    if found.problem:
        raise found.problem


@app.command(epilog="Example: amnl-tune db backup --out before-upgrade.db")
def backup(
    out: Annotated[Path, typer.Option(help="SQLite file to write; it must not be there yet.")],
    storage: Storage = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write one consistent snapshot, checked, while workers go on: one SQLite file, whatever the storage is.

    Checkpoints and promoted weights are files below the home folder: copy them with what you copy files with.
    """
    from amnl_tune.database.backup import back_up

    with _bar("backup") as progress:
        made = back_up(settings(storage, home).storage, out, progress)
    facts = {"file": str(out), "bytes": made.bytes, "schema": made.revision, "rows": made.rows}
    text = f"{out}: {made.total} rows of {len(made.rows)} tables, {size(made.bytes)}, schema {made.revision}"
    typer.echo(json.dumps(facts, indent=2) if as_json else text)


@app.command(epilog="Example: amnl-tune db restore before-upgrade.db --storage postgresql://me@db/amnl")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `amnl-tune db backup` wrote it.")],
    storage: Storage = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Bring a backup into an empty database, SQLite or PostgreSQL: all of it, or nothing."""
    from amnl_tune.database.backup import restore as restore_backup
    from amnl_tune.database.schema import head_revision
    from amnl_tune.database.urls import parse_url, shown_url
    from amnl_tune.installation import as_typed_here

    places = settings(storage, home)
    with _bar("restore") as progress:
        made = restore_backup(file, places.storage, progress)
    place = shown_url(parse_url(places.storage))
    if as_json:
        typer.echo(json.dumps({"storage": place, "schema": made.revision, "rows": made.rows}, indent=2))
        return
    typer.echo(f"{place}: {made.total} rows of {len(made.rows)} tables, schema {made.revision}")
    if made.revision != head_revision():
        typer.echo(as_typed_here(f"This version works on schema {head_revision()}: run `amnl-tune db upgrade` next"))


def size(count: float) -> str:
    """Bytes, for reading: 1.4 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where that is a terminal; yields what to call with how much of how much is done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_status(console: "Console", found: "DatabaseStatus") -> None:
    from rich.table import Table

    facts = {
        "storage": found.url,
        "server": found.server,
        "schema": _version(found.schema, found.schema_wanted),
        "Optuna's schema": _version(found.optuna_schema, found.optuna_schema_wanted)
        + (f", made by Optuna {found.optuna_made_by}" if found.optuna_made_by else ""),
        "studies": ", ".join(found.studies) or "none",
    }
    if found.connections:
        now = found.connections
        facts["connections"] = f"{now.used} of {now.available} in use ({now.reserved} more are kept for administrators)"
    if found.file:
        facts["file"] = (
            f"{size(found.file.bytes)}, journal mode {found.file.journal_mode}, check: {found.file.integrity}"
        )
    for name, value in facts.items():
        console.print(f"{name:<16} {value}", highlight=False, markup=False, soft_wrap=True)
    if not found.tables:
        return
    table = Table()
    for column in ("table", "rows", "size"):
        table.add_column(column, justify="left" if column == "table" else "right")
    for one in found.tables:
        table.add_row(one.name, f"{one.rows}", "" if one.bytes is None else size(one.bytes))
    console.print(table)


def _version(found: str | None, wanted: str) -> str:
    return f"{found}" if found == wanted else f"{found or 'none'}; this version needs {wanted}"
