"""How a run's attempts went: what ended each, and which of them were in vain.

An attempt counts against a run only if nothing of it outlived its worker. On machines that are taken away every few
seconds a run may need fifty attempts, each of which brings it an epoch further; a run that kills its worker at the same
place each time brings none.
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import AttemptRow, Outcome, RunRow

COUNTING = (Outcome.VANISHED, Outcome.FAILED)


def end_attempt(session: Session, run: RunRow, now: float, outcome: Outcome, reason: str | None) -> None:
    """Enters how the run's latest attempt ended."""
    session.execute(
        update(AttemptRow)
        .where(AttemptRow.run == run.id, AttemptRow.fence == run.fence, AttemptRow.outcome.is_(None))
        .values(ended_at=now, epochs_after=run.epochs_done, outcome=outcome, reason=reason)
    )


def goes_on_from(ledger: Ledger, run: int, fence: int, epoch: int) -> None:
    """Enters which epoch's state an attempt has found: reported epochs may be gone with whoever trained them."""
    with ledger.write() as session:
        session.execute(
            update(AttemptRow).where(AttemptRow.run == run, AttemptRow.fence == fence).values(epochs_before=epoch)
        )


def in_vain(ledger: Ledger, run: int, resumes_at: int) -> list[str]:
    """Why attempts failed since an epoch last outlived its worker, oldest first.

    Args:
        run: its number.
        resumes_at: the epoch from which it would go on now.
    """
    with ledger.read() as session:
        query = select(AttemptRow).where(AttemptRow.run == run, AttemptRow.outcome.is_not(None))
        attempts = list(session.scalars(query.order_by(AttemptRow.fence.desc())))
    found, later = [], resumes_at
    for attempt in attempts:
        if attempt.epochs_before < later:  # what came after it went on further than it did
            break
        if attempt.outcome in COUNTING:
            found.append(attempt.reason or "unknown")
        later = attempt.epochs_before
    return found[::-1]


def excuse(ledger: Ledger, run: int, fence: int) -> None:
    """An attempt that seems to have vanished had left in order: it counts against nothing."""
    with ledger.write() as session:
        vanished = (
            update(AttemptRow)
            .where(AttemptRow.run == run, AttemptRow.fence == fence, AttemptRow.outcome == Outcome.VANISHED)
            .values(outcome=Outcome.RELEASED, reason="its leave could not be entered when it left")
        )
        if session.execute(vanished).rowcount == 1:  # type: ignore[attr-defined]
            session.execute(update(RunRow).where(RunRow.id == run).values(failures=RunRow.failures - 1, reason=None))
