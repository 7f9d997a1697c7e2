"""Several studies, or data sets, side by side."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from amnl_tune.database.engine import Ledger
from amnl_tune.files import write_content
from amnl_tune.ledger.studies import find_study
from amnl_tune.promotion.scores import CandidateKind
from amnl_tune.results import sentences
from amnl_tune.results.facts import summarize
from amnl_tune.results.frames import history_frame, trials_frame
from amnl_tune.results.report import below, drawn, page, table
from amnl_tune.results.style import PALETTE, RMSE, blank_figure

COLUMNS = ("study", "dataset", "trials", "epochs", "validation_rmse", "test_rmse", "test_rmse_low", "test_rmse_high",
           "nasa_score", "nasa_score_low", "nasa_score_high", "published_defaults_test_rmse", "boosting_test_rmse",
           "choice", "choice_test_rmse", "choice_test_rmse_low", "choice_test_rmse_high", "looks_at_test",
           "against_boosting", "boosting_against_choice", "verdict")  # fmt: skip


def comparison_frame(ledger: Ledger, studies: Sequence[str]) -> pd.DataFrame:
    """One row a study, COLUMNS; RMSE in cycles. What has not been measured is missing.

    Raises:
        StudyError: unknown study.
    """
    return pd.DataFrame([_row(summarize(find_study(ledger, study))) for study in studies], columns=list(COLUMNS))


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
    boosting = next((row for row in promotion["leaderboard"] if row["kind"] == CandidateKind.BOOSTING), None)
    return row | {
        "validation_rmse": winner["validation_rmse"],
        "test_rmse": winner["test_rmse"],
        "test_rmse_low": rmse.get("low"),
        "test_rmse_high": rmse.get("high"),
        "nasa_score": winner["nasa_score"],
        "nasa_score_low": nasa.get("low"),
        "nasa_score_high": nasa.get("high"),
        "published_defaults_test_rmse": defaults["test_rmse"] if defaults else None,
        "boosting_test_rmse": boosting["test_rmse"] if boosting else None,
        "choice": chosen["kind"],
        "choice_test_rmse": chosen["test_rmse"],
        "choice_test_rmse_low": chosen["test_rmse_low"],
        "choice_test_rmse_high": chosen["test_rmse_high"],
        "looks_at_test": promotion["looks_at_test"],
        "against_boosting": (promotion["against_boosting"] or {}).get("words"),
        "boosting_against_choice": ((boosting or {}).get("against_choice") or {}).get("words"),
        "verdict": compared.get("words", "promoted"),
    }


def shown(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """Rows of text under HEADER; `network` is the best one, its figures and NASA score."""
    return [
        (
            row["study"],
            f"{row['dataset']} (simulated)" if _is_simulated(row["dataset"]) else row["dataset"],
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


def _is_simulated(dataset: str) -> bool:
    return dataset.startswith("SIM")


def _verdict(row: dict[Any, Any]) -> str:
    """The network against boosting and the published defaults, the choice against boosting; whole sentences."""
    verdict = row["verdict"]
    if not isinstance(row["choice"], str):
        return f"{verdict[0].upper()}{verdict[1:]}."
    said = [row["against_boosting"], _choice_against_boosting(row)]
    if verdict.startswith("the published defaults"):
        said.append(f"{verdict[0].upper()}{verdict[1:]}.")
    elif verdict != "promoted":
        said.append(f"The tuned network against the published defaults: {verdict}.")
    return " ".join(text for text in said if isinstance(text, str)) or "Promoted."


def _choice_against_boosting(row: dict[Any, Any]) -> str | None:
    if row["choice"] == CandidateKind.BOOSTING:
        return "The validation engines chose gradient boosting itself."
    words = row["boosting_against_choice"]
    return f"Gradient boosting against the choice ({row['choice']}): {words}." if isinstance(words, str) else None


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
    parts = [history_frame(trials_frame(find_study(ledger, study))).assign(study=study) for study in studies]
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
    rows = shown(frame)
    simulated = any(map(_is_simulated, frame["dataset"]))
    body = [
        f"<h1>{title}</h1><p>{html.escape(', '.join(studies))}. RMSE in cycles, intervals 95%. In a difference plus "
        "means a larger error.</p>",
        f'<p class="warning">{html.escape(sentences.SIMULATED)}</p>' if simulated else "",
        table(HEADER[:-1], ([below(cell) for cell in row[:-1]] for row in rows), folding=True),
        *(f"<p><b>{html.escape(row[0])}</b>: {html.escape(row[-1])}</p>" for row in rows),
        drawn("Best so far against epochs spent", progress_figure(progress_frame(ledger, studies))),
    ]
    write_content(path, page(title, "\n".join(body)).encode())
