"""Workers on a real study: what is recorded, what happens when a trial goes wrong, what a resumption keeps."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import torch
from sqlalchemy import select, update

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, Origin, RunRow, RunStatus
from amnl_tune.errors import ConfigurationError, StorageError, StudyError
from amnl_tune.ledger.leases import DIVERGED_RMSE, budget_of, claim
from amnl_tune.ledger.progress import progress
from amnl_tune.ledger.studies import find_study
from amnl_tune.rul.simulator import write_fleet
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search import attempt, runner
from amnl_tune.search.checkpoints import Checkpoints
from amnl_tune.search.opening import OpenedStudy
from amnl_tune.search.runner import carry_out
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.search.workplace import Leaving, LeavingError, Workplace
from amnl_tune.studies.sections import PrunerTable
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec
from amnl_tune.training.checkpoint import serialized, snapshot
from amnl_tune.training.execution import resolve_device
from amnl_tune.training.fit import fit

OpenTiny = Callable[[StudySpec], tuple[OpenedStudy, Workplace]]


def runs(ledger: Ledger) -> list[RunRow]:
    with ledger.read() as session:
        return list(session.scalars(select(RunRow).order_by(RunRow.slot)))


def curve(ledger: Ledger, run: RunRow) -> list[tuple[int, float | None, float | None]]:
    with ledger.read() as session:
        rows = session.scalars(select(EpochRow).where(EpochRow.run == run.id).order_by(EpochRow.number))
        return [(row.number, row.train_rul_loss, row.validation_rmse) for row in rows]


def trials(place: Workplace) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=place.spec.name, storage=place.storage).get_trials()


def test_a_study_from_start_to_end(spec: StudySpec, open_tiny: OpenTiny) -> None:
    opened, place = open_tiny(spec)
    work(place, threads=1)
    rows, told = runs(place.ledger), trials(place)
    assert [row.status for row in rows] == [RunStatus.COMPLETE] * 4
    assert [row.origin for row in rows[:2]] == [Origin.PUBLISHED_DEFAULTS, Origin.LR_RANGE_TEST]
    assert [trial.user_attrs["slot"] for trial in told] == [0, 1, 2, 3]
    assert told[0].params == spec.incumbent_parameters()
    assert told[1].params == spec.incumbent_parameters() | {"learning_rate": opened.study.prior.suggested}
    for row, trial in zip(rows, told, strict=True):
        assert trial.value == row.value == pytest.approx(min(trial.intermediate_values.values()), rel=1e-5)
        raw = curve(place.ledger, row)
        assert [number for number, *_ in raw] == [1, 2, 3] == sorted(trial.intermediate_values)
        best = [min(rmse for _, _, rmse in raw[: i + 1] if rmse is not None) for i in range(3)]
        assert list(trial.intermediate_values.values()) == pytest.approx(best)
        assert trial.user_attrs["config"] == json.loads(row.config or "")
    assert not list(place.artifacts.home.rglob("checkpoint-*.pt"))
    now = progress(find_study(place.ledger, spec.name), total=4)
    assert (now.finished, now.epochs_done, now.workers) == (4, 12, ())


def test_the_prior_is_wide_and_holds_the_published_rate(spec: StudySpec, open_tiny: OpenTiny) -> None:
    opened, place = open_tiny(spec)
    assert opened.study.prior.suggested is not None
    assert opened.study.prior.interval is not None
    low, high = opened.study.prior.interval
    assert low == 1e-4
    assert 10 * max(1e-3, opened.study.prior.suggested) <= high <= 1e-1
    work(place, threads=1)
    assert all(low <= trial.params["learning_rate"] <= high for trial in trials(place))


def test_opening_again_finds_the_range_test_and_the_prior(spec: StudySpec, open_tiny: OpenTiny) -> None:
    first, _ = open_tiny(spec)
    again, _ = open_tiny(spec)
    assert again.study.prior == first.study.prior
    assert again.range_test is not None
    assert again.range_test.cached


@pytest.mark.slow
def test_the_range_test_can_be_switched_off(spec: StudySpec, open_tiny: OpenTiny) -> None:
    off = spec.model_copy(update={"lr_range_test": spec.lr_range_test.model_copy(update={"enabled": False})})
    opened, place = open_tiny(off)
    assert opened.range_test is None
    work(place, threads=1)
    assert [row.origin for row in runs(place.ledger)] == [Origin.PUBLISHED_DEFAULTS] + [Origin.SAMPLER] * 3


@pytest.mark.slow
def test_raising_the_trials_extends_a_finished_study(spec: StudySpec, open_tiny: OpenTiny) -> None:
    _, place = open_tiny(spec)
    work(place, threads=1)
    more = spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": 5})})
    _, place = open_tiny(more)
    work(place, threads=1)
    assert [trial.number for trial in trials(place)] == [0, 1, 2, 3, 4]


def test_pruned_trials_keep_their_curve_and_lose_their_checkpoint(spec: StudySpec, open_tiny: OpenTiny) -> None:
    cut = spec.model_copy(update={"pruner": PrunerTable.model_validate({"name": "ThresholdPruner", "upper": 0.1})})
    _, place = open_tiny(cut)
    work(place, threads=1)
    assert [row.status for row in runs(place.ledger)] == [RunStatus.PRUNED] * 4
    assert [row.epochs_done for row in runs(place.ledger)] == [1] * 4
    assert all(trial.value == trial.intermediate_values[1] for trial in trials(place))
    assert not list(place.artifacts.home.rglob("checkpoint-*.pt"))


def test_divergence_teaches_the_sampler_and_crashes_nothing(spec: StudySpec, open_tiny: OpenTiny) -> None:
    _, place = open_tiny(spec)
    spoilt = replace(place.data, rows=replace(place.data.rows, features=place.data.rows.features * math.inf))
    work(replace(place, data=spoilt), threads=1)
    assert [(row.status, row.reason) for row in runs(place.ledger)] == [(RunStatus.PRUNED, "diverged in epoch 1")] * 4
    assert all(trial.value == DIVERGED_RMSE for trial in trials(place))
    assert all(trial.user_attrs["diverged"] == 1 for trial in trials(place))


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("CUDA out of memory."), MemoryError("none left")])
def test_out_of_memory_fails_the_trial_and_the_search_goes_on(
    error: Exception, spec: StudySpec, open_tiny: OpenTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, place = open_tiny(spec)

    def too_large(config: object, *args: object, **kwargs: object) -> object:
        if config.batch_size == 32:  # type: ignore[attr-defined]
            raise error
        return fit(config, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(attempt, "fit_together", too_large)
    work(place, threads=1)
    rows = runs(place.ledger)
    assert len(rows) == 4
    assert rows[0].status is RunStatus.FAIL
    assert rows[0].reason == f"out of memory on cpu: {error}"
    assert trials(place)[0].state is optuna.trial.TrialState.FAIL
    assert trials(place)[0].user_attrs["failure"] == rows[0].reason


def test_a_configuration_that_is_refused_fails_with_its_reason(
    spec: StudySpec, open_tiny: OpenTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, place = open_tiny(spec)

    def picky(config: object, *args: object, **kwargs: object) -> object:
        if config.batch_size == 32:  # type: ignore[attr-defined]
            raise ConfigurationError("`batch_size` must be another one")
        return fit(config, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(attempt, "fit_together", picky)
    work(place, threads=1)
    failed = [row for row in runs(place.ledger) if row.status is RunStatus.FAIL]
    assert failed
    assert {row.reason for row in failed} == {"`batch_size` must be another one"}
    assert len(runs(place.ledger)) == 4


@pytest.mark.parametrize(("choices", "stride"), [((100_000, 32), 8), ((16, 32), 500)])
def test_batches_that_the_data_cannot_fill_are_refused_before_anything_is_kept(
    choices: tuple[int, ...], stride: int, spec: StudySpec, open_tiny: OpenTiny
) -> None:
    entry = spec.space.root["batch_size"].model_copy(update={"choices": choices})
    space = type(spec.space)(spec.space.root | {"batch_size": entry})
    wide = spec.model_copy(update={"space": space, "fixed": spec.fixed | {"stride": stride}})
    with pytest.raises(ConfigurationError, match="`batch_size` must be at most the number of training windows"):
        open_tiny(wide)


def leaving_after(place: Workplace, epochs: int) -> Workplace:
    """Its worker is asked to leave after so many epochs."""
    return replace(place, leaving=Leaving(also=lambda: max(row.epochs_done for row in runs(place.ledger)) >= epochs))


@pytest.mark.slow
def test_a_worker_that_leaves_hands_its_trial_over_with_the_same_result(spec: StudySpec, open_tiny: OpenTiny) -> None:
    _, place = open_tiny(spec)
    budget = budget_of(place.study)
    claimed = claim(find_study(place.ledger, spec.name), "w1", budget, ttl=60)
    assert claimed is not None
    with pytest.raises(LeavingError):
        carry_out(leaving_after(place, 2), *claimed)
    row = runs(place.ledger)[0]
    assert (row.epochs_done, row.trial_number) == (2, 0)
    with place.ledger.write() as session:
        session.execute(update(RunRow).values(expires_at=0.0))  # the worker is never heard of again
    work(place, threads=1)
    resumed = runs(place.ledger)[0]
    assert (resumed.failures, resumed.trial_number, resumed.status) == (1, 0, RunStatus.COMPLETE)
    undisturbed = spec.model_copy(update={"name": "undisturbed"})
    _, other = open_tiny(undisturbed)
    work(other, threads=1)
    with place.ledger.read() as session:
        twin = session.scalars(select(RunRow).where(RunRow.study == "undisturbed", RunRow.slot == 0)).one()
    assert resumed.value == twin.value
    assert curve(place.ledger, resumed) == curve(place.ledger, twin)
    assert len(trials(place)) == 4


@pytest.mark.slow
def test_a_run_is_given_up_after_too_many_deaths(spec: StudySpec, open_tiny: OpenTiny) -> None:
    _, place = open_tiny(spec)
    for number in range(spec.trial.max_attempts):
        assert claim(find_study(place.ledger, spec.name), f"dead-{number}", budget_of(place.study), ttl=-1) is not None
    work(place, threads=1)
    row = runs(place.ledger)[0]
    assert row.status is RunStatus.FAIL
    assert row.reason is not None
    assert row.reason.startswith("given up after 3 attempts: worker dead-0 vanished after epoch 0; worker dead-1")
    assert [r.status for r in runs(place.ledger)[1:]] == [RunStatus.COMPLETE] * 3


def test_a_trial_is_told_and_noted_or_neither(
    spec: StudySpec, open_tiny: OpenTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, place = open_tiny(spec)

    def die(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runner, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            work(place, threads=1)
    assert trials(place)[0].state is optuna.trial.TrialState.RUNNING
    assert set(trials(place)[0].user_attrs) == {"slot", "origin", "config"}
    work(place, threads=1)
    first = runs(place.ledger)[0]
    assert (first.value, first.epochs_done) == (trials(place)[0].value, 3)
    assert len(trials(place)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("left_over", [False, True], ids=["damaged", "left over from another study"])
def test_a_checkpoint_of_no_use_starts_the_trial_over(left_over: bool, spec: StudySpec, open_tiny: OpenTiny) -> None:
    _, place = open_tiny(spec)
    claimed = claim(find_study(place.ledger, spec.name), "w1", budget_of(place.study), ttl=-1)
    assert claimed is not None
    with pytest.raises(LeavingError):
        carry_out(leaving_after(replace(place, lease_ttl=-1.0), 2), *claimed)
    (checkpoint,) = place.artifacts.home.rglob("checkpoint-*.pt")
    if left_over:
        other = next(fit(spec.run_config(spec.incumbent_parameters()).replaced(clip=0.5), place.data))
        checkpoint.write_bytes(serialized(snapshot(other.state)))
    else:
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    work(place, threads=1)
    assert runs(place.ledger)[0].status is RunStatus.COMPLETE


@pytest.mark.slow
def test_a_bug_keeps_its_traceback_and_the_trial_goes_on_elsewhere(
    spec: StudySpec, open_tiny: OpenTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, place = open_tiny(spec)

    def bug(*args: object) -> None:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(attempt, "Report", bug)
        with pytest.raises(ZeroDivisionError):
            work(place, threads=1)
    assert (runs(place.ledger)[0].failures, runs(place.ledger)[0].reason) == (1, "ZeroDivisionError('a bug')")
    work(place, threads=1)
    assert [row.status for row in runs(place.ledger)] == [RunStatus.COMPLETE] * 4


@pytest.mark.slow
def test_a_full_disk_while_checkpointing_loses_nothing(
    spec: StudySpec, open_tiny: OpenTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, place = open_tiny(spec)

    def full(*args: object) -> None:
        raise StorageError("checkpoint.pt must be writable, but: No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "_write", full)
        with pytest.raises(StorageError, match="No space left"):
            work(place, threads=1)
    row = runs(place.ledger)[0]
    assert (row.status, row.owner, row.failures) == (RunStatus.WAITING, None, 0)
    work(place, threads=1)
    assert [row.status for row in runs(place.ledger)] == [RunStatus.COMPLETE] * 4


def test_workers_join_only_prepared_studies_on_their_own_data(
    spec: StudySpec, open_tiny: OpenTiny, sqlite_ledger: Ledger, artifacts: Artifacts, tmp_path: Path
) -> None:
    url = sqlite_ledger.url.render_as_string(hide_password=False)
    open_tiny(spec)
    other = tmp_path / "other"
    write_fleet("SIM1", other, seed=2, engines=10)
    with pytest.raises(StudyError, match="must train on the study's data"):
        open_workplace(url, "tiny", FleetSource((other,)), artifacts)
    with pytest.raises(StudyError, match="there is no 'tinyy'"):
        open_workplace(url, "tinyy", FleetSource((other,)), artifacts)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(StudyError, match="torch finds no CUDA device for 'cuda:1'; use --device cpu"):
        resolve_device("cuda:1")


def start_worker(tmp_path: Path, fleet_dir: Path) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"AMNL_TUNE_HOME": str(tmp_path), "AMNL_TUNE_DATA": str(fleet_dir)}
    command = [sys.executable, "-m", "amnl_tune", "worker", "tiny", "--threads", "1", "--no-tensorboard"]
    return subprocess.Popen(command, env=environment)


def wait_for_epochs(ledger: Ledger, at_least: int) -> None:
    until = time.monotonic() + 900
    while time.monotonic() < until:
        with ledger.read() as session:
            if sum(session.scalars(select(RunRow.epochs_done))) >= at_least:
                return
        time.sleep(0.02)
    raise AssertionError(f"no {at_least} epochs in fifteen minutes")


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_real_worker_that_is_stopped_costs_nothing(
    wanted: signal.Signals, tiny_study: str, open_tiny: OpenTiny, tmp_path: Path, fleet_dir: Path
) -> None:
    """Killed, preempted or interrupted mid-trial: the next worker finishes the same four trials, bit for bit."""
    spec = parse_study_spec(tiny_study.replace("epochs = 3", "epochs = 9"), name="tiny")
    _, place = open_tiny(spec)
    victim = start_worker(tmp_path, fleet_dir)
    wait_for_epochs(place.ledger, 13)
    victim.send_signal(wanted)
    assert victim.wait(timeout=900) == (-signal.SIGKILL if wanted is signal.SIGKILL else 0)
    torch.set_num_threads(1)
    work(place, threads=1)
    rows = runs(place.ledger)
    assert [row.status for row in rows] == [RunStatus.COMPLETE] * 4
    assert [row.failures for row in rows].count(1) == (1 if wanted is signal.SIGKILL else 0)
    assert [trial.number for trial in trials(place)] == [0, 1, 2, 3]
    _, twin = open_tiny(spec.model_copy(update={"name": "undisturbed"}))
    work(twin, threads=1)
    with place.ledger.read() as session:
        others = list(session.scalars(select(RunRow).where(RunRow.study == "undisturbed").order_by(RunRow.slot)))
    mine = [row for row in runs(place.ledger) if row.study == "tiny"]
    assert [row.value for row in mine] == [row.value for row in others]
    assert [curve(place.ledger, row) for row in mine] == [curve(place.ledger, row) for row in others]


@pytest.mark.slow
def test_several_real_workers_share_the_budget_exactly(
    spec: StudySpec, open_tiny: OpenTiny, tmp_path: Path, fleet_dir: Path
) -> None:
    nine = spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": 9})})
    _, place = open_tiny(nine)
    workers = [start_worker(tmp_path, fleet_dir) for _ in range(3)]
    assert [worker.wait(timeout=900) for worker in workers] == [0, 0, 0]
    assert [trial.number for trial in trials(place)] == list(range(9))
    assert sorted(trial.user_attrs["slot"] for trial in trials(place)) == list(range(9))
    assert [row.status for row in runs(place.ledger)] == [RunStatus.COMPLETE] * 9
