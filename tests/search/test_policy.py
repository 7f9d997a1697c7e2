"""Our pruning decisions are Optuna's, trial for trial, on both databases."""

import math
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from reports import settle
from sqlalchemy import select

from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, Origin, RunRow, RunStatus, TallyRow
from amnl_tune.ledger.epochs import ReportLine, Verdict
from amnl_tune.ledger.leases import Budget, Lease, LeaseLostError, claim, finish, release
from amnl_tune.ledger.standing import bin_of
from amnl_tune.ledger.studies import find_study, freeze
from amnl_tune.search.policy import competes_when_complete, competition
from amnl_tune.search.trials import bracket_of
from amnl_tune.studies.optuna_parts import build_pruner
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec

EPOCHS = 12
PRUNERS: list[dict[str, Any]] = [
    {"name": "SuccessiveHalvingPruner", "min_resource": 1, "reduction_factor": 2},
    {"name": "SuccessiveHalvingPruner", "min_resource": 3, "reduction_factor": 4},
    {"name": "SuccessiveHalvingPruner", "min_resource": 2, "reduction_factor": 3, "bootstrap_count": 3},
    {"name": "SuccessiveHalvingPruner", "min_resource": 1, "reduction_factor": 2, "min_early_stopping_rate": 1},
    {"name": "HyperbandPruner", "min_resource": 1, "max_resource": EPOCHS, "reduction_factor": 3},
    {"name": "MedianPruner", "n_warmup_steps": 2},
    {"name": "MedianPruner", "n_startup_trials": 0, "n_warmup_steps": 1, "interval_steps": 3, "n_min_trials": 4},
    {"name": "PercentilePruner", "percentile": 25.0, "n_startup_trials": 3},
    {"name": "ThresholdPruner", "upper": 20.0, "n_warmup_steps": 3, "interval_steps": 2},
    {"name": "NopPruner"},
]


def curves(trials: int) -> list[list[float]]:
    """Falling, noisy, with ties."""
    rng = random.Random(1)
    return [
        [round(10 + rng.random() * 20 * math.exp(-epoch / 6) + rng.random() * 4, 1) for epoch in range(EPOCHS)]
        for _ in range(trials)
    ]


def study_with(text: str, pruner: dict[str, Any]) -> StudySpec:
    table = "\n".join(f"{key} = {value!r}" for key, value in pruner.items())
    return parse_study_spec(text.replace('[pruner]\nname = "NopPruner"', f"[pruner]\n{table}"), name="tiny")


def row(number: int, curve: list[float], study: str, bracket: int) -> dict[str, Any]:
    best = min(curve[:number])
    return {
        "number": number, "study": study, "bracket": bracket, "reported": best, "train_rul_loss": 1.0,
        "train_health_loss": None, "learning_rate": 1e-3, "validation_rmse": curve[number - 1],
        "best_validation_rmse": best, "samples": 10, "seconds": 0.5,
    }  # fmt: skip


def assert_tallied(ledger: Ledger, spec: StudySpec) -> None:
    """Wherever trials compete, each that does is counted once."""
    with ledger.read() as session:
        tallies = {(row.bracket, row.number, row.bin): row.trials for row in session.scalars(select(TallyRow))}
        epochs = session.execute(select(EpochRow, RunRow.status).join(RunRow, RunRow.id == EpochRow.run)).all()
    competing = Counter(
        (epoch.bracket, epoch.number, epoch.bin)
        for epoch, status in epochs
        if status is RunStatus.COMPLETE or not competes_when_complete(spec)
    )
    rungs = {key[:2] for key in tallies}
    assert tallies == {key: trials for key, trials in competing.items() if key[:2] in rungs}
    assert bool(tallies) == (spec.pruner.name not in {"ThresholdPruner", "NopPruner"})


def budget(trials: int) -> Budget:
    return Budget(trials, EPOCHS, None, (Origin.PUBLISHED_DEFAULTS,), seed=1)


@pytest.mark.parametrize("pruner", PRUNERS, ids=lambda pruner: "-".join(map(str, pruner.values())))
def test_decisions_are_optunas(pruner: dict[str, Any], ledger: Ledger, tiny_study: str) -> None:
    spec = study_with(tiny_study, pruner)
    freeze(ledger, spec, "ab" * 32)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name=spec.name, pruner=build_pruner(spec))
    line = ReportLine(ledger)
    pruned = 0
    for curve in curves(24):
        trial = study.ask()
        claimed = claim(find_study(ledger, spec.name), "w1", budget(24), ttl=60)
        assert claimed is not None
        lease, _ = claimed
        bracket = bracket_of(trial)
        for number in range(1, EPOCHS + 1):
            best = min(curve[:number])
            trial.report(best, number)
            epoch = row(number, curve, spec.name, bracket)
            question = competition(spec, bracket, curve[:number], best)
            verdict = line.report(lease, epoch, ttl=60, busy_seconds=1.0, competition=question)
            expected = trial.should_prune()
            assert verdict == Verdict(pruned=expected, stopped=False, late=False, spent=False)
            if expected:
                pruned += 1
                study.tell(trial, state=TrialState.PRUNED)
                finish(ledger, lease, RunStatus.PRUNED, value=best)
                break
        else:
            study.tell(trial, best)
            finish(ledger, lease, RunStatus.COMPLETE, value=best, competes=competes_when_complete(spec))
    line.close()
    assert_tallied(ledger, spec)
    assert pruned or pruner["name"] == "NopPruner"


