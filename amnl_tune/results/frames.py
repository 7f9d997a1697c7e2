"""What the ledger knows and what the test engines have shown, as pandas frames that figures are drawn from.

RUL and errors in cycles; error = predicted - true.
"""

import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
import optuna
import pandas as pd
from sqlalchemy import ColumnElement, String, func, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from amnl_tune.database.failures import storage_failures
from amnl_tune.database.models import EPOCH_FIGURES, AttemptRow, EpochRow, RunRow, RunStatus, WorkerRow
from amnl_tune.database.optuna_storage import borrowed_storage
from amnl_tune.ledger.own_trials import CompleteTrials
from amnl_tune.ledger.range_tests import RangeTest
from amnl_tune.ledger.stored import read_config
from amnl_tune.ledger.studies import Study
from amnl_tune.promotion.scores import TestScores
from amnl_tune.results.leaderboard import REFERENCES, leaderboard
from amnl_tune.rul.configuration import HEALTH_CLASSES
from amnl_tune.rul.metrics import nasa_penalty
from amnl_tune.rul.networks.amnl import health_names
from amnl_tune.studies.space import stored
from amnl_tune.studies.spec import StudySpec

RUN_COLUMNS = ("slot", "trial", "origin", "seed", "status", "value", "epochs_done", "seconds", "reason")
FEWEST_FOR_IMPORTANCE = 4
"""Complete trials; below that an importance is an accident."""


def trials_frame(study: Study, *, promotion: int = 0) -> pd.DataFrame:
    """One row a run, by slot: RUN_COLUMNS, then one column for each setting that the study searches.

    `value` is the validation RMSE in cycles (of a pruned trial, its best), `seconds` the wall time from the first claim
    to the end. A setting is missing where its condition did not hold, and in runs that have none yet.

    Raises:
        StudyError: unknown study.
    """
    spec = study.spec
    query = (
        select(RunRow.slot, RunRow.trial_number, _text(RunRow.origin), RunRow.seed, _text(RunRow.status), RunRow.value,
               RunRow.epochs_done, RunRow.started_at, RunRow.finished_at, RunRow.reason, RunRow.config)
        .where(RunRow.study == study.name, RunRow.promotion == promotion)
        .order_by(RunRow.slot)
    )  # fmt: skip
    with study.ledger.read() as session:
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


def epochs_frame(study: Study, *, promotion: int = 0, trials: Collection[int] | None = None) -> pd.DataFrame:
    """One row an epoch of every run: what it belongs to, its number, RMSE (cycles), raw losses, rate, seconds.

    Args:
        ledger: our tables. study: its name.
        promotion: whose runs; 0: the search's.
        trials: of these alone; None: of all.
    """
    of_epoch = ("number", *EPOCH_FIGURES, "seconds")
    query = (
        select(RunRow.trial_number, _text(RunRow.origin), RunRow.seed, _text(RunRow.status),
               *(getattr(EpochRow, name) for name in of_epoch))
        .join(EpochRow, EpochRow.run == RunRow.id)
        .where(RunRow.study == study.name, RunRow.promotion == promotion)
        .order_by(RunRow.slot, EpochRow.number)
    )  # fmt: skip
    if trials is not None:
        query = query.where(RunRow.trial_number.in_(trials))
    with study.ledger.read() as session:
        rows = [tuple(row) for row in session.execute(query)]
    return pd.DataFrame(rows, columns=["trial", "origin", "seed", "status", *of_epoch])


def best_epochs(study: Study) -> pd.Series:
    """Lowest validation RMSE (cycles) of each trial that has an epoch, by its number; best first."""
    query = (
        select(RunRow.trial_number, func.min(EpochRow.validation_rmse))
        .join(EpochRow, EpochRow.run == RunRow.id)
        .where(RunRow.study == study.name, RunRow.promotion == 0, RunRow.trial_number.is_not(None))
        .group_by(RunRow.trial_number)
        .order_by(RunRow.trial_number)
    )
    with study.ledger.read() as session:
        found = session.execute(query).all()
    return pd.Series([row[1] for row in found], index=[row[0] for row in found], dtype=float).sort_values()


