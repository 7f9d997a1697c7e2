"""The ledger's contract, on SQLite and on a real PostgreSQL."""

import _thread
import gc
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
from bounded import ended
from reports import report_epoch, settle
from sqlalchemy import inspect, select, text, update

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import AttemptRow, Base, EpochRow, Origin, Outcome, RunRow, RunStatus, StudyRow
from amnl_tune.database.schema import require_schema, upgrade
from amnl_tune.database.urls import parse_url
from amnl_tune.errors import StorageError, StudyError
from amnl_tune.ledger.attempts import in_vain
from amnl_tune.ledger.leases import Budget, Lease, LeaseLostError, claim, finish, open_runs, release, renew, trials_left
from amnl_tune.ledger.studies import (
    Opening,
    Prior,
    extend_study,
    find_study,
    freeze,
    resume_study,
    settle_prior,
    stop_study,
    study_names,
)
from amnl_tune.studies.spec import StudySpec


def limit(ledger: Ledger, **limits: float) -> None:
    with ledger.write() as session:
        session.execute(update(StudyRow).values(**limits))


def budget(trials: int = 3, epochs: int | None = None) -> Budget:
    return Budget(trials, 20, epochs, (Origin.PUBLISHED_DEFAULTS, Origin.LR_RANGE_TEST), seed=42)


@pytest.fixture
def study(ledger: Ledger, spec: StudySpec) -> str:
    assert freeze(ledger, spec, "ab" * 32) is Opening.CREATED
    return spec.name


def take(ledger: Ledger, study: str, owner: str = "w1", ttl: float = 60.0, **limits: float) -> tuple[Lease, RunRow]:
    claimed = claim(find_study(ledger, study), owner, budget(**limits), ttl=ttl)  # type: ignore[arg-type]
    assert claimed is not None
    return claimed


def row(ledger: Ledger, lease: Lease) -> RunRow:
    with ledger.read() as session:
        return session.get_one(RunRow, lease.run)


def test_migrations_make_exactly_the_models_tables(ledger: Ledger) -> None:
    tables = dict(Base.metadata.tables.items())
    found = inspect(ledger.engine)
    assert set(tables) == {name for name in found.get_table_names() if name.startswith("amnl_")} - {
        "amnl_schema_version"
    }
    for name, table in tables.items():
        assert {c["name"]: c["nullable"] for c in found.get_columns(name)} == {
            c.name: c.nullable for c in table.columns
        }
        assert len(found.get_unique_constraints(name)) == sum(
            type(c).__name__ == "UniqueConstraint" for c in table.constraints
        )


def test_upgrading_again_changes_nothing(storage: str, ledger: Ledger) -> None:
    upgrade(storage)
    require_schema(storage)


def test_an_empty_storage_holds_no_studies(storage: str) -> None:
    with pytest.raises(StorageError, match="must hold studies, but it holds none; run `amnl-tune run"):
        require_schema(storage)


def test_a_newer_schema_is_left_alone(storage: str, ledger: Ledger) -> None:
    with ledger.write() as session:
        session.execute(text("update amnl_schema_version set version_num = '9999'"))
    with pytest.raises(StorageError, match="must not be newer than amnl-tune, but its schema 9999"):
        upgrade(storage)
    with pytest.raises(StorageError, match="schema must be 0003, but it is 9999"):
        require_schema(storage)


@pytest.mark.slow
def test_many_processes_may_upgrade_an_empty_storage_at_once(storage: str) -> None:
    program = "import sys; from amnl_tune.database.schema import upgrade; upgrade(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", program, storage]) for _ in range(6)]
    assert [ended(process, 400) for process in processes] == [0] * 6
    require_schema(storage)


