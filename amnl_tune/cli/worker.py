"""`amnl-tune worker`, `workers`: one worker process; who works on what."""

import atexit
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.bounds import MOST_GPUS, MOST_NUMBER, MOST_SECONDS
from amnl_tune.cli.options import (
    ArtifactUrl,
    DataDir,
    Device,
    DiscreetFormatter,
    Home,
    Json,
    Precision,
    Storage,
    Tensorboard,
    Threads,
    existing_ledger,
    finite,
    quiet_libraries,
    settings,
    study_name,
)
from amnl_tune.launch.inherited import WORKER_PARENT
from amnl_tune.settings import mlflow_uri

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.database.engine import Ledger
    from amnl_tune.ledger.workers import Attendance
    from amnl_tune.search.workplace import Leaving, Workplace

GRACE = 10.0
"""Seconds that an epoch may still take after SIGTERM; preemption, `docker stop` and Slurm give 20 and more in all."""


def leaving_by_signals(parent: int | None) -> "Leaving":
    """SIGINT: leave after the epoch. SIGTERM: within it if it takes longer than GRACE. Either one again: now."""
    from amnl_tune.search.workplace import Leaving

    leaving = Leaving(also=lambda: parent is not None and _is_gone(parent))

    def ask(number: int, frame: object) -> None:
        if not leaving.ask():
            raise KeyboardInterrupt
        if number == signal.SIGTERM:
            signal.setitimer(signal.ITIMER_REAL, GRACE)

    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, ask)
    signal.signal(signal.SIGALRM, lambda number, frame: leaving.hurry())
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)  # an interpreter that ends slowly has no handler any more
    return leaving


def _is_gone(parent: int) -> bool:
    """Whether this process's launcher, or torchrun's, has left it behind."""
    if os.getppid() == parent:
        return False
    import psutil

    from amnl_tune.host import is_alive

    try:
        return parent not in {ancestor.pid for ancestor in psutil.Process().parents()}
    except Exception:  # without /proc psutil has an error of its own for each step
        return not is_alive(parent, 0.0)


def worker(
    study: Annotated[
        str | None,
        typer.Argument(metavar="[STUDY]", help="Name of a study; none, with --wait: every study.", callback=study_name),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the study to be opened, and stay for its promotion.")
    ] = False,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    artifacts: ArtifactUrl = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    accelerators: Annotated[
        float,
        typer.Option(min=0.01, max=MOST_GPUS, callback=finite, help="Share of devices, for budgets: 0.25 of a GPU."),
    ] = 1.0,
    tensorboard: Tensorboard = True,
    promotion: Annotated[
        int | None, typer.Option(min=1, max=MOST_NUMBER, help="Work on this promotion's runs only.")
    ] = None,
    lease: Annotated[
        float,
        typer.Option(
            min=1.0,
            max=MOST_SECONDS,
            callback=finite,
            help="Seconds without a sign of life before others take over.",
        ),
    ] = 60.0,
    stall_timeout: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            max=MOST_SECONDS,
            callback=finite,
            help="Seconds without a finished epoch before the process ends itself.",
        ),
    ] = None,
) -> None:
    """Join a study by name and work until nothing is left; start as many as you like, on any machine.

    Ctrl-C: finish the epoch, checkpoint and leave. SIGTERM: within 20 seconds. Twice: now. Another worker goes on.
    """
    parent = os.environ.get(WORKER_PARENT)
    leaving = leaving_by_signals(int(parent) if parent else None)
    handler = logging.StreamHandler()
    handler.setFormatter(DiscreetFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("amnl_tune").setLevel(logging.INFO)
    from amnl_tune.artifacts import Artifacts
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.epoch_logs import require_mlflow
    from amnl_tune.search.together import joined_team
    from amnl_tune.search.worker import open_workplace, serve_all, wait_and_work, work, work_in_team
    from amnl_tune.training.config import Precision as TrainingPrecision
    from amnl_tune.training.execution import keep_freed_memory

    quiet_libraries()
    keep_freed_memory()
    if study is None and not wait:
        raise typer.BadParameter("a study's name is needed; or --wait, to work on every study of the storage")
    places, tracking = settings(storage, home, data_dir, artifacts), mlflow_uri()
    require_mlflow(tracking)
    team = joined_team(device)

    def open_place(name: str) -> "Workplace":
        return open_workplace(
            places.storage,
            name,
            FleetSource(places.data_dirs),
            Artifacts(places.home, places.artifacts),
            leaving=leaving,
            device=device,
            precision=TrainingPrecision(precision) if precision else None,
            team=team,
            stall_timeout=stall_timeout,
            accelerators=accelerators,
            tensorboard=tensorboard,
            lease_ttl=lease,
            promotion=promotion,
            mlflow=tracking,
        )

    if team is not None:
        if study is None or wait:
            raise typer.BadParameter("processes that torchrun has started work on one study by name, without --wait")
        work_in_team(open_place(study), threads=threads)
    elif study is None:
        serve_all(places.storage, open_place, leaving, threads=threads)
    elif wait:
        wait_and_work(places.storage, study, open_place, leaving, threads=threads)
    else:
        work(open_place(study), threads=threads)


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
    from amnl_tune.ledger.studies import find_study
    from amnl_tune.ledger.workers import attendance

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
    from amnl_tune.ledger.workers import attendance

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
    from amnl_tune.host import machine_of

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
