"""One worker's attempt at a run: train, report, checkpoint, and stop when the study says so."""

import math
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from amnl_tune.database.models import RunRow
from amnl_tune.ledger.attempts import goes_on_from
from amnl_tune.ledger.epochs import COLUMNS
from amnl_tune.ledger.leases import DIVERGED_RMSE, Lease
from amnl_tune.ledger.standing import Competition
from amnl_tune.search.checkpoints import Checkpoints
from amnl_tune.search.epoch_logs import mlflow_log, scalar_log
from amnl_tune.search.reporter import Ending, Report, Reporter
from amnl_tune.search.together import fit_together
from amnl_tune.search.workplace import LeavingError, Workplace
from amnl_tune.training.checkpoint import Checkpoint
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fit import EpochResult

Judge = Callable[[Sequence[float], float], Competition]
"""What decides an epoch, from the validation RMSE up to it and what is reported of it."""

BEHIND = 4
"""Undelivered reports that memory alone may hold; beyond, each epoch's checkpoint has them on disk."""

LONG = 30.0
"""Seconds of training that may be lost with a worker, where an epoch is shorter: then it is one epoch."""


@dataclass
class Attempt:
    """Trains a claimed run to its end, or to the study's decision.

    Attributes:
        judge: of a trial's epochs; None: a promoted run, which nothing ends early.
        every: epochs between checkpoints; a new best is always kept, and what took long to train.
        keep_every: epochs between those that stay when the run has ended; None: none does.
        start_from: a checkpoint of another run to go on from, if the run has none.
        ending: why it ended before its last epoch, and after which; None: it did not.
    """

    place: Workplace
    lease: Lease
    run: RunRow
    config: RunConfig
    checkpoints: Checkpoints
    every: int
    keep_every: int | None = None
    judge: Judge | None = None
    start_from: Checkpoint | None = None
    ending: Ending | None = None
    ended_at: int | None = None
    _busy: float = field(init=False)
    _kept: int = field(init=False, default=0)
    """The newest epoch that a checkpoint holds."""
    _kept_at: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._busy = self.run.busy_seconds

    def train(self) -> EpochResult | None:
        """The run's last epoch; None if the study's decision came before its first epoch here.

        Raises:
            LeavingError: the worker is to leave, or the study is stopped; the run is checkpointed.
            LeaseLostError: another worker has taken over. StorageError: database or disk refuse.
        """
        place = self.place
        resume = self.checkpoints.latest(self.config, place.data.sha256, place.device) or self.start_from
        self._kept = resume.epoch if resume else 0
        if self._kept != self.run.epochs_done:
            place.persist(lambda: goes_on_from(place.ledger, self.lease.run, self.lease.fence, self._kept))
        folder = place.artifacts.scalars(self.run) if place.tensorboard else None
        known = resume.curve if resume else ()
        with (
            scalar_log(folder, first_epoch=resume.epoch + 1 if resume else 1) as log,
            Reporter(place.ledger, self.lease, ttl=place.lease_ttl) as reporter,
            mlflow_log(place.mlflow, self.run, self.config, data_sha256=place.data.sha256, before=known) as track,
            closing(fit_together(self.config, place.data, resume=resume, execution=place.execution)) as epochs,
        ):
            try:
                if resume and self._catch_up(resume, reporter):
                    return None
                return self._epochs(epochs, resume.epoch if resume else 0, reporter, (log, track))
            except LeavingError:
                self.checkpoints.write_held()
                raise

    def _catch_up(self, resume: Checkpoint, reporter: Reporter) -> bool:
        """Delivers what an earlier attempt could not; True if the study's decision is among the answers."""
        others = self.start_from.epoch if self.start_from else 0  # the trial's own epochs are on the trial's record
        for row in resume.curve[max(others, self.run.epochs_done - 1) :]:
            self._put(row, resume.curve[: row["number"]], last=row["last"], reporter=reporter)
        reporter.wait()
        return self._decided(reporter)

    def _epochs(
        self,
        epochs: Generator[EpochResult, None, None],
        done: int,
        reporter: Reporter,
        logs: Sequence[Callable[[EpochResult], None]],
    ) -> EpochResult:
        while True:
            self.place.watchdog.pat()
            with self.place.leaving.interruptible():
                epoch = next(epochs)
            self._busy += epoch.seconds * self.place.accelerators if epoch.number > done else 0.0
            self._put(epoch.plain(), epoch.state.curve, last=epoch.last, reporter=reporter)
            for log in logs:
                log(epoch)
            if self.keep_every and epoch.number % self.keep_every == 0:
                self.checkpoints.keep(epoch.state)
            reporter.wait()
            if self._decided(reporter):
                return epoch
            self._keep(epoch, reporter)
            if epoch.last or self._too_long_away(reporter):
                self._wait_for_answers(reporter)
                if epoch.last or self._decided(reporter):
                    return epoch
            if self.place.leaving() or reporter.stopped:
                raise LeavingError

    def _put(self, row: dict[str, Any], curve: list[dict[str, Any]], *, last: bool, reporter: Reporter) -> None:
        raw = [epoch["validation_rmse"] for epoch in curve]
        diverged = not math.isfinite(row["validation_rmse"])
        reported = DIVERGED_RMSE if diverged else row["best_validation_rmse"]
        values = {name: value if math.isfinite(value) else None for name, value in row.items() if name in COLUMNS}
        values |= {"study": self.run.study, "reported": reported, "bracket": self.run.bracket if self.judge else None}
        question = None if last or self.judge is None else self.judge(raw, reported)
        reporter.put(Report(values, self._busy, question))

    def _decided(self, reporter: Reporter) -> bool:
        self.ending, self.ended_at = reporter.ending, reporter.ended_at
        return self.ending is not None

    def _keep(self, epoch: EpochResult, reporter: Reporter) -> None:
        if epoch.number <= self._kept:  # a run that had ended: a checkpoint of this attempt would say that it got on
            return
        leaving = self.place.leaving() or reporter.stopped
        due = epoch.is_best or epoch.last or epoch.number % self.every == 0
        due = due or time.monotonic() - self._kept_at > LONG
        if leaving or due or reporter.behind > BEHIND or self._too_long_away(reporter):
            self.checkpoints.write(epoch.state)
            self._kept, self._kept_at = epoch.number, time.monotonic()
        else:
            self.checkpoints.hold(epoch.state)

    def _too_long_away(self, reporter: Reporter) -> bool:
        return reporter.away_for > self.place.outage

    def _wait_for_answers(self, reporter: Reporter) -> None:
        """Waits out the database; everything up to here is checkpointed."""
        while not reporter.wait_longer(1.0):
            self.place.watchdog.pat()
            if self.place.leaving():
                raise LeavingError
        self._decided(reporter)
