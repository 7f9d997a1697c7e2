"""The scored candidates against each other: their intervals, and which differences are established."""

from dataclasses import replace

import numpy as np

from amnl_tune.search.bootstrap import Array, Bootstrap, Sampled
from amnl_tune.search.comparison import compare_sampled, margin
from amnl_tune.search.scores import CandidateKind, CandidateScore, TestScores

__all__ = ["judged"]


def judged(scores: TestScores, *, networks: int) -> TestScores:
    """A look with intervals and comparisons: the winner with published defaults and boosting, the choice with all.

    Args:
        scores: with every candidate's predictions.
        networks: configurations that the winner was picked from, the published defaults included.
    """
    bootstrap = Bootstrap(np.array(scores.true))
    seeds = bootstrap.seeds(_by_seed(scores.winner))
    winner = bootstrap.networks(seeds)
    incumbent: Sampled | None = winner if scores.incumbent else None
    if scores.incumbent and scores.incumbent is not scores.winner:
        incumbent = bootstrap.networks(bootstrap.seeds(_by_seed(scores.incumbent)))
    predicted = {score.kind: np.array(score.predicted) for score in scores.rivals}
    rivals = {
        kind: bootstrap.mix(seeds, predicted[CandidateKind.BOOSTING])
        if kind is CandidateKind.MIX
        else bootstrap.fixed(own)
        for kind, own in predicted.items()
    }
    chosen, boosting = rivals.get(scores.choice, winner), rivals.get(CandidateKind.BOOSTING)
    picked_from = networks + (2 if boosting else 0)  # with boosting and the mix
    return replace(
        scores,
        winner=_told(scores.winner, winner, chosen, picked_from),
        incumbent=scores.incumbent and _told(scores.incumbent, incumbent or winner, chosen, picked_from),
        rivals=[_told(score, rivals[score.kind], chosen, picked_from) for score in scores.rivals],
        comparison=compare_sampled(winner, incumbent, candidates=max(1, networks - (incumbent is not None))),
        against_boosting=margin(winner, boosting, candidates=networks) if boosting else None,
    )


def _told(score: CandidateScore, own: Sampled, chosen: Sampled, picked_from: int) -> CandidateScore:
    """With its intervals, and by how much the choice, picked from so many, is better."""
    return replace(
        score,
        rmse_interval=own.estimate("rmse"),
        nasa_interval=own.estimate("nasa"),
        against_choice=None if own is chosen else margin(chosen, own, candidates=picked_from - 1),
    )


def _by_seed(score: CandidateScore) -> Array:
    """(S, E) predictions."""
    return np.array(list(score.predicted_by_seed.values()), dtype=np.float64)