def test_slots_are_handed_out_in_order_until_the_budget_is_spent(ledger: Ledger, study: str) -> None:
    runs = [take(ledger, study, owner)[1] for owner in ("w1", "w2", "w3")]
    assert [run.slot for run in runs] == [0, 1, 2]
    assert [run.origin for run in runs] == [Origin.PUBLISHED_DEFAULTS, Origin.LR_RANGE_TEST, Origin.SAMPLER]
    assert claim(find_study(ledger, study), "w4", budget(), ttl=60) is None
    assert not trials_left(find_study(ledger, study), budget())
    assert trials_left(find_study(ledger, study), budget(trials=4))
    assert open_runs(find_study(ledger, study)) == 3


def test_the_epoch_budget_counts_what_is_reserved_and_what_pruning_gives_back(ledger: Ledger, study: str) -> None:
    first, _ = take(ledger, study, trials=9, epochs=40)
    take(ledger, study, "w2", trials=9, epochs=40)
    assert claim(find_study(ledger, study), "w3", budget(9, epochs=40), ttl=60) is None
    report_epoch(ledger, first)
    finish(ledger, first, RunStatus.PRUNED, value=20.0)
    assert claim(find_study(ledger, study), "w3", budget(9, epochs=40), ttl=60) is None
    assert claim(find_study(ledger, study), "w3", budget(9, epochs=41), ttl=60) is not None


def test_wall_time_counts_from_the_first_claim(ledger: Ledger, study: str) -> None:
    limit(ledger, wall_time=1000.0)
    lease, _ = take(ledger, study, trials=9)
    take(ledger, study, "w2", trials=9)
    assert not report_epoch(ledger, lease).late
    with ledger.write() as session:
        session.execute(text("update amnl_studies set started_at = started_at - 1001"))
    assert claim(find_study(ledger, study), "w3", budget(9), ttl=60) is None
    assert report_epoch(ledger, lease, number=2).late


def test_accelerator_time_is_reserved_at_the_mean_pace_and_ends_trials_when_it_is_spent(
    ledger: Ledger, study: str
) -> None:
    limit(ledger, busy_limit=100.0)
    first, _ = take(ledger, study, trials=9)
    assert not report_epoch(ledger, first, busy_seconds=2.0).spent  # 2 s an epoch: 40 s reserved for its 20
    take(ledger, study, "w2", trials=9)
    assert claim(find_study(ledger, study), "w3", budget(9), ttl=60) is None, "a third trial would need 120 s"
    finish(ledger, first, RunStatus.PRUNED, value=20.0)
    third, _ = take(ledger, study, "w3", trials=9)
    assert not report_epoch(ledger, third, busy_seconds=97.9).spent
    assert report_epoch(ledger, third, busy_seconds=98.0, number=2).spent


def test_a_stopped_study_hands_out_nothing_and_tells_its_workers(ledger: Ledger, spec: StudySpec, study: str) -> None:
    lease, _ = take(ledger, study)
    assert not report_epoch(ledger, lease).stopped
    assert stop_study(find_study(ledger, study))
    assert not stop_study(find_study(ledger, study))
    assert report_epoch(ledger, lease, number=2).stopped
    assert claim(find_study(ledger, study), "w2", budget(), ttl=60) is None
    with pytest.raises(StudyError, match=r"must be resumed .* run `amnl-tune study resume tiny`"):
        freeze(ledger, spec, "ab" * 32)
    assert resume_study(find_study(ledger, study))
    assert not resume_study(find_study(ledger, study))
    assert freeze(ledger, spec, "ab" * 32) is Opening.CONTINUED
    assert claim(find_study(ledger, study), "w2", budget(), ttl=60) is not None


def test_a_budget_is_extended_for_everybody_at_once(ledger: Ledger, spec: StudySpec, study: str) -> None:
    assert extend_study(find_study(ledger, study), trials=9, epochs=None).budget.trials == 9
    assert find_study(ledger, study).spec.budget.trials == 9
    with pytest.raises(StudyError, match=r"can only be raised, but got 8 for study 'tiny' with 9; set it to 9 or more"):
        extend_study(find_study(ledger, study), trials=8)
    with pytest.raises(StudyError, match=r"`budget\.wall_time` .* with no such limit; leave it out"):
        extend_study(find_study(ledger, study), wall_time=10.0)
    hours = spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": 9, "accelerator_hours": 1.0})})
    freeze(ledger, hours, "ab" * 32)
    assert find_study(ledger, study).row.busy_limit == 3600.0
    extend_study(find_study(ledger, study), accelerator_hours=2.0)
    assert find_study(ledger, study).row.busy_limit == 7200.0


