"""Claims and leases: who trains what, exactly once, within the budget.

A claim is a compare-and-swap under the lock on the study's row. Every later write of a worker carries its lease; a
worker whose lease was taken over can change nothing.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.orm import Session

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import AttemptRow, Origin, Outcome, RunRow, RunStatus, StudyRow, WorkerRow
from amnl_tune.errors import StudyError
from amnl_tune.ledger.attempts import end_attempt
from amnl_tune.ledger.standing import TALLIED_WHEN_COMPLETE
from amnl_tune.ledger.studies import Prior, Study

DIVERGED_RMSE = 1000.0
"""Reported for a diverged trial: finite, so that the sampler learns (optuna: Traps), and beyond any real RMSE."""

FINISHED = (RunStatus.COMPLETE, RunStatus.PRUNED, RunStatus.FAIL)


class LeaseLostError(Exception):
    """The run was taken over by another worker; stop it quietly."""


@dataclass(frozen=True)
class Lease:
    """The right to write a run's rows, until `fence` has moved on."""

    run: int
    owner: str
    fence: int


@dataclass(frozen=True)
class Budget:
    """What the search may spend, over all workers and restarts; limits in time are on the study's row.

    Attributes:
        trials: slots.
        trial_epochs: reserved for each unfinished trial.
        epochs: over all trials; None: as many as the trials take.
        first_origins: of the first slots; the sampler's follow.
        seed: training seed of every trial.
    """

    trials: int
    trial_epochs: int
    epochs: int | None
    first_origins: tuple[Origin, ...]
    seed: int


def first_origins(prior: Prior) -> tuple[Origin, ...]:
    """What the first slots are for: the incumbent to beat, the range test's suggestion, other studies' best."""
    suggested = (Origin.LR_RANGE_TEST,) if prior.interval else ()
    return Origin.PUBLISHED_DEFAULTS, *suggested, *(Origin.WARM_START for _ in prior.warm_start)


def budget_of(study: Study) -> Budget:
    """The search's budget in the ledger's words."""
    spec = study.spec
    return Budget(
        trials=spec.budget.trials,
        trial_epochs=spec.trial.epochs,
        epochs=spec.budget.epochs,
        first_origins=first_origins(study.prior),
        seed=spec.seed,
    )


def claim(
    study: Study, owner: str, budget: Budget | None = None, *, ttl: float, promotion: int | None = None
) -> tuple[Lease, RunRow] | None:
    """The next run to work on: one whose lease has run out, a waiting one, or a new trial while the budget lasts.

    A claim that the worker never heard of, because the connection broke, is handed to it again.

    Args:
        ledger: our tables.
        study: its name.
        owner: the worker's id.
        budget: of the search; None: the study's.
        ttl: seconds that the lease lasts unless renewed.
        promotion: claim this promotion's runs only, and begin no trial; None: anything.

    Returns:
        None if there is nothing to claim now, or the study is stopped; others may still be at work (`open_runs`).
    """
    budget = budget or budget_of(study)
    with study.ledger.write() as session:
        row = session.get(StudyRow, study.name, with_for_update=True)
        if row is None:
            raise StudyError(f"A study must exist, but there is no {study.name!r} any more; see `amnl-tune study list`")
        if row.stopped_at is not None:
            return None
        now = database_time(session)
        run = _unowned(session, study.name, owner, now, promotion)
        if run is None and promotion is None:
            run = _new_trial(session, row, budget, now)
        if run is None:
            return None
        if run.owner is not None and run.owner != owner:
            run.failures += 1
            run.reason = f"worker {run.owner} vanished after epoch {run.epochs_done}"
            end_attempt(session, run, now, Outcome.VANISHED, run.reason)
        run.owner, run.fence, run.expires_at = owner, run.fence + 1, now + ttl
        run.status = RunStatus.RUNNING
        run.started_at = run.started_at or now
        row.started_at = row.started_at or now
        session.flush()
        session.add(
            AttemptRow(run=run.id, fence=run.fence, worker=owner, started_at=now, epochs_before=run.epochs_done)
        )
        return Lease(run.id, owner, run.fence), run


def _unowned(session: Session, study: str, owner: str, now: float, promotion: int | None) -> RunRow | None:
    return session.scalars(
        select(RunRow)
        .where(*_open(study, promotion))
        .where(or_(RunRow.owner.is_(None), RunRow.expires_at < now, RunRow.owner == owner))
        .order_by(RunRow.promotion, RunRow.slot)
        .limit(1)
        .with_for_update()
    ).first()


def _new_trial(session: Session, study: StudyRow, budget: Budget, now: float) -> RunRow | None:
    slots = _slots(session, study.name)
    if slots >= budget.trials or _spent(session, study, budget, now):
        return None
    origin = budget.first_origins[slots] if slots < len(budget.first_origins) else Origin.SAMPLER
    run = RunRow(
        study=study.name,
        promotion=0,
        slot=slots,
        origin=origin,
        seed=budget.seed,
        status=RunStatus.WAITING,
        bracket=0,
        epochs=budget.trial_epochs,
        epochs_done=0,
        busy_seconds=0.0,
        fence=0,
        failures=0,
    )
    session.add(run)
    return run


