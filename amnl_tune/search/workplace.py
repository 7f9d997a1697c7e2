"""What a worker has at hand: its patience with a database that is away, whether it is to leave, and a watchdog.

The watchdog ends a worker process that hangs, so that whoever started it replaces it and its trial goes on.

Where the database cannot take its word that it left a run in order (full, or away), the next worker would take the run
for one that killed its worker. The word is then an empty file among the artifacts, which every worker of the study
reaches: a full disk still has room for that.
"""

import faulthandler
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from optuna.storages import RDBStorage

from amnl_tune.artifacts import Artifacts, ArtifactStore
from amnl_tune.database.engine import Ledger
from amnl_tune.database.failures import next_pause, storage_failures
from amnl_tune.database.models import RunRow
from amnl_tune.errors import StorageAwayError, StorageError
from amnl_tune.ledger.attempts import excuse
from amnl_tune.ledger.leases import Lease, release
from amnl_tune.ledger.studies import Prior, Study
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.execution import Execution


class LeavingError(Exception):
    """The worker has been asked to leave; the run is checkpointed."""


class Leaving:
    """Asked to leave, a worker finishes its epoch; in a hurry it leaves within it, with the last epoch's state.

    Args:
        also: a further reason to leave, looked at each time.
    """

    def __init__(self, also: Callable[[], bool] = lambda: False) -> None:
        self._also = also
        self._asked = self._hurried = self._interruptible = False

    def __call__(self) -> bool:
        return self._asked or self._also()

    def ask(self) -> bool:
        """False if it had been asked before."""
        first, self._asked = not self._asked, True
        return first

    def hurry(self) -> None:
        """Called from a signal handler, so in the main thread: interrupts what may be interrupted.

        Raises:
            LeavingError: into the `interruptible` block.
        """
        self._asked = self._hurried = True
        if self._interruptible:
            raise LeavingError

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Work that may be given up at any moment."""
        if self._hurried:
            raise LeavingError
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False


class Watchdog:
    """Ends this process with exit code 1, and every thread's stack on stderr, unless patted within `limit` seconds.

    Python's own `faulthandler` watches from a thread that needs no interpreter lock, so a hang inside a library counts.

    Args:
        limit: seconds; None: never.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit

    def pat(self) -> None:
        """The worker makes progress."""
        if self.limit is not None:
            faulthandler.dump_traceback_later(self.limit, exit=True)

    def rest(self) -> None:
        """Nothing is expected for now."""
        if self.limit is not None:
            faulthandler.cancel_dump_traceback_later()


logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Workplace:
    """What a worker has at hand for every run of its study.

    Attributes:
        study: as it stood at the last claim. execution: how it trains.
        lease_ttl: seconds without a sign of life before others take over.
        outage: seconds that training goes on while the database is away; then the worker checkpoints and waits.
        accelerators: its share of devices, for budgets: 0.25 of a GPU; 1 for a whole one or for a CPU worker.
        promotion: it works on that one only; None: on anything.
        mlflow: tracking URI that promoted runs are logged to; None: nowhere.
    """

    ledger: Ledger
    storage: RDBStorage
    study: Study
    data: PreparedData
    artifacts: Artifacts
    execution: Execution
    leaving: Leaving
    lease_ttl: float = 60.0
    outage: float = 600.0
    accelerators: float = 1.0
    tensorboard: bool = True
    promotion: int | None = None
    mlflow: str | None = field(default=None, repr=False)
    watchdog: Watchdog = field(default_factory=Watchdog)

    @property
    def spec(self) -> StudySpec:
        """The study's file, as frozen."""
        return self.study.spec

    @property
    def prior(self) -> Prior:
        """What was settled before the study's first trial."""
        return self.study.prior

    @property
    def device(self) -> str:
        """Where it trains, in torch's words."""
        return str(self.execution.device)

    def persist(self, step: Callable[[], Answer]) -> Answer:
        """Takes a step that may be taken twice, again and again while the database is away.

        Raises:
            LeavingError: the worker is to leave meanwhile. StorageError: the database refuses.
        """
        pause = 0.0
        while True:
            try:
                with storage_failures(self.ledger.url):
                    return step()
            except StorageAwayError as error:
                if self.leaving():
                    raise LeavingError from error
                logger.warning("%s; trying again", error)
                self.watchdog.pat()
                pause = next_pause(pause)
                time.sleep(pause)


FOLDER = "left"


def hand_back(place: Workplace, lease: Lease, *, failure: str | None = None) -> None:
    """Releases the run for the next worker; `failure` counts against it."""
    try:
        release(place.ledger, lease, failure=failure)
    except StorageError as error:
        logger.warning("not noted: %s", error)
        if failure is None:
            with suppress(StorageError):  # the lease runs out by itself
                place.artifacts.store.write(_name(place.spec.name, lease.run, lease.fence), b"")


def heed_farewell(place: Workplace, lease: Lease, run: RunRow) -> None:
    """Takes back what a claim has held against the attempt before it, if that one left word."""
    if not run.failures:
        return
    store: ArtifactStore = place.artifacts.store
    word = _name(place.spec.name, lease.run, lease.fence - 1)
    if store.read(word) is None:
        return
    place.persist(lambda: excuse(place.ledger, lease.run, lease.fence - 1))
    run.failures -= 1
    store.delete(word)


def _name(study: str, run: int, fence: int) -> str:
    return f"{study}/{FOLDER}/run-{run:06d}-{fence:06d}"
