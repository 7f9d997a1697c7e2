"""A worker: joins a study by name and works until nothing is left to claim."""

import logging
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import torch

from amnl_tune.errors import AmnlTuneError, StorageError, StudyError
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.host import threads_for
from amnl_tune.search.lease_keeper import LeaseKeeper
from amnl_tune.search.ledger.engine import Ledger, storage_failures
from amnl_tune.search.ledger.runs import Budget, Lease, LeaseLostError, claim, open_runs, release
from amnl_tune.search.ledger.schema import require_schema
from amnl_tune.search.ledger.studies import Prior, find_study, prior_of
from amnl_tune.search.ledger.workers import WorkerIdentity, bury_dead, live_workers_here, seen, sign_in, sign_out
from amnl_tune.search.runner import LeavingError, Workplace, carry_out
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.study_data import study_data
from amnl_tune.search.trials import first_origins, open_storage

__all__ = ["LEASE_TTL", "budget_of", "open_workplace", "resolve_device", "work"]

logger = logging.getLogger(__name__)

LEASE_TTL = 60.0
IDLE_SECONDS = 0.5


def open_workplace(
    storage: str,
    study: str,
    source: FleetSource,
    artifacts: Artifacts,
    *,
    leaving: Callable[[], bool],
    device: str | None = None,
    tensorboard: bool = True,
    lease_ttl: float = LEASE_TTL,
    promotion: int | None = None,
) -> Workplace:
    """Everything a worker of `study` needs; the study must have been opened by `amnl-tune run` before.

    Raises:
        StudyError: unknown, or not yet prepared. StorageError: database. DataError: the data are not the study's.
    """
    require_schema(storage)
    ledger = Ledger(storage)
    row = find_study(ledger, study)
    if row.prepared_at is None:
        raise StudyError(
            f"Study {study!r} must be prepared before workers join, but it is not; run `amnl-tune run FILE` first"
        )
    spec = StudySpec.from_json(row.spec)
    return Workplace(
        ledger=ledger,
        storage=open_storage(ledger),
        spec=spec,
        prior=prior_of(row),
        data=study_data(row, spec, source, artifacts),
        artifacts=artifacts,
        device=resolve_device(device or spec.hardware.device),
        lease_ttl=lease_ttl,
        tensorboard=tensorboard,
        leaving=leaving,
        promotion=promotion,
    )


def resolve_device(device: str) -> str:
    """`auto` is the first CUDA device where there is one.

    Raises:
        StudyError: a CUDA device that is not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise StudyError(f"`--device` must be there, but torch finds no CUDA device for {device!r}; use --device cpu")
    return device


def work(place: Workplace, *, threads: int | None = None) -> None:
    """Claims and carries out runs until the study has none left, or until the worker is to leave.

    Args:
        place: as opened.
        threads: of torch; None: this machine's cores shared with the workers already on it.

    Raises:
        StorageError: database or disk refuse; the run goes on elsewhere or later.
    """
    threads = threads or threads_for(live_workers_here(place.ledger) + 1)
    torch.set_num_threads(threads)
    own = WorkerIdentity(uuid.uuid4().hex[:12], place.spec.name, os.getpid(), place.device, threads)
    sign_in(place.ledger, own)
    try:
        while not place.leaving() and _work_once(place, own):
            pass
    finally:
        sign_out(place.ledger, own)


def _work_once(place: Workplace, own: WorkerIdentity) -> bool:
    """One claim, or a short wait for runs that others hold; False when nothing is left."""
    bury_dead(place.ledger, own.study)
    place = replace(place, spec=StudySpec.from_json(find_study(place.ledger, own.study).spec))
    budget = budget_of(place.spec, place.prior)
    claimed = claim(place.ledger, own.study, own.id, budget, ttl=place.lease_ttl, promotion=place.promotion)
    if claimed is None:
        if not open_runs(place.ledger, own.study, place.promotion):
            return False
        seen(place.ledger, own)
        time.sleep(IDLE_SECONDS)
        return True
    lease, run = claimed
    what = "trial" if run.is_trial else f"promotion {run.promotion}"
    logger.info("%s, slot %d (%s): from epoch %d", what, run.slot, run.origin, run.epochs_done + 1)
    try:
        with LeaseKeeper(place.ledger, lease, ttl=place.lease_ttl), storage_failures(place.ledger.url):
            carry_out(place, lease, run)
        logger.info("%s, slot %d: done", what, run.slot)
    except LeaseLostError as error:
        logger.warning("%s; going on with the next one", error)
    except LeavingError:
        release(place.ledger, lease)
    except AmnlTuneError:
        _try_release(place, lease)
        raise
    except BaseException as error:
        _try_release(place, lease, failure=None if isinstance(error, KeyboardInterrupt | SystemExit) else repr(error))
        raise
    return True


def _try_release(place: Workplace, lease: Lease, failure: str | None = None) -> None:
    """Where the database itself is what fails, the lease runs out by itself."""
    try:
        release(place.ledger, lease, failure=failure)
    except StorageError as error:
        logger.warning("lease not released: %s", error)


def budget_of(spec: StudySpec, prior: Prior) -> Budget:
    """The search's budget in the ledger's words."""
    return Budget(
        trials=spec.budget.trials,
        trial_epochs=spec.trial.epochs,
        epochs=spec.budget.epochs,
        wall_time=spec.budget.wall_time,
        first_origins=first_origins(prior),
        seed=spec.seed,
    )