def test_a_claim_that_was_never_heard_of_is_handed_out_again(ledger: Ledger, study: str) -> None:
    lost, _ = take(ledger, study, "w1")
    again, run = take(ledger, study, "w1")
    assert (again.run, again.fence, run.failures) == (lost.run, lost.fence + 1, 0)


def test_every_attempt_is_on_record(ledger: Ledger, study: str) -> None:
    old, _ = take(ledger, study, "w1", ttl=-1.0)
    record_past = take(ledger, study, "w2")[0]
    report_epoch(ledger, record_past)
    release(ledger, record_past, failure="RuntimeError('x')")
    assert in_vain(ledger, old.run, 0) == ["worker w1 vanished after epoch 0", "RuntimeError('x')"]
    third, _ = take(ledger, study, "w3")
    report_epoch(ledger, third, number=2)
    release(ledger, third)
    last, _ = take(ledger, study, "w4")
    finish(ledger, last, RunStatus.PRUNED, value=1.0)
    with ledger.read() as session:
        rows = session.scalars(select(AttemptRow).order_by(AttemptRow.fence)).all()
    assert [(row.worker, row.outcome, row.epochs_before, row.epochs_after) for row in rows] == [
        ("w1", Outcome.VANISHED, 0, 0),
        ("w2", Outcome.FAILED, 0, 1),
        ("w3", Outcome.RELEASED, 1, 2),
        ("w4", Outcome.FINISHED, 2, 2),
    ]


V, F, R = Outcome.VANISHED, Outcome.FAILED, Outcome.RELEASED


@pytest.mark.parametrize(
    ("attempts", "resumes_at", "vain"),
    [
        ([], 0, 0),
        ([(0, V), (0, V), (0, F)], 0, 3),
        ([(0, V), (0, V), (0, F)], 1, 0),
        ([(0, V), (0, V), (3, V), (3, F)], 3, 2),
        ([(0, V), (1, V), (2, V), (3, V)], 4, 0),
        ([(0, V), (1, V), (2, V), (3, V)], 3, 1),
        ([(0, V), (3, R), (3, V)], 3, 1),
        ([(3, V), (0, R), (0, V)], 0, 2),
        ([(0, V), (7, V), (0, V)], 0, 2),
    ],
    ids=[
        "none", "never further", "the last got further", "stuck at 3", "further each time", "the last did not",
        "a leave in order counts nothing", "its checkpoint was lost", "lost again",
    ],
)  # fmt: skip
def test_attempts_count_only_since_an_epoch_outlived_its_worker(
    attempts: list[tuple[int, Outcome]], resumes_at: int, vain: int, sqlite_ledger: Ledger, spec: StudySpec
) -> None:
    freeze(sqlite_ledger, spec, "ab" * 32)
    lease, _ = take(sqlite_ledger, spec.name)
    with sqlite_ledger.write() as session:
        for fence, (before, outcome) in enumerate(attempts, start=100):
            row = {"run": lease.run, "fence": fence, "worker": "w", "started_at": 0.0, "reason": f"{fence}"}
            session.add(AttemptRow(**row, epochs_before=before, outcome=outcome))
    counted = in_vain(sqlite_ledger, lease.run, resumes_at)
    assert len(counted) == vain
    assert counted == sorted(counted)


