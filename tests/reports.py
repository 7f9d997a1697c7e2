"""What a worker enters about its run, for tests that need rows and no training."""

from typing import Any

from amnl_tune.database.engine import Ledger
from amnl_tune.ledger.epochs import ReportLine, Verdict
from amnl_tune.ledger.leases import Lease, held

__all__ = ["report_epoch", "settle"]

EPOCH: dict[str, Any] = {
    "number": 1,
    "study": "tiny",
    "bracket": 0,
    "reported": 20.0,
    "train_rul_loss": 2.0,
    "train_health_loss": None,
    "learning_rate": 1e-3,
    "validation_rmse": 20.0,
    "best_validation_rmse": 20.0,
    "samples": 10,
    "seconds": 0.5,
}


def report_epoch(ledger: Ledger, lease: Lease, *, busy_seconds: float = 0.5, **values: Any) -> Verdict:
    """Reports an epoch of the study `tiny`; `values` are columns of EpochRow."""
    line = ReportLine(ledger)
    try:
        return line.report(lease, EPOCH | values, ttl=60, busy_seconds=busy_seconds)
    finally:
        line.close()


def settle(ledger: Ledger, lease: Lease, **values: Any) -> None:
    """Enters what is known of a run once it has a trial; `values` are columns of RunRow."""
    with ledger.write() as session:
        run = held(session, lease)
        for name, value in values.items():
            setattr(run, name, value)
