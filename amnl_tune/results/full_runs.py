"""How a promotion's full runs went, by their recorded epochs: where each was best and where it ended."""

from typing import Any

from sqlalchemy import select

from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.models import EpochRow, RunRow, RunStatus
from amnl_tune.search.ledger.stored import stored_config

__all__ = ["full_runs"]


def full_runs(ledger: Ledger, study: str, promotion: int) -> list[dict[str, Any]]:
    """One row a complete run, JSON-serialisable.

    Keys: trial; seed; last_epoch, where it ended; allowed_epochs; best_epoch; best_rmse and last_rmse, on the
    validation engines in cycles; seconds an epoch, in the mean.
    """
    with ledger.read() as session:
        of_promotion = (RunRow.study == study, RunRow.promotion == promotion, RunRow.status == RunStatus.COMPLETE)
        runs = session.scalars(select(RunRow).where(*of_promotion).order_by(RunRow.slot)).all()
        query = select(EpochRow).join(RunRow, EpochRow.run == RunRow.id).where(*of_promotion)
        epochs: dict[int, list[EpochRow]] = {}
        for epoch in session.scalars(query.where(EpochRow.validation_rmse.is_not(None)).order_by(EpochRow.number)):
            epochs.setdefault(epoch.run, []).append(epoch)
    return [_told(run, epochs[run.id]) for run in runs if run.config and run.id in epochs]


def _told(run: RunRow, epochs: list[EpochRow]) -> dict[str, Any]:
    best = min(epochs, key=lambda epoch: epoch.validation_rmse or 0.0)
    return {
        "trial": run.trial_number,
        "seed": run.seed,
        "last_epoch": epochs[-1].number,
        "allowed_epochs": stored_config(run).epochs,
        "best_epoch": best.number,
        "best_rmse": best.validation_rmse,
        "last_rmse": epochs[-1].validation_rmse,
        "seconds": sum(epoch.seconds for epoch in epochs) / len(epochs),
    }
