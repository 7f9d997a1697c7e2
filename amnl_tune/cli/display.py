"""How a study is watched: a live table on a terminal, a line for each event elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from amnl_tune.database.models import RunStatus
from amnl_tune.host import machine_of
from amnl_tune.ledger.leases import FINISHED
from amnl_tune.ledger.progress import Progress, RunView, WorkerView


@contextmanager
def download_progress() -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal, else a line at each quarter; on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Quarters()
        return
    columns = (TextColumn("C-MAPSS"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Quarters:
    """Prints a line each time another quarter of the bytes is here."""

    def __init__(self) -> None:
        self.printed = -1

    def __call__(self, done: int, total: int | None) -> None:
        quarter = 4 * done // total if total else 0
        if quarter != self.printed:
            self.printed = quarter
            of = f" of {total / 1e6:.1f}" if total else ""
            typer.echo(f"C-MAPSS: {done / 1e6:.1f}{of} MB", err=True)


Watch = Callable[[Progress], None]

QUIET_SECONDS = 60.0
"""Without a terminal nothing is heard for no longer than that."""


@contextmanager
def watching(console: Console, title: str) -> Iterator[Watch]:
    """Yields what to call with each new look at the study."""
    if not console.is_terminal:
        yield _Lines(console, title)
        return
    bar = Bar(TextColumn("[bold]{task.description}"), BarColumn(), TextColumn("{task.fields[epochs]}"))
    task = bar.add_task(title, total=None, epochs="")
    with Live(console=console, refresh_per_second=4) as live:

        def show(now: Progress) -> None:
            bar.update(task, completed=now.epochs_done, total=now.epochs_in_all or None, epochs=_epochs(now))
            live.update(Group(bar, Text(_facts(now)), _workers(now.workers)))

        yield show


class _Lines:
    """One line for each run that ends, and one at least every `every` seconds."""

    def __init__(self, console: Console, title: str, every: float = QUIET_SECONDS) -> None:
        self.console, self.title, self.every = console, title, every
        self.ended: set[int] | None = None
        self.said_at = 0.0

    def __call__(self, now: Progress) -> None:
        ended = {run.id: run for run in now.runs if run.status in FINISHED}
        if self.ended is None:
            self._say(f"{now.finished} of {now.total} done")
        before = set(ended) if self.ended is None else self.ended
        for run in (run for number, run in ended.items() if number not in before):
            self._say(f"{_ended(run)} [{_facts(now)}]")
        if time.monotonic() - self.said_at >= self.every:
            self._say(f"{_epochs(now)}, {now.finished} of {now.total} runs done [{_facts(now)}]")
        self.ended = set(ended)

    def _say(self, text: str) -> None:
        self.console.print(f"{self.title}: {text}", highlight=False, markup=False, soft_wrap=True)
        self.said_at = time.monotonic()


def _epochs(now: Progress) -> str:
    return f"{now.epochs_done} of {now.epochs_in_all} epochs" if now.epochs_in_all else "nothing has begun yet"


def _ended(run: RunView) -> str:
    best = "" if run.best is None else f", best validation RMSE {run.best:.2f}"
    reason = f" ({run.reason})" if run.reason else ""
    return f"{run.label} {run.status} after {run.epochs_done} epochs{best}{reason}"


def _facts(now: Progress) -> str:
    parts = [f"{now.count(s)} {word}" for s, word in ((RunStatus.COMPLETE, "complete"), (RunStatus.PRUNED, "pruned"),
                                                      (RunStatus.FAIL, "failed"))]  # fmt: skip
    if now.best and now.best.best is not None:
        parts.append(f"best {now.best.best:.2f} ({now.best.label})")
    if now.seconds_left is not None and now.finished < now.total:
        parts.append(f"about {clock(now.seconds_left)} left")
    return ", ".join(parts)


def _workers(workers: tuple[WorkerView, ...]) -> Table:
    table = Table(box=None, padding=(0, 2))
    for name in ("worker", "works on", "epoch", "best", "host", "device"):
        table.add_column(
            name, justify="right" if name in {"epoch", "best"} else "left", style="dim" if name == "host" else ""
        )
    for worker in workers:
        run = worker.run
        table.add_row(
            str(worker.pid),
            f"{run.label} ({run.origin})" if run else "waiting",
            f"{run.epochs_done}/{run.epochs}" if run else "",
            f"{run.best:.2f}" if run and run.best is not None else "",
            machine_of(worker.host),
            f"{worker.device} x{worker.threads}" if worker.device == "cpu" else worker.device,
        )
    return table


def clock(seconds: float) -> str:
    """h:mm:ss, or m:ss below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Terminal:
    """Draws the line on a console: bars and tables on a terminal, a line for each event elsewhere.

    Args:
        console: where. Downloads are told on stderr.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def said(self, text: str) -> None:
        """A sentence, as it is."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def warned(self, title: str, text: str) -> None:
        """Between two rules, in yellow."""
        self._console.rule(f"[bold yellow]{title}")
        self._console.print(text, style="yellow", highlight=False, markup=False)
        self._console.rule(style="yellow")

    def watch(self, title: str) -> AbstractContextManager[Watch]:
        """A live table, or lines."""
        return watching(self._console, title)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """On a terminal while it lasts, elsewhere as a line."""
        if not self._console.is_terminal:
            self._console.print(text, highlight=False, markup=False)
            yield
            return
        with self._console.status(text):
            yield

    def downloading(self) -> AbstractContextManager[Callable[[int, int | None], None]]:
        """A bar, or a line at each quarter."""
        return download_progress()
