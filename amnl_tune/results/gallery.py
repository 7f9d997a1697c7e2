"""Every figure of a study, in the order in which a report tells them; the dashboard shows the same."""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from amnl_tune.database.models import Origin
from amnl_tune.ledger.promotions import latest_promotion
from amnl_tune.ledger.range_tests import RangeTest, find_range_test
from amnl_tune.ledger.studies import Study
from amnl_tune.promotion.looks import latest_scores
from amnl_tune.promotion.scores import CandidateKind, TestScores
from amnl_tune.results import engine_figures, figures, frames, search_figures
from amnl_tune.results.frames import attempts_frame
from amnl_tune.training.config import Suggestion

PREFIX = "amnl-"
MOST_CURVES = 300
"""Learning curves that are drawn; of more, the best and an even sample of the others."""

MOST_POINTS = 1000
"""Trials or attempts in one figure; of more, an even sample: a page with plotly in it is to stay below 6 MB."""


class Picture(NamedTuple):
    """One figure: `key` on the dashboard, `title`, and what to look for in a sentence."""

    key: str
    title: str
    caption: str
    figure: go.Figure


def pictures(study: Study, trials: pd.DataFrame | None = None) -> Iterator[Picture]:
    """All that the study has data for; on test engines, what the choice predicts. Raises StudyError if unknown.

    Args:
        ledger: our tables. study: its name.
        trials: `frames.trials_frame` of it, where it is at hand.
    """
    yield from _search(study, frames.trials_frame(study) if trials is None else trials)
    yield from _promotion(study)
    scores = latest_scores(study)
    if scores:
        spec = study.spec
        yield from _engines(scores, spec.run_config(spec.incumbent_parameters()).health_thresholds)


def _search(study: Study, trials: pd.DataFrame) -> Iterator[Picture]:
    key = study.row.range_test_key
    test = find_range_test(study.ledger, key) if key else None
    history = frames.history_frame(trials)
    if len(history):
        few = _sampled(history)
        yield _picture("spending", "Best so far against epochs spent", "Where the line is flat, epochs bought nothing.",
                       search_figures.spending_figure(few))  # fmt: skip
        yield _picture("history", "Search history", "Each trial with its best validation RMSE; pruned ones are grey.",
                       figures.history_figure(few))  # fmt: skip
        curves = frames.epochs_frame(study, trials=_few_trials(frames.best_epochs(study)))
        yield _picture("curves", "Learning curves of the trials", "Pruned trials are faded; the published defaults "
                       "are orange.", figures.learning_curves_figure(curves))  # fmt: skip
    if test:
        yield _picture("lr-range-test", "LR range test", _rule(study, test), figures.range_test_figure(test))
    importance = frames.importance_frame(study)
    if len(importance):
        caption = "By PED-ANOVA over the complete trials; with few of them, a hint and no more."
        yield _picture("importance", "What matters, as far as the trials can tell", caption,
                       figures.importance_figure(importance))  # fmt: skip
    axes = figures.parallel_axes(trials)
    if len(history) and len(axes) > 1:
        yield _picture("parallel", "Settings of the complete trials", "A line a trial, the best one orange.",
                       figures.parallel_figure(axes))  # fmt: skip
        yield _picture("slices", "Each setting by itself", "Value against setting; grey: pruned.",
                       search_figures.slices_figure(_sampled(trials)))  # fmt: skip
    attempts = attempts_frame(study)
    if len(attempts):
        caption = "A bar an attempt: a worker's turn at a trial or a full run, by how it ended."
        yield _picture("timeline", "Who worked on what", caption, search_figures.timeline_figure(_sampled(attempts)))


def _rule(study: Study, test: RangeTest) -> str:
    """What the study's rule has suggested, and where the search goes on."""
    prior, spec = study.prior, study.spec
    suggested = test.suggested[Suggestion(spec.lr_range_test.suggestion)]
    if prior.suggested is None:
        return f"The rule {spec.lr_range_test.suggestion} suggested nothing; the study file's bounds were searched."
    where = "{:.3g} to {:.3g}".format(*prior.interval) if prior.interval else "the study file's bounds"
    moved = "" if suggested in (None, prior.suggested) else f", moved into the space: {prior.suggested:#.2g}"
    return f"{spec.lr_range_test.suggestion} suggested {suggested or prior.suggested:#.2g}{moved}; searched {where}."


