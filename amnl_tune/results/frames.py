"""The ledger as pandas frames: what figures and reports are drawn from."""

import warnings
from typing import Any

import optuna
import pandas as pd
from optuna.trial import TrialState
from sqlalchemy import select

from amnl_tune.search.ledger.engine import Ledger, storage_failures
from amnl_tune.search.ledger.models import EpochRow, RunRow, RunStatus
from amnl_tune.search.ledger.stored import stored_config, stored_spec
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.range_test import RangeTest
from amnl_tune.search.space import stored
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.trials import borrowed_storage

__all__ = [
    "RUN_COLUMNS",
    "epochs_frame",
    "history_frame",
    "importance_frame",
    "range_test_frame",
    "trials_frame",
]

RUN_COLUMNS = ("slot", "trial", "origin", "seed", "status", "value", "epochs_done", "seconds", "reason")
FEWEST_FOR_IMPORTANCE = 4
"""Complete trials; below that an importance is an accident."""


def trials_frame(ledger: Ledger, study: str, *, promotion: int = 0) -> pd.DataFrame:
    """One row a run, by slot: RUN_COLUMNS, then one column for each setting that the study searches.

    `value` is the validation RMSE in cycles (of a pruned trial, its best), `seconds` the wall time from the first claim
    to the end. A setting is missing where its condition did not hold, and in runs that have none yet.

    Raises:
        StudyError: unknown study.
    """
    spec = stored_spec(find_study(ledger, study))
    with ledger.read() as session:
        query = select(RunRow).where(RunRow.study == study, RunRow.promotion == promotion).order_by(RunRow.slot)
        runs = list(session.scalars(query))
    rows = [
        {
            "slot": run.slot,
            "trial": run.trial_number,
            "origin": str(run.origin),
            "seed": run.seed,
            "status": str(run.status),
            "value": run.value,
            "epochs_done": run.epochs_done,
            "seconds": run.finished_at - run.started_at if run.finished_at and run.started_at else None,
            "reason": run.reason,
        }
        for run in runs
    ]
    settings = pd.DataFrame([_searched(run, spec) for run in runs], columns=list(spec.space.names))
    return pd.concat([pd.DataFrame(rows, columns=list(RUN_COLUMNS)), settings], axis=1)


def _searched(run: RunRow, spec: StudySpec) -> dict[str, Any]:
    if not run.config:
        return {}
    config = stored_config(run).plain()
    return {name: stored(config[name]) for name in spec.space.active(config)}


def epochs_frame(ledger: Ledger, study: str, *, promotion: int = 0) -> pd.DataFrame:
    """One row an epoch of every run: what it belongs to, its number, RMSE (cycles), raw losses, rate, seconds."""
    with ledger.read() as session:
        query = (
            select(RunRow, EpochRow)
            .join(EpochRow, EpochRow.run == RunRow.id)
            .where(RunRow.study == study, RunRow.promotion == promotion)
            .order_by(RunRow.slot, EpochRow.number)
        )
        rows = [
            {
                "trial": run.trial_number,
                "origin": str(run.origin),
                "seed": run.seed,
                "status": str(run.status),
                "number": epoch.number,
                "validation_rmse": epoch.validation_rmse,
                "best_validation_rmse": epoch.best_validation_rmse,
                "train_rul_loss": epoch.train_rul_loss,
                "train_health_loss": epoch.train_health_loss,
                "learning_rate": epoch.learning_rate,
                "seconds": epoch.seconds,
            }
            for run, epoch in session.execute(query)
        ]
    columns = ["trial", "origin", "seed", "status", "number", "validation_rmse", "best_validation_rmse",
               "train_rul_loss", "train_health_loss", "learning_rate", "seconds"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def history_frame(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials with a value by number, with `epochs_spent` up to each and the running `best` of the complete ones."""
    history = trials.dropna(subset=["trial", "value"]).sort_values("trial").reset_index(drop=True)
    complete = history["value"].where(history["status"] == RunStatus.COMPLETE)
    return history.assign(epochs_spent=history["epochs_done"].cumsum(), best=complete.cummin().ffill())


def importance_frame(ledger: Ledger, study: str) -> pd.DataFrame:
    """How much each setting decides among complete trials, by Optuna (PED-ANOVA): setting, importance, largest first.

    Empty while there are few complete trials, and where Optuna's study is gone.
    """
    empty = pd.DataFrame({"setting": pd.Series(dtype=str), "importance": pd.Series(dtype=float)})
    with warnings.catch_warnings(), storage_failures(ledger.url), borrowed_storage(ledger) as storage:
        warnings.simplefilter("ignore")  # Optuna's, about experiments and about settings that few trials had
        try:
            page = optuna.load_study(study_name=study, storage=storage)
        except KeyError:
            return empty
        if len(page.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < FEWEST_FOR_IMPORTANCE:
            return empty
        importances = optuna.importance.get_param_importances(page)
    return pd.DataFrame({"setting": list(importances), "importance": list(importances.values())})


def range_test_frame(test: RangeTest) -> pd.DataFrame:
    """learning_rate and loss, one row an iteration."""
    return pd.DataFrame({"learning_rate": test.curve.lr, "loss": test.curve.loss})