def test_reports_at_once_are_all_counted(ledger: Ledger, tiny_study: str) -> None:
    spec = study_with(tiny_study, {"name": "SuccessiveHalvingPruner", "min_resource": 1, "reduction_factor": 2})
    freeze(ledger, spec, "ab" * 32)
    question = competition(spec, 0, [20.0], 20.0)
    claims = [claim(find_study(ledger, spec.name), f"w{worker}", budget(8), ttl=60) for worker in range(8)]

    def report(lease: Lease) -> bool:
        line = ReportLine(ledger)
        try:
            return line.report(
                lease, row(1, [20.0], spec.name, 0), ttl=60, busy_seconds=1.0, competition=question
            ).pruned
        finally:
            line.close()

    with ThreadPoolExecutor(3) as threads:  # connections of one ledger
        assert list(threads.map(report, [claimed[0] for claimed in claims if claimed])) == [False] * 8, "all are equal"
    assert_tallied(ledger, spec)


def test_bins_are_in_the_values_order() -> None:
    values = [0.0, 1e-300, 0.5, 1.0, 12.0, 12.01, 13.0, 1e3, 1e12, 1e300]
    assert [bin_of(value) for value in values] == sorted(bin_of(value) for value in values)
    assert -(2**31) <= bin_of(0.0) < bin_of(1e300) < 2**31, "a column of 32 bits"


def test_patience_looks_at_the_raw_curve(tiny_study: str) -> None:
    """Optuna's PatientPruner compares reports; ours are running bests, on which it would never act."""
    spec = study_with(tiny_study, {"name": "PatientPruner", "patience": 2, "min_delta": 0.5})
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for curve in curves(20):
        trial = optuna.create_study(pruner=build_pruner(spec)).ask()
        for number in range(1, EPOCHS + 1):
            trial.report(curve[number - 1], number)
            asked = competition(spec, 0, curve[:number], min(curve[:number]))
            assert asked.query == f"select {str(trial.should_prune()).lower()}"


def test_a_decision_is_taken_once(ledger: Ledger, tiny_study: str) -> None:
    spec = study_with(tiny_study, {"name": "SuccessiveHalvingPruner", "min_resource": 1, "reduction_factor": 2})
    freeze(ledger, spec, "ab" * 32)
    line = ReportLine(ledger)

    def take(owner: str, value: float, ttl: float = 60) -> tuple[Any, Verdict]:
        claimed = claim(find_study(ledger, spec.name), owner, budget(9), ttl=ttl)
        assert claimed is not None
        question = competition(spec, 0, [value], value)
        epoch = row(1, [value], spec.name, 0)
        return claimed[0], line.report(claimed[0], epoch, ttl=ttl, busy_seconds=2.0, competition=question)

    first, verdict = take("w1", 10.0)
    assert not verdict.pruned
    release(ledger, first)
    other, verdict = take("w2", 10.0)  # the same trial, under another worker
    assert other.run == first.run
    assert not verdict.pruned
    take("w3", 5.0)
    assert not line.report(
        other, row(1, [10.0], spec.name, 0), ttl=60, busy_seconds=2.0, competition=competition(spec, 0, [10.0], 10.0)
    ).pruned, "a better trial has come since, but the decision stands"
    assert take("w4", 20.0)[1].pruned
    with pytest.raises(LeaseLostError):
        line.report(first, row(2, [10.0, 9.0], spec.name, 0), ttl=60, busy_seconds=3.0)
    line.close()


def test_optuna_shows_the_curve(ledger: Ledger, tiny_study: str) -> None:
    from amnl_tune.database.optuna_storage import open_storage
    from amnl_tune.search.trials import create_optuna_study

    spec = study_with(tiny_study, {"name": "NopPruner"})
    freeze(ledger, spec, "ab" * 32)
    storage = open_storage(ledger)
    create_optuna_study(storage, spec, new=True)
    study = optuna.load_study(study_name=spec.name, storage=storage)
    trial = study.ask()
    claimed = claim(find_study(ledger, spec.name), "w1", budget(3), ttl=60)
    assert claimed is not None
    settle(ledger, claimed[0], trial_number=trial.number, trial_id=trial._trial_id)
    line = ReportLine(ledger)
    curve = [12.5, 11.0, 11.5]
    for number in (1, 2, 2, 3):
        line.report(claimed[0], row(number, curve, spec.name, 0), ttl=60, busy_seconds=float(number))
    line.close()
    assert study.trials[0].intermediate_values == {1: 12.5, 2: 11.0, 3: 11.0}
    study.tell(trial, state=TrialState.PRUNED)
    assert study.trials[0].value == 11.0
