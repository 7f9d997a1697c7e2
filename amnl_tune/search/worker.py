"""A worker: joins a study by name, or waits for one, and works until nothing is left to claim."""

import logging
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from sqlalchemy import select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.file_systems import require_local
from amnl_tune.database.models import RunRow, TestScoreRow
from amnl_tune.database.optuna_storage import open_storage
from amnl_tune.database.schema import require_schema
from amnl_tune.database.urls import parse_url
from amnl_tune.errors import AmnlTuneError, DataError, StorageAwayError, StorageError, StorageKind, StudyError
from amnl_tune.host import threads_for
from amnl_tune.ledger.artifact_probe import require_shared_artifacts
from amnl_tune.ledger.leases import Lease, LeaseLostError, claim, open_runs, trials_left
from amnl_tune.ledger.promotions import latest_promotion
from amnl_tune.ledger.stored import told_apart
from amnl_tune.ledger.studies import Study, all_studies, find_study
from amnl_tune.ledger.workers import WorkerIdentity, bury_dead, live_workers_here, seen, sign_in, sign_out
from amnl_tune.masking import masked, without_secrets
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, execution_of
from amnl_tune.search.runner import carry_out
from amnl_tune.search.together import dismiss, follow
from amnl_tune.search.workplace import Leaving, LeavingError, Watchdog, Workplace, hand_back, heed_farewell
from amnl_tune.training.config import Precision
from amnl_tune.training.execution import Team

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5


def open_workplace(
    storage: str,
    study: str,
    source: FleetSource,
    artifacts: Artifacts,
    *,
    leaving: Leaving | None = None,
    device: str | None = None,
    precision: Precision | None = None,
    team: Team | None = None,
    stall_timeout: float | None = None,
    **options: Any,
) -> Workplace:
    """Everything a worker of `study` needs; the study must have been opened by `amnl-tune run` before.

    Args:
        storage: URL.
        study: its name.
        source, artifacts: where data and files are.
        leaving: when the worker is to leave; None: never.
        device, precision, stall_timeout: None: the study file's.
        team: the processes that train each run together; None: this one alone.
        options: further fields of Workplace.

    Raises:
        StudyError: unknown, not yet prepared, or with its files elsewhere. StorageError: database or artifact location.
        DataError: the data are not the study's.
    """
    require_schema(storage)
    require_local(parse_url(storage))
    ledger = Ledger(storage)
    opened = find_study(ledger, study)
    spec = opened.spec
    if not opened.is_prepared:
        raise StudyError(
            f"Study {study!r} must be prepared before workers join, but it is not; run `amnl-tune run FILE` first"
        )
    artifacts.store.require_writable()
    require_shared_artifacts(opened, artifacts.store)
    return Workplace(
        ledger=ledger,
        storage=open_storage(ledger),
        study=opened,
        data=Workspace(ledger, source, artifacts).data_of(opened),
        artifacts=artifacts,
        execution=execution_of(spec.hardware, home=artifacts.home, device=device, precision=precision, team=team),
        leaving=leaving or Leaving(),
        outage=spec.hardware.outage,
        watchdog=Watchdog(stall_timeout or spec.hardware.stall_timeout),
        **options,
    )


def work(place: Workplace, *, threads: int | None = None, wait: bool = False) -> None:
    """Claims and carries out runs until the study has none left, is stopped, or the worker is to leave.

    Args:
        place: as opened.
        threads: of torch; None: this machine's cores shared with the workers already on it.
        wait: also through pauses, until the study is done: promoted and scored.

    Raises:
        StorageError: disk or database refuse, or one worker too many for SQLite; the run goes on elsewhere.
    """
    threads = threads or threads_for(live_workers_here(place.ledger) + 1)
    torch.set_num_threads(threads)
    own = WorkerIdentity(
        id=uuid.uuid4().hex[:12],
        study=place.spec.name,
        pid=os.getpid(),
        device=place.device,
        threads=threads,
        accelerators=place.accelerators,
        artifacts=masked(place.artifacts.store.url),
        torch_version=torch.__version__,
    )
    _import_all()
    sign_in(place.ledger, own)
    try:
        with suppress(LeavingError):  # while the database was away
            while not place.leaving() and _work_once(place, own, wait=wait):
                place.watchdog.pat()
    finally:
        place.watchdog.rest()
        with suppress(StorageError):  # the database itself may be what fails: others see that the process is gone
            sign_out(place.ledger, own)


def _import_all() -> None:
    """The first optimizer of a process imports for seconds: before a run is claimed, which would be in vain if the
    worker were taken away meanwhile.
    """
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def work_in_team(place: Workplace, *, threads: int | None = None) -> None:
    """`work`, by one of the processes that train each run together."""
    if not place.execution.team.leads:
        follow(place.data, place.execution, threads)
        return
    try:
        work(place, threads=threads)
    finally:
        dismiss(place.execution)


def _work_once(place: Workplace, own: WorkerIdentity, *, wait: bool) -> bool:
    """One claim, or a short wait for runs that others hold; False when nothing is left."""
    ledger = place.ledger
    place.persist(lambda: bury_dead(ledger, own.study))
    study = place.persist(place.study.again)
    if study.is_stopped and not wait:
        logger.warning("study %r is stopped; `amnl-tune study resume` lets workers in again", own.study)
        return False
    place = replace(place, study=study)
    claimed = place.persist(lambda: claim(study, own.id, ttl=place.lease_ttl, promotion=place.promotion))
    if claimed is not None:
        _take_turn(place, *claimed)
        return True
    idle = not place.persist(lambda: open_runs(study, place.promotion))
    if idle and not (wait and not place.persist(lambda: is_done(study))):
        return False
    place.persist(lambda: seen(ledger, own))
    time.sleep(IDLE_SECONDS)
    return True


def _take_turn(place: Workplace, lease: Lease, run: RunRow) -> None:
    what = "trial" if run.is_trial else f"promotion {run.promotion}"
    logger.info("%s, slot %d (%s): from epoch %d", what, run.slot, run.origin, run.epochs_done + 1)
    try:
        heed_farewell(place, lease, run)
        carry_out(place, lease, run)
        logger.info("%s, slot %d: done", what, run.slot)
    except LeaseLostError as error:
        logger.warning("%s; going on with the next one", error)
    except LeavingError:
        hand_back(place, lease)
    except (AmnlTuneError, KeyboardInterrupt, SystemExit):
        hand_back(place, lease)
        raise
    except BaseException as error:
        hand_back(place, lease, failure=without_secrets(repr(error)))
        raise


def is_done(study: Study) -> bool:
    """Whether the study has its answer: promoted and scored, or no promotion wanted and no trial left."""
    if not study.spec.promotion.enabled:
        return True
    promotion = latest_promotion(study)
    with study.ledger.read() as session:
        scored = select(TestScoreRow.id).where(TestScoreRow.promotion_id == (promotion.id if promotion else None))
        return promotion is not None and session.scalar(scored.limit(1)) is not None


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
    except StorageError as error:
        if error.kind is not StorageKind.EMPTY:
            raise
        return []
    ledger = Ledger(storage)
    try:
        rows = all_studies(ledger)
        readable, _ = told_apart(rows)
        studies = [Study(ledger, row) for row in rows if row.name in readable]
        return [study.name for study in studies if study.is_prepared and not study.is_stopped]
    finally:
        ledger.close()


def _has_work(storage: str, study: str) -> bool:
    ledger = Ledger(storage)
    try:
        opened = find_study(ledger, study)
        return bool(open_runs(opened)) or trials_left(opened)
    finally:
        ledger.close()
