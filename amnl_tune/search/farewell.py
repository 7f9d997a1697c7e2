"""A worker's word that it left its run in order, where the database could not take it: full, or away.

The next worker would take the run for one that killed its worker. The word is an empty file among the artifacts, which
every worker of the study reaches: a full disk still has room for that.
"""

import logging
from contextlib import suppress

from amnl_tune.errors import StorageError
from amnl_tune.search.ledger.attempts import excuse
from amnl_tune.search.ledger.models import RunRow
from amnl_tune.search.ledger.runs import Lease, release
from amnl_tune.search.store import ArtifactStore
from amnl_tune.search.workplace import Workplace

__all__ = ["hand_back", "heed_farewell"]

logger = logging.getLogger(__name__)

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
