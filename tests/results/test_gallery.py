"""What the report's figures are drawn from, and that they show it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from amnl_tune.promotion.choosing import judged
from amnl_tune.promotion.scores import CandidateKind, CandidateScore, TestScores
from amnl_tune.promotion.verdict import compare
from amnl_tune.results import engine_figures, figures, frames, gallery, search_figures
from amnl_tune.results.frames import RUN_COLUMNS, history_frame
from amnl_tune.results.report import leaderboard
from amnl_tune.results.sentences import warnings
from amnl_tune.rul.metrics import nasa_score

TRUE = [100.0, 60.0, 20.0, 10.0]
PREDICTED = [90.0, 70.0, 15.0, 40.0]


@pytest.fixture
def scores() -> TestScores:
    true, seeds = np.array(TRUE), np.array([PREDICTED, PREDICTED])
    winner = CandidateScore(
        3, "sampler", 10.0, 17.0, 22.0, {}, PREDICTED, {"1": PREDICTED, "2": PREDICTED}, health=[0, 1, 2, 1]
    )
    return TestScores(
        promotion=1, look=1, forced=False, dataset="FD001", data_sha256="0", scored_at=0.0, winner=winner,
        incumbent=replace(winner, trial_number=0, origin="published defaults"), mean_rmse=40.0, mean_nasa_score=1e4, true=TRUE, units=[1, 2, 3, 4], scored_by="me@here",
        comparison=compare(true, seeds, seeds + 5, candidates=1),
        lives=[{"unit": 4, "cycle": [1, 2], "true": [11.0, 10.0], "predicted": [50.0, 40.0]}],
    )  # fmt: skip


def test_engines_bands_and_penalties(scores: TestScores) -> None:
    engines = frames.engines_frame(scores)
    assert list(engines["timing"]) == ["early", "late", "early", "late"]
    assert engines["penalty"].sum() == pytest.approx(nasa_score(PREDICTED, TRUE))
    bands = frames.bands_frame(engines)
    assert list(bands["band"]) == ["0 to 25", "50 to 75", "100 to 125"]
    assert list(bands["engines"]) == [2, 1, 1]
    assert bands["bias"].iloc[0] == pytest.approx(12.5)
    assert bands["rmse"].iloc[0] == pytest.approx(np.sqrt((25 + 900) / 2))
    penalties = frames.penalties_frame(engines)
    assert penalties["unit"].iloc[0] == 4
    assert penalties["share"].sum() == pytest.approx(1.0)
    drawn = engine_figures.penalties_figure(penalties)
    assert [trace.name.split(":")[0] for trace in drawn.data] == ["early", "late"]
    assert list(drawn.data[1].x) == ["4", "2"]
    assert list(engine_figures.bands_figure(bands).data[0].y) == list(bands["rmse"])
    right, early, late = engine_figures.scatter_figure(engines).data
    assert (right.name, list(early.text), list(late.text)) == ("right", [1, 3], [2, 4])


def test_health_lives_and_intervals(scores: TestScores) -> None:
    health = frames.health_frame(scores, (30.0, 80.0))
    assert health.to_numpy().tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert engine_figures.health_figure(health).data[0].z.tolist() == health.to_numpy().tolist()
    lives = frames.lives_frame(scores)
    assert list(lives["predicted"]) == [50.0, 40.0]
    drawn = engine_figures.lives_figure(lives)
    assert (drawn.layout.xaxis.title.text, drawn.layout.yaxis.title.text) == ("cycle", "RUL (cycles)")
    assert [list(trace.y) for trace in drawn.data] == [[11.0, 10.0], [50.0, 40.0]]
    promotion = frames.promotion_frame(scores)
    assert list(promotion["who"]) == ["tuned network", "published defaults"] * 2
    assert list(promotion["chosen"]) == [True, False] * 2
    compared = engine_figures.promotion_figure(promotion)
    assert [compared.layout[axis].title.text for axis in ("xaxis", "xaxis2")] == [
        "test RMSE (cycles)",
        "test NASA score",
    ]
    spans = (
        (promotion.assign(value=100.0, low=50.0, high=high), kind)
        for high, kind in ((900.0, "linear"), (1100.0, "log"))
    )
    for frame, kind in spans:
        drawn = engine_figures.promotion_figure(frame.assign(high=frame["high"].where(frame["metric"] != "RMSE", 60.0)))
        assert (drawn.layout.xaxis.type, drawn.layout.xaxis2.type) == ("linear", kind)
    rmse = compared.data[0]
    assert list(rmse.error_x.array) == pytest.approx([r.high - r.value for r in promotion.head(2).itertuples()])


@pytest.mark.parametrize("choice", [CandidateKind.BOOSTING, CandidateKind.MIX])
def test_the_figures_are_of_the_choice_and_all_candidates_are_compared(
    scores: TestScores, choice: CandidateKind
) -> None:
    trees = [99.0, 61.0, 25.0, 11.0]
    mixed = ((np.array(PREDICTED) + trees) / 2).tolist()
    given = {CandidateKind.BOOSTING: trees, CandidateKind.MIX: mixed, CandidateKind.AGE_ALONE: [60.0] * 4}
    rivals = [
        CandidateScore(None, str(kind), 9.0, 1.0, 1.0, {}, predicted, health=[0, 1, 2, 2], kind=kind)
        for kind, predicted in given.items()
    ]
    whole = judged(replace(scores, rivals=rivals, choice=choice), networks=2)
    engines = frames.engines_frame(whole)
    assert list(engines["predicted"]) == given[choice]
    assert frames.health_frame(whole, (30.0, 80.0)).to_numpy().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 2]]
    promotion = frames.promotion_frame(whole)
    names = ["gradient boosting", "mix with boosting"]
    first, second = names if choice is CandidateKind.BOOSTING else names[::-1]
    assert list(promotion["who"])[:4] == [first, second, "tuned network", "published defaults"]
    assert list(promotion["chosen"])[:4] == [True, False, False, False]
    drawn = engine_figures.promotion_figure(promotion).data[0]
    assert list(drawn.x) == list(promotion["value"])[:4]
    assert len(set(drawn.marker.color[1:])) == 1 and drawn.marker.color[0] not in drawn.marker.color[1:]
    pictures = {picture.key: picture.caption for picture in gallery._engines(whole, (30.0, 80.0))}
    by = "gradient boosting" if choice is CandidateKind.BOOSTING else "the mix with boosting"
    assert pictures["amnl-predictions"] == f"Each test engine at its last cycle, by {by}."
    assert pictures["amnl-health"].startswith(f"Test engines, predicted by {by}: critical up to 30 cycles")
    assert pictures["amnl-lives"] == f"By {by}."


def test_search_figures_show_their_frames() -> None:
    fixed = dict.fromkeys(RUN_COLUMNS, 0)
    trials = pd.DataFrame(
        fixed | {"trial": [0, 1, 2], "value": [9.0, 8.0, 20.0], "status": ["complete", "complete", "pruned"],
                 "learning_rate": [1e-4, 1e-2, 1e-3], "loss": ["gaba", "fixed", "gaba"], "window": [30, 30, 30]}
    )  # fmt: skip
    slices = search_figures.slices_figure(trials)
    assert [slices.layout[axis].title.text for axis in ("xaxis", "xaxis2")] == ["learning_rate", "loss"]
    assert slices.layout.yaxis.title.text == "validation<br>RMSE (cycles)"
    assert (slices.layout.xaxis.type, slices.layout.xaxis2.type) == ("log", None)
    attempts = pd.DataFrame(
        {"trial": [0, 0], "promotion": [0, 0], "seed": [7, 7], "worker": ["a", "b"], "host": ["h", "h"],
         "started_at": [1e9, 1e9 + 5], "ended_at": [1e9 + 4, None], "outcome": ["vanished", None]}
    )  # fmt: skip
    timeline = search_figures.timeline_figure(attempts)
    assert timeline.layout.showlegend
    vanished, under_way = timeline.data
    assert (vanished.name, list(vanished.x), list(vanished.y)) == ("vanished", [4000.0], ["worker 1"])
    assert (under_way.name, list(under_way.x)) == ("under way", [0.0])


def test_ten_thousand_trials_are_sampled_and_the_best_are_kept() -> None:
    count = 2000
    kept = gallery._few_trials(pd.Series(np.linspace(50, 10, count)).sort_values())
    assert kept is not None
    assert len(set(kept)) == len(kept) <= gallery.MOST_CURVES
    assert set(range(count - 150, count)) <= set(kept)
    assert len(gallery._sampled(pd.DataFrame({"a": range(10_000)}))) <= gallery.MOST_POINTS
    fixed = dict.fromkeys(RUN_COLUMNS, 0)
    trials = pd.DataFrame(fixed | {"trial": range(count), "slot": range(count), "value": np.linspace(50, 10, count)})
    page = leaderboard(trials)
    assert page.count("<tr>") == 501
    assert "The best 500 of 2000" in page
    assert page.index(">1999<") < page.index(">1998<")


def test_ten_thousand_trials_fit_into_the_page() -> None:
    count, draws = 10_000, np.random.default_rng(0)
    fixed = dict.fromkeys(RUN_COLUMNS, 0)
    searched = {f"setting_{i}": draws.random(count) for i in range(10)}
    state = {"trial": range(count), "slot": range(count), "value": draws.uniform(10, 50, count), "epochs_done": 20,
             "status": draws.choice(["complete", "pruned"], count), "origin": "sampler"}  # fmt: skip
    trials = pd.DataFrame(fixed | state | searched)
    epochs = pd.DataFrame({"trial": np.repeat(range(count), 20), "number": np.tile(range(1, 21), count), "seed": 42,
                           "status": "complete", "origin": "sampler",
                           "validation_rmse": draws.uniform(10, 50, count * 20)})  # fmt: skip
    attempts = pd.DataFrame({"trial": range(count), "promotion": 0, "seed": 42, "worker": "a-worker's-long-name",
                             "host": "a-host", "started_at": 1e9 + np.arange(count), "ended_at": 1e9 + np.arange(count),
                             "outcome": "finished"})  # fmt: skip
    history = gallery._sampled(history_frame(trials))
    kept = gallery._few_trials(epochs.groupby("trial")["validation_rmse"].min().sort_values())
    drawn = [
        search_figures.spending_figure(history),
        figures.history_figure(history),
        search_figures.slices_figure(gallery._sampled(trials)),
        search_figures.timeline_figure(gallery._sampled(attempts)),
        figures.learning_curves_figure(epochs[epochs["trial"].isin(kept or ())]),
        figures.parallel_figure(figures.parallel_axes(trials)),
    ]
    size = sum(len(figure.to_html(full_html=False, include_plotlyjs=False)) for figure in drawn) + len(
        leaderboard(trials)
    )
    assert size + len(get_plotlyjs()) < 5.7e6  # the rest of the page: figures of the engines, which are few


def test_what_takes_from_the_figures_worth_is_said() -> None:
    claim = {"trial": 3, "seed": 42, "best_test_rmse": 9.0, "best_test_epoch": 7, "honest_test_rmse": 12.0}
    promotion = {
        "looks_at_test": 2,
        "forced": True,
        "contaminated": {"by": "me@here", "at": 0.0, "claims": [claim]},
        "proxy_check": {"warning": "the short trials do not predict the long runs"},
    }
    said = warnings({"dataset": "SIM1", "promotion": promotion})
    assert [text.split(".")[0] for text in said] == [
        "Simulated data",
        "Looked at again",
        "Contaminated",
        "Short trials",
    ]
    assert "9.00 instead of 12.00 (trial 3, seed 42, epoch 7)" in said[2]
    assert warnings({"dataset": "FD001", "promotion": None}) == []
