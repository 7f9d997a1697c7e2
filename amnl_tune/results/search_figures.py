"""Figures of how a search went: slices, workers, epochs spent. Each a pure function from a frame."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from amnl_tune.results.frames import RUN_COLUMNS
from amnl_tune.results.style import BLUE, GREEN, GREY, LOG_FROM, ORANGE, RMSE, blank_figure, focused, styled

OUTCOMES = {"finished": GREEN, "released": BLUE, "failed": ORANGE, "vanished": "#CC79A7", "under way": GREY}
COLUMNS = 3


def spending_figure(history: pd.DataFrame) -> go.Figure:
    """Values and the running best against the epochs spent. From `frames.history_frame`."""
    figure = blank_figure("epochs spent on trials", RMSE)
    for status, colour, opacity in (("complete", BLUE, 1.0), ("pruned", GREY, 0.5)):
        own = history[history["status"] == status]
        figure.add_scatter(
            x=own["epochs_spent"],
            y=own["value"],
            mode="markers",
            name=status,
            marker={"color": colour, "size": 8, "opacity": opacity},
            text=own["trial"],
            hovertemplate="trial %{text}: %{y:.2f}<extra></extra>",
        )
    line = {"color": ORANGE, "shape": "hv"}
    figure.add_scatter(x=history["epochs_spent"], y=history["best"], mode="lines", name="best so far", line=line)
    return focused(figure, history["value"])


def slices_figure(trials: pd.DataFrame) -> go.Figure:
    """Value against each setting, a panel each; pruned trials faded. From `frames.trials_frame`."""
    known = trials.dropna(subset=["value"])
    names = [name for name in known.columns if name not in RUN_COLUMNS and known[name].nunique() > 1]
    rows = max(1, -(-len(names) // COLUMNS))
    figure = make_subplots(rows=rows, cols=COLUMNS, shared_yaxes=True)
    styled(figure, "", "")
    for place, name in enumerate(names):
        at = {"row": place // COLUMNS + 1, "col": place % COLUMNS + 1}
        for status, colour in (("pruned", GREY), ("complete", BLUE)):
            own = known[(known["status"] == status) & known[name].notna()]
            values = own[name] if pd.api.types.is_numeric_dtype(known[name]) else own[name].astype(str)
            marker = {"color": colour, "size": 7, "opacity": 0.4 if status == "pruned" else 1.0}
            figure.add_scatter(
                x=values, y=own["value"], mode="markers", name=status, legendgroup=status, showlegend=place == 0,
                marker=marker, text=own["trial"], hovertemplate="trial %{text}: %{y:.2f}<extra></extra>", **at,
            )  # fmt: skip
        log = {"type": "log", "exponentformat": "power"} if _wide(known[name]) else {}
        figure.update_xaxes(title=name, title_standoff=5, **log, **at)
        if at["col"] == 1:
            figure.update_yaxes(title=RMSE.replace(" ", "<br>", 1), **at)
    focused(figure, known["value"])
    return figure.update_layout(height=220 * rows + 80)


def _wide(values: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return False
    known = values.dropna()
    return bool(len(known) and known.min() > 0 and known.max() / known.min() >= LOG_FROM)


def timeline_figure(attempts: pd.DataFrame) -> go.Figure:
    """Who worked on what and when, a bar an attempt, by outcome. From `tables.attempts_frame`."""
    figure = blank_figure("time (UTC)", "")
    workers = {worker: f"worker {place}" for place, worker in enumerate(attempts["worker"].drop_duplicates(), start=1)}
    last = attempts[["started_at", "ended_at"]].max(axis=None) if len(attempts) else 0.0
    shown = attempts.assign(
        lane=attempts["worker"].map(workers),
        outcome=attempts["outcome"].fillna("under way"),
        until=attempts["ended_at"].astype(float).fillna(last),
    )
    for outcome, colour in OUTCOMES.items():
        own = shown[shown["outcome"] == outcome]
        if len(own):
            figure.add_bar(
                y=own["lane"],
                x=(own["until"] - own["started_at"]) * 1000,
                base=[datetime.fromtimestamp(at, UTC).isoformat() for at in own["started_at"]],
                orientation="h",
                name=outcome,
                marker={"color": colour, "line": {"color": "white", "width": 0.5}},
                text=[_what(run) for run in own.to_dict("records")],
                textposition="none",
                hovertemplate="%{text}<extra></extra>",
            )
    figure.update_xaxes(type="date")
    figure.update_yaxes(automargin=True, autorange="reversed")
    return figure.update_layout(barmode="overlay", showlegend=True, height=140 + 34 * max(1, len(workers)))


def _what(run: dict[Any, Any]) -> str:
    what = f"promotion {run['promotion']}, seed {run['seed']}, " if run["promotion"] else ""
    return f"{what}trial {run['trial']} on {run['host']}: {run['outcome']}"
