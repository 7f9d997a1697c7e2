"""Keeps a lease alive while an epoch takes longer than it lasts."""

import logging
import threading
from types import TracebackType

from amnl_tune.errors import StorageError
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.runs import Lease, LeaseLostError, renew

__all__ = ["LeaseKeeper"]

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews from a thread, four times a lease; a database that is away is asked again at the next turn."""

    def __init__(self, ledger: Ledger, lease: Lease, *, ttl: float) -> None:
        self.ledger, self.lease, self.ttl = ledger, lease, ttl
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> "LeaseKeeper":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._done.wait(self.ttl / 4):
            try:
                renew(self.ledger, self.lease, ttl=self.ttl)
            except StorageError as error:
                logger.warning("lease not renewed: %s", error)
            except LeaseLostError:
                return  # the run's next write finds out and stops
