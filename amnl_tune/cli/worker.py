"""`amnl-tune worker`: one worker process."""

import logging
import os
import signal
from types import FrameType
from typing import Annotated

import typer

from amnl_tune.cli.options import DataDir, Device, Home, Storage, Study, Tensorboard, Threads, settings
from amnl_tune.launch.local import WORKER_PARENT

__all__ = ["Leaving", "worker"]


class Leaving:
    """Whether the process has been asked to leave: once, after its epoch; twice, now."""

    def __init__(self, parent: int | None) -> None:
        self.asked = False
        self.parent = parent
        for wanted in (signal.SIGINT, signal.SIGTERM):
            signal.signal(wanted, self._ask)

    def __call__(self) -> bool:
        return self.asked or (self.parent is not None and os.getppid() != self.parent)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def worker(
    study: Study,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    device: Device = None,
    threads: Threads = None,
    tensorboard: Tensorboard = True,
    promotion: Annotated[int | None, typer.Option(min=1, help="Work on this promotion's runs only.")] = None,
    lease: Annotated[
        float, typer.Option(min=1.0, help="Seconds without a sign of life before others take over.")
    ] = 60.0,
) -> None:
    """Join a study by name and work until nothing is left; start as many as you like, on any machine.

    Ctrl-C or SIGTERM: finish the epoch, checkpoint and leave. Twice: leave now. Either way another worker goes on.
    """
    parent = os.environ.get(WORKER_PARENT)
    leaving = Leaving(int(parent) if parent else None)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("amnl_tune").setLevel(logging.INFO)
    from amnl_tune.cli.quiet import quiet_libraries
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.artifacts import Artifacts
    from amnl_tune.search.worker import open_workplace, work

    quiet_libraries()
    places = settings(storage, home, data_dir)
    place = open_workplace(
        places.storage,
        study,
        FleetSource(places.data_dirs),
        Artifacts(places.home),
        leaving=leaving,
        device=device,
        tensorboard=tensorboard,
        lease_ttl=lease,
        promotion=promotion,
    )
    work(place, threads=threads)
