"""Several studies, or data sets, side by side."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from amnl_tune.files import write_content
from amnl_tune.results.figures import PALETTE, RMSE, blank_figure
from amnl_tune.results.frames import history_frame, trials_frame
from amnl_tune.results.report import drawn, page
from amnl_tune.results.report_tables import table
from amnl_tune.results.summary import summarize
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.scores import CandidateKind

__all__ = ["COLUMNS", "comparison_frame", "progress_figure", "progress_frame", "shown", "write_comparison"]

COLUMNS = ("study", "dataset", "trials", "epochs", "validation_rmse", "test_rmse", "test_rmse_low", "test_rmse_high",
           "nasa_score", "nasa_score_low", "nasa_score_high", "published_defaults_test_rmse", "boosting_test_rmse",
           "choice", "choice_test_rmse", "choice_test_rmse_low", "choice_test_rmse_high", "looks_at_test",
           "against_boosting", "verdict")  # fmt: skip


def comparison_frame(ledger: Ledger, studies: Sequence[str]) -> pd.DataFrame:
    """One row a study, COLUMNS; RMSE in cycles. What has not been measured is missing.

    Raises:
        StudyError: unknown study.
    """
    return pd.DataFrame([_row(summarize(ledger, study)) for study in studies], columns=list(COLUMNS))


def _row(facts: dict[str, Any]) -> dict[str, Any]:
    best, promotion = facts["best_trials"], facts["promotion"] or {}
    ended = sum(facts["trials"][state] for state in ("complete", "pruned", "fail"))
    row = {"study": facts["study"], "dataset": facts["dataset"], "trials": ended, "epochs": facts["epochs"]}
    row["validation_rmse"] = best[0]["validation_rmse"] if best else None
    if not promotion.get("scored"):
        return row | {"verdict": "not promoted" if best else "no complete trial"}
    winner, defaults, compared = promotion["winner"], promotion["published_defaults"], promotion["comparison"] or {}
    rmse, nasa = compared.get("winner_rmse", {}), compared.get("winner_nasa", {})
    chosen = promotion["choice"]
    boosting = [row["test_rmse"] for row in promotion["leaderboard"] if row["kind"] == CandidateKind.BOOSTING]
    return row | {
        "validation_rmse": winner["validation_rmse"],
        "test_rmse": winner["test_rmse"],
        "test_rmse_low": rmse.get("low"),
        "test_rmse_high": rmse.get("high"),
        "nasa_score": winner["nasa_score"],
        "nasa_score_low": nasa.get("low"),
        "nasa_score_high": nasa.get("high"),
        "published_defaults_test_rmse": defaults["test_rmse"] if defaults else None,
        "boosting_test_rmse": boosting[0] if boosting else None,
        "choice": chosen["kind"],
        "choice_test_rmse": chosen["test_rmse"],
        "choice_test_rmse_low": chosen["test_rmse_low"],
        "choice_test_rmse_high": chosen["test_rmse_high"],
        "looks_at_test": promotion["looks_at_test"],
        "against_boosting": (promotion["against_boosting"] or {}).get("words"),
        "verdict": compared.get("words", "promoted"),
    }


def shown(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Rows of text under HEADER; `network` is the best one, its figures and NASA score."""
    return [
        (
            row["study"],
            row["dataset"],
            str(row["trials"]),
            str(row["epochs"]),
            _figure(row, "validation_rmse", 2),
            _figure(row, "test_rmse", 2),
            _figure(row, "nasa_score", 0),
            _figure(row, "published_defaults_test_rmse", 2),
            _figure(row, "boosting_test_rmse", 2),
            _chosen(row),
            _verdict(row),
        )
        for row in frame.to_dict("records")
    ]


HEADER = ("study", "data set", "trials", "epochs", "network's validation RMSE", "network's test RMSE", "its NASA score",
          "defaults' test RMSE", "boosting's test RMSE", "the choice's test RMSE", "verdict")  # fmt: skip


def _verdict(row: dict[Any, Any]) -> str:
    """Against boosting, where there is any, then against the published defaults."""
    said = row["against_boosting"]
    return f"{said} Against the published defaults: {row['verdict']}" if isinstance(said, str) else row["verdict"]


def _chosen(row: dict[Any, Any]) -> str:
    """What the validation engines chose, and its test RMSE."""
    return f"{row['choice']} {_figure(row, 'choice_test_rmse', 2)}" if isinstance(row["choice"], str) else ""


def _figure(row: dict[Any, Any], name: str, digits: int) -> str:
    value, low, high = (row.get(name + end) for end in ("", "_low", "_high"))
    if value is None or pd.isna(value):
        return ""
    interval = "" if low is None or pd.isna(low) else f" [{low:.{digits}f}, {high:.{digits}f}]"
    return f"{value:.{digits}f}{interval}"


def progress_frame(ledger: Ledger, studies: Sequence[str]) -> pd.DataFrame:
    """study, epochs_spent, best: the running best validation RMSE (cycles) of each study."""
    parts = [history_frame(trials_frame(ledger, study)).assign(study=study) for study in studies]
    columns = ["study", "epochs_spent", "best"]
    return pd.concat([part[columns] for part in parts], ignore_index=True) if parts else pd.DataFrame(columns=columns)


def progress_figure(progress: pd.DataFrame) -> go.Figure:
    """The best so far against the epochs spent, a line a study. From `progress_frame`."""
    figure = blank_figure("epochs spent on trials", RMSE)
    for place, (study, own) in enumerate(progress.groupby("study", sort=False)):
        line = {
            "color": PALETTE[place % len(PALETTE)],
            "shape": "hv",
            "dash": "solid" if place < len(PALETTE) else "dot",
        }
        figure.add_scatter(x=own["epochs_spent"], y=own["best"], mode="lines", name=str(study), line=line)
    return figure


def write_comparison(ledger: Ledger, studies: Sequence[str], path: Path) -> None:
    """One self-contained HTML file. Raises StudyError, StorageError."""
    frame = comparison_frame(ledger, studies)
    title = "Studies side by side"
    body = [
        f"<h1>{title}</h1><p>{html.escape(', '.join(studies))}. RMSE in cycles, intervals 95%.</p>",
        table(HEADER, shown(frame), long=len(HEADER) - 1),
        drawn("Best so far against epochs spent", progress_figure(progress_frame(ledger, studies))),
    ]
    write_content(path, page(title, "\n".join(body)).encode())
