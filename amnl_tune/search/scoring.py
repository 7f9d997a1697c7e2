"""The one look at the test engines: winner and incumbent, after the validation engines have chosen.

Every look is a row of the ledger. The first is the promotion's result; a further one is refused unless forced, and
stays marked.
"""

import getpass
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy.exc
import torch
from safetensors.torch import load
from sqlalchemy import select

from amnl_tune.errors import StudyError
from amnl_tune.rul.metrics import mean_predictor_rmse, nasa_score, rmse
from amnl_tune.rul.network import AMNL
from amnl_tune.rul.preparation import EngineRows, PreparedData, engine_rows
from amnl_tune.rul.sources import FleetSource, TestFleet
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.host import host_name
from amnl_tune.search.ledger.engine import Ledger, database_time
from amnl_tune.search.ledger.models import Origin, PromotionRow, RunRow, TestScoreRow
from amnl_tune.search.ledger.runs import open_runs
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.promotion import Candidate, latest_promotion, promoted_candidates
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.study_data import study_data
from amnl_tune.training.config import RunConfig
from amnl_tune.training.evaluation import predict_windows

__all__ = [
    "CandidateScore",
    "TestScores",
    "ensure_scored",
    "find_scores",
    "latest_scores",
    "looks_at_test",
    "score_again",
]


@dataclass(frozen=True)
class CandidateScore:
    """One configuration on the test engines, each with its last window; means over the seeds.

    Attributes:
        trial_number, origin: where it comes from.
        validation_rmse: that chose, in cycles.
        test_rmse: in cycles, labels capped at 125. nasa_score: sum over the engines.
        by_seed: the same two for each seed.
        predicted: (engines,) mean prediction over the seeds, in cycles.
    """

    trial_number: int
    origin: str
    validation_rmse: float
    test_rmse: float
    nasa_score: float
    by_seed: dict[str, dict[str, float]]
    predicted: list[float]


@dataclass(frozen=True)
class TestScores:
    """One look.

    Attributes:
        promotion, look: which. forced: it was not the first, and somebody insisted.
        dataset, data_sha256: of the test engines.
        winner, incumbent: the validation engines' choice and the published defaults (may be one and the same).
        mean_rmse, mean_nasa_score: of the best constant, the mean of the test engines' own capped labels.
        true: (engines,) capped RUL in cycles. units: their numbers.
    """

    __test__ = False

    promotion: int
    look: int
    forced: bool
    dataset: str
    data_sha256: str
    scored_at: float
    winner: CandidateScore
    incumbent: CandidateScore | None
    mean_rmse: float
    mean_nasa_score: float
    true: list[float]
    units: list[int]

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self)


def ensure_scored(
    ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, *, number: int
) -> TestScores:
    """A finished promotion's scores: those there are, else the one look is taken now.

    Raises:
        StudyError: runs are unfinished, or all failed.
    """
    promotion = _promotion(ledger, spec.name, number)
    return find_scores(ledger, promotion.id) or _look(ledger, spec, source, artifacts, promotion, look=1)


def score_again(
    ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, *, number: int, force: bool
) -> TestScores:
    """A look that somebody asks for: refused when there was one, unless forced; and marked when forced.

    Raises:
        StudyError: the engines have been looked at and `force` is not set; runs are unfinished, or all failed.
    """
    promotion = _promotion(ledger, spec.name, number)
    looks = looks_at_test(ledger, promotion.id)
    if looks and not force:
        raise StudyError(
            f"The test engines are scored once, but promotion {number} of study {spec.name!r} has its score; see "
            f"`amnl-tune study show {spec.name}`, or insist with --force, which every report will say"
        )
    return _look(ledger, spec, source, artifacts, promotion, look=looks + 1)


def _look(
    ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, promotion: PromotionRow, *, look: int
) -> TestScores:
    candidates = _require_finished(ledger, spec.name, promotion.number)
    data = study_data(find_study(ledger, spec.name), spec, source, artifacts)
    scores = _scores(candidates, data, source.test(spec.data.dataset), artifacts, promotion.number)
    return _record(ledger, promotion, replace(scores, look=look, forced=look > 1))


def _promotion(ledger: Ledger, study: str, number: int) -> PromotionRow:
    with ledger.read() as session:
        query = select(PromotionRow).where(PromotionRow.study == study, PromotionRow.number == number)
        return session.scalars(query).one()


