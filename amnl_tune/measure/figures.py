"""Figures of profiles, benchmarks and plans: each a pure function from a frame."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from amnl_tune.files import write_content
from amnl_tune.measure.plan.plan import Plan
from amnl_tune.results.style import BLUE, GREEN, GREY, ORANGE, PALETTE, blank_figure

FAMILIES = {"published": GREY, "strong": ORANGE, "ours": BLUE}


def shares_figure(shares: pd.DataFrame) -> go.Figure:
    """Shares of an epoch beside the published ones. From `profile.shares_frame`."""
    figure = blank_figure("", "share of an epoch")
    for column, name, colour in (("share", "this run", BLUE), ("published", "published", GREY)):
        figure.add_bar(
            x=shares["phase"],
            y=shares[column],
            name=name,
            marker={"color": colour},
            text=[f"{share:.0%}" for share in shares[column]],
            hovertemplate="%{x}: %{y:.1%}<extra></extra>",
        )
    return figure.update_yaxes(tickformat=".0%")


def ratios_figure(rows: pd.DataFrame) -> go.Figure:
    """How many times as quick as the published recipe, one bar a measured row. From `frames.training_frame`."""
    measured = rows.dropna(subset=["ratio"]).iloc[::-1]
    figure = blank_figure("times as quick as the published recipe", "")
    figure.add_bar(
        x=measured["ratio"],
        y=measured["name"],
        orientation="h",
        marker={"color": [FAMILIES[family] for family in measured["family"]]},
        text=[f"{ratio:.2f}" for ratio in measured["ratio"]],
    )
    figure.add_vline(x=1.0, line={"color": GREY, "dash": "dot"})
    figure.update_yaxes(automargin=True)
    return figure.update_layout(height=120 + 40 * len(measured))


def inference_figure(rows: pd.DataFrame) -> go.Figure:
    """Samples a second by batch size. From `frames.inference_frame`."""
    figure = blank_figure("batch size", "windows a second")
    for column, name, colour in (("ours", "ours", GREEN), ("plain", "plain eager FP32 loop", GREY)):
        figure.add_scatter(
            x=rows["batch_size"], y=rows[column], mode="lines+markers", name=name, line={"color": colour}
        )
    figure.update_xaxes(type="log", tickvals=list(rows["batch_size"]))
    return figure.update_yaxes(type="log")


def write_figures(figures: Sequence[tuple[str, go.Figure]], path: Path) -> None:
    """One offline HTML file with every figure under its title. Raises StorageError."""
    parts = [
        figure.update_layout(title=title, margin={"t": 90}).to_html(full_html=False, include_plotlyjs=place == 0)
        for place, (title, figure) in enumerate(figures)
    ]
    page = f'<!doctype html><meta charset="utf-8"><title>{figures[0][0]}</title><body>{"".join(parts)}</body>'
    write_content(path, page.encode())


SYMBOLS = ("star", "circle", "square", "diamond", "triangle-up", "cross", "x")
"""With the palette no two machines look alike."""
READING = (
    "A point is a number of workers (the number beside it), a bar the least to the most wall time.<br>"
    "Open symbols: each promoted run on all GPUs (DDP)."
)


def plan_frame(plan: Plan) -> pd.DataFrame:
    """One row a machine, number of workers and way of promotion (`ddp`); more workers than it has cores are left out.

    Wall time in hours; cost in the price's currency, NaN where unknown.
    """
    points = [(row, row.wall, row.cost, False) for row in plan.rows if row.at_once == row.workers]
    points += [(row, row.ddp_wall, row.ddp_cost, True) for row in plan.rows if row.ddp_wall]
    nothing = (float("nan"),) * 3
    return pd.DataFrame(
        [
            (row.machine, row.workers, ddp, *wall.times(1 / 3600), *(cost or nothing))
            for row, wall, cost, ddp in points
        ],
        columns=[
            "machine", "workers", "ddp", "hours_low", "hours", "hours_high", "cost_low", "cost", "cost_high"
        ],
    )  # fmt: skip


def plan_figure(frame: pd.DataFrame, currency: str) -> go.Figure:
    """A line a machine, a point a number of workers, bars from the least to the most wall time; DDP with open symbols.

    A machine without a price is at the foot. From `plan_frame`; `currency` is of its costs.
    """
    figure = blank_figure("wall time (hours)", f"cost ({currency})")
    priced = frame["cost"][frame["cost"] > 0]
    foot = priced.min() / 3 if len(priced) else 1.0
    places = {machine: place for place, machine in enumerate(frame["machine"].unique())}
    for (machine, ddp), own in frame.groupby(["machine", "ddp"], sort=False):
        known = bool(own["cost"].notna().all())
        colour = PALETTE[places[machine] % len(PALETTE)]
        symbol = SYMBOLS[places[machine] % len(SYMBOLS)] + ("-open" if ddp else "")
        costs = f", %{{y:.3g}} {currency} (%{{customdata[2]:.3g}} - %{{customdata[3]:.3g}})" if known else ""
        around = {"array": own["hours_high"] - own["hours"], "arrayminus": own["hours"] - own["hours_low"]}
        figure.add_scatter(
            x=own["hours"],
            y=own["cost"].fillna(foot),
            error_x=None if ddp else {"symmetric": False, "thickness": 0.5, "width": 0, "color": colour, **around},
            mode="lines+markers+text",
            text=own["workers"],
            textposition="top center",
            name=f"{machine}{'' if known else ' (no price)'}{', DDP' if ddp else ''}",
            line={"color": colour, "width": 1, "dash": "dot" if ddp else "solid"},
            marker={"color": colour, "size": 10, "symbol": symbol},
            customdata=own[["hours_low", "hours_high", "cost_low", "cost_high"]],
            hovertemplate="%{text} workers: %{x:.3g} h (%{customdata[0]:.3g} - %{customdata[1]:.3g})"
            + f"{costs}<extra></extra>",
        )
    figure.add_annotation(
        text=READING, xref="paper", yref="paper", x=0, y=-0.19, yanchor="top", showarrow=False, align="left"
    )
    figure.update_layout(height=600, margin={"l": 70, "r": 20, "t": 150, "b": 110}, legend_title_text="machine")
    ticks = {"type": "log", "dtick": "D2", "exponentformat": "none"}
    return figure.update_xaxes(**ticks).update_yaxes(**ticks)


def write_plan(plan: Plan, path: Path) -> None:
    """One offline HTML file. Raises StorageError."""
    title = f"{plan.study}: cost against wall time, by number of workers"
    figure = plan_figure(plan_frame(plan), plan.currency).update_layout(title=title)
    write_content(path, figure.to_html(include_plotlyjs=True).encode())
