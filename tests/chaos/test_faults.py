"""Every fault that we know of, one at a time; `campaign.py` throws two hundred at random."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from chaos.arena import LEASE, Account, Arena, Record
from chaos.victim import POINTS, Fault
from sqlalchemy import select

from amnl_tune.database.models import AttemptRow, Outcome, RunRow, RunStatus
from amnl_tune.ledger.workers import bury_dead
from amnl_tune.studies.sections import PrunerTable, SamplerTable
from amnl_tune.studies.spec import StudySpec

pytestmark = pytest.mark.slow


@pytest.fixture
def spec(arena: Arena) -> StudySpec:
    return arena.spec()


def learned(spec: StudySpec) -> StudySpec:
    """The same study with a sampler and a pruner that depend on all trials before."""
    return spec.model_copy(
        update={
            "sampler": SamplerTable.model_validate({"name": "TPESampler", "n_startup_trials": 2}),
            "pruner": PrunerTable.model_validate(
                {"name": "SuccessiveHalvingPruner", "min_resource": 1, "reduction_factor": 2}
            ),
        }
    )


MOMENTS = {"mid-ask": 7, "mid-checkpoint": 1, "after checkpoint": 1}
"""At which passage of a point a worker dies, if not at the second: a sampled trial's parameters are the seventh on."""


def account(arena: Arena, url: str, spec: StudySpec, undisturbed: Record) -> Account:
    from amnl_tune.database.engine import Ledger

    ledger = Ledger(url)
    try:
        return Account.of(Record.of(ledger, spec.name), undisturbed, spec.budget.trials)
    finally:
        ledger.close()


def test_killed_at_every_point_in_turn(arena: Arena, spec: StudySpec) -> None:
    """One worker after the other dies, each at another point; TPE and successive halving see what they would have seen."""
    spec = learned(spec)
    undisturbed = arena.undisturbed(spec)
    assert {"COMPLETE", "PRUNED"} <= {state for _, state, *_ in undisturbed.trials.values()}
    url = arena.database.new()
    arena.open(url, spec).close()
    for point in POINTS:
        process = arena.start(url, fault=Fault(point, MOMENTS.get(point, 2)))
        assert arena.ended(process) in (-signal.SIGKILL, 0), arena.log()
    arena.finish(url)
    assert account(arena, url, spec, undisturbed).clean


def test_several_workers_killed_at_once(arena: Arena, spec: StudySpec) -> None:
    undisturbed = arena.undisturbed(spec)
    url = arena.database.new()
    arena.open(url, spec).close()
    for points in (("mid-epoch", "after ask", "after report"), ("mid-checkpoint", "before tell", "after tell")):
        struck = [arena.start(url, fault=Fault(point, 3 if "ep" in point else 1)) for point in points]
        assert [arena.ended(process) for process in struck] == [-signal.SIGKILL] * 3, arena.log()
    arena.finish(url, workers=2)
    assert account(arena, url, spec, undisturbed).clean


def test_a_worker_that_sleeps_past_its_lease_changes_nothing_when_it_wakes(arena: Arena, spec: StudySpec) -> None:
    undisturbed = arena.undisturbed(spec)
    url = arena.database.new()
    ledger = arena.open(url, spec)
    sleeper = arena.start(url)
    arena.wait_for(lambda: arena.epochs(ledger) >= 2, "two epochs")
    assert sleeper.pid
    os.kill(sleeper.pid, signal.SIGSTOP)
    other = arena.start(url)
    arena.wait_for(lambda: arena.epochs(ledger) >= 20, "the other worker takes over", LEASE + 300)
    os.kill(sleeper.pid, signal.SIGCONT)
    assert [arena.ended(sleeper), arena.ended(other)] == [0, 0], arena.log()
    ledger.close()
    assert account(arena, url, spec, undisturbed).clean


