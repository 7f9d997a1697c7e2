"""What promoted networks answer on the test engines. Nothing here chooses anything."""

from typing import Any

import numpy as np
import torch
from safetensors.torch import load

from amnl_tune.rul.loss import health_class
from amnl_tune.rul.metrics import mean_predictor_rmse, nasa_score, rmse
from amnl_tune.rul.network import AMNL, Prediction
from amnl_tune.rul.preparation import EngineRows, PreparedData, engine_rows
from amnl_tune.rul.sources import TestFleet
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.comparison import compare
from amnl_tune.search.ledger.models import Origin, RunRow
from amnl_tune.search.promotion import Candidate
from amnl_tune.search.scores import CandidateScore, TestScores
from amnl_tune.training.config import RunConfig
from amnl_tune.training.evaluation import predict_windows

__all__ = ["score_candidates"]

WORST = 6
"""Engines whose whole life is kept, to be looked at."""


def score_candidates(
    candidates: list[Candidate], data: PreparedData, fleet: TestFleet, artifacts: Artifacts, number: int
) -> TestScores:
    """Winner (the first) and incumbent on each test engine's last window, with the comparison of both.

    Args:
        candidates: of the promotion, the validation engines' choice first.
        data: the study's, for its scaling. fleet: the test engines. artifacts: holds the weights.
        number: of the promotion.
    """
    rows = engine_rows(fleet.frame, data.scaling, fleet.rul)
    ends = rows.ends()
    true = rows.rul[ends].numpy().astype(np.float64)
    published = next((c for c in candidates if c.origin is Origin.PUBLISHED_DEFAULTS and c.complete), None)
    winner = _score(candidates[0], artifacts, rows, ends)
    same = published is candidates[0]
    incumbent = winner if same else _score(published, artifacts, rows, ends) if published else None
    return TestScores(
        promotion=number,
        look=0,
        forced=False,
        dataset=fleet.name,
        data_sha256=fleet.sha256,
        scored_at=0.0,
        winner=winner,
        incumbent=incumbent,
        mean_rmse=mean_predictor_rmse(true),
        mean_nasa_score=nasa_score(np.full_like(true, true.mean()), true),
        true=true.tolist(),
        units=rows.unit[ends].tolist(),
        comparison=compare(
            true,
            _by_seed(winner),
            _by_seed(incumbent) if incumbent else None,
            candidates=max(1, len([c for c in candidates if c is not published and c.complete])),
            same=same,
        ),
        lives=_lives(candidates[0], artifacts, rows, np.abs(np.array(winner.predicted) - true)),
    )


def _by_seed(score: CandidateScore) -> np.ndarray:
    """(S, E) predictions."""
    return np.array(list(score.predicted_by_seed.values()), dtype=np.float64)


def _score(candidate: Candidate, artifacts: Artifacts, rows: EngineRows, ends: torch.Tensor) -> CandidateScore:
    true = rows.rul[ends].numpy()
    predicted, by_seed, probabilities = {}, {}, []
    for run in candidate.complete:
        answer, config = _predict(run, artifacts, rows, ends)
        rul = answer.rul.numpy()
        predicted[str(run.seed)] = rul.tolist()
        learned = config.health_is_trained
        read_off = torch.nn.functional.one_hot(health_class(answer.rul, config.health_thresholds), 3).float()
        probabilities.append(answer.health.softmax(dim=1) if learned else read_off)
        by_seed[str(run.seed)] = {
            "validation_rmse": run.value or 0.0,
            "test_rmse": rmse(rul, true),
            "nasa_score": nasa_score(rul, true),
        }
    return CandidateScore(
        trial_number=candidate.trial_number,
        origin=str(candidate.origin),
        validation_rmse=candidate.validation_rmse,
        test_rmse=float(np.mean([seed["test_rmse"] for seed in by_seed.values()])),
        nasa_score=float(np.mean([seed["nasa_score"] for seed in by_seed.values()])),
        by_seed=by_seed,
        predicted=np.mean(list(predicted.values()), axis=0).tolist(),
        predicted_by_seed=predicted,
        health=torch.stack(probabilities).mean(dim=0).argmax(dim=1).tolist(),
    )


def _lives(candidate: Candidate, artifacts: Artifacts, rows: EngineRows, error: np.ndarray) -> list[dict[str, Any]]:
    """The worst engines cycle by cycle, by the seed that an export ships."""
    best = min(candidate.complete, key=lambda run: run.value or np.inf)
    units = rows.unit[rows.ends()][torch.from_numpy(np.argsort(-error, kind="stable")[:WORST].copy())]
    kept = torch.isin(rows.unit, units).nonzero().flatten()
    rul = _predict(best, artifacts, rows, kept)[0].rul
    lives = []
    for unit in units.tolist():
        own = rows.unit[kept] == unit
        lives.append(
            {
                "unit": unit,
                "cycle": (kept[own] - rows.first[kept[own]] + 1).tolist(),
                "true": rows.rul[kept[own]].tolist(),
                "predicted": [round(value, 2) for value in rul[own].tolist()],
            }
        )
    return lives


def _predict(run: RunRow, artifacts: Artifacts, rows: EngineRows, last: torch.Tensor) -> tuple[Prediction, RunConfig]:
    config = RunConfig.model_validate_json(run.config or "")
    model = AMNL(config)
    model.load_state_dict(load(artifacts.read_weights(run)))
    return predict_windows(model, rows, last, config.window), config