def _promotion(study: Study) -> Iterator[Picture]:
    promotion, scores = latest_promotion(study), latest_scores(study)
    if promotion:
        epochs = frames.epochs_frame(study, promotion=promotion.number)
        if len(epochs):
            yield _picture("full-runs", "Full-length runs", "A line a seed, a colour a trial; the validation engines "
                           "choose.", _full_runs(epochs, scores))  # fmt: skip
    compared = frames.promotion_frame(scores) if scores else pd.DataFrame()
    if len(compared):
        caption = (
            "95% intervals, by bootstrap over engines and seeds; green: chosen by the validation engines. Paired "
            "differences are narrower than they look here: the table says which are established. Age alone and the "
            "mean predictor are left out."
        )
        yield _picture("promotion", "The promoted candidates on the test engines", caption,
                       engine_figures.promotion_figure(compared))  # fmt: skip


def _full_runs(epochs: pd.DataFrame, scores: TestScores | None) -> go.Figure:
    chosen = scores.winner.trial_number if scores else None
    is_part = scores is not None and scores.choice is not CandidateKind.BOOSTING
    return figures.full_runs_figure(epochs, chosen, "chosen" if is_part else "best network")


def _engines(scores: TestScores, thresholds: tuple[float, float]) -> Iterator[Picture]:
    engines, by = frames.engines_frame(scores), f"by {_who(scores)}"
    yield _picture("predictions", "Predicted and true RUL", f"Each test engine at its last cycle, {by}.",
                   engine_figures.prediction_figure(engines))  # fmt: skip
    yield _picture("scatter", "Predicted against true RUL", "Above the line the warning comes too late.",
                   engine_figures.scatter_figure(engines))  # fmt: skip
    yield _picture("bands", "Error by RUL band", "What counts is the left: engines near failure.",
                   engine_figures.bands_figure(frames.bands_frame(engines)))  # fmt: skip
    caption = "Late warnings cost e-fold every 10 cycles, early ones every 13."
    yield _picture("penalties", "What the NASA score is made of", caption,
                   engine_figures.penalties_figure(frames.penalties_frame(engines)))  # fmt: skip
    health = frames.health_frame(scores, thresholds)
    if len(health):
        low, high = thresholds
        caption = f"Test engines, predicted {by}: critical up to {low:g} cycles, degrading up to {high:g}."
        yield _picture("health", "Health classes", caption, engine_figures.health_figure(health))
    lives = frames.lives_frame(scores)
    if len(lives):
        caption = "By the exported seed." if scores.choice is CandidateKind.NETWORK else f"{by[0].upper()}{by[1:]}."
        yield _picture("lives", "The worst engines, cycle by cycle", caption, engine_figures.lives_figure(lives))


def _who(scores: TestScores) -> str:
    """Whose predictions the figures of test engines show."""
    if scores.choice is not CandidateKind.NETWORK:
        return {CandidateKind.BOOSTING: "gradient boosting"}.get(scores.choice, "the mix with boosting")
    published = scores.winner.origin == Origin.PUBLISHED_DEFAULTS
    name = "the published defaults" if published else f"the tuned network (trial {scores.winner.trial_number})"
    return f"{name}, mean over the seeds" if len(scores.winner.by_seed) > 1 else name


def _picture(key: str, title: str, caption: str, figure: go.Figure) -> Picture:
    return Picture(PREFIX + key, title, caption, figure)


def _sampled(frame: pd.DataFrame) -> pd.DataFrame:
    """Every n-th row, so that there are at most MOST_POINTS."""
    return frame.iloc[:: -(-len(frame) // MOST_POINTS) or 1]


def _few_trials(best: pd.Series) -> list[int] | None:
    """At most MOST_CURVES of the trials: the better half best first, the rest an even sample; None: all.

    Args:
        best: value of each, best first.
    """
    if len(best) <= MOST_CURVES:
        return None
    half = MOST_CURVES // 2
    others = best.index[half:]
    return [*best.index[:half], *others[:: -(-len(others) // half)]]
