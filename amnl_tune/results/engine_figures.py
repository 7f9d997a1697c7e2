"""Figures of the test engines: each a pure function from a frame of `engine_frames`."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from amnl_tune.results.style import BLUE, GREEN, GREY, LOG_FROM, ORANGE, blank_figure, styled

MOST_ENGINES = 30
TIMING = {"early": BLUE, "late": ORANGE}


def scatter_figure(engines: pd.DataFrame) -> go.Figure:
    """Predicted against true RUL, early and late warnings apart; on the line is right."""
    figure = blank_figure("true RUL (cycles, capped at 125)", "predicted RUL (cycles)")
    figure.add_scatter(x=[0, 125], y=[0, 125], mode="lines", line={"color": GREY, "dash": "dash"}, name="right")
    for timing, colour in TIMING.items():
        own = engines[engines["timing"] == timing]
        figure.add_scatter(
            x=own["true"],
            y=own["predicted"],
            mode="markers",
            name=f"{timing} ({len(own)})",
            marker={"color": colour, "size": 8, "symbol": "circle" if timing == "early" else "triangle-up"},
            text=own["unit"],
            hovertemplate="engine %{text}: %{y:.0f} instead of %{x:.0f}<extra></extra>",
        )
    return figure


def bands_figure(bands: pd.DataFrame) -> go.Figure:
    """RMSE and bias by band of the true RUL."""
    figure = blank_figure("true RUL (cycles)", "error (cycles)")
    names = [f"{row.band}<br>{row.engines} engines" for row in bands.itertuples()]
    figure.add_bar(x=names, y=bands["rmse"], name="RMSE", marker={"color": BLUE})
    figure.add_bar(x=names, y=bands["bias"], name="bias (above 0: too late)", marker={"color": ORANGE})
    return figure


def penalties_figure(penalties: pd.DataFrame) -> go.Figure:
    """Each engine's part of the NASA score, the largest first: a late warning costs more than an early one."""
    figure = blank_figure("test engines, costliest first", "part of the NASA score")
    few = penalties.head(MOST_ENGINES)
    for timing, colour in TIMING.items():
        own = few[few["timing"] == timing]
        share = penalties.loc[penalties["timing"] == timing, "share"].sum()
        figure.add_bar(
            x=[str(unit) for unit in own["unit"]],
            y=own["penalty"],
            name=f"{timing}: {share:.0%} of the score",
            marker={"color": colour, "pattern": {"shape": "" if timing == "early" else "/"}},
            text=own["error"],
            hovertemplate="engine %{x}: %{y:.1f} (%{text:+.0f} cycles)<extra></extra>",
            textposition="none",
        )
    order = [str(unit) for unit in few["unit"]]
    return figure.update_xaxes(type="category", categoryorder="array", categoryarray=order)


def health_figure(health: pd.DataFrame) -> go.Figure:
    """The confusion matrix, engines; each cell says its number, dark on light or white on dark on any page."""
    figure = blank_figure("predicted", "true")
    figure.add_heatmap(
        x=list(health.columns),
        y=list(health.index),
        z=health.to_numpy(),
        colorscale=[(0, "#EAF2F8"), (1, BLUE)],  # opaque: the numbers' colour is chosen by it
        showscale=False,
        text=health.to_numpy(),
        texttemplate="%{text}",
        textfont={"size": 16},
        hovertemplate="%{y}, predicted %{x}: %{z} engines<extra></extra>",
    )
    return figure.update_yaxes(autorange="reversed")


def lives_figure(lives: pd.DataFrame) -> go.Figure:
    """The worst engines' whole lives: predicted and true RUL by cycle, a panel each."""
    units = list(lives["unit"].drop_duplicates())
    columns = min(3, max(1, len(units)))
    rows = -(-len(units) // columns)
    figure = make_subplots(rows=rows, cols=columns, subplot_titles=[f"engine {unit}" for unit in units])
    styled(figure, "", "")
    for place, unit in enumerate(units):
        own, at = lives[lives["unit"] == unit], {"row": place // columns + 1, "col": place % columns + 1}
        for name, colour in (("true", ORANGE), ("predicted", BLUE)):
            figure.add_scatter(
                x=own["cycle"],
                y=own[name],
                mode="lines",
                name=f"{name} RUL",
                legendgroup=name,
                showlegend=place == 0,
                line={"color": colour, "dash": "dash" if name == "true" else "solid"},
                **at,
            )
        figure.update_xaxes(title="cycle", title_standoff=5, **at)
        if at["col"] == 1:
            figure.update_yaxes(title="RUL (cycles)", **at)
    return figure.update_layout(height=230 * rows + 90, legend={"y": 1.1})


def promotion_figure(promotion: pd.DataFrame) -> go.Figure:
    """Every candidate with its intervals, the choice green; RMSE beside the NASA score, log if its span is wide."""
    metrics = list(promotion["metric"].drop_duplicates())
    figure = make_subplots(rows=1, cols=max(1, len(metrics)))
    styled(figure, "", "")
    for column, metric in enumerate(metrics, start=1):
        own = promotion[promotion["metric"] == metric]
        figure.add_scatter(
            x=own["value"],
            y=own["who"],
            mode="markers",
            marker={"size": 12, "color": [GREEN if chosen else ORANGE for chosen in own["chosen"]]},
            error_x={
                "array": own["high"] - own["value"],
                "arrayminus": own["value"] - own["low"],
                "color": GREY,
                "thickness": 2,
            },
            hovertemplate="%{y}: %{x:.2f}<extra></extra>",
            showlegend=False,
            row=1,
            col=column,
        )
        known = own[["value", "low", "high"]].replace(np.inf, np.nan)
        log = known.min(axis=None) > 0 and known.max(axis=None) > LOG_FROM * known.min(axis=None)
        unit = " (cycles)" if metric == "RMSE" else ""
        figure.update_xaxes(title=f"test {metric}{unit}", type="log" if log else "linear", row=1, col=column)
        figure.update_yaxes(showticklabels=column == 1, automargin=True, row=1, col=column)
    return figure.update_yaxes(autorange="reversed").update_layout(height=160 + 40 * promotion["who"].nunique())


def prediction_figure(engines: pd.DataFrame) -> go.Figure:
    """Predicted and true RUL of each test engine, in order of the true one. From `engine_frames.engines_frame`."""
    figure = blank_figure("test engines, longest-lived first", "RUL (cycles)")
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
