"""From a scored promotion to its export bundle."""

import json
import math
import platform
import subprocess
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Any

import optuna
import torch
from sqlalchemy import select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import AttemptRow, PromotionRow, RunRow, WorkerRow
from amnl_tune.errors import StorageError, StudyError
from amnl_tune.ledger.promotions import Candidate, latest_promotion, promoted_candidates
from amnl_tune.ledger.stored import stored_config
from amnl_tune.ledger.studies import Study
from amnl_tune.masking import masked
from amnl_tune.promotion.kept_boosting import read_boosting
from amnl_tune.promotion.looks import latest_scores
from amnl_tune.promotion.scores import CandidateKind, CandidateScore, TestScores
from amnl_tune.results.export.bundle import write_bundle
from amnl_tune.results.facts import summarize
from amnl_tune.rul.metrics import worst_if_unknown
from amnl_tune.search.opening import Workspace
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.boosting import Boosting
from amnl_tune.version import __version__

EXPORTED = (CandidateKind.NETWORK, CandidateKind.BOOSTING, CandidateKind.MIX)
"""What can be exported: age alone is a reference."""


def ship(
    workspace: Workspace,
    study: Study,
    folder: Path,
    *,
    trial: int | None = None,
    kind: str | None = None,
) -> CandidateScore:
    """Exports what the validation engines of the study's newest promotion have chosen, or what is asked for.

    A network is that of its configuration's best seed, beside the others; a mix is made of all seeds and boosting.

    Args:
        folder: of the export.
        trial: the network of a promoted one, instead of `kind`. One that was not scored has figures of the validation
            engines alone: an export never looks at the test engines.
        kind: network, boosting or mix; None: the choice.

    Returns:
        What is known of it; without seeds and test figures where it was not scored.

    Raises:
        StudyError: there is no scored promotion, the trial was not promoted, or the promotion has no such candidate.
        BundleError, StorageError: the folder is something else, or cannot be written.
    """
    artifacts, spec = workspace.artifacts, study.spec
    promotion, scores = scored_promotion(study)
    wanted = CandidateKind.NETWORK if trial is not None else _candidate_kind(kind or scores.choice)
    number = scores.winner.trial_number if trial is None else trial
    assert number is not None, "a network comes from a trial"
    candidate = _candidate(study, promotion.number, number)
    score = _score(scores, candidate, wanted)
    run = min(candidate.complete, key=lambda run: worst_if_unknown(run.value))
    config = stored_config(run)
    data = workspace.data_of(study)
    known = float(data.scaling.condition_distance(workspace.source.training(spec.data.dataset).frame).max())
    networks = wanted is not CandidateKind.BOOSTING
    several = networks and len(candidate.complete) > 1
    write_bundle(
        folder,
        config=config,
        weights=artifacts.read_weights(run) if networks else None,
        scaling=data.scaling,
        provenance=_provenance(spec, run if networks else None, promotion.number, data.sha256, scores)
        | {"condition_distance": known, "execution": _execution(study.ledger, run) if networks else {}},
        metrics=_metrics(study, promotion, score, candidate, run),
        seeds={run.seed: artifacts.read_weights(run) for run in candidate.complete} if several else None,
        boosting=None if wanted is CandidateKind.NETWORK else _boosting(artifacts, spec.name, promotion.number),
    )
    return score


def _boosting(artifacts: Artifacts, study: str, number: int) -> Boosting:
    """As it was scored: fitted again, by another version, it might be another. Raises StorageError."""
    kept = read_boosting(artifacts, study, number)
    if kept is None:
        raise StorageError(
            f"A promotion's boosting must be readable, but {artifacts.boosting(study, number)} is not in "
            f"{masked(artifacts.store.url)}; set --artifacts to where the study was promoted"
        )
    return kept


def _candidate_kind(kind: str) -> CandidateKind:
    if kind not in EXPORTED:
        raise StudyError(f"An export must be of one of {', '.join(EXPORTED)}, but got {kind!r}; name one of them")
    return CandidateKind(kind)


def _score(scores: TestScores, candidate: Candidate, kind: CandidateKind) -> CandidateScore:
    """Of what is exported; without seeds and test figures where it was not scored."""
    if kind is CandidateKind.NETWORK:
        unscored = CandidateScore(
            candidate.trial_number, str(candidate.origin), candidate.validation_rmse, nan, nan, {}, []
        )
        scored = {one.trial_number: one for one in (scores.incumbent, scores.winner) if one}
        return scored.get(candidate.trial_number, unscored)
    for rival in scores.rivals:
        if rival.kind is kind:
            return rival
    there = ", ".join(["network", *(str(rival.kind) for rival in scores.rivals if rival.kind in EXPORTED)])
    raise StudyError(
        f"An export is of a candidate that was scored, but this promotion has no {kind} ({there}); name one that it "
        "has, or promote with other seeds, which fits boosting too"
    )


