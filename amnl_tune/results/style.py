"""How figures look: palette, axes, sizes."""

import math
from collections.abc import Iterable

import pandas as pd
import plotly.graph_objects as go

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#888888"
PALETTE = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", GREY)
RMSE = "validation RMSE (cycles)"
BEYOND = 3.0
"""Values above so many medians are off the axis: one diverged run would flatten all others."""
LOG_FROM = 20.0
"""Ratio of a setting's ends from which its axis is logarithmic."""


def blank_figure(x: str, y: str) -> go.Figure:
    """Axes with titles in the common style, nothing drawn yet."""
    return styled(go.Figure(), x, y)


def styled(figure: go.Figure, x: str, y: str) -> go.Figure:
    """The figure in the common style, its axes with these titles."""
    figure.update_layout(
        template="none",
        height=380,
        margin={"l": 60, "r": 20, "t": 30, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(title=x, gridcolor="#8884", zeroline=False, automargin=True)
    return figure.update_yaxes(title=y, gridcolor="#8884", zeroline=False, automargin=True)


def focused(figure: go.Figure, values: Iterable[float | None]) -> go.Figure:
    """The same, its axis cut above a few medians of the values where some are beyond that."""
    known = pd.Series(list(values), dtype=float).dropna()
    limit = BEYOND * float(known.median()) if len(known) else math.inf
    if len(known) and known.max() > limit:
        inside = known[known <= limit]
        figure.update_yaxes(range=[max(0.0, inside.min() - 0.05 * inside.max()), 1.05 * inside.max()])
    return figure