def test_the_database_crashes_mid_trial_and_is_back_at_once(arena: Arena, spec: StudySpec) -> None:
    spec = learned(spec)
    undisturbed = arena.undisturbed(spec)
    url = arena.database.new()
    ledger = arena.open(url, spec)
    worker = arena.start(url)
    for epochs in (2, 5, 9):
        arena.wait_for(lambda epochs=epochs: arena.epochs(ledger) >= epochs, f"{epochs} epochs")
        arena.database.crash()
        arena.database.start()
        ledger.close()
    assert arena.ended(worker) == 0, arena.log()
    assert account(arena, url, spec, undisturbed).clean


def test_the_database_is_gone_for_twenty_seconds(arena: Arena, spec: StudySpec) -> None:
    """Training goes on meanwhile; what is pruned is what would have been."""
    spec = learned(spec)
    undisturbed = arena.undisturbed(spec)
    url = arena.database.new()
    ledger = arena.open(url, spec)
    worker = arena.start(url)
    arena.wait_for(lambda: arena.epochs(ledger) >= 3, "three epochs")
    ledger.close()
    arena.database.crash()
    time.sleep(20.0)
    arena.database.start()
    assert arena.ended(worker) == 0, arena.log()
    assert "training goes on, reports queue up" in arena.log() or "trying again" in arena.log()
    assert account(arena, url, spec, undisturbed).clean


def test_killed_while_the_database_is_away_nothing_undelivered_is_lost(arena: Arena, spec: StudySpec) -> None:
    """The checkpoint has the reports that the database has not."""
    undisturbed = arena.undisturbed(spec)
    url = arena.database.new()
    ledger = arena.open(url, spec)
    worker = arena.start(url, fault=Fault("after checkpoint", 2))
    arena.wait_for(lambda: arena.epochs(ledger) >= 1, "an epoch")
    ledger.close()
    arena.database.crash()
    arena.ended(worker, 30.0)
    arena.database.start()
    arena.finish(url)
    assert account(arena, url, spec, undisturbed).clean


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=300)


def test_the_disk_is_full_while_checkpointing(arena: Arena, spec: StudySpec, small_disk: Path) -> None:
    undisturbed = arena.undisturbed(spec)
    url = arena.database.new()
    arena.open(url, spec, artifacts=small_disk / "artifacts").close()
    filler = small_disk / "filler"
    filler.write_bytes(b"0" * (2**21 - 8192))
    worker = arena.start(url, "--artifacts", str(small_disk / "artifacts"))
    assert arena.ended(worker) == 2, arena.log()
    assert "No space left on device" in arena.log()
    filler.unlink()
    again = arena.start(url, "--artifacts", str(small_disk / "artifacts"))
    assert arena.ended(again) == 0, arena.log()
    assert account(arena, url, spec, undisturbed).clean


def test_a_release_that_a_full_disk_cannot_take_counts_against_nothing(
    arena: Arena, spec: StudySpec, small_disk: Path
) -> None:
    """Database and artifacts on one disk that is full to its last byte when the worker is asked to leave."""
    url = f"sqlite:///{small_disk / 'amnl_tune.db'}"
    ledger = arena.open(url, spec, artifacts=small_disk / "artifacts")
    worker = arena.start(url, "--artifacts", str(small_disk / "artifacts"))
    arena.wait_for(lambda: arena.epochs(ledger) >= 2, "two epochs")
    assert worker.pid
    os.kill(worker.pid, signal.SIGSTOP)
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    os.kill(worker.pid, signal.SIGCONT)
    assert arena.ended(worker) == 2, arena.log()
    assert "not noted: " in arena.log()
    assert [path.stat().st_size for path in small_disk.rglob("artifacts/tiny/left/run-*")] == [0]
    (small_disk / "filler").unlink()
    again = arena.start(url, "--artifacts", str(small_disk / "artifacts"))
    assert arena.ended(again) == 0, arena.log()
    with ledger.read() as session:
        assert {run.status for run in session.scalars(select(RunRow))} == {RunStatus.COMPLETE}
        assert [run.failures for run in session.scalars(select(RunRow)) if run.failures] == []
        outcomes = list(session.scalars(select(AttemptRow.outcome)))
    assert (outcomes.count(Outcome.RELEASED), outcomes.count(Outcome.VANISHED)) == (1, 0)
    assert not list(small_disk.rglob("artifacts/tiny/left/run-*"))
    ledger.close()


