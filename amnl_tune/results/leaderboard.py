"""The scored candidates as JSON-serialisable rows: the choice first, then by validation RMSE, then the references.

No row has a rank: the choice is the validation engines', and every other candidate says whether the test engines tell
it apart from the choice.
"""

from typing import Any

from amnl_tune.database.models import Origin
from amnl_tune.promotion.bootstrap import Estimate
from amnl_tune.promotion.scores import CandidateKind, CandidateScore, TestScores
from amnl_tune.promotion.verdict import Margin
from amnl_tune.results import sentences
from amnl_tune.rul.metrics import worst_if_unknown

MEAN_PREDICTOR = "mean predictor"
REFERENCES = frozenset({str(CandidateKind.AGE_ALONE), MEAN_PREDICTOR})
"""Kinds that are never chosen."""


def leaderboard(scores: TestScores) -> list[dict[str, Any]]:
    """One row a candidate and reference.

    Keys: name; kind; chosen; trial (networks); validation_rmse; test_rmse and nasa_score, each with `_low` and `_high`
    (95%); seeds (a number; None: it has none); fit_seconds, predict_seconds; against_choice: by how much more cycles
    it errs than the choice (value, low, high), `told_apart` and `words`; None of the choice itself and where unknown.
    """
    apart = scores.incumbent is not None and scores.incumbent.trial_number != scores.winner.trial_number
    found = [scores.winner, *([scores.incumbent] if apart and scores.incumbent else []), *scores.rivals]
    rows = [_row(score, scores) for score in found]
    rows.sort(key=lambda row: (row["kind"] in REFERENCES, not row["chosen"], worst_if_unknown(row["validation_rmse"])))
    mean = {
        "name": MEAN_PREDICTOR,
        "kind": MEAN_PREDICTOR,
        "chosen": False,
        "validation_rmse": scores.mean_validation_rmse,
        "test_rmse": scores.mean_rmse,
        "nasa_score": scores.mean_nasa_score,
    }
    return [*rows, dict.fromkeys(rows[0]) | mean]


def against_boosting(scores: TestScores) -> dict[str, Any] | None:
    """By how much less the network errs than boosting; None where there is no boosting.

    Of the value and its interval positive is better; `words` is a sentence, whose plus errs more.
    """
    margin = scores.against_boosting
    boosting = next((score for score in scores.rivals if score.kind is CandidateKind.BOOSTING), None)
    if margin is None or boosting is None:
        return None
    who = sentences.network(scores.winner.trial_number, published=_is_published(scores.winner))
    words = sentences.network_against_boosting(who, scores.winner.test_rmse, boosting.test_rmse, margin)
    return _plain(margin.difference) | {
        "level": margin.level,
        "told_apart": margin.established,
        "better": margin.better,
        "words": words,
    }


def _row(score: CandidateScore, scores: TestScores) -> dict[str, Any]:
    is_winner = score.trial_number == scores.winner.trial_number
    chosen = score.kind is scores.choice and (score.kind is not CandidateKind.NETWORK or is_winner)
    rmse, nasa = _intervals(score, scores)
    margin = None if chosen else score.against_choice or _of_comparison(score, scores)
    counted = scores.winner if score.kind is CandidateKind.MIX else score
    return {
        "name": sentences.SHORT_NAMES[str(score.kind)] if not _is_published(score) else str(Origin.PUBLISHED_DEFAULTS),
        "kind": str(score.kind),
        "chosen": chosen,
        "trial": score.trial_number,
        "validation_rmse": score.validation_rmse,
        "test_rmse": score.test_rmse,
        "test_rmse_low": rmse and rmse.low,
        "test_rmse_high": rmse and rmse.high,
        "nasa_score": score.nasa_score,
        "nasa_score_low": nasa and nasa.low,
        "nasa_score_high": nasa and nasa.high,
        "seeds": len(counted.by_seed) or None,
        "fit_seconds": score.fit_seconds,
        "predict_seconds": score.predict_seconds,
        "against_choice": margin
        and _plain(margin.difference) | {"told_apart": margin.established, "words": sentences.against_choice(margin)},
    }


def _intervals(score: CandidateScore, scores: TestScores) -> tuple[Estimate | None, Estimate | None]:
    """Of RMSE and NASA score; older records have them in the comparison alone."""
    compared = scores.comparison
    if score.rmse_interval or compared is None or score.kind is not CandidateKind.NETWORK:
        return score.rmse_interval, score.nasa_interval
    if score.trial_number == scores.winner.trial_number:
        return compared.winner_rmse, compared.winner_nasa
    return compared.incumbent_rmse, compared.incumbent_nasa


def _of_comparison(score: CandidateScore, scores: TestScores) -> Margin | None:
    """Of the published defaults in a record from before boosting, whose choice was the winner."""
    compared = scores.comparison
    if compared is None or scores.rivals or score.trial_number == scores.winner.trial_number:
        return None
    return Margin(compared.rmse_difference, compared.corrected_level, compared.seeds)


def _is_published(score: CandidateScore) -> bool:
    return score.origin == Origin.PUBLISHED_DEFAULTS


def _plain(difference: Estimate | None) -> dict[str, Any]:
    return vars(difference) if difference else dict.fromkeys(("value", "low", "high"))