def history_frame(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials with a value by number, with `epochs_spent` up to each and the running `best` of the complete ones."""
    history = trials.dropna(subset=["trial", "value"]).sort_values("trial").reset_index(drop=True)
    complete = history["value"].where(history["status"] == RunStatus.COMPLETE)
    return history.assign(epochs_spent=history["epochs_done"].cumsum(), best=complete.cummin().ffill())


def importance_frame(study: Study) -> pd.DataFrame:
    """How much each setting decides among complete trials, by Optuna (PED-ANOVA): setting, importance, largest first.

    Empty while there are few complete trials, and where Optuna's study is gone.
    """
    empty = pd.DataFrame({"setting": pd.Series(dtype=str), "importance": pd.Series(dtype=float)})
    with warnings.catch_warnings(), storage_failures(study.ledger.url), borrowed_storage(study.ledger) as storage:
        warnings.simplefilter("ignore")  # Optuna's, about experiments and about settings that few trials had
        try:
            page = CompleteTrials(study.ledger, study.name, storage)
        except KeyError:
            return empty
        if len(page.get_trials()) < FEWEST_FOR_IMPORTANCE:
            return empty
        importances = optuna.importance.get_param_importances(page)
    return pd.DataFrame({"setting": list(importances), "importance": list(importances.values())})


def range_test_frame(test: RangeTest) -> pd.DataFrame:
    """learning_rate and loss, one row an iteration."""
    return pd.DataFrame({"learning_rate": test.curve.lr, "loss": test.curve.loss})


BAND = 25


def engines_frame(scores: TestScores) -> pd.DataFrame:
    """One row a test engine: unit, true, predicted (by the choice), error, penalty (its part of the NASA score),
    timing (`late` warns too late); longest-lived first."""
    frame = pd.DataFrame({"unit": scores.units, "true": scores.true, "predicted": scores.chosen.predicted})
    frame["error"] = frame["predicted"] - frame["true"]
    frame["penalty"] = nasa_penalty(frame["error"].to_numpy(np.float64))
    frame["timing"] = np.where(frame["error"] > 0, "late", "early")
    return frame.sort_values("true", ascending=False, kind="stable").reset_index(drop=True).astype({"unit": np.int64})


def bands_frame(engines: pd.DataFrame) -> pd.DataFrame:
    """One row a band of 25 cycles of true RUL: band, engines, bias (mean error), rmse; from `engines_frame`."""
    low = (engines["true"] // BAND * BAND).clip(upper=100).astype(int)
    grouped = engines.assign(low=low).groupby("low")
    return pd.DataFrame(
        {
            "band": [f"{edge} to {edge + BAND}" for edge in sorted(set(low.tolist()))],
            "engines": grouped.size().to_numpy(),
            "bias": grouped["error"].mean().to_numpy(),
            "rmse": grouped["error"].agg(lambda error: float(np.sqrt((error**2).mean()))).to_numpy(),
        }
    )


def penalties_frame(engines: pd.DataFrame) -> pd.DataFrame:
    """Engines by their part of the NASA score, largest first: unit, timing, error, penalty, share; from
    `engines_frame`."""
    ordered = engines.sort_values("penalty", ascending=False, kind="stable").reset_index(drop=True)
    share = ordered["penalty"] / ordered["penalty"].sum()
    return ordered[["unit", "timing", "error", "penalty"]].assign(share=share)


def health_frame(scores: TestScores, thresholds: tuple[float, float]) -> pd.DataFrame:
    """Engines by true class (rows) and predicted class (columns), `unknown` where there are such; empty where no class
    was kept."""
    if scores.chosen.health is None:
        return pd.DataFrame()
    low, high = thresholds
    true = np.array(scores.true)
    classes = (true <= high).astype(int) + (true <= low).astype(int)
    predicted = health_names(scores.chosen.health)
    names = list(HEALTH_CLASSES)
    columns = pd.Index([*names, *sorted(set(predicted) - set(names))], name="predicted")
    counts = pd.crosstab(np.array(names)[classes], np.array(predicted))
    frame = counts.reindex(index=names, columns=columns, fill_value=0)
    return frame.rename_axis(index="true")


def lives_frame(scores: TestScores) -> pd.DataFrame:
    """The worst engines cycle by cycle: unit, cycle, true, predicted; empty where none was kept."""
    parts = [pd.DataFrame(life) for life in scores.lives]
    return (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["unit", "cycle", "true", "predicted"])
    )


def promotion_frame(scores: TestScores) -> pd.DataFrame:
    """Every candidate with 95% intervals: who, metric (`RMSE`, `NASA score`), value, low, high, chosen; references are
    left out. Empty in records that have no intervals."""
    rows = [
        (row["name"], metric, row[name], row[f"{name}_low"], row[f"{name}_high"], row["chosen"])
        for name, metric in (("test_rmse", "RMSE"), ("nasa_score", "NASA score"))
        for row in leaderboard(scores)
        if row["kind"] not in REFERENCES and row[f"{name}_low"] is not None
    ]
    return pd.DataFrame(rows, columns=["who", "metric", "value", "low", "high", "chosen"])


def attempts_frame(study: Study) -> pd.DataFrame:
    """One row a worker's turn at a run, by time: run, worker, host, from when to when (seconds since 1970), outcome."""
    columns = ["trial", "promotion", "seed", "worker", "host", "device", "started_at", "ended_at", "epochs_before",
               "epochs_after", "outcome", "reason"]  # fmt: skip
    with study.ledger.read() as session:
        query = (
            select(RunRow.trial_number, RunRow.promotion, RunRow.seed, AttemptRow.worker, WorkerRow.host,
                   WorkerRow.device, AttemptRow.started_at, AttemptRow.ended_at, AttemptRow.epochs_before,
                   AttemptRow.epochs_after, type_coerce(AttemptRow.outcome, String), AttemptRow.reason)
            .select_from(AttemptRow)
            .join(RunRow, RunRow.id == AttemptRow.run)
            .outerjoin(WorkerRow, WorkerRow.id == AttemptRow.worker)
            .where(RunRow.study == study.name)
            .order_by(AttemptRow.started_at)
        )  # fmt: skip
        rows = [tuple(row) for row in session.execute(query)]
    return pd.DataFrame(rows, columns=columns)
