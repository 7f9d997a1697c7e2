"""What the test engines have shown, as pandas frames. RUL and errors in cycles; error = predicted - true."""

import numpy as np
import pandas as pd

from amnl_tune.results.leaderboard import REFERENCES, leaderboard
from amnl_tune.rul.metrics import nasa_penalty
from amnl_tune.rul.network import HEALTH_CLASSES, health_names
from amnl_tune.search.scores import TestScores

__all__ = ["bands_frame", "engines_frame", "health_frame", "lives_frame", "penalties_frame", "promotion_frame"]

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
