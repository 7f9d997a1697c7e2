"""Keeps a run's lease and delivers its epochs in order, from a thread, through any outage of the database."""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any

from amnl_tune.database.engine import Ledger
from amnl_tune.database.failures import next_pause
from amnl_tune.errors import StorageAwayError
from amnl_tune.ledger.epochs import ReportLine, Verdict
from amnl_tune.ledger.leases import Lease, renew
from amnl_tune.ledger.standing import Competition

logger = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that training waits for an answer before it takes the database to be away."""


class Ending(StrEnum):
    """Why a trial ends before its last epoch."""

    PRUNED = "pruned"
    LATE = "budget spent: wall time"
    SPENT = "budget spent: accelerator time"

    @property
    def is_pruner(self) -> bool:
        """The pruner's verdict, not a budget's."""
        return self is Ending.PRUNED


@dataclass(frozen=True)
class Report:
    """One epoch to deliver.

    Attributes:
        epoch: values of EpochRow's columns. busy_seconds: the run's accelerator time up to here.
        competition: what decides it; None: nothing does.
    """

    epoch: Mapping[str, Any]
    busy_seconds: float
    competition: Competition | None


class Reporter:
    """Reports queue up while the database is away and are delivered, and decided, in their order when it is back.

    A trial that is found pruned at an epoch ends there, whatever was trained since: later reports are dropped, so its
    record is what it would have been without the outage.

    Attributes:
        ending, ended_at: the decision against the trial and its epoch, once there is one.
        stopped: nobody is to work on the study.
        away_since: `time.monotonic()` since which the database has not answered; None: it does.
    """

    def __init__(self, ledger: Ledger, lease: Lease, *, ttl: float) -> None:
        self.ledger, self.lease, self.ttl = ledger, lease, ttl
        self.ending: Ending | None = None
        self.ended_at: int | None = None
        self.stopped = False
        self.away_since: float | None = None
        self._queue: deque[Report] = deque()
        self._failure: BaseException | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._keep, name="reporter", daemon=True)

    def __enter__(self) -> "Reporter":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(PATIENCE)  # one that hangs in a dead connection ends with the process

    def put(self, report: Report) -> None:
        """Queues an epoch."""
        with self._changed:
            if self.ending is None:
                self._queue.append(report)
                self._changed.notify_all()

    @property
    def away_for(self) -> float:
        """Seconds since the database last answered; 0: it does."""
        since = self.away_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def behind(self) -> int:
        """Reports that are not delivered yet."""
        with self._changed:
            return len(self._queue)

    def wait(self, seconds: float = PATIENCE) -> bool:
        """Waits for the answers to all reports, no longer than the database answers; True if they are there.

        Raises:
            LeaseLostError: another worker has taken over. Whatever else ended the thread.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._queue or self._failure or self.away_since is not None, seconds)
            if self._failure:
                raise self._failure
            return not self._queue

    def wait_longer(self, seconds: float) -> bool:
        """As `wait`, through an outage too."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue or self._failure, seconds)
            if self._failure:
                raise self._failure
            return not self._queue

    def _keep(self) -> None:
        line = ReportLine(self.ledger)
        pause, renewal = 0.0, time.monotonic() + self.ttl / 4
        try:
            while self._ready(pause, renewal):
                try:
                    renewal = self._deliver_or_renew(line, renewal)
                    pause = 0.0
                    self._answered()
                except StorageAwayError as error:
                    pause = next_pause(pause)
                    self._unanswered(error)
        except BaseException as error:  # the main thread raises it
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            line.close()

    def _ready(self, pause: float, renewal: float) -> bool:
        """Waits until there is something to do; False when the run is over."""
        with self._changed:
            if pause:
                self._changed.wait_for(lambda: self._closing, pause)
            else:
                left = max(0.0, renewal - time.monotonic())
                self._changed.wait_for(lambda: self._closing or bool(self._queue), left)
            return not self._closing

    def _deliver_or_renew(self, line: ReportLine, renewal: float) -> float:
        with self._changed:
            report = self._queue[0] if self._queue else None
        if report is None:
            renew(self.ledger, self.lease, ttl=self.ttl)
            return time.monotonic() + self.ttl / 4
        verdict = line.report(
            self.lease,
            report.epoch,
            ttl=self.ttl,
            busy_seconds=report.busy_seconds,
            competition=report.competition,
        )
        with self._changed:
            self._take_in(report, verdict)
            self._changed.notify_all()
        return renewal

    def _take_in(self, report: Report, verdict: Verdict) -> None:
        self._queue.popleft()
        self.stopped = verdict.stopped
        if report.competition is None:
            return
        endings = ((verdict.pruned, Ending.PRUNED), (verdict.late, Ending.LATE), (verdict.spent, Ending.SPENT))
        self.ending = next((ending for holds, ending in endings if holds), None)
        if self.ending:
            self.ended_at = report.epoch["number"]
            self._queue.clear()

    def _answered(self) -> None:
        with self._changed:
            if self.away_since is not None:
                logger.warning("the storage answers again after %.0f s", time.monotonic() - self.away_since)
                self.away_since = None

    def _unanswered(self, error: StorageAwayError) -> None:
        with self._changed:
            if self.away_since is None:
                logger.warning("%s; training goes on, reports queue up", error)
                self.away_since = time.monotonic()
            self._changed.notify_all()
