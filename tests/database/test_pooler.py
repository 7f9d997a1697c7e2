"""Behind a transaction pooler a session belongs to a worker for one transaction: nothing of ours may outlive it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from pooler import missing, pooled, transaction_pooler
from sqlalchemy import select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.backup import back_up, restore
from amnl_tune.database.engine import Ledger
from amnl_tune.database.inspection import database_status
from amnl_tune.database.models import RunRow, RunStatus
from amnl_tune.database.schema import require_schema, upgrade
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.studies.spec import StudySpec

NewStorage = Callable[[str], str]
ADVISORY = "select count(*) from pg_locks where locktype = 'advisory'"


@pytest.fixture(scope="module")
def pooler_port(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One server session a database: whoever keeps it between or within transactions waits for ever."""
    if reason := missing():
        pytest.skip(reason)
    with transaction_pooler(postgres_server, tmp_path_factory.mktemp("pooler"), size=1) as port:
        yield port


@pytest.fixture
def behind(new_storage: NewStorage, pooler_port: int) -> Callable[[], tuple[str, str]]:
    """A new database's URL, straight and through the pooler."""

    def made() -> tuple[str, str]:
        direct = new_storage("postgresql")
        return direct, pooled(direct, pooler_port)

    return made


def test_upgrading_twice_ends_and_leaves_no_lock(behind: Callable[[], tuple[str, str]]) -> None:
    direct, storage = behind()
    for _ in range(3):
        upgrade(storage)
    require_schema(storage)
    with psycopg.connect(direct) as connection:
        assert connection.execute(ADVISORY).fetchone() == (0,)


@pytest.mark.slow
def test_a_study_from_upgrade_to_promotion_and_backup(
    behind: Callable[[], tuple[str, str]], tiny_study: str, fleet_dir: Path, tmp_path: Path
) -> None:
    """The command line with two workers, then the copy, and back; each process as a stranger starts it."""
    direct, storage = behind()
    file = tmp_path / "tiny.toml"
    file.write_text(tiny_study)
    surroundings = os.environ | {"AMNL_TUNE_STORAGE": storage, "AMNL_TUNE_DATA": str(fleet_dir)}

    def told(*words: str) -> str:
        command = [sys.executable, "-m", "amnl_tune", *words]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=surroundings, timeout=600, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    told("db", "upgrade")
    told("run", str(file), "--workers", "2", "--no-tensorboard")
    assert "tiny" in told("study", "list")
    told("db", "backup", "--out", str(tmp_path / "a.db"))
    ledger = Ledger(direct)
    with ledger.read() as session:
        runs = list(session.scalars(select(RunRow)))
    ledger.close()
    assert {run.status for run in runs} <= {RunStatus.COMPLETE, RunStatus.PRUNED}
    assert {run.promotion for run in runs} == {0, 1}
    _, target = behind()
    restore(tmp_path / "a.db", target)
    assert database_status(target).studies == ("tiny",)


def test_openings_at_once_wait_for_each_other(
    behind: Callable[[], tuple[str, str]], spec: StudySpec, source: FleetSource, tmp_path: Path
) -> None:
    direct, storage = behind()
    failures: list[BaseException] = []

    def opened() -> None:
        ledger = Ledger(storage)
        try:
            open_study(Workspace(ledger, source, Artifacts(tmp_path)), spec, device="cpu")
        except BaseException as error:
            failures.append(error)
        finally:
            ledger.close()

    threads = [threading.Thread(target=opened) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not failures, [str(failure) for failure in failures]
    assert not any(thread.is_alive() for thread in threads)
    assert database_status(direct).studies == ("tiny",)
    assert back_up(storage, tmp_path / "b.db").rows["studies"] == 1
