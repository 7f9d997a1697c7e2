"""One invocation of the line: its places and wishes, and the steps that workers carry out."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.errors import StorageAwayError, StudyError
from amnl_tune.host import threads_for
from amnl_tune.launch.command import WorkerPlaces, require_enough_storage
from amnl_tune.launch.inherited import inherited
from amnl_tune.launch.local import LocalWorkers
from amnl_tune.ledger.leases import open_runs, trials_left
from amnl_tune.ledger.progress import progress
from amnl_tune.ledger.promotions import latest_promotion
from amnl_tune.ledger.studies import Study
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.epoch_logs import require_mlflow
from amnl_tune.search.opening import Workspace
from amnl_tune.service.listener import Listener
from amnl_tune.settings import Settings, mlflow_uri
from amnl_tune.studies.sections import Incumbent

POLL_SECONDS = 0.5
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Session:
    """One invocation's places and wishes.

    Attributes:
        workers: processes to start; 0: wait for those elsewhere. threads: of each; None: the cores shared out.
        device: of the workers. tensorboard: whether they write scalars.
        team: processes that train each promoted run together, as one worker.
    """

    listener: Listener
    places: Settings
    ledger: Ledger
    workers: int
    threads: int | None
    device: str
    tensorboard: bool
    team: int = 1

    def __post_init__(self) -> None:
        require_enough_storage(self.places.storage, self.workers)
        self.workspace.artifacts.store.require_writable()  # before anything is spent
        require_mlflow(mlflow_uri())

    @cached_property
    def workspace(self) -> Workspace:
        """Where studies, data sets and files are."""
        places = self.places
        return Workspace(self.ledger, FleetSource(places.data_dirs), Artifacts(places.home, places.artifacts))

    @contextmanager
    def crew(self, study: Study) -> Iterator[LocalWorkers | None]:
        """Workers that stay from the first trial to the last promoted run.

        None where each step is to have its own: it wants another number of them, or the study has been promoted
        before, so that waiting workers would find it done.
        """
        spec = study.spec
        wanted = min(self.workers, spec.budget.trials)
        full_runs = len(spec.promotion.seeds) * (spec.promotion.top_k + spec.promotion.incumbent)
        known = latest_promotion(study) is not None
        if not spec.promotion.enabled or wanted != min(self.workers, full_runs) or known or not wanted:
            yield None
            return
        with self._workers(study.name, wanted, "--wait") as workers:
            yield workers

    def search(self, study: Study, crew: LocalWorkers | None = None) -> None:
        """Runs workers, those of `crew` if there is one, until the budget is spent and every trial has ended.

        Raises:
            StudyError: the workers left before that.
        """

        def unfinished() -> bool:
            return trials_left(study) or open_runs(study) > 0

        if unfinished():
            trials = study.spec.budget.trials
            self._work(study, "search", min(self.workers, trials), unfinished, crew, total=trials)

    def train_promotion(self, study: Study, number: int, crew: LocalWorkers | None = None) -> None:
        """Runs a promotion's runs to their end, with the workers of `crew` if there is one.

        Raises:
            StudyError: the workers left before that.
        """
        runs = progress(study, promotion=number)
        if runs.finished < len(runs.runs):

            def unfinished() -> bool:
                return open_runs(study, number) > 0

            count = min(self.workers, len(runs.runs))
            self._work(study, "promotion", count, unfinished, crew, promotion=number)

    def scoring(self, study: Study) -> AbstractContextManager[None]:
        """Says what takes its time after the last promoted run."""
        fitting = "fitting gradient boosting, then " if Incumbent.BOOSTING in study.spec.promotion.incumbents else ""
        return self.listener.waiting(f"promotion: {fitting}scoring the test engines ...")

    def _work(
        self,
        study: Study,
        title: str,
        count: int,
        unfinished: Callable[[], bool],
        crew: LocalWorkers | None,
        *,
        promotion: int = 0,
        total: int | None = None,
    ) -> None:
        """Watches until the work is done: by `crew`, by `count` workers that are started and leave, or by others."""
        own = ["--promotion", str(promotion)] if promotion else []
        hired = nullcontext(crew) if crew else self._workers(study.name, count, *own)

        def goes_on(workers: LocalWorkers) -> bool:
            if count and not workers.poll():
                return False
            if count and not crew:  # they leave by themselves
                return True
            return self._answer(unfinished, True) and not self._stopped(study)

        with self.listener.watch(title) as watch, hired as workers:
            while goes_on(workers):
                shown = self._answer(lambda: progress(study, promotion=promotion, total=total), None)
                if shown:
                    watch(shown)
                time.sleep(POLL_SECONDS)
            ended = progress(study, promotion=promotion, total=total)
            watch(ended)
        left = len(ended.runs) - ended.finished
        if self._stopped(study):
            raise StudyError(
                f"A study ends when its runs have, but {study.name!r} was stopped with {left} of them open; run "
                f"`amnl-tune study resume {study.name}`, then the same command again"
            )
        if left:
            raise StudyError(
                f"Workers stay until every run has ended, but they were asked to leave with {left} runs of study "
                f"{study.name!r} open; run the same command again to go on"
            )

    def _workers(self, study: str, count: int, *own: str) -> LocalWorkers:
        places = WorkerPlaces.of(self.places)
        options = ["--device", self.device, *([] if self.tensorboard else ["--no-tensorboard"])]
        return LocalWorkers(
            study=study,
            count=count,
            threads=threads_for(max(1, count) * self.team, self.threads),
            environment=inherited(os.environ) | places.environment,
            logs=self.workspace.artifacts.log(study, "worker").parent,
            options=(*places.options, *options, *own),
            team=self.team,
        )

    def _stopped(self, study: Study) -> bool:
        return self._answer(lambda: study.again().is_stopped, False)

    def _answer(self, look: Callable[[], Answer], otherwise: Answer) -> Answer:
        """What the database says; `otherwise` while it is away: the workers wait it out, so do we."""
        try:
            return look()
        except StorageAwayError:
            return otherwise
