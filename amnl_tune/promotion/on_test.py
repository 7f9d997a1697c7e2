"""What a promotion's candidates answer on the test engines. Nothing here chooses anything."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.models import Origin
from amnl_tune.ledger.promotions import Candidate
from amnl_tune.promotion.bootstrap import Array
from amnl_tune.promotion.choosing import Choice, judged
from amnl_tune.promotion.networks import SeedAnswers, answers_of, run_config
from amnl_tune.promotion.scores import CandidateKind, CandidateScore, TestScores
from amnl_tune.rul.losses import health_class, likeliest_class
from amnl_tune.rul.metrics import mean_predictor_rmse, nasa_score, rmse, worst_if_unknown
from amnl_tune.rul.preparation import EngineRows, PreparedData, engine_rows
from amnl_tune.rul.sources import TestFleet
from amnl_tune.training.boosting import Boosting

WORST = 6
"""Engines whose whole life is kept, to be looked at."""


def score_candidates(
    candidates: list[Candidate],
    choice: Choice,
    data: PreparedData,
    fleet: TestFleet,
    artifacts: Artifacts,
    *,
    number: int,
) -> TestScores:
    """The choice and its rivals on each test engine's last window, compared with each other.

    Args:
        candidates: the promotion's networks, the validation engines' choice of them first. choice: over all kinds.
        data: the study's, for its scaling. fleet: the test engines. artifacts: holds the weights.
        number: of the promotion.
    """
    engines = _Engines(engine_rows(fleet.frame, data.scaling, fleet.rul))
    published = next((c for c in candidates if c.origin is Origin.PUBLISHED_DEFAULTS and c.complete), None)
    best = engines.network(candidates[0], artifacts)
    other = engines.network(published, artifacts) if published and published is not candidates[0] else None
    known = TestScores(
        promotion=number,
        look=0,
        forced=False,
        dataset=fleet.name,
        data_sha256=fleet.sha256,
        scored_at=0.0,
        winner=best.score,
        incumbent=other.score if other else best.score if published else None,
        mean_rmse=mean_predictor_rmse(engines.true),
        mean_nasa_score=nasa_score(np.full_like(engines.true, engines.true.mean()), engines.true),
        true=engines.true.tolist(),
        units=engines.rows.unit[engines.ends].tolist(),
        rivals=list(engines.rivals(choice, best)),
        choice=choice.kind,
        mean_validation_rmse=choice.mean_validation_rmse,
    )
    compared = judged(known, networks=len([candidate for candidate in candidates if candidate.complete]))
    return replace(compared, lives=engines.lives(compared, choice, best, artifacts))


@dataclass(frozen=True)
class _Network:
    """A configuration with its answers and its score."""

    candidate: Candidate
    answers: SeedAnswers
    score: CandidateScore


@dataclass(frozen=True)
class _Engines:
    """The test engines: prepared rows of all their cycles."""

    rows: EngineRows

    @cached_property
    def ends(self) -> Tensor:
        """(E,) each engine's last row."""
        return self.rows.ends()

    @cached_property
    def true(self) -> Array:
        """(E,) capped RUL at the ends, cycles."""
        return self.rows.rul[self.ends].numpy().astype(np.float64)

    def network(self, candidate: Candidate, artifacts: Artifacts) -> _Network:
        """A promoted configuration, by each of its seeds."""
        answers, seeds = answers_of(candidate, artifacts, self.rows, self.ends), candidate.complete
        predicted = {str(run.seed): rul.numpy() for run, rul in zip(seeds, answers.rul, strict=True)}
        by_seed = {
            str(run.seed): {
                "validation_rmse": worst_if_unknown(run.value),
                "test_rmse": rmse(predicted[str(run.seed)], self.true),
                "nasa_score": nasa_score(predicted[str(run.seed)], self.true),
            }
            for run in seeds
        }
        score = CandidateScore(
            trial_number=candidate.trial_number,
            origin=str(candidate.origin),
            validation_rmse=candidate.validation_rmse,
            test_rmse=float(np.mean([seed["test_rmse"] for seed in by_seed.values()])),
            nasa_score=float(np.mean([seed["nasa_score"] for seed in by_seed.values()])),
            by_seed=by_seed,
            predicted=np.mean(list(predicted.values()), axis=0).tolist(),
            predicted_by_seed={seed: rul.tolist() for seed, rul in predicted.items()},
            health=likeliest_class(answers.health.mean(dim=0)).tolist(),
            fit_seconds=sum(run.busy_seconds for run in seeds),
            predict_seconds=answers.seconds,
        )
        return _Network(candidate, answers, score)

    def rivals(self, choice: Choice, network: _Network) -> Iterator[CandidateScore]:
        """Boosting, the mix and age alone, where there is boosting."""
        if choice.boosting is None or choice.age_alone is None:
            return
        config = run_config(network.candidate.complete[0])
        trees = self._trees(CandidateKind.BOOSTING, choice.boosting, choice, config.health_thresholds)
        yield trees
        mixed = (network.answers.rul.numpy().mean(axis=0) + np.array(trees.predicted)) / 2
        one, seeds = network.score, len(network.score.by_seed)
        mix = self._single(CandidateKind.MIX, mixed, choice, config.health_thresholds)
        yield replace(
            mix,
            health=one.health if config.health_is_trained else mix.health,
            fit_seconds=(one.fit_seconds or 0.0) + (trees.fit_seconds or 0.0),
            predict_seconds=seeds * (one.predict_seconds or 0.0) + (trees.predict_seconds or 0.0),
        )
        yield self._trees(CandidateKind.AGE_ALONE, choice.age_alone, choice, config.health_thresholds)

    def _trees(
        self, kind: CandidateKind, boosting: Boosting, choice: Choice, thresholds: tuple[float, float]
    ) -> CandidateScore:
        started = time.perf_counter()
        predicted = boosting.at(self.rows, self.ends)
        seconds = time.perf_counter() - started
        score = self._single(kind, predicted, choice, thresholds)
        return replace(score, fit_seconds=boosting.fit_seconds, predict_seconds=seconds)

    def _single(
        self, kind: CandidateKind, predicted: Array, choice: Choice, thresholds: tuple[float, float]
    ) -> CandidateScore:
        """A candidate that gives one prediction (E,), its health class read off."""
        return CandidateScore(
            trial_number=None,
            origin=str(kind),
            validation_rmse=choice.validation_rmse[kind],
            test_rmse=rmse(predicted, self.true),
            nasa_score=nasa_score(predicted, self.true),
            by_seed={},
            predicted=predicted.tolist(),
            health=health_class(torch.from_numpy(predicted), thresholds).tolist(),
            kind=kind,
        )

    def lives(
        self, scores: TestScores, choice: Choice, network: _Network, artifacts: Artifacts
    ) -> list[dict[str, Any]]:
        """The engines that the choice is worst at, cycle by cycle; a network by the seed that an export ships."""
        error = np.abs(np.array(scores.chosen.predicted) - self.true)
        units = self.rows.unit[self.ends][torch.from_numpy(np.argsort(-error, kind="stable")[:WORST].copy())]
        kept = torch.isin(self.rows.unit, units).nonzero().flatten()
        best = min(network.candidate.complete, key=lambda run: worst_if_unknown(run.value))
        shipped = (
            replace(network.candidate, runs=(best,)) if choice.kind is CandidateKind.NETWORK else network.candidate
        )
        parts: list[Array] = []
        if choice.kind is not CandidateKind.BOOSTING:
            parts.append(answers_of(shipped, artifacts, self.rows, kept).rul.numpy().mean(axis=0))
        if choice.boosting is not None and choice.kind is not CandidateKind.NETWORK:
            parts.append(choice.boosting.at(self.rows, kept))
        rul, unit, first = np.mean(parts, axis=0), self.rows.unit[kept], self.rows.first[kept]
        return [
            {
                "unit": one,
                "cycle": (kept[unit == one] - first[unit == one] + 1).tolist(),
                "true": self.rows.rul[kept[unit == one]].tolist(),
                "predicted": [round(float(value), 2) for value in rul[(unit == one).numpy()]],
            }
            for one in units.tolist()
        ]
