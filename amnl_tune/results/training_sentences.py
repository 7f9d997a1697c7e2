"""Sentences about the training of a promotion's full runs: pure functions of `facts.full_runs`' rows."""

from collections.abc import Mapping, Sequence
from typing import Any

PATIENCE = 15
"""Of the recipe's early stopping (amnl), in epochs."""
WORSE = 1.05
"""Last RMSE / best RMSE from which the epochs in between were not noise."""

Run = Mapping[str, Any]


def stopped_early(runs: Sequence[Run]) -> str:
    """What early stopping has spared the full runs; empty where it ended none."""
    spared = [run for run in runs if run["last_epoch"] < run["allowed_epochs"]]
    if not spared:
        return ""
    allowed = sum(run["allowed_epochs"] for run in runs)
    left = sum(run["allowed_epochs"] - run["last_epoch"] for run in spared)
    seconds = sum((run["allowed_epochs"] - run["last_epoch"]) * run["seconds"] for run in spared)
    share = seconds / (sum(run["allowed_epochs"] * run["seconds"] for run in runs) or 1.0)
    return (
        f"Early stopping ended {len(spared)} of {len(runs)} full runs: {left} of {allowed} epochs were not run, "
        f"{share:.0%} of the time that all of them take."
    )


def trained_too_long(runs: Sequence[Run], *, winner: int | None) -> str:
    """That full runs were best long before their end, with the remedy; empty where none was. The winner's is told."""
    long = [run for run in runs if _outlived(run)]
    if not long:
        return ""
    one = max(long, key=lambda run: (run["trial"] == winner, run["last_rmse"] / run["best_rmse"]))
    spares = one["best_epoch"] + PATIENCE < one["last_epoch"]
    remedy = f"`patience = {PATIENCE}` or fewer `epochs`" if spares else "fewer `epochs`"
    likewise = f", and {len(long) - 1} more of {len(runs)} full runs likewise" if len(long) > 1 else ""
    return (
        f"Trained too long. Trial {one['trial']} with seed {one['seed']} was best in epoch {one['best_epoch']} of "
        f"{one['last_epoch']} ({one['best_rmse']:.2f} cycles on the validation engines, {one['last_rmse']:.2f} at the "
        f"end){likewise}; the best epoch's weights are used. Set {remedy} under `[promotion]`."
    )


def _outlived(run: Run) -> bool:
    """Whether nothing stopped a run that was best in its first half and is worse since."""
    if run["last_epoch"] < run["allowed_epochs"]:
        return False
    return bool(2 * run["best_epoch"] <= run["last_epoch"] and run["last_rmse"] > WORSE * run["best_rmse"])
