"""What the validation engines choose of a promotion: a network, gradient boosting, or the mean of both.

Everything here is over before a file with test engines is opened. The candidates:

    network    the best promoted configuration, published defaults included; mean of its seeds' validation RMSE
    boosting   gradient boosting on history statistics, fitted on the same training engines
    mix        the mean of boosting and of that network's mean prediction over its seeds

Boosting is fitted once a promotion and kept with the weights, for the look, for a repeated look and for the export.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from amnl_tune.artifacts import Artifacts
from amnl_tune.ledger.promotions import Candidate
from amnl_tune.promotion.bootstrap import Array, Bootstrap, Sampled
from amnl_tune.promotion.kept_boosting import kept_boosting
from amnl_tune.promotion.networks import answers_of
from amnl_tune.promotion.scores import CandidateKind, CandidateScore, TestScores
from amnl_tune.promotion.verdict import compare_sampled, margin
from amnl_tune.rul.metrics import mean_predictor_rmse, rmse, worst_if_unknown
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.boosting import Boosting, fit_age_alone

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """What the validation engines say.

    Attributes:
        kind: of the candidate with the lowest validation RMSE.
        validation_rmse: of every candidate and of age alone, cycles.
        mean_validation_rmse: of the best constant, cycles.
        boosting, age_alone: as fitted; None: the study asks for no boosting.
    """

    kind: CandidateKind
    validation_rmse: Mapping[CandidateKind, float]
    mean_validation_rmse: float
    boosting: Boosting | None = None
    age_alone: Boosting | None = field(default=None)


def choose(
    candidates: list[Candidate], data: PreparedData, artifacts: Artifacts, study: str, number: int, *, boosting: bool
) -> Choice:
    """Fits boosting, if the study wants it, and lets the validation engines choose.

    Args:
        candidates: of the promotion, the best network by the validation engines first.
        data: the study's training and validation engines. artifacts: holds the weights, and keeps boosting.
        study, number: whose promotion. boosting: whether there is any.

    Raises:
        StorageError: weights are not there, or boosting cannot be kept.
    """
    last = data.validation_windows()
    true = data.rows.rul[last].numpy().astype(np.float64)
    found = {CandidateKind.NETWORK: candidates[0].validation_rmse}
    if not boosting:
        return Choice(CandidateKind.NETWORK, found, mean_predictor_rmse(true))
    fitted, age_alone = kept_boosting(artifacts, study, number, data), fit_age_alone(data)
    by_trees = fitted.at(data.rows, last)
    by_network = answers_of(candidates[0], artifacts, data.rows, last).rul.numpy().mean(axis=0)
    found[CandidateKind.BOOSTING] = rmse(by_trees, true)
    found[CandidateKind.MIX] = rmse((by_network + by_trees) / 2, true)
    kind = min(found, key=lambda kind: worst_if_unknown(found[kind]))
    logger.info("the validation engines choose the %s: %s", kind, ", ".join(f"{k} {v:.2f}" for k, v in found.items()))
    found[CandidateKind.AGE_ALONE] = rmse(age_alone.at(data.rows, last), true)
    return Choice(kind, found, mean_predictor_rmse(true), fitted, age_alone)


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
