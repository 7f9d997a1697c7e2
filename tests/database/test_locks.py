"""Nobody waits for a lock for ever, or without a word."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from bounded import join
from filelock import FileLock
from reports import report_epoch, settle

from amnl_tune import files
from amnl_tune.database import engine, locks
from amnl_tune.database.engine import Ledger
from amnl_tune.database.locks import ADVISORY_LOCK, exclusive
from amnl_tune.database.schema import upgrade
from amnl_tune.errors import StorageAwayError, StorageError
from amnl_tune.files import locked
from amnl_tune.ledger import epochs
from amnl_tune.ledger.leases import Budget, claim
from amnl_tune.ledger.studies import find_study, freeze, stop_study, study_names
from amnl_tune.studies.spec import StudySpec

NewStorage = Callable[[str], str]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is as good as a minute."""
    monkeypatch.setattr(engine, "LOCK_MILLISECONDS", 1000)
    monkeypatch.setattr(epochs, "LOCK_MILLISECONDS", 1000)


@contextmanager
def held(storage: str, statement: str) -> Iterator[None]:
    """Somebody's open transaction."""
    with psycopg.connect(storage) as other:
        other.execute(statement)
        yield
        other.rollback()


def test_a_transaction_waits_a_while_for_a_row_or_a_table(
    new_storage: NewStorage, spec: StudySpec, impatient: None
) -> None:
    storage = new_storage("postgresql")
    upgrade(storage)
    ledger = Ledger(storage)
    freeze(ledger, spec, "ab" * 32)
    held_by = r"lock timeout; another transaction holds it .*end that one .*pg_blocking_pids"
    with held(storage, "select * from amnl_studies for update"), pytest.raises(StorageAwayError, match=held_by):
        stop_study(find_study(ledger, spec.name))
    with held(storage, "lock table amnl_studies"), pytest.raises(StorageAwayError, match=held_by):
        study_names(ledger)
    with held(storage, "lock table amnl_schema_version"), pytest.raises(StorageAwayError, match=held_by):
        upgrade(storage)
    assert stop_study(find_study(ledger, spec.name)), "nothing of the wait has stayed behind"
    ledger.close()


def test_a_report_waits_a_while_for_its_row(new_storage: NewStorage, spec: StudySpec, impatient: None) -> None:
    storage = new_storage("postgresql")
    upgrade(storage)
    ledger = Ledger(storage)
    freeze(ledger, spec, "ab" * 32)
    claimed = claim(find_study(ledger, spec.name), "w", Budget(9, 9, None, (), seed=1), ttl=60)
    assert claimed is not None
    settle(ledger, claimed[0], trial_number=0)
    with (
        held(storage, "select * from amnl_runs for update"),
        pytest.raises(StorageAwayError, match="lock timeout; another transaction holds it"),
    ):
        report_epoch(ledger, claimed[0], study=spec.name)
    report_epoch(ledger, claimed[0], study=spec.name)
    ledger.close()


def test_who_waits_to_make_tables_says_for_whom_and_gives_up(
    new_storage: NewStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    storage = new_storage("postgresql")
    monkeypatch.setattr(locks, "WORD_SECONDS", 0.3)
    ledger = Ledger(storage)
    with psycopg.connect(storage) as other:
        other.execute("select pg_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
        pid = other.info.backend_pid
        with (
            pytest.raises(StorageAwayError, match=rf"process {pid} \(role postgres from local, .*pg_terminate_backend"),
            exclusive(ledger, longest=1.0),
        ):
            raise AssertionError("nobody else may be in here")
        assert f"waiting for another process that makes tables or studies: PostgreSQL's process {pid}" in caplog.text
        other.rollback()
    with exclusive(ledger):
        pass
    ledger.close()


def test_who_waits_for_a_lock_file_says_so_and_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "WORD_SECONDS", 0.2)
    path = tmp_path / ".fetch.lock"
    with FileLock(path):
        waiting = pytest.raises(StorageError, match=r"another one has held .*\.fetch\.lock for more than 1 s; end it")
        with waiting, locked(path, longest=1.0):
            raise AssertionError("nobody else may be in here")
        assert f"waiting for another process that holds {path}" in caplog.text
    with locked(path):
        pass


def test_who_waits_for_a_lock_file_gets_it_when_it_is_free(tmp_path: Path) -> None:
    path, entered = tmp_path / "x.lock", threading.Event()

    def enter() -> None:
        with locked(path):
            entered.set()

    with FileLock(path):
        other = threading.Thread(target=enter)
        other.start()
        assert not entered.wait(0.3)
    assert entered.wait(60)
    join(other)