def test_a_lease_that_runs_out_passes_to_the_next_worker_and_fences_the_last(ledger: Ledger, study: str) -> None:
    old, _ = take(ledger, study, "w1", ttl=-1.0)
    new, run = take(ledger, study, "w2")
    assert (new.run, new.fence) == (old.run, old.fence + 1)
    assert run.failures == 1
    assert run.reason == "worker w1 vanished after epoch 0"
    for write in (
        lambda: renew(ledger, old, ttl=60),
        lambda: report_epoch(ledger, old),
        lambda: settle(ledger, old, trial_number=5),
        lambda: finish(ledger, old, RunStatus.COMPLETE, value=1.0),
    ):
        with pytest.raises(LeaseLostError):
            write()
    release(ledger, old)
    assert row(ledger, new).owner == "w2"
    with ledger.read() as session:
        assert not session.scalars(select(EpochRow)).all()
    renew(ledger, new, ttl=60)
    finish(ledger, new, RunStatus.COMPLETE, value=12.0, result={"best_epoch": 3})
    ended = row(ledger, new)
    assert (ended.status, ended.value, ended.owner, ended.result) == (
        RunStatus.COMPLETE,
        12.0,
        None,
        '{"best_epoch": 3}',
    )


def test_a_promotion_s_workers_begin_no_trial(ledger: Ledger, study: str) -> None:
    first, _ = take(ledger, study)
    release(ledger, first)
    assert claim(find_study(ledger, study), "w1", budget(), ttl=60, promotion=1) is None
    with ledger.write() as session:
        session.add(
            RunRow(study=study, promotion=1, slot=0, origin=Origin.SAMPLER, seed=1, status=RunStatus.WAITING, epochs=9)
        )
    assert (open_runs(find_study(ledger, study)), open_runs(find_study(ledger, study), 1)) == (2, 1)
    claimed = claim(find_study(ledger, study), "w1", budget(), ttl=60, promotion=1)
    assert claimed is not None
    assert (claimed[1].promotion, claimed[1].slot) == (1, 0)
    assert claim(find_study(ledger, study), "w2", budget(), ttl=60, promotion=1) is None


def test_a_released_run_goes_on_without_a_mark(ledger: Ledger, study: str) -> None:
    first, _ = take(ledger, study)
    release(ledger, first)
    _, run = take(ledger, study, "w2")
    assert (run.slot, run.failures, run.reason) == (0, 0, None)


def test_a_failure_that_is_named_counts(ledger: Ledger, study: str) -> None:
    first, _ = take(ledger, study)
    release(ledger, first, failure="RuntimeError('x')")
    _, run = take(ledger, study, "w2")
    assert (run.failures, run.reason) == (1, "RuntimeError('x')")


def test_an_epoch_recorded_twice_stays_as_it_was(ledger: Ledger, study: str) -> None:
    lease, _ = take(ledger, study)
    report_epoch(ledger, lease)
    report_epoch(ledger, lease)
    with ledger.read() as session:
        (epoch,) = session.scalars(select(EpochRow))
    assert (epoch.number, epoch.validation_rmse, epoch.train_health_loss) == (1, 20.0, None)
    assert row(ledger, lease).epochs_done == 1


def test_the_database_s_clock_is_utc(ledger: Ledger) -> None:
    import time

    with ledger.read() as session:
        assert abs(database_time(session) - time.time()) < 60


def claim_all(storage: str, study: str, owner: str, results: "multiprocessing.Queue[list[int]]") -> None:
    ledger = Ledger(storage)
    slots = []
    while claimed := claim(find_study(ledger, study), owner, budget(trials=25), ttl=60):
        slots.append(claimed[1].slot)
        finish(ledger, claimed[0], RunStatus.COMPLETE, value=1.0)
    results.put(slots)


@pytest.mark.slow
def test_many_processes_claim_every_slot_exactly_once(storage: str, ledger: Ledger, study: str) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[int]] = context.Queue()
    processes = [context.Process(target=claim_all, args=(storage, study, f"w{i}", results)) for i in range(5)]
    for process in processes:
        process.start()
    claimed = [slot for _ in processes for slot in results.get(timeout=300)]
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0] * 5
    assert Counter(claimed) == Counter(range(25))