def _spent(session: Session, study: StudyRow, budget: Budget, now: float) -> bool:
    """Whether one more whole trial does not fit: open trials reserve all their epochs, at the study's mean pace."""
    if budget.epochs is study.wall_time is study.busy_limit is None:
        return False
    columns = (RunRow.status, RunRow.epochs, RunRow.epochs_done, RunRow.busy_seconds)
    trials = session.execute(select(*columns).where(RunRow.study == study.name, RunRow.promotion == 0)).all()
    reserved = sum(done if status in FINISHED else whole for status, whole, done, _ in trials)
    if budget.epochs is not None and reserved + budget.trial_epochs > budget.epochs:
        return True
    trained, busy = sum(done for _, _, done, _ in trials), sum(seconds for *_, seconds in trials)
    pace = busy / trained if trained else 0.0
    trial = budget.trial_epochs * pace
    if study.wall_time is not None and study.started_at is not None:
        left = study.started_at + study.wall_time - now
        if left <= 0 or trial > left:
            return True
    if study.busy_limit is None:
        return False
    held = sum(s if status in FINISHED else max(s, whole * pace) for status, whole, _, s in trials)
    return held >= study.busy_limit or held + trial > study.busy_limit


def trials_left(study: Study, budget: Budget | None = None) -> bool:
    """Whether the budget, the study's unless another is given, admits another trial."""
    budget = budget or budget_of(study)
    with study.ledger.read() as session:
        row = session.get_one(StudyRow, study.name)
        return _slots(session, study.name) < budget.trials and not _spent(session, row, budget, database_time(session))


def _slots(session: Session, study: str) -> int:
    return session.scalar(select(func.count()).where(RunRow.study == study, RunRow.promotion == 0)) or 0


def renew(ledger: Ledger, lease: Lease, *, ttl: float) -> None:
    """Also a sign of life of the worker. Raises LeaseLostError if another one has taken over."""
    with ledger.write() as session:
        now = database_time(session)
        _write(session, lease, expires_at=now + ttl)
        session.execute(update(WorkerRow).where(WorkerRow.id == lease.owner).values(seen_at=now))


def held(session: Session, lease: Lease) -> RunRow:
    """The run, which nobody else takes over until the session's transaction ends. Raises LeaseLostError."""
    run = session.scalars(select(RunRow).where(*_held(lease)).with_for_update()).first()
    if run is None:
        raise LeaseLostError(f"run {lease.run} is no longer {lease.owner}'s")
    return run


def finish(
    ledger: Ledger,
    lease: Lease,
    status: RunStatus,
    *,
    value: float | None = None,
    reason: str | None = None,
    result: dict[str, Any] | None = None,
    competes: bool = False,
    within: Session | None = None,
) -> None:
    """Ends a run, once. Raises LeaseLostError if it was taken over.

    Args:
        ledger, lease: our tables, and the right to write.
        status, value, reason, result: of the run.
        competes: later trials are compared with it.
        within: the transaction under way that this is part of; None: one of its own.
    """
    values: dict[str, Any] = {"status": status, "value": value, "owner": None, "expires_at": None}
    if reason:
        values["reason"] = reason
    with ledger.write(within) as session:
        of_run = select(StudyRow).join(RunRow, RunRow.study == StudyRow.name).where(RunRow.id == lease.run)
        study = session.scalars(of_run.with_for_update(of=StudyRow)).one()  # locked before the run, as `claim` does
        now = database_time(session)
        _write(session, lease, **values, result=json.dumps(result) if result else None, finished_at=now)
        run = session.get_one(RunRow, lease.run)
        end_attempt(session, run, now, Outcome.FINISHED, reason)
        if run.is_trial:
            study.busy_seconds += run.busy_seconds
        if competes:
            session.execute(text(TALLIED_WHEN_COMPLETE), {"run": run.id})


def release(ledger: Ledger, lease: Lease, *, failure: str | None = None) -> None:
    """Lets another worker go on with the run at once; `failure` counts against its attempts. A lost lease is fine."""
    counted: dict[str, Any] = {"failures": RunRow.failures + 1, "reason": failure} if failure else {}
    with suppress(LeaseLostError):
        _let_go(ledger, lease, Outcome.FAILED if failure else Outcome.RELEASED, failure, **counted)


def take_back(ledger: Ledger, run: RunRow) -> bool:
    """`release` in the place of a worker that has vanished; raises no count of failures.

    Args:
        ledger: our tables. run: as it was read, with its owner.

    Returns:
        False if somebody has been at work on it since: it renewed its lease, or another one has taken over.
    """
    assert run.owner is not None
    lease = Lease(run.id, run.owner, run.fence)
    as_read = RunRow.expires_at == run.expires_at
    try:
        _let_go(ledger, lease, Outcome.VANISHED, "handed back by doctor", RunRow.status == RunStatus.RUNNING, as_read)
    except LeaseLostError:
        return False
    return True


def _let_go(
    ledger: Ledger, lease: Lease, outcome: Outcome, why: str | None, *only_if: ColumnElement[bool], **values: Any
) -> None:
    """Writes `values` with it; `why` is the attempt's reason."""
    with ledger.write() as session:
        _write(session, lease, *only_if, status=RunStatus.WAITING, owner=None, expires_at=None, **values)
        end_attempt(session, session.get_one(RunRow, lease.run), database_time(session), outcome, why)


def open_runs(study: Study, promotion: int | None = None) -> int:
    """Runs that are not finished, waiting or under way: of one promotion, or of all and the search."""
    with study.ledger.read() as session:
        return session.scalar(select(func.count()).where(*_open(study.name, promotion))) or 0


def _open(study: str, promotion: int | None) -> list[ColumnElement[bool]]:
    among = [] if promotion is None else [RunRow.promotion == promotion]
    return [RunRow.study == study, RunRow.status.not_in(FINISHED), *among]


def _held(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return RunRow.id == lease.run, RunRow.owner == lease.owner, RunRow.fence == lease.fence


def _write(session: Session, lease: Lease, *only_if: ColumnElement[bool], **values: Any) -> None:
    written = session.execute(update(RunRow).where(*_held(lease), *only_if).values(**values))
    if written.rowcount != 1:  # type: ignore[attr-defined]
        raise LeaseLostError(f"run {lease.run} is no longer {lease.owner}'s")
