"""Figures: each a pure function from a frame to plotly. Colours: Okabe and Ito (2008), safe for the colour-blind."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from amnl_tune.files import write_content
from amnl_tune.ledger.range_tests import RangeTest
from amnl_tune.results.frames import RUN_COLUMNS, range_test_frame
from amnl_tune.results.style import BLUE, GREEN, GREY, LOG_FROM, ORANGE, PALETTE, RMSE, blank_figure, focused

PUBLISHED = "published defaults"

MOST_NAMES = 10
MOST_LINES = 100

FEW = 5
"""Different numbers up to which each is a tick of its own."""


def history_figure(history: pd.DataFrame) -> go.Figure:
    """Values by trial with the running best; pruned trials faded. From `frames.history_frame`."""
    figure = blank_figure("trial", RMSE)
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
    return focused(figure, history["value"])


def learning_curves_figure(epochs: pd.DataFrame) -> go.Figure:
    """Validation RMSE by epoch, a line a run; pruned ones faded, published defaults orange (`frames.epochs_frame`)."""
    figure = blank_figure("epoch", RMSE)
    ends = epochs.drop_duplicates(["trial", "seed"])
    few = (ends["status"] != "pruned").sum() <= MOST_NAMES
    for (trial, seed), run in epochs.groupby(["trial", "seed"], sort=False):
        pruned = run["status"].iloc[0] == "pruned"
        incumbent = run["origin"].iloc[0] == PUBLISHED
        faded = pruned and not incumbent
        figure.add_scatter(
            x=run["number"],
            y=run["validation_rmse"],
            mode="lines+markers" if len(run) == 1 else "lines",
            name=f"trial {trial}, seed {seed}" + (" (published defaults)" if incumbent else ""),
            line={"color": ORANGE if incumbent else GREY if pruned else BLUE, "width": 1 if faded else 2},
            opacity=0.4 if faded else 0.9,
            showlegend=bool(incumbent or (few and not pruned)),
        )
    return focused(figure, epochs["validation_rmse"])


def full_runs_figure(epochs: pd.DataFrame, chosen: int | None, word: str = "chosen") -> go.Figure:
    """Validation RMSE by epoch, a line a run, a colour and a name a trial. From `frames.epochs_frame`.

    Args:
        chosen: the trial that is marked, by `word`; None: none is.
    """
    figure = blank_figure("epoch", RMSE)
    others = itertools.cycle((BLUE, *PALETTE[3:]))
    for trial, runs in epochs.groupby("trial", sort=False):
        incumbent = runs["origin"].iloc[0] == PUBLISHED
        colour = GREEN if trial == chosen else ORANGE if incumbent else next(others)
        name = (PUBLISHED if incumbent else f"trial {trial}") + (f" ({word})" if trial == chosen else "")
        for place, (seed, run) in enumerate(runs.groupby("seed", sort=False)):
            figure.add_scatter(
                x=run["number"],
                y=run["validation_rmse"],
                mode="lines+markers" if len(run) == 1 else "lines",
                name=name,
                legendgroup=str(trial),
                showlegend=place == 0,
                line={"color": colour, "width": 2},
                opacity=0.9,
                hovertemplate=f"seed {seed}, epoch %{{x}}: %{{y:.2f}}",
            )
    return focused(figure, epochs["validation_rmse"])


def range_test_figure(test: RangeTest) -> go.Figure:
    """The LR range test's curve with what each rule suggests."""
    curve = range_test_frame(test)
    figure = blank_figure("learning rate", "raw loss, each task as a share<br>of its first value, summed")
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


def importance_figure(importance: pd.DataFrame) -> go.Figure:
    """Share of each setting, largest on top. From `frames.importance_frame`."""
    figure = blank_figure("share of the differences between complete trials", "")
    ordered = importance.iloc[::-1]
    figure.add_bar(x=ordered["importance"], y=ordered["setting"], orientation="h", marker={"color": BLUE})
    figure.update_yaxes(automargin=True)
    return figure.update_layout(height=120 + 26 * len(importance))


