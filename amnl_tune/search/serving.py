"""Workers that wait: for a study to be opened, for its promotion, or for any study at all."""

import logging
import time
from collections.abc import Callable

from amnl_tune.errors import DataError, StorageAwayError, StorageError, StudyError
from amnl_tune.search.leaving import Leaving
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.runs import open_runs, trials_left
from amnl_tune.search.ledger.schema import require_schema
from amnl_tune.search.ledger.stored import stored_spec, told_apart
from amnl_tune.search.ledger.studies import all_studies, find_study, prior_of
from amnl_tune.search.trials import budget_of
from amnl_tune.search.worker import work
from amnl_tune.search.workplace import Workplace

__all__ = ["serve_all", "wait_and_work"]

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
Open = Callable[[str], Workplace]


def wait_and_work(storage: str, study: str, open_place: Open, leaving: Leaving, *, threads: int | None) -> None:
    """Works on one study from when it is opened until it is promoted and scored.

    Raises:
        StorageError: the database refuses; one that is away or still empty is waited for.
    """
    ready = _when(lambda: study in _prepared(storage), leaving, f"study {study!r} to be opened")
    if ready:
        work(open_place(study), threads=threads, wait=True)


def serve_all(storage: str, open_place: Open, leaving: Leaving, *, threads: int | None) -> None:
    """Works on every study of the storage, the oldest first, until the worker is to leave.

    A study that this worker cannot work on, for want of its data or device, is left to others.

    Raises:
        StorageError: the database refuses; one that is away or still empty is waited for.
    """
    refused: set[str] = set()

    def next_study() -> str | None:
        return next((name for name in _prepared(storage) if name not in refused and _has_work(storage, name)), None)

    while study := _when(next_study, leaving, "a study to work on"):
        try:
            work(open_place(study), threads=threads)
        except StorageAwayError as error:
            logger.warning("%s; trying again", error)
        except (StudyError, DataError) as error:
            logger.warning("study %r is left to others: %s", study, error)
            refused.add(study)


def _when(look: Callable[[], str | bool | None], leaving: Leaving, what: str) -> str | None:
    """Looks again and again until there is something, or the worker is to leave."""
    said = ""
    while not leaving():
        try:
            if found := look():
                return str(found)
            reason = f"waiting for {what}"
        except StorageAwayError as error:
            reason = f"{error}; trying again"
        if reason != said:
            logger.info("%s", reason)
            said = reason
        time.sleep(POLL_SECONDS)
    return None


def _prepared(storage: str) -> list[str]:
    """Studies that workers may join; none where there are no tables yet."""
    try:
        require_schema(storage)
    except StorageAwayError:
        raise
    except StorageError as error:
        if "holds none" not in str(error):
            raise
        return []
    ledger = Ledger(storage)
    try:
        readable, _ = told_apart(all_studies(ledger))
        rows = [find_study(ledger, name) for name in readable]
        return [row.name for row in rows if row.prepared_at is not None and row.stopped_at is None]
    finally:
        ledger.close()


def _has_work(storage: str, study: str) -> bool:
    ledger = Ledger(storage)
    try:
        row = find_study(ledger, study)
        budget = budget_of(stored_spec(row), prior_of(row))
        return bool(open_runs(ledger, study)) or trials_left(ledger, study, budget)
    finally:
        ledger.close()
