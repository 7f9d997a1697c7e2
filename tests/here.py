"""A study trained in the test's own process: what real workers are compared with, and quicker where nobody minds who."""

from pathlib import Path

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.ledger.studies import find_study
from amnl_tune.promotion.candidates import open_promotion
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.studies.study_file import load_study_spec

__all__ = ["train_here"]


def train_here(file: Path, home: Path, data: Path) -> None:
    """The trials and the promoted runs of a study file, by one worker, with the database where a home has it."""
    spec, source, artifacts = load_study_spec(file), FleetSource((data,)), Artifacts(home)
    storage = f"sqlite:///{home / 'amnl_tune.db'}"
    ledger = Ledger(storage)
    open_study(Workspace(ledger, source, artifacts), spec, device="cpu")
    place = open_workplace(storage, spec.name, source, artifacts, tensorboard=False)
    work(place, threads=1)
    open_promotion(find_study(ledger, spec.name))
    work(place, threads=1)
    place.storage.remove_session()
    for engine in (place.storage.engine, place.ledger.engine, ledger.engine):
        engine.dispose()
