import pandas as pd
import pytest

from amnl_tune.ledger.leases import DIVERGED_RMSE
from amnl_tune.results import figures, frames


def _trials(**settings: list[object]) -> pd.DataFrame:
    """Complete trials with values 10, 11, ...; a last one pruned."""
    count = len(next(iter(settings.values())))
    fixed: dict[str, object] = dict.fromkeys(frames.RUN_COLUMNS, 0)
    values = [10.0 + i for i in range(count)]
    statuses = ["complete"] * (count - 1) + ["pruned"]
    return pd.DataFrame(
        fixed | {"slot": range(count), "trial": range(count), "value": values, "status": statuses} | settings
    )


def test_parallel_axes_are_what_complete_trials_differ_in_and_their_value() -> None:
    axes = figures.parallel_axes(_trials(dropout=[0.1, 0.2, 0.1], window=[30, 30, 60]))
    assert [axis.label for axis in axes] == ["dropout", figures.RMSE]
    assert axes[0].positions == (0.25, 0.75)
    assert axes[0].ticks == ((0.25, "0.1"), (0.75, "0.2"))
    assert axes[1].positions == (0.0, 1.0)


def test_parallel_axes_know_words_gaps_and_orders_of_magnitude() -> None:
    axes = figures.parallel_axes(
        _trials(
            learning_rate=[1e-4, 1e-3, 1e-2, 2e-4, 3e-4, 4e-4, 1.0],
            loss=["gaba", "fixed", "fixed", "fixed", "fixed", "fixed", "gaba"],
            task_weight=[None, 0.1, 0.2, 0.3, 0.4, 0.5, None],
        )
    )
    rate, loss, weight, _ = axes
    assert rate.positions[:3] == pytest.approx((0.0, 0.5, 1.0))
    assert [text for _, text in rate.ticks] == ["0.0001", "0.001", "0.01"]
    assert [text for _, text in loss.ticks] == ["fixed", "gaba"]
    assert weight.positions[0] is None
    assert weight.positions[1] == pytest.approx(0.1)


def test_one_line_a_trial_the_best_on_top() -> None:
    drawn = figures.parallel_figure(figures.parallel_axes(_trials(dropout=[0.1, 0.2, 0.3, 0.4])))
    assert [trace.name for trace in drawn.data] == ["other complete trials", "other complete trials", "best trial"]


def test_a_study_of_one_complete_trial_has_no_parallel_axes_but_its_value() -> None:
    assert [axis.label for axis in figures.parallel_axes(_trials(dropout=[0.1, 0.2]))] == [figures.RMSE]


def test_a_diverged_trial_does_not_flatten_the_history() -> None:
    trials = _trials(dropout=[0.1, 0.2, 0.3, 0.4])
    assert figures.history_figure(frames.history_frame(trials)).layout.yaxis.range is None
    trials.loc[3, "value"] = DIVERGED_RMSE
    low, high = figures.history_figure(frames.history_frame(trials)).layout.yaxis.range
    assert 0 < low < 10
    assert 12 < high < 13


def test_many_curves_are_named_only_where_it_helps() -> None:
    rows = [
        {"trial": trial, "seed": 1, "origin": "sampler" if trial else "published defaults", "status": status,
         "number": 1, "validation_rmse": 20.0}
        for trial, status in enumerate(["complete"] * (figures.MOST_NAMES + 1) + ["pruned"])
    ]  # fmt: skip
    shown = [trace.showlegend for trace in figures.learning_curves_figure(pd.DataFrame(rows)).data]
    assert shown == [True] + [False] * (figures.MOST_NAMES + 1)
    shown = [trace.showlegend for trace in figures.learning_curves_figure(pd.DataFrame(rows[2:])).data]
    assert shown == [True] * (figures.MOST_NAMES - 1) + [False]


def test_importance_has_its_largest_on_top() -> None:
    frame = pd.DataFrame({"setting": ["dropout", "window"], "importance": [0.9, 0.1]})
    assert list(figures.importance_figure(frame).data[0].y) == ["window", "dropout"]


def test_full_runs_have_one_name_and_colour_a_trial() -> None:
    rows = [
        {"trial": trial, "seed": seed, "origin": "sampler" if trial else "published defaults", "status": "complete",
         "number": number, "validation_rmse": 20.0}
        for trial in (9, 2, 0) for seed in (1, 2, 3) for number in (1, 2)
    ]  # fmt: skip
    drawn = figures.full_runs_figure(pd.DataFrame(rows), 9).data
    assert [trace.name for trace in drawn if trace.showlegend] == ["trial 9 (chosen)", "trial 2", "published defaults"]
    colours = [trace.line.color for trace in drawn]
    assert [len(set(colours[i : i + 3])) for i in (0, 3, 6)] == [1, 1, 1] and len(set(colours)) == 3
    best = figures.full_runs_figure(pd.DataFrame(rows), 0, "best network").data
    assert [trace.name for trace in best if trace.showlegend][2] == "published defaults (best network)"


def test_the_published_defaults_are_orange_even_when_pruned() -> None:
    rows = [
        {"trial": trial, "seed": 1, "origin": "sampler" if trial else "published defaults", "status": "pruned",
         "number": 1, "validation_rmse": 20.0}
        for trial in range(2)
    ]  # fmt: skip
    published, other = figures.learning_curves_figure(pd.DataFrame(rows)).data
    assert (published.line.color, other.line.color) == (figures.ORANGE, figures.GREY)
    assert published.opacity > other.opacity


def test_the_first_parallel_axis_has_room_for_its_label() -> None:
    drawn = figures.parallel_figure(figures.parallel_axes(_trials(learning_rate=[0.1, 0.2, 0.3, 0.4])))
    assert drawn.layout.xaxis.ticktext[0] == "learning_<br>rate"
    assert drawn.layout.margin.l >= 60