def limited(spec: StudySpec, attempts: int) -> StudySpec:
    return spec.model_copy(update={"trial": spec.trial.model_copy(update={"max_attempts": attempts})})


def test_a_run_that_kills_its_worker_at_the_same_place_is_given_up(arena: Arena, spec: StudySpec) -> None:
    """The first attempt gets some epochs further, and counts for nothing; the others die in their first step."""
    url = arena.database.new()
    ledger = arena.open(url, limited(spec, 3))
    for nth in (40, 1, 1, 1):
        process = arena.start(url, fault=Fault("mid-epoch", nth))
        assert arena.ended(process) == -signal.SIGKILL, arena.log()
    arena.finish(url)
    with ledger.read() as session:
        runs = list(session.scalars(select(RunRow)))
    ledger.close()
    (killer,) = [run for run in runs if run.status is not RunStatus.COMPLETE]
    assert (killer.status, killer.failures) == (RunStatus.FAIL, 4)
    assert str(killer.reason).startswith("given up after 3 attempts: worker ")
    assert str(killer.reason).count("vanished after epoch") == 3
    assert "vanished after epoch 0" not in str(killer.reason)


def test_machines_that_are_taken_away_all_the_time_lose_no_trial(arena: Arena, spec: StudySpec) -> None:
    """Each worker is killed when it has had time for one to twenty epochs; three attempts in vain would end a trial."""
    trial = spec.trial.model_copy(update={"epochs": 20, "checkpoint_every": 5})
    longer = spec.model_copy(update={"trial": trial})
    began = time.monotonic()
    undisturbed = arena.undisturbed(longer)
    epoch = (time.monotonic() - began) / (trial.epochs * spec.budget.trials)
    url = arena.database.new()
    ledger = arena.open(url, limited(longer, 3))
    moments, killed = random.Random(7), 0
    while True:
        assert time.monotonic() - began < 1000, f"{killed} workers were killed before any was done; {arena.log()}"
        worker = arena.start(url)
        arena.wait_for(partial(arena.has_begun, ledger, worker), "a worker's start")
        worker.join(moments.uniform(1, 20) * epoch)
        if worker.exitcode is not None:
            break
        worker.kill()
        worker.join(60)
        killed += 1
    ledger.close()
    assert worker.exitcode == 0, arena.log()
    assert killed >= 3
    assert account(arena, url, longer, undisturbed).clean


def test_a_truncated_checkpoint_costs_epochs_but_no_result(arena: Arena, spec: StudySpec) -> None:
    undisturbed = arena.undisturbed(spec)
    url = arena.database.new()
    arena.open(url, spec).close()
    assert arena.ended(arena.start(url, fault=Fault("mid-epoch", 40))) == -signal.SIGKILL, arena.log()
    (checkpoint,) = arena.home.rglob("checkpoint-*.pt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-300])
    arena.finish(url)
    assert "looking for an earlier one" in arena.log()
    assert account(arena, url, spec, undisturbed).clean


def test_sixteen_workers_start_at_once_on_an_empty_database(arena: Arena, spec: StudySpec) -> None:
    spec = spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": 20})})
    undisturbed = arena.undisturbed(spec)
    url = arena.database.new()
    workers = [arena.start(url, "--wait", niceness=5) for _ in range(16)]  # what runs beside them is not to starve
    ledger = arena.open(url, spec)

    def ended() -> bool:
        bury_dead(ledger, spec.name)
        return len([run for run in Record.of(ledger, spec.name).runs.values() if run[0] == "complete"]) == 20

    arena.wait_for(ended, "twenty trials", 900)
    ledger.close()
    for worker in workers:
        assert worker.pid
        os.kill(worker.pid, signal.SIGTERM)
    assert [arena.ended(worker) for worker in workers] == [0] * 16, arena.log()
    assert account(arena, url, spec, undisturbed).clean
