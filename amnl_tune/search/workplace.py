"""What a worker has at hand, and its patience with a database that is away."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from optuna.storages import RDBStorage

from amnl_tune.errors import StorageAwayError
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.leaving import Leaving, LeavingError
from amnl_tune.search.ledger.engine import Ledger, storage_failures
from amnl_tune.search.ledger.studies import Prior
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.watchdog import Watchdog
from amnl_tune.training.execution import Execution

__all__ = ["Workplace"]

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class Workplace:
    """What a worker has at hand for every run of its study.

    Attributes:
        execution: how it trains.
        lease_ttl: seconds without a sign of life before others take over.
        outage: seconds that training goes on while the database is away; then the worker checkpoints and waits.
        accelerators: its share of devices, for budgets: 0.25 of a GPU; 1 for a whole one or for a CPU worker.
        promotion: it works on that one only; None: on anything.
        mlflow: tracking URI that promoted runs are logged to; None: nowhere.
    """

    ledger: Ledger
    storage: RDBStorage
    spec: StudySpec
    prior: Prior
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
    def device(self) -> str:
        """Where it trains, in torch's words."""
        return str(self.execution.device)

    def persist(self, step: Callable[[], Answer]) -> Answer:
        """Takes a step that may be taken twice, again and again while the database is away.

        Raises:
            LeavingError: the worker is to leave meanwhile. StorageError: the database refuses.
        """
        pause = 0.25
        while True:
            try:
                with storage_failures(self.ledger.url):
                    return step()
            except StorageAwayError as error:
                if self.leaving():
                    raise LeavingError from error
                logger.warning("%s; trying again", error)
                self.watchdog.pat()
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