def test_a_frozen_study_names_what_changed(ledger: Ledger, spec: StudySpec, study: str) -> None:
    entry = spec.space.root["learning_rate"].model_copy(update={"high": 0.5})
    changed = spec.model_copy(update={"space": type(spec.space)(spec.space.root | {"learning_rate": entry})})
    with pytest.raises(StudyError, match=r"is frozen.*space\.learning_rate\.high was 0\.1, is 0\.5.*another `name`"):
        freeze(ledger, changed, "ab" * 32)


def test_more_trials_extend_and_fewer_than_there_are_do_not(ledger: Ledger, spec: StudySpec, study: str) -> None:
    def with_trials(trials: int) -> StudySpec:
        return spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": trials})})

    assert freeze(ledger, spec, "ab" * 32) is Opening.CONTINUED
    assert freeze(ledger, with_trials(9), "ab" * 32) is Opening.EXTENDED
    assert find_study(ledger, study).spec.budget.trials == 9
    for owner in ("w1", "w2", "w3"):
        take(ledger, study, owner)
    with pytest.raises(
        StudyError, match=r"`budget\.trials` can only be raised, but got 2 .* with 3 trials; set it to 3"
    ):
        freeze(ledger, with_trials(2), "ab" * 32)


def test_a_study_stays_on_its_data(ledger: Ledger, spec: StudySpec, study: str) -> None:
    with pytest.raises(
        StudyError, match="was made on SIM1 with SHA-256 abababababab and the file found now has cdcdcdcdcdcd"
    ):
        freeze(ledger, spec, "cd" * 32)


def test_the_first_prior_counts(ledger: Ledger, study: str) -> None:
    assert find_study(ledger, study).prior == Prior()
    settle_prior(find_study(ledger, study), Prior(1e-3, (1e-4, 1e-2)), None)
    settle_prior(find_study(ledger, study), Prior(5e-3, (5e-4, 5e-2)), None)
    assert find_study(ledger, study).prior == Prior(1e-3, (1e-4, 1e-2))


def test_an_unknown_study_is_told_which_there_are(ledger: Ledger, study: str) -> None:
    assert study_names(ledger) == ["tiny"]
    with pytest.raises(StudyError, match=r"there is no 'tinny' in .*\(studies there: tiny\)"):
        find_study(ledger, "tinny")


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@db/x", "sqlite://", "sqlite:///:memory:", "postgresql://", "nonsense"]
)
def test_unknown_kinds_of_storage_are_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(StorageError, match="`--storage` must") as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_down_is_one_line_with_a_remedy() -> None:
    with pytest.raises(
        StorageError,
        match=r"storage postgresql\+psycopg://me:\*\*\*@127\.0\.0\.1:1/x must answer, but.*start the server",
    ):
        require_schema("postgresql://me:secret@127.0.0.1:1/x")


def test_braces_in_a_password_survive() -> None:
    assert "%7B" in parse_url("postgresql://me:a%7Bb@host/x").render_as_string(hide_password=False)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """An interrupt while the garbage collector calls somebody back is lost; so is every one where a shell ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()
    yield
    gc.enable()
    signal.signal(signal.SIGINT, before)


def test_an_interrupted_look_holds_no_lock(sqlite_ledger: Ledger, interruptible: None) -> None:
    """A launcher that is asked to end waits for its workers, and they write: its own look must not be in their way."""
    with pytest.raises(KeyboardInterrupt) as interrupt, sqlite_ledger.read() as session:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        connection.create_function("interrupt", 0, _thread.interrupt_main)  # Ctrl-C in the middle of a statement
        for _ in range(1000):
            session.execute(text("select name, interrupt() from sqlite_master"))
    assert interrupt.tb, "whoever handles it still has it"
    with closing(sqlite3.connect(str(sqlite_ledger.url.database), timeout=0)) as other:
        other.execute("begin exclusive")
