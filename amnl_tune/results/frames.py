"""The ledger as pandas frames: what figures and reports are drawn from."""

import warnings
from collections.abc import Collection
from typing import Any

import optuna
import pandas as pd
from sqlalchemy import ColumnElement, String, func, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from amnl_tune.search.ledger.engine import Ledger, storage_failures
from amnl_tune.search.ledger.models import EpochRow, RunRow, RunStatus
from amnl_tune.search.ledger.range_tests import RangeTest
from amnl_tune.search.ledger.stored import read_config, stored_spec
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.own_trials import CompleteTrials
from amnl_tune.search.space import stored
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.trials import borrowed_storage

__all__ = [
    "RUN_COLUMNS",
    "best_epochs",
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
    query = (
        select(RunRow.slot, RunRow.trial_number, _text(RunRow.origin), RunRow.seed, _text(RunRow.status), RunRow.value,
               RunRow.epochs_done, RunRow.started_at, RunRow.finished_at, RunRow.reason, RunRow.config)
        .where(RunRow.study == study, RunRow.promotion == promotion)
        .order_by(RunRow.slot)
    )  # fmt: skip
    with ledger.read() as session:
        runs = session.execute(query).all()
    rows = [
        (*told, finished - started if finished and started else None, reason)
        for *told, started, finished, reason, _ in runs
    ]
    settings = pd.DataFrame([_searched(run[-1], spec, slot=run[0]) for run in runs], columns=list(spec.space.names))
    return pd.concat([pd.DataFrame(rows, columns=list(RUN_COLUMNS)), settings], axis=1)


def _text(column: InstrumentedAttribute[Any]) -> ColumnElement[str]:
    """A word as it is stored: of many rows, the words themselves take long to look up."""
    return type_coerce(column, String)


def _searched(config: str | None, spec: StudySpec, slot: int) -> dict[str, Any]:
    if not config:
        return {}
    values = read_config(config, spec.name, slot).plain()
    return {name: stored(values[name]) for name in spec.space.active(values)}


def epochs_frame(
    ledger: Ledger, study: str, *, promotion: int = 0, trials: Collection[int] | None = None
) -> pd.DataFrame:
    """One row an epoch of every run: what it belongs to, its number, RMSE (cycles), raw losses, rate, seconds.

    Args:
        ledger: our tables. study: its name.
        promotion: whose runs; 0: the search's.
        trials: of these alone; None: of all.
    """
    query = (
        select(RunRow.trial_number, _text(RunRow.origin), RunRow.seed, _text(RunRow.status), EpochRow.number,
               EpochRow.validation_rmse, EpochRow.best_validation_rmse, EpochRow.train_rul_loss,
               EpochRow.train_health_loss, EpochRow.learning_rate, EpochRow.seconds)
        .join(EpochRow, EpochRow.run == RunRow.id)
        .where(RunRow.study == study, RunRow.promotion == promotion)
        .order_by(RunRow.slot, EpochRow.number)
    )  # fmt: skip
    if trials is not None:
        query = query.where(RunRow.trial_number.in_(trials))
    columns = ["trial", "origin", "seed", "status", "number", "validation_rmse", "best_validation_rmse",
               "train_rul_loss", "train_health_loss", "learning_rate", "seconds"]  # fmt: skip
    with ledger.read() as session:
        return pd.DataFrame([tuple(row) for row in session.execute(query)], columns=columns)


def best_epochs(ledger: Ledger, study: str) -> pd.Series:
    """Lowest validation RMSE (cycles) of each trial that has an epoch, by its number; best first."""
    query = (
        select(RunRow.trial_number, func.min(EpochRow.validation_rmse))
        .join(EpochRow, EpochRow.run == RunRow.id)
        .where(RunRow.study == study, RunRow.promotion == 0, RunRow.trial_number.is_not(None))
        .group_by(RunRow.trial_number)
        .order_by(RunRow.trial_number)
    )
    with ledger.read() as session:
        found = session.execute(query).all()
    return pd.Series([row[1] for row in found], index=[row[0] for row in found], dtype=float).sort_values()


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
            page = CompleteTrials(ledger, study, storage)
        except KeyError:
            return empty
        if len(page.get_trials()) < FEWEST_FOR_IMPORTANCE:
            return empty
        importances = optuna.importance.get_param_importances(page)
    return pd.DataFrame({"setting": list(importances), "importance": list(importances.values())})


def range_test_frame(test: RangeTest) -> pd.DataFrame:
    """learning_rate and loss, one row an iteration."""
    return pd.DataFrame({"learning_rate": test.curve.lr, "loss": test.curve.loss})