class ParallelAxis(NamedTuple):
    """One vertical axis: where each trial crosses it, from 0 (bottom) to 1; None where it has no value. Ticks alike."""

    label: str
    positions: tuple[float | None, ...]
    ticks: tuple[tuple[float, str], ...]


def parallel_axes(trials: pd.DataFrame) -> list[ParallelAxis]:
    """Axes of the best complete trials, best first: what differs between them, then their value (`trials_frame`)."""
    complete = trials[(trials["status"] == "complete") & trials["value"].notna()]
    best = complete.sort_values(["value", "slot"]).head(MOST_LINES)
    searched = [name for name in trials.columns if name not in RUN_COLUMNS and best[name].nunique(dropna=False) > 1]
    return [_axis(name, best[name].tolist()) for name in searched] + [_axis(RMSE, best["value"].tolist(), few=0)]


def _axis(label: str, values: list[Any], few: int = FEW) -> ParallelAxis:
    values = [None if pd.isna(value) else value for value in values]
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        ordered: list[Any] = sorted(set(known))
        if len(ordered) > few:
            return _numeric_axis(label, values, ordered[0], ordered[-1])
    else:
        ordered = sorted(set(known), key=str)
    place = {value: (i + 0.5) / len(ordered) for i, value in enumerate(ordered)}
    ticks = tuple((place[value], _short(value)) for value in ordered)
    return ParallelAxis(label, tuple(None if value is None else place[value] for value in values), ticks)


def _numeric_axis(label: str, values: Sequence[float | None], low: float, high: float) -> ParallelAxis:
    log = low > 0 and high / low >= LOG_FROM
    start, end = (math.log(low), math.log(high)) if log else (low, high)
    positions = tuple(
        None if value is None else ((math.log(value) if log else value) - start) / ((end - start) or 1.0)
        for value in values
    )
    middle = math.exp((start + end) / 2) if log else (start + end) / 2
    return ParallelAxis(label, positions, ((0.0, _short(low)), (0.5, _short(middle)), (1.0, _short(high))))


def parallel_figure(axes: Sequence[ParallelAxis]) -> go.Figure:
    """One line a trial, the best one marked. Lines, not plotly's own kind: that one needs WebGL and prints blank."""
    figure = blank_figure("", "")
    for trial, line in reversed(list(enumerate(zip(*(axis.positions for axis in axes), strict=True)))):
        figure.add_scatter(
            x=list(range(len(axes))),
            y=list(line),
            mode="lines+markers",
            name="best trial" if trial == 0 else "other complete trials",
            showlegend=trial < 2,
            line={"color": BLUE if trial else ORANGE, "width": 1 if trial else 3},
            opacity=(0.8 if len(axes[0].positions) <= MOST_NAMES else 0.4) if trial else 1.0,
            connectgaps=True,  # a line without a marker on an axis has no such setting
            hoverinfo="skip",
        )
    for place, axis in enumerate(axes):
        figure.add_vline(x=place, line={"color": GREY, "width": 1}, layer="below")
        for height, text in axis.ticks:
            figure.add_annotation(x=place, y=height, text=text, showarrow=False, xanchor="left", xshift=5, yshift=8)
    figure.update_xaxes(
        tickvals=list(range(len(axes))), ticktext=[_two_lines(axis.label) for axis in axes], showgrid=False,
        range=[-0.2, len(axes) - 0.4], tickangle=0,
    )  # fmt: skip
    figure.update_yaxes(visible=False, range=[-0.05, 1.1])
    return figure.update_layout(margin={"l": 60, "r": 10})


def _two_lines(label: str) -> str:
    return label.replace("_", "_<br>", 1).replace(" ", "<br>", 1)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def write_range_test(test: RangeTest, path: Path) -> None:
    """One offline HTML file with the range test's curve. Raises StorageError."""
    figure = range_test_figure(test).update_layout(title="LR range test", margin={"t": 90}, height=480)
    page = figure.to_html(include_plotlyjs=True)
    write_content(path, page.encode())
