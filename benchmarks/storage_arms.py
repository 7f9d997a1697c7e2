"""The ways to report an epoch and to learn whether the trial is pruned, as a worker process uses each."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage, RDBStorage, run_grpc_proxy_server
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import Origin, StudyRow
from amnl_tune.database.optuna_storage import open_storage
from amnl_tune.database.schema import upgrade
from amnl_tune.database.urls import parse_url
from amnl_tune.ledger.epochs import ReportLine
from amnl_tune.ledger.leases import Budget, Lease, claim, held
from amnl_tune.ledger.standing import Competition
from amnl_tune.ledger.studies import find_study
from amnl_tune.studies.optuna_parts import experiments_intended
from benchmarks.filled import fill

__all__ = ["STUDY", "Arm", "Ours", "Reporting", "grpc_server", "prepare", "prepare_journal"]

STUDY = "benchmark"
MEDIAN = {"percentile": 50.0, "n_startup_trials": 5, "n_min_trials": 1}
"""Optuna's default pruner, which decides at every epoch: MedianPruner()."""


class Reporting(Protocol):
    """One worker's trials."""

    def begin(self) -> None: ...

    def report(self, number: int, value: float) -> bool: ...


Arm = Callable[[str], Reporting]
"""Made in the worker process, from where the storage is."""


class Ours:
    """As a worker's reporter thread does: one statement an epoch."""

    def __init__(self, place: str) -> None:
        self._ledger = Ledger(place)
        self._line = ReportLine(self._ledger)
        self._storage = open_storage(self._ledger)
        self._study_id = self._storage.get_study_id_from_name(STUDY)
        self._names = itertools.count()
        self._competition = Competition.percentile(**MEDIAN)  # type: ignore[arg-type]
        self.lease: Lease

    def begin(self) -> None:
        budget = Budget(10**6, 10**3, None, (Origin.SAMPLER,), seed=1)
        claimed = claim(find_study(self._ledger, STUDY), f"{os.getpid()}-{next(self._names)}", budget, ttl=3600)
        assert claimed is not None
        self.lease = claimed[0]
        trial = self._storage.create_new_trial(self._study_id, create_trial(state=TrialState.RUNNING))
        with self._ledger.write() as session:
            held(session, self.lease).trial_id = trial

    def report(self, number: int, value: float) -> bool:
        epoch = {
            "number": number, "study": STUDY, "bracket": 0, "reported": value, "train_rul_loss": value,
            "train_health_loss": value, "learning_rate": 1e-3, "validation_rmse": value, "best_validation_rmse": value,
            "samples": 17731, "seconds": 1.0,
        }  # fmt: skip
        verdict = self._line.report(
            self.lease, epoch, ttl=60, busy_seconds=float(number), competition=self._competition
        )
        return verdict.pruned


class _Optunas:
    """Optuna's own `report` and `should_prune`."""

    def __init__(self, storage: BaseStorage) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.load_study(study_name=STUDY, storage=storage, pruner=optuna.pruners.MedianPruner())
        self._trial: Any = None

    def begin(self) -> None:
        self._trial = self._study.ask()

    def report(self, number: int, value: float) -> bool:
        self._trial.report(value, number)
        return bool(self._trial.should_prune())


def rdb(place: str) -> Reporting:
    """RDBStorage as its documentation has it, with SQLite's time to wait for others."""
    url = parse_url(place)
    options = {"connect_args": {"timeout": 60}} if url.get_backend_name() == "sqlite" else {}
    return _Optunas(RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=options))


def grpc(place: str) -> Reporting:
    """A client of the proxy at a port of this machine."""
    with experiments_intended():
        return _Optunas(GrpcStorageProxy(host="localhost", port=int(place)))


def journal(place: str) -> Reporting:
    """The journal file."""
    return _Optunas(JournalStorage(JournalFileBackend(place)))


def prepare(storage: str, *, trials: int, epochs: int) -> None:
    """An empty database gets the schema and a study with finished trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    upgrade(storage)
    ledger = Ledger(storage)
    with ledger.write() as session:
        session.add(StudyRow(name=STUDY, spec="", fingerprint="", dataset="", data_sha256="", created_at=0.0))
    optuna.create_study(study_name=STUDY, storage=open_storage(ledger))
    ledger.close()
    fill(storage, STUDY, trials=trials, epochs=epochs)


def prepare_journal(file: Path, *, trials: int, epochs: int) -> None:
    """The same study in a journal file, through Optuna's own door."""
    study = optuna.create_study(study_name=STUDY, storage=JournalStorage(JournalFileBackend(str(file))))
    for slot in range(trials):
        curve = {number: 12.0 + 10.0 / number + slot * 7919 % 10007 / 1000.0 for number in range(1, epochs + 1)}
        study.add_trial(create_trial(value=curve[epochs], intermediate_values=curve))


@contextmanager
def grpc_server(file: Path, port: int) -> Iterator[str]:
    """Optuna's proxy over a journal file, its quickest storage, in a process of its own; its place."""
    server = get_context("spawn").Process(target=_serve, args=(str(file), port), daemon=True)
    server.start()
    try:
        with experiments_intended():
            GrpcStorageProxy(host="localhost", port=port).wait_server_ready(timeout=60)
        yield str(port)
    finally:
        server.kill()
        server.join()


def _serve(file: str, port: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    run_grpc_proxy_server(JournalStorage(JournalFileBackend(file)), port=port)