def _require_finished(ledger: Ledger, study: str, number: int) -> list[Candidate]:
    candidates = promoted_candidates(ledger, study, number)
    waiting = [run for candidate in candidates for run in candidate.runs if run.finished_at is None]
    if waiting:
        raise StudyError(
            f"A promotion is scored when all its runs have ended, but {len(waiting)} of study {study!r} have not "
            f"({open_runs(ledger, study)} open); run `amnl-tune promote {study}`"
        )
    if not candidates[0].complete:
        reasons = "; ".join(sorted({run.reason or "unknown" for candidate in candidates for run in candidate.runs}))
        raise StudyError(f"A promotion needs one complete run, but all of study {study!r} failed: {reasons}")
    return candidates


def _scores(
    candidates: list[Candidate], data: PreparedData, fleet: TestFleet, artifacts: Artifacts, number: int
) -> TestScores:
    rows = engine_rows(fleet.frame, data.scaling, fleet.rul)
    ends = rows.ends()
    true = rows.rul[ends].numpy()
    mean = np.full_like(true, true.mean())
    incumbent = next((c for c in candidates if c.origin is Origin.PUBLISHED_DEFAULTS and c.complete), None)
    return TestScores(
        promotion=number,
        look=0,
        forced=False,
        dataset=fleet.name,
        data_sha256=fleet.sha256,
        scored_at=0.0,
        winner=_score(candidates[0], artifacts, rows, ends, true),
        incumbent=_score(incumbent, artifacts, rows, ends, true) if incumbent else None,
        mean_rmse=mean_predictor_rmse(true),
        mean_nasa_score=nasa_score(mean, true),
        true=true.tolist(),
        units=rows.unit[ends].tolist(),
    )


def _score(
    candidate: Candidate, artifacts: Artifacts, rows: EngineRows, ends: torch.Tensor, true: np.ndarray
) -> CandidateScore:
    predictions, by_seed = [], {}
    for run in candidate.complete:
        predicted = _predict(run, artifacts.read_weights(run), rows, ends)
        predictions.append(predicted)
        by_seed[str(run.seed)] = {
            "validation_rmse": run.value or 0.0,
            "test_rmse": rmse(predicted, true),
            "nasa_score": nasa_score(predicted, true),
        }
    return CandidateScore(
        trial_number=candidate.trial_number,
        origin=str(candidate.origin),
        validation_rmse=candidate.validation_rmse,
        test_rmse=float(np.mean([seed["test_rmse"] for seed in by_seed.values()])),
        nasa_score=float(np.mean([seed["nasa_score"] for seed in by_seed.values()])),
        by_seed=by_seed,
        predicted=np.mean(predictions, axis=0).tolist(),
    )


def _predict(run: RunRow, weights: bytes, rows: EngineRows, ends: torch.Tensor) -> np.ndarray:
    config = RunConfig.model_validate_json(run.config or "")
    model = AMNL(config)
    model.load_state_dict(load(weights))
    return predict_windows(model, rows, ends, config.window).rul.numpy()


def _record(ledger: Ledger, promotion: PromotionRow, scores: TestScores) -> TestScores:
    """Enters a look. Two processes that take the same look at once enter it once: their scores are equal."""
    with suppress(sqlalchemy.exc.IntegrityError), ledger.write() as session:
        session.add(
            TestScoreRow(
                promotion_id=promotion.id,
                look=scores.look,
                forced=scores.forced,
                scored_by=f"{getpass.getuser()}@{host_name()}",
                scored_at=database_time(session),
                data_sha256=scores.data_sha256,
                scores=json.dumps(scores.plain()),
            )
        )
    recorded = find_scores(ledger, promotion.id)
    assert recorded is not None
    return recorded


def looks_at_test(ledger: Ledger, promotion_id: int) -> int:
    """How often the test engines were scored for a promotion."""
    with ledger.read() as session:
        return len(session.scalars(select(TestScoreRow.id).where(TestScoreRow.promotion_id == promotion_id)).all())


def find_scores(ledger: Ledger, promotion_id: int) -> TestScores | None:
    """The latest look of a promotion; None if there was none. A forced one says so."""
    with ledger.read() as session:
        query = select(TestScoreRow).where(TestScoreRow.promotion_id == promotion_id).order_by(TestScoreRow.look.desc())
        row = session.scalars(query).first()
    if row is None:
        return None
    values = json.loads(row.scores) | {"look": row.look, "forced": row.forced, "scored_at": row.scored_at}
    for name in ("winner", "incumbent"):
        values[name] = CandidateScore(**values[name]) if values[name] else None
    return TestScores(**values)


def latest_scores(ledger: Ledger, study: str) -> TestScores | None:
    """Of a study's newest promotion; None if it is not scored."""
    promotion = latest_promotion(ledger, study)
    return find_scores(ledger, promotion.id) if promotion else None
