"""A prepared study that real workers can join, wherever they are launched."""

import gc
import os
import signal
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, RunRow, RunStatus, WorkerRow
from amnl_tune.database.schema import upgrade
from amnl_tune.launch.command import WorkerCommand
from amnl_tune.ledger.studies import extend_study, find_study
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.studies.study_file import parse_study_spec


class Prepared:
    """The study `tiny`, opened on a database, and what its ledger says."""

    def __init__(self, storage: str, home: Path, data: Path, text: str) -> None:
        self.storage, self.home, self.data = storage, home, data
        upgrade(storage)
        self.ledger = Ledger(storage)
        self.spec = parse_study_spec(text, name="tiny")
        open_study(Workspace(self.ledger, FleetSource((data,)), Artifacts(home)), self.spec, device="cpu")
        with warnings.catch_warnings():  # Optuna's storage leaves its connection to the garbage collector: here and now
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def extend(self, trials: int) -> None:
        """Raises the budget: for a study that is not to end by itself."""
        self.spec = extend_study(find_study(self.ledger, self.spec.name), trials=trials)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AMNL_TUNE_STORAGE": self.storage,
            "AMNL_TUNE_HOME": str(self.home),
            "AMNL_TUNE_DATA": str(self.data),
        }

    def command(self, *options: str) -> WorkerCommand:
        return WorkerCommand("tiny", 1, ("--no-tensorboard", *options), self.environment)

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """`amnl-tune launch tiny` as a process."""
        return subprocess.Popen(
            [sys.executable, "-m", "amnl_tune", "launch", "tiny", "--no-tensorboard", *options],
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def outcome(self, launched: "subprocess.Popen[str]") -> tuple[str, str]:
        """What it said until it ended; one that hangs fails the test with all that is known of it."""
        try:
            return launched.communicate(timeout=900)
        except subprocess.TimeoutExpired:
            runs = [(run.slot, str(run.status), run.epochs_done, run.owner) for run in self.runs()]
            workers = [(worker.id, worker.pid) for worker in self.workers()]
            os.killpg(launched.pid, signal.SIGKILL)
            out, err = launched.communicate(timeout=60)
            pytest.fail(f"not over in 900 s\nruns {runs}\nworkers {workers}\n{out}\n{err}")

    def runs(self) -> list[RunRow]:
        with self.ledger.read() as session:
            return list(session.scalars(select(RunRow).order_by(RunRow.slot)))

    def workers(self) -> list[WorkerRow]:
        """Those that have not left."""
        with self.ledger.read() as session:
            return list(session.scalars(select(WorkerRow).where(WorkerRow.stopped_at.is_(None))))

    def curves(self) -> list[list[tuple[int, float | None]]]:
        """Raw learning curve of each trial: what must not depend on who trained it, and how often it moved."""
        with self.ledger.read() as session:
            return [
                [
                    (row.number, row.validation_rmse)
                    for row in session.scalars(select(EpochRow).where(EpochRow.run == run.id).order_by(EpochRow.number))
                ]
                for run in session.scalars(select(RunRow).order_by(RunRow.slot))
            ]

    def wait_for_epochs(self, at_least: int) -> None:
        self.wait_until(lambda: sum(run.epochs_done for run in self.runs()) >= at_least)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 900
        while not condition():
            assert time.monotonic() < until, "not reached in 900 s"
            time.sleep(0.05)

    def assert_done(self) -> None:
        """Every trial exactly once, curves without gaps, nobody left."""
        trials, epochs = self.spec.budget.trials, self.spec.trial.epochs
        assert [run.slot for run in self.runs()] == list(range(trials))
        assert sorted(run.trial_number or 0 for run in self.runs()) == list(range(trials))
        assert [run.status for run in self.runs()] == [RunStatus.COMPLETE] * trials
        assert [[number for number, _ in curve] for curve in self.curves()] == [list(range(1, epochs + 1))] * trials
        with self.ledger.read() as session:
            told = session.connection().exec_driver_sql("select state, count(*) from trials group by state").all()
        assert [tuple(row) for row in told] == [("COMPLETE", trials)]


@pytest.fixture(scope="session")
def longer() -> str:
    """Trials long enough to be disturbed in their middle."""
    return (Path(__file__).parents[1] / "tiny.toml").read_text().replace("epochs = 3", "epochs = 20")


@pytest.fixture(scope="session")
def undisturbed(
    longer: str, fleet_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[list[tuple[int, float | None]]]:
    """The curves that one worker finds which nobody disturbs."""
    home = tmp_path_factory.mktemp("undisturbed")
    study = Prepared(f"sqlite:///{home / 'amnl_tune.db'}", home, fleet_dir, longer)
    source, artifacts = FleetSource((fleet_dir,)), Artifacts(home)
    place = open_workplace(study.storage, "tiny", source, artifacts, tensorboard=False)
    work(place, threads=1)
    study.assert_done()
    curves = study.curves()
    study.ledger.close()
    return curves


@pytest.fixture
def prepared(longer: str, fleet_dir: Path, tmp_path: Path) -> Iterator[Prepared]:
    study = Prepared(f"sqlite:///{tmp_path / 'amnl_tune.db'}", tmp_path, fleet_dir, longer)
    yield study
    _end(study)


@pytest.fixture
def prepared_on_postgresql(postgres_server: str, longer: str, fleet_dir: Path, tmp_path: Path) -> Iterator[Prepared]:
    server = make_url(postgres_server)
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url = server.set(database=name).render_as_string(hide_password=False)
    study = Prepared(url, tmp_path, fleet_dir, longer)
    yield study
    _end(study)


def _end(study: Prepared) -> None:
    """No worker outlives a failed test."""
    for worker in study.workers():
        try:
            os.kill(worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    study.ledger.close()
