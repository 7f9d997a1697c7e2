"""Cost against wall time over machines: a frame from a plan, and a pure figure of it."""

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from amnl_tune.files import write_content
from amnl_tune.results.planning.interval import Interval
from amnl_tune.results.planning.plan import Plan, Row

__all__ = ["plan_figure", "plan_frame", "write_plan"]

COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#888888")
"""Okabe and Ito (2008), safe for the colour-blind; with the symbols below no two machines look alike."""
SYMBOLS = ("star", "circle", "square", "diamond", "triangle-up", "cross", "x")


def plan_frame(plan: Plan) -> pd.DataFrame:
    """One row a machine, number of workers and way of promotion (`ddp`); more workers than it has cores are left out.

    Wall time in hours; cost in the price's currency, NaN where unknown.
    """
    rows = []
    for row in plan.rows:
        if row.at_once == row.workers:
            rows.append(_point(row, row.wall, row.cost, ddp=False))
        if row.ddp_wall:
            rows.append(_point(row, row.ddp_wall, row.ddp_cost, ddp=True))
    frame = pd.DataFrame(rows)
    return frame.astype(dict.fromkeys(["cost_low", "cost", "cost_high"], float))


def _point(row: Row, wall: Interval, cost: Interval | None, *, ddp: bool) -> dict[str, object]:
    return {
        "machine": row.machine,
        "workers": row.workers,
        "ddp": ddp,
        "hours_low": wall.low / 3600,
        "hours": wall.expected / 3600,
        "hours_high": wall.high / 3600,
        "cost_low": cost.low if cost else None,
        "cost": cost.expected if cost else None,
        "cost_high": cost.high if cost else None,
    }


def plan_figure(frame: pd.DataFrame) -> go.Figure:
    """A line a machine, a point a number of workers, bars from the least to the most wall time; DDP with open symbols.

    A machine without a price is at the foot.
    """
    figure = go.Figure()
    priced = frame["cost"][frame["cost"] > 0]
    foot = priced.min() / 3 if len(priced) else 1.0
    places = {machine: place for place, machine in enumerate(frame["machine"].unique())}
    for (machine, ddp), own in frame.groupby(["machine", "ddp"], sort=False):
        known = bool(own["cost"].notna().all())
        colour = COLOURS[places[machine] % len(COLOURS)]
        symbol = SYMBOLS[places[machine] % len(SYMBOLS)] + ("-open" if ddp else "")
        costs = ", cost %{y:.3g} (%{customdata[2]:.3g} - %{customdata[3]:.3g})" if known else ""
        figure.add_scatter(
            x=own["hours"],
            y=own["cost"] if known else own["cost"].fillna(foot),
            error_x=None if ddp else _bars(own, colour),
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
    figure.update_layout(template="none", height=560, margin={"l": 70, "r": 20, "t": 130, "b": 60})
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    ticks = {"type": "log", "gridcolor": "#8884", "zeroline": False, "dtick": "D2", "exponentformat": "none"}
    figure.update_xaxes(title="wall time (hours)", **ticks)
    return figure.update_yaxes(title="cost (currency of the prices)", **ticks)


def _bars(own: pd.DataFrame, colour: str) -> dict[str, object]:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return {
        "type": "data",
        "symmetric": False,
        "array": own["hours_high"] - own["hours"],
        "arrayminus": own["hours"] - own["hours_low"],
        "color": f"rgba({red},{green},{blue},0.35)",
        "thickness": 1.5,
        "width": 0,
    }


def write_plan(plan: Plan, path: Path) -> None:
    """One offline HTML file. Raises StorageError."""
    title = f"{plan.study}: cost against wall time, by number of workers"
    page = plan_figure(plan_frame(plan)).update_layout(title=title).to_html(include_plotlyjs=True)
    write_content(path, page.encode())