def ship_best(workspace: Workspace, study: Study, folder: Path, *, top: int) -> dict[Path, CandidateScore]:
    """Exports the best promoted configurations by the validation engines, each into FOLDER/RANK-trial-NUMBER.

    Raises:
        StudyError: fewer were promoted; and as `ship`.
    """
    promotion, _ = scored_promotion(study)
    best = [c for c in promoted_candidates(study, promotion.number) if c.complete]
    if len(best) < top:
        raise StudyError(
            f"An export of the best {top} needs as many promoted configurations, but study {study.name!r} has "
            f"{len(best)}; run `amnl-tune promote {study.name} --top {top}`, or lower --top"
        )
    folders = [
        (folder / f"{rank}-trial-{c.trial_number}", c.trial_number) for rank, c in enumerate(best[:top], start=1)
    ]
    return {own: ship(workspace, study, own, trial=trial) for own, trial in folders}


def scored_promotion(study: Study) -> tuple[PromotionRow, TestScores]:
    """The study's newest promotion with its scores. Raises StudyError if there is none."""
    promotion, scores = latest_promotion(study), latest_scores(study)
    if promotion is None or scores is None:
        raise StudyError(
            f"An export needs a scored promotion, but study {study.name!r} has none; run `amnl-tune "
            f"promote {study.name}`"
        )
    return promotion, scores


def _candidate(study: Study, number: int, trial: int) -> Candidate:
    candidates = [c for c in promoted_candidates(study, number) if c.complete]
    for candidate in candidates:
        if candidate.trial_number == trial:
            return candidate
    raise StudyError(
        f"An export holds trained weights, which promoted trials have, but trial {trial} of study {study.name!r} was "
        f"not promoted ({', '.join(str(c.trial_number) for c in candidates)} were); promote it, or export its "
        "configuration alone with --format toml"
    )


def _provenance(
    spec: StudySpec, run: RunRow | None, promotion: int, data_sha256: str, scores: TestScores
) -> dict[str, Any]:
    """Of a run, or of boosting, which comes from no trial."""
    commit = _git_commit()
    trained = {"trial": run.trial_number, "origin": str(run.origin), "seed": run.seed} if run else {}
    return {
        "study": spec.name,
        "question": spec.question,
        "study_fingerprint": spec.fingerprint(),
        **trained,
        "promotion": promotion,
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


def _execution(ledger: Ledger, run: RunRow) -> dict[str, Any]:
    """Beside its configuration, what a run's bits depend on; of the worker that ended it, if it is still known."""
    with ledger.read() as session:
        query = select(WorkerRow).join(AttemptRow, AttemptRow.worker == WorkerRow.id).where(AttemptRow.run == run.id)
        worker = session.scalars(query.order_by(AttemptRow.fence.desc())).first()
    precision = json.loads(run.result or "{}").get("precision")
    trained = {"device": worker.device, "threads": worker.threads} if worker else {}
    return ({"precision": precision} if precision else {}) | trained


def _metrics(
    study: Study, promotion: PromotionRow, score: CandidateScore, candidate: Candidate, run: RunRow
) -> dict[str, Any]:
    """Of what is exported, beside its rivals; test figures only where they were scored."""
    told = summarize(study)["promotion"]
    is_network, is_scored = score.kind is CandidateKind.NETWORK, not math.isnan(score.test_rmse)
    own = json.loads(run.result or "{}")
    noted = {name: own[name] for name in ("rmse_all_windows", "best_epoch") if own.get(name) is not None}
    by_seed: dict[str, Any] = dict(score.by_seed) or {
        str(one.seed): {"validation_rmse": one.value} for one in candidate.complete
    }
    shared = ("choice", "leaderboard", "against_boosting", "looks", "looks_at_test") if is_scored else ()
    over_seeds = _figures(score) if is_scored else {"validation_rmse": candidate.validation_rmse}
    no_network = score.kind is CandidateKind.BOOSTING
    is_winner = is_network and told["winner"]["trial"] == candidate.trial_number
    return {
        "kind": str(score.kind),
        "exported": by_seed[str(run.seed)] | noted if is_network else _figures(score),
        **({"exported_seed": run.seed} if is_network else {}),
        **({"mean_over_seeds": over_seeds} if is_network else {}),
        "by_seed": {} if no_network else by_seed,
        "full_runs": [] if no_network else [r for r in told["full_runs"] if r["trial"] == candidate.trial_number],
        "epochs_by_seed": {} if no_network else {str(one.seed): one.epochs_done for one in candidate.complete},
        "published_defaults": _chosen(told["published_defaults"]),
        "mean_predictor": told["mean_predictor"],
        "comparison": told["comparison"] if is_winner or (is_scored and not is_network) else None,
        "test_engines": told["test_engines"],
        "looks_at_test": 0,
        "forced": told["forced"],
        "contaminated": promotion.contaminated_at is not None,
    } | {name: told[name] for name in shared}


def _chosen(figures: dict[str, Any] | None) -> dict[str, float] | None:
    names = ("validation_rmse", "test_rmse", "nasa_score")
    return {name: figures[name] for name in names} if figures else None


def _figures(score: CandidateScore) -> dict[str, float]:
    return {"validation_rmse": score.validation_rmse, "test_rmse": score.test_rmse, "nasa_score": score.nasa_score}


def _git_commit() -> str | None:
    """Of the checkout that the export is made in, "-dirty" with uncommitted changes; None outside of one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
