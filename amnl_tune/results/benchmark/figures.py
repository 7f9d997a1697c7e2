"""Figures of profiles and benchmarks: each a pure function from a frame."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from amnl_tune.files import write_content
from amnl_tune.results.figures import BLUE, GREEN, GREY, ORANGE, blank_figure

__all__ = ["inference_figure", "ratios_figure", "shares_figure", "write_figures"]

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
