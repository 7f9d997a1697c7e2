"""A study's facts as one JSON-serialisable document: what `study show`, `run --json` and the end of a run tell."""

from typing import Any

from sqlalchemy import select

from amnl_tune.database.models import EpochRow, RunRow, RunStatus
from amnl_tune.ledger.leases import trials_left
from amnl_tune.ledger.own_trials import foreign_trials
from amnl_tune.ledger.progress import progress
from amnl_tune.ledger.promotions import best_trials, latest_promotion
from amnl_tune.ledger.range_tests import find_range_test
from amnl_tune.ledger.stored import stored_config
from amnl_tune.ledger.studies import Study
from amnl_tune.promotion.looks import contamination, latest_scores, looks_of
from amnl_tune.promotion.scores import CandidateScore
from amnl_tune.promotion.short_against_full import proxy_check
from amnl_tune.results.leaderboard import against_boosting, leaderboard
from amnl_tune.studies.spec import StudySpec

BEST = 5


def summarize(study: Study) -> dict[str, Any]:
    """Everything that the terminal shows of a study.

    Raises:
        StudyError: unknown study.
    """
    row, spec, prior = study.row, study.spec, study.prior
    now = progress(study, total=spec.budget.trials)
    test = find_range_test(study.ledger, row.range_test_key) if row.range_test_key else None
    return {
        "study": study.name,
        "question": spec.question,
        "dataset": row.dataset,
        "data_sha256": row.data_sha256,
        "fingerprint": row.fingerprint,
        "stopped_at": row.stopped_at,
        "trials": {str(status): now.count(status) for status in RunStatus} | {"budget": spec.budget.trials},
        "epochs": now.epochs_done,
        "search_finished": not trials_left(study) and now.finished == len(now.runs),
        "best_trials": [_trial(run, spec) for run in best_trials(study, BEST)],
        "failures": [{"trial": run.trial_number, "reason": run.reason} for run in _failed(study)],
        "lr_range_test": {
            "suggested": {str(rule): rate for rule, rate in test.suggested.items()},
            "used": prior.suggested,
            "rule": str(spec.lr_range_test.suggestion),
            "prior": prior.interval,
        }
        if test
        else None,
        "promotion": _promotion(study),
        "foreign_trials": foreign_trials(study.ledger).get(study.name, []),
    }


def _trial(run: RunRow, spec: StudySpec) -> dict[str, Any]:
    config = stored_config(run).plain()
    searched = {name: config[name] for name in spec.space.active(config)}
    return {"trial": run.trial_number, "origin": str(run.origin), "validation_rmse": run.value, "parameters": searched}


def _failed(study: Study) -> list[RunRow]:
    with study.ledger.read() as session:
        query = select(RunRow).where(RunRow.study == study.name, RunRow.status == RunStatus.FAIL).order_by(RunRow.id)
        return list(session.scalars(query))


def _promotion(study: Study) -> dict[str, Any] | None:
    promotion = latest_promotion(study)
    scores = latest_scores(study)
    if promotion is None:
        return None
    looks = looks_of(study)
    told = {
        "contaminated": contamination(promotion),
        "looks_at_test": looks.total if looks else 0,
        "looks": looks.plain() if looks else None,
        "full_runs": full_runs(study, promotion.number),
    }
    if scores is None:
        now = progress(study, promotion=promotion.number)
        return {"number": promotion.number, "runs": len(now.runs), "finished": now.finished, "scored": False} | told
    rows = leaderboard(scores)
    return {
        "number": promotion.number,
        "scored": True,
        "scored_at": scores.scored_at,
        "scored_by": scores.scored_by,
        "test_data_sha256": scores.data_sha256,
        "forced": scores.forced,
        "winner": _score(scores.winner),
        "published_defaults": _score(scores.incumbent) if scores.incumbent else None,
        "mean_predictor": {"test_rmse": scores.mean_rmse, "nasa_score": scores.mean_nasa_score},
        "test_engines": len(scores.true),
        "choice": rows[0],
        "leaderboard": rows,
        "against_boosting": against_boosting(scores),
        "comparison": scores.comparison.plain() if scores.comparison else None,
        "proxy_check": proxy_check(study, promotion.number).plain(),
    } | told


def _score(score: CandidateScore) -> dict[str, Any]:
    return {
        "trial": score.trial_number,
        "origin": score.origin,
        "validation_rmse": score.validation_rmse,
        "test_rmse": score.test_rmse,
        "nasa_score": score.nasa_score,
        "seeds": sorted(score.by_seed, key=int),
    }


def full_runs(study: Study, promotion: int) -> list[dict[str, Any]]:
    """One row a complete run, JSON-serialisable.

    Keys: trial; seed; last_epoch, where it ended; allowed_epochs; best_epoch; best_rmse and last_rmse, on the
    validation engines in cycles; seconds an epoch, in the mean.
    """
    with study.ledger.read() as session:
        of_promotion = (RunRow.study == study.name, RunRow.promotion == promotion, RunRow.status == RunStatus.COMPLETE)
        runs = session.scalars(select(RunRow).where(*of_promotion).order_by(RunRow.slot)).all()
        query = select(EpochRow).join(RunRow, EpochRow.run == RunRow.id).where(*of_promotion)
        epochs: dict[int, list[EpochRow]] = {}
        for epoch in session.scalars(query.where(EpochRow.validation_rmse.is_not(None)).order_by(EpochRow.number)):
            epochs.setdefault(epoch.run, []).append(epoch)
    return [_told(run, epochs[run.id]) for run in runs if run.config and run.id in epochs]


def _told(run: RunRow, epochs: list[EpochRow]) -> dict[str, Any]:
    best = min(epochs, key=lambda epoch: epoch.validation_rmse or 0.0)
    return {
        "trial": run.trial_number,
        "seed": run.seed,
        "last_epoch": epochs[-1].number,
        "allowed_epochs": stored_config(run).epochs,
        "best_epoch": best.number,
        "best_rmse": best.validation_rmse,
        "last_rmse": epochs[-1].validation_rmse,
        "seconds": sum(epoch.seconds for epoch in epochs) / len(epochs),
    }
