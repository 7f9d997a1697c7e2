"""`amnl-tune workers`: who works on what."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.cli.options import Home, Json, Storage, existing_ledger, settings, study_name

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.search.attendance import Attendance
    from amnl_tune.search.ledger.engine import Ledger

__all__ = ["workers"]

REFRESH_SECONDS = 2.0
COLUMNS = ("study", "works on", "epoch", "samples/s", "held", "lease", "seen", "host", "pid", "device", "version")
NUMBERS = {"epoch", "samples/s", "held", "lease", "seen", "pid"}
WIDE = 140
"""Columns of text where no terminal limits them."""


def workers(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="Of this study only.", callback=study_name)
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds until Ctrl-C.")] = False,
    everyone: Annotated[bool, typer.Option("--all", help="Also workers that have left.")] = False,
    storage: Storage = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show who works on what: epoch, pace, how long the run is held and what is left of the lease, last sign of life.

    "dead" is known at once of this host's processes; "silent" are those of other hosts without a sign of life for three
    minutes. `amnl-tune doctor` says what to do. With --watch, --json prints one line a look.
    """
    from amnl_tune.search.attendance import attendance
    from amnl_tune.search.ledger.studies import find_study

    ledger = existing_ledger(settings(storage, home))
    if study is not None:
        find_study(ledger, study)
    if watch:
        _watch(ledger, study, everyone=everyone, as_json=as_json)
        return
    found = attendance(ledger, study, everyone=everyone)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    _console().print(_table(found) if found else _nobody(study, everyone=everyone))


def _watch(ledger: "Ledger", study: str | None, *, everyone: bool, as_json: bool) -> None:
    """Until Ctrl-C; an outage of the database is told and waited for."""
    from amnl_tune.errors import StorageError
    from amnl_tune.search.attendance import attendance

    with suppress(KeyboardInterrupt), _shown(as_json) as show:
        while True:
            try:
                found = attendance(ledger, study, everyone=everyone)
            except StorageError as error:
                typer.echo(f"Error: {error}", err=True)
            else:
                show(found, _nobody(study, everyone=everyone))
            time.sleep(REFRESH_SECONDS)


@contextmanager
def _shown(as_json: bool) -> "Iterator[Callable[[list[Attendance], str], None]]":
    """One place on a terminal, one table or line after the other elsewhere."""
    from rich.live import Live

    console = _console()
    if as_json:
        yield lambda found, _: typer.echo(json.dumps([asdict(one) for one in found]))
    elif not console.is_terminal:
        yield lambda found, nobody: console.print(_table(found) if found else nobody)
    else:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda found, nobody: live.update(_table(found) if found else nobody, refresh=True)


def _nobody(study: str | None, *, everyone: bool) -> str:
    of = f" of study {study!r}" if study else ""
    return f"No worker{of}{'' if everyone else ' is there; --all shows those who have left'}"


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def _table(found: "list[Attendance]") -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 1))
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=name in NUMBERS)
    for one in found:
        table.add_row(*_cells(one), style="" if one.presence.is_alive else "dim")
    return table


def _cells(one: "Attendance") -> tuple[str, ...]:
    from amnl_tune.cli.display import clock
    from amnl_tune.search.host import machine_of

    run = one.assignment
    state = {"working": "", "dead": "[red]dead[/]", "silent": "[yellow]silent[/]"}.get(one.presence, str(one.presence))
    share = "" if one.accelerators == 1 else f" ({one.accelerators:g})"
    return (
        one.study,
        ", ".join(part for part in (state, run.label if run else "") if part),
        f"{run.epoch}/{run.epochs}" if run else "",
        f"{run.samples_per_second:.0f}" if run and run.samples_per_second is not None else "",
        clock(run.lease_age) if run and run.lease_age is not None else "",
        "" if run is None else clock(run.lease_left) if run.lease_left > 0 else "[red]over[/]",
        clock(one.seen_ago),
        machine_of(one.host),
        str(one.pid),
        (f"{one.device} x{one.threads}" if one.device == "cpu" else one.device) + share,
        one.version,
    )
