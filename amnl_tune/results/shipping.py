"""From a scored promotion to its export bundle."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
import torch
from sqlalchemy import select

from amnl_tune import __version__
from amnl_tune.errors import StudyError
from amnl_tune.results.bundle import write_bundle
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.models import RunRow
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.promotion import latest_promotion
from amnl_tune.search.scoring import CandidateScore, TestScores, latest_scores, looks_at_test
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.study_data import study_data
from amnl_tune.training.config import RunConfig

__all__ = ["ship"]


def ship(ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, folder: Path) -> TestScores:
    """Exports the winner of the study's newest promotion: its best seed by the validation engines.

    Raises:
        StudyError: there is no scored promotion.
        BundleError, StorageError: the folder is something else, or cannot be written.
    """
    promotion, scores = latest_promotion(ledger, spec.name), latest_scores(ledger, spec.name)
    if promotion is None or scores is None:
        raise StudyError(
            f"An export needs a scored promotion, but study {spec.name!r} has none; run `amnl-tune promote {spec.name}`"
        )
    seed = min(scores.winner.by_seed, key=lambda seed: scores.winner.by_seed[seed]["validation_rmse"])
    run = _run(ledger, spec.name, promotion.number, scores.winner.trial_number, int(seed))
    config = RunConfig.model_validate_json(run.config or "")
    data = study_data(find_study(ledger, spec.name), spec, source, artifacts)
    write_bundle(
        folder,
        config=config,
        weights=artifacts.read_weights(run),
        scaling=data.scaling,
        provenance=_provenance(spec, run, promotion.number, data.sha256, scores),
        metrics=_metrics(scores, seed, run, looks_at_test(ledger, spec.name)),
    )
    return scores


def _run(ledger: Ledger, study: str, promotion: int, trial: int, seed: int) -> RunRow:
    with ledger.read() as session:
        query = select(RunRow).where(RunRow.study == study, RunRow.promotion == promotion)
        return session.scalars(query.where(RunRow.trial_number == trial, RunRow.seed == seed)).one()


def _provenance(spec: StudySpec, run: RunRow, promotion: int, data_sha256: str, scores: TestScores) -> dict[str, Any]:
    commit = _git_commit()
    return {
        "study": spec.name,
        "question": spec.question,
        "study_fingerprint": spec.fingerprint(),
        "trial": run.trial_number if run.trial_number is not None else -1,
        "origin": str(run.origin),
        "promotion": promotion,
        "seed": run.seed,
        "dataset": spec.data.dataset,
        "data_sha256": data_sha256,
        "test_data_sha256": scores.data_sha256,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "amnl_tune": __version__,
            "torch": torch.__version__,
            "optuna": optuna.__version__,
            "python": platform.python_version(),
        },
    } | ({"git_commit": commit} if commit else {})


def _metrics(scores: TestScores, seed: str, run: RunRow, looks: int) -> dict[str, Any]:
    winner, incumbent = scores.winner, scores.incumbent
    own = json.loads(run.result or "{}")
    return {
        "exported_seed": int(seed),
        "exported": winner.by_seed[seed]
        | {name: own[name] for name in ("rmse_all_windows", "best_epoch") if own.get(name) is not None},
        "mean_over_seeds": _figures(winner),
        "by_seed": winner.by_seed,
        "published_defaults": _figures(incumbent) if incumbent else None,
        "mean_predictor": {"test_rmse": scores.mean_rmse, "nasa_score": scores.mean_nasa_score},
        "test_engines": len(scores.true),
        "looks_at_test": looks,
        "forced": scores.forced,
    }


def _figures(score: CandidateScore) -> dict[str, float]:
    return {"validation_rmse": score.validation_rmse, "test_rmse": score.test_rmse, "nasa_score": score.nasa_score}


def _git_commit() -> str | None:
    """Of the checkout that the export is made in, "-dirty" with uncommitted changes; None outside of one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
