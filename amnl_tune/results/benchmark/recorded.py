"""What early stopping does to full runs that were trained without it: their recorded curves, not another training."""

from statistics import fmean

from sqlalchemy import select

from amnl_tune.results.benchmark.table import Stopped
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.models import EpochRow, RunRow, RunStatus
from amnl_tune.search.ledger.stored import stored_config
from amnl_tune.training.state import epochs_until_stopped

__all__ = ["stopped_of_record"]


def stopped_of_record(ledger: Ledger, study: str, *, patience: int, min_delta: float) -> Stopped | None:
    """Of the study's complete full runs, over all its promotions; None where there is none without early stopping."""
    with ledger.read() as session:
        query = select(RunRow).where(RunRow.study == study, RunRow.promotion > 0, RunRow.status == RunStatus.COMPLETE)
        runs = {run.id: run for run in session.scalars(query)}
        curves: dict[int, list[float]] = {}
        of_runs = select(EpochRow).where(EpochRow.run.in_(runs), EpochRow.validation_rmse.is_not(None))
        for epoch in session.scalars(of_runs.order_by(EpochRow.number)):
            curves.setdefault(epoch.run, []).append(epoch.validation_rmse or 0.0)
    whole = [
        curve
        for run, curve in curves.items()
        if (config := stored_config(runs[run])).patience is None and len(curve) == config.epochs
    ]
    if not whole:
        return None
    after = [epochs_until_stopped(curve, patience=patience, min_delta=min_delta) for curve in whole]
    same = sum(min(curve[:end]) == min(curve) for curve, end in zip(whole, after, strict=True))
    return Stopped(fmean(after), fmean(map(len, whole)), len(whole), same)
