"""The steps of `run` and `promote`: launch workers, watch, promote, score."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console

from amnl_tune.artifacts import Artifacts
from amnl_tune.cli.display import download_progress, watching
from amnl_tune.cli.options import mlflow_uri
from amnl_tune.database.engine import Ledger
from amnl_tune.errors import DataNotFoundError, StorageAwayError, StudyError
from amnl_tune.host import threads_for
from amnl_tune.installation import as_typed_here
from amnl_tune.launch.command import WorkerPlaces, require_enough_storage
from amnl_tune.launch.inherited import inherited
from amnl_tune.launch.local import LocalWorkers
from amnl_tune.ledger.artifact_probe import require_shared_artifacts
from amnl_tune.ledger.leases import open_runs, trials_left
from amnl_tune.ledger.progress import progress
from amnl_tune.ledger.promotions import latest_promotion
from amnl_tune.ledger.studies import Prior, find_study
from amnl_tune.promotion.scores import latest_scores
from amnl_tune.rul import fetch
from amnl_tune.rul.layouts import CHECKSUMS
from amnl_tune.rul.simulator import SIMULATED
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.epoch_logs import require_mlflow
from amnl_tune.search.trials import budget_of
from amnl_tune.settings import Settings
from amnl_tune.studies.sections import Incumbent
from amnl_tune.studies.spec import StudySpec

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

    console: Console
    places: Settings
    ledger: Ledger
    workers: int
    threads: int | None
    device: str
    tensorboard: bool
    team: int = 1

    def __post_init__(self) -> None:
        require_enough_storage(self.places.storage, self.workers)
        self.artifacts.store.require_writable()  # before anything is spent
        require_mlflow(mlflow_uri())

    @property
    def source(self) -> FleetSource:
        """Where data are found."""
        return FleetSource(self.places.data_dirs)

    @property
    def artifacts(self) -> Artifacts:
        """Where files of runs go."""
        return Artifacts(self.places.home, self.places.artifacts)

    def require_shared_artifacts(self, study: str) -> None:
        """Raises StudyError if the study's other processes keep their files where this one does not look."""
        require_shared_artifacts(self.ledger, study, self.artifacts.store)

    @contextmanager
    def crew(self, spec: StudySpec) -> Iterator[LocalWorkers | None]:
        """Workers that stay from the first trial to the last promoted run.

        None where each step is to have its own: it wants another number of them, or the study has been promoted
        before, so that waiting workers would find it done.
        """
        wanted = min(self.workers, spec.budget.trials)
        full_runs = len(spec.promotion.seeds) * (spec.promotion.top_k + spec.promotion.incumbent)
        known = latest_promotion(self.ledger, spec.name) is not None
        if not spec.promotion.enabled or wanted != min(self.workers, full_runs) or known or not wanted:
            yield None
            return
        with self._workers(spec.name, wanted, "--wait") as workers:
            yield workers

    def search(self, spec: StudySpec, prior: Prior, crew: LocalWorkers | None = None) -> None:
        """Runs workers, those of `crew` if there is one, until the budget is spent and every trial has ended.

        Raises:
            StudyError: the workers left before that.
        """
        budget = budget_of(spec, prior)

        def unfinished() -> bool:
            return trials_left(self.ledger, spec.name, budget) or open_runs(self.ledger, spec.name) > 0

        if unfinished():
            count = min(self.workers, spec.budget.trials)
            self._work(spec.name, "search", count, unfinished, crew, total=spec.budget.trials)

    def train_promotion(self, spec: StudySpec, number: int, crew: LocalWorkers | None = None) -> None:
        """Runs a promotion's runs to their end, with the workers of `crew` if there is one.

        Raises:
            StudyError: the workers left before that.
        """
        runs = progress(self.ledger, spec.name, promotion=number)
        if runs.finished < len(runs.runs):

            def unfinished() -> bool:
                return open_runs(self.ledger, spec.name, number) > 0

            count = min(self.workers, len(runs.runs))
            self._work(spec.name, "promotion", count, unfinished, crew, promotion=number)

    def is_scored(self, study: str, number: int) -> bool:
        """Whether the study's newest promotion is `number` and has its score."""
        scores = latest_scores(self.ledger, study)
        return scores is not None and scores.promotion == number

    @contextmanager
    def scoring(self, spec: StudySpec) -> Iterator[None]:
        """Says what takes its time after the last promoted run: on a terminal while it lasts, elsewhere as a line."""
        fitting = "fitting gradient boosting, then " if Incumbent.BOOSTING in spec.promotion.incumbents else ""
        text = f"promotion: {fitting}scoring the test engines ..."
        if not self.console.is_terminal:
            self.console.print(text, highlight=False, markup=False)
            yield
            return
        with self.console.status(text):
            yield

    def _work(
        self,
        study: str,
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
        hired = nullcontext(crew) if crew else self._workers(study, count, *own)

        def goes_on(workers: LocalWorkers) -> bool:
            if count and not workers.poll():
                return False
            if count and not crew:  # they leave by themselves
                return True
            return self._answer(unfinished, True) and not self._stopped(study)

        with watching(self.console, title) as watch, hired as workers:
            while goes_on(workers):
                shown = self._answer(lambda: progress(self.ledger, study, promotion=promotion, total=total), None)
                if shown:
                    watch(shown)
                time.sleep(POLL_SECONDS)
            ended = progress(self.ledger, study, promotion=promotion, total=total)
            watch(ended)
        left = len(ended.runs) - ended.finished
        if self._stopped(study):
            raise StudyError(
                f"A study ends when its runs have, but {study!r} was stopped with {left} of them open; run `amnl-tune "
                f"study resume {study}`, then the same command again"
            )
        if left:
            raise StudyError(
                f"Workers stay until every run has ended, but they were asked to leave with {left} runs of study "
                f"{study!r} open; run the same command again to go on"
            )

    def _workers(self, study: str, count: int, *own: str) -> LocalWorkers:
        places = WorkerPlaces.of(self.places)
        options = ["--device", self.device, *([] if self.tensorboard else ["--no-tensorboard"])]
        return LocalWorkers(
            study=study,
            count=count,
            threads=threads_for(max(1, count) * self.team, self.threads),
            environment=inherited(os.environ) | places.environment,
            logs=self.artifacts.log(study, "worker").parent,
            options=(*places.options, *options, *own),
            team=self.team,
        )

    def _stopped(self, study: str) -> bool:
        return self._answer(lambda: find_study(self.ledger, study).stopped_at is not None, False)

    def _answer(self, look: Callable[[], Answer], otherwise: Answer) -> Answer:
        """What the database says; `otherwise` while it is away: the workers wait it out, so do we."""
        try:
            return look()
        except StorageAwayError:
            return otherwise


def on_available_data(spec: StudySpec, source: FleetSource, console: Console) -> StudySpec:
    """The study on its data set; on its simulated fallback, loudly, where the data can neither be found nor downloaded.

    Raises:
        DataNotFoundError: neither, and the file names no fallback.
    """
    missing = source.missing(spec.data.dataset)
    if not missing:
        return spec
    try:
        if not set(missing) <= set(CHECKSUMS):
            source.training(spec.data.dataset)  # not NASA's: one of these raises what is wrong with name or folders
            source.test(spec.data.dataset)
        console.print(f"{spec.data.dataset} is not on this machine: downloading NASA's archive ...", highlight=False)
        with download_progress() as shown:
            fetch.fetch(source.directories[-1], progress=shown)
        return spec
    except DataNotFoundError as error:
        if spec.data.fallback is None:
            raise
        return _fall_back(spec, spec.data.fallback, str(error), console)


def _fall_back(spec: StudySpec, fallback: str, reason: str, console: Console) -> StudySpec:
    assert fallback in SIMULATED
    simulated = spec.with_dataset(fallback)
    console.rule("[bold yellow]SIMULATED DATA")
    console.print(
        f"{spec.data.dataset} can neither be found nor downloaded, so this study runs on the simulated fleet "
        f"{fallback} as study {simulated.name!r}. Its figures say nothing about real engines.\n"
        f"Reason: {as_typed_here(reason)}",
        style="yellow",
        highlight=False,
        markup=False,
    )
    console.rule(style="yellow")
    return simulated
