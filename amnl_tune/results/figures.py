"""Figures: each a pure function from a frame to plotly. Colours: Okabe and Ito (2008), safe for the colour-blind."""

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from amnl_tune.files import write_content
from amnl_tune.results.frames import range_test_frame
from amnl_tune.search.range_test import RangeTest

__all__ = [
    "history_figure",
    "learning_curves_figure",
    "parallel_figure",
    "prediction_figure",
    "range_test_figure",
    "write_range_test",
]

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#888888"
RMSE = "validation RMSE (cycles)"


def history_figure(history: pd.DataFrame) -> go.Figure:
    """Values by trial with the running best; pruned trials faded. From `frames.history_frame`."""
    figure = _figure("trial", RMSE)
    for status, colour, opacity in (("complete", BLUE, 1.0), ("pruned", GREY, 0.5)):
        part = history[history["status"] == status]
        figure.add_scatter(
            x=part["trial"],
            y=part["value"],
            mode="markers",
            name=status,
            marker={"color": colour, "size": 9, "opacity": opacity},
            text=part["origin"],
            hovertemplate="trial %{x}: %{y:.2f}<br>%{text}<extra></extra>",
        )
    figure.add_scatter(
        x=history["trial"], y=history["best"], mode="lines", name="best so far", line={"color": ORANGE, "shape": "hv"}
    )
    return figure


def learning_curves_figure(epochs: pd.DataFrame) -> go.Figure:
    """Validation RMSE by epoch, one line a run; pruned ones faded. From `frames.epochs_frame`."""
    figure = _figure("epoch", RMSE)
    for (trial, seed), run in epochs.groupby(["trial", "seed"], sort=False):
        pruned = run["status"].iloc[0] == "pruned"
        incumbent = run["origin"].iloc[0] == "published defaults"
        figure.add_scatter(
            x=run["number"],
            y=run["validation_rmse"],
            mode="lines+markers" if len(run) == 1 else "lines",
            name=f"trial {trial}, seed {seed}" + (" (published defaults)" if incumbent else ""),
            line={"color": GREY if pruned else ORANGE if incumbent else BLUE, "width": 1 if pruned else 2},
            opacity=0.4 if pruned else 0.9,
            showlegend=not pruned,
        )
    return figure


def range_test_figure(test: RangeTest) -> go.Figure:
    """The LR range test's curve with what each rule suggests."""
    curve = range_test_frame(test)
    figure = _figure("learning rate", "loss (share of the first)")
    figure.add_scatter(x=curve["learning_rate"], y=curve["loss"], mode="lines", name="loss", line={"color": BLUE})
    for (rule, rate), colour in zip(test.suggested.items(), (ORANGE, GREEN, GREY), strict=True):
        if rate is not None:
            nearest = int((curve["learning_rate"] - rate).abs().to_numpy().argmin())
            figure.add_scatter(
                x=[rate],
                y=[curve["loss"].iloc[nearest]],
                mode="markers",
                name=f"{rule}: {rate:.2g}",
                marker={"color": colour, "size": 12, "symbol": "diamond"},
            )
    figure.update_xaxes(type="log", exponentformat="power")
    return figure


def prediction_figure(engines: pd.DataFrame) -> go.Figure:
    """Predicted and true RUL of each test engine, in order of the true one. From `frames.test_frame`."""
    figure = _figure("test engines, longest-lived first", "RUL (cycles)")
    order = list(range(len(engines)))
    figure.add_scatter(x=order, y=engines["true"], mode="lines", name="true (capped at 125)", line={"color": ORANGE})
    figure.add_scatter(
        x=order,
        y=engines["predicted"],
        mode="markers",
        name="predicted",
        marker={"color": BLUE, "size": 7},
        text=engines["unit"],
        hovertemplate="engine %{text}: %{y:.0f}<extra></extra>",
    )
    return figure


def parallel_figure(trials: pd.DataFrame) -> go.Figure:
    """Numeric settings in which trials differ, as parallel coordinates coloured by value (`frames.trials_frame`)."""
    judged = trials.dropna(subset=["value"])
    first = list(trials.columns).index("reason") + 1
    names = [name for name in trials.columns[first:] if pd.api.types.is_numeric_dtype(judged[name])]
    dimensions = [{"label": name, "values": judged[name]} for name in names if judged[name].notna().all()]
    figure = go.Figure(
        go.Parcoords(
            line={"color": judged["value"], "colorscale": "Cividis", "reversescale": True, "showscale": True},
            dimensions=[*dimensions, {"label": RMSE, "values": judged["value"]}],
        )
    )
    return figure.update_layout(template="none", height=380, margin={"l": 70, "r": 30, "t": 60, "b": 30})


def write_range_test(test: RangeTest, path: Path) -> None:
    """One offline HTML file with the range test's curve. Raises StorageError."""
    page = range_test_figure(test).update_layout(title="LR range test").to_html(include_plotlyjs=True)
    write_content(path, page.encode())


def _figure(x: str, y: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="none",
        height=380,
        margin={"l": 60, "r": 20, "t": 30, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(title=x, gridcolor="#8884", zeroline=False)
    return figure.update_yaxes(title=y, gridcolor="#8884", zeroline=False)
