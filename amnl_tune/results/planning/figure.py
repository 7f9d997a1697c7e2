"""Cost against wall time over machines: a frame from a plan, and a pure figure of it."""

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from amnl_tune.files import write_content
from amnl_tune.results.planning.plan import Plan

__all__ = ["plan_figure", "plan_frame", "write_plan"]

COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#888888")
"""Okabe and Ito (2008), safe for the colour-blind; with the symbols below no two machines look alike."""
SYMBOLS = ("star", "circle", "square", "diamond", "triangle-up", "cross", "x")


def plan_frame(plan: Plan) -> pd.DataFrame:
    """One row a machine and number of workers; wall time in hours, cost in the price's currency, NaN where unknown."""
    rows = [
        {
            "machine": row.machine,
            "workers": row.workers,
            "hours_low": row.wall.low / 3600,
            "hours": row.wall.expected / 3600,
            "hours_high": row.wall.high / 3600,
            "cost_low": row.cost.low if row.cost else None,
            "cost": row.cost.expected if row.cost else None,
            "cost_high": row.cost.high if row.cost else None,
        }
        for row in plan.rows
    ]
    frame = pd.DataFrame(rows)
    costs = ["cost_low", "cost", "cost_high"]
    return frame.astype(dict.fromkeys(costs, float))


def plan_figure(frame: pd.DataFrame) -> go.Figure:
    """A line a machine, a point a number of workers, bars from low to high; at the foot who has no price."""
    figure = go.Figure()
    priced = frame["cost"][frame["cost"] > 0]
    foot = priced.min() / 10 if len(priced) else 1.0
    for place, (machine, own) in enumerate(frame.groupby("machine", sort=False)):
        known = bool(own["cost"].notna().all())
        cost = own["cost"] if known else own["cost"].fillna(foot)
        colour = COLOURS[place % len(COLOURS)]
        figure.add_scatter(
            x=own["hours"],
            y=cost,
            error_x=_bars(own, "hours"),
            error_y=_bars(own, "cost") if known else None,
            mode="lines+markers+text",
            text=own["workers"],
            textposition="top right",
            name=str(machine) if known else f"{machine} (no price)",
            line={"color": colour, "width": 1},
            marker={"color": colour, "size": 10, "symbol": SYMBOLS[place % len(SYMBOLS)]},
            hovertemplate="%{x:.3g} h" + (", %{y:.3g}" if known else "") + "<br>%{text} workers<extra></extra>",
        )
    figure.update_layout(template="none", height=560, margin={"l": 70, "r": 20, "t": 120, "b": 60})
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    figure.update_xaxes(title="wall time (hours)", type="log", gridcolor="#8884", zeroline=False)
    return figure.update_yaxes(title="cost (currency of the prices)", type="log", gridcolor="#8884", zeroline=False)


def _bars(own: pd.DataFrame, quantity: str) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": own[f"{quantity}_high"] - own[quantity],
        "arrayminus": own[quantity] - own[f"{quantity}_low"],
        "thickness": 1,
        "width": 0,
    }


def write_plan(plan: Plan, path: Path) -> None:
    """One offline HTML file. Raises StorageError."""
    title = f"{plan.study}: cost against wall time, by number of workers"
    page = plan_figure(plan_frame(plan)).update_layout(title=title).to_html(include_plotlyjs=True)
    write_content(path, page.encode())
