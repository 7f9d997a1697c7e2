"""`amnl-tune worker`: one worker process."""

import atexit
import logging
import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.bounds import MOST_GPUS, MOST_NUMBER, MOST_SECONDS
from amnl_tune.cli.options import (
    ArtifactUrl,
    DataDir,
    Device,
    Home,
    Precision,
    Storage,
    Tensorboard,
    Threads,
    finite,
    mlflow_uri,
    settings,
    study_name,
)
from amnl_tune.cli.quiet import DiscreetFormatter, quiet_libraries
from amnl_tune.launch.parent import WORKER_PARENT

if TYPE_CHECKING:
    from amnl_tune.search.leaving import Leaving
    from amnl_tune.search.workplace import Workplace

__all__ = ["leaving_by_signals", "worker"]

GRACE = 10.0
"""Seconds that an epoch may still take after SIGTERM; preemption, `docker stop` and Slurm give 20 and more in all."""


def leaving_by_signals(parent: int | None) -> "Leaving":
    """SIGINT: leave after the epoch. SIGTERM: within it if it takes longer than GRACE. Either one again: now."""
    from amnl_tune.search.leaving import Leaving

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

    from amnl_tune.search.host import is_alive

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
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.artifacts import Artifacts
    from amnl_tune.search.following import joined_team
    from amnl_tune.search.serving import serve_all, wait_and_work
    from amnl_tune.search.tracking import require_mlflow
    from amnl_tune.search.worker import open_workplace, work, work_in_team
    from amnl_tune.training.heap import keep_freed_memory
    from amnl_tune.training.precision import Precision as TrainingPrecision

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
