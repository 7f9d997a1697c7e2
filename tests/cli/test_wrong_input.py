"""What a service's users get wrong: one line with the rule, the values and the remedy, exit code 2, no traceback."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import make_url
from typer.testing import CliRunner

from amnl_tune.cli.app import app
from amnl_tune.database import file_systems
from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import WorkerRow
from amnl_tune.errors import StorageError
from amnl_tune.ledger.workers import WorkerIdentity, sign_in

NewStorage = Callable[[str], str]


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    (line,) = result.stderr.strip().splitlines()
    return line.removeprefix("Error: ")


def change(storage: str, statement: str) -> None:
    ledger = Ledger(storage)
    with ledger.write() as session:
        session.execute(sa.text(statement))
    ledger.close()


@pytest.fixture
def study_file(tmp_path: Path, tiny_study: str, fleet_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMNL_TUNE_DATA", str(fleet_dir))
    monkeypatch.setenv("AMNL_TUNE_HOME", str(tmp_path / "home"))
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_study)
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, new_storage: NewStorage) -> str:
    made = new_storage(request.param)
    assert CliRunner().invoke(app, ["db", "upgrade", "--storage", made]).exit_code == 0
    return made


@pytest.mark.parametrize("command", ["run", "worker", "study"])
def test_wrong_credentials(command: str, new_storage: NewStorage, study_file: Path) -> None:
    url = make_url(new_storage("postgresql")).set(username="nobody_here", password="secret")
    words = {"run": ("run", study_file), "worker": ("worker", "tiny"), "study": ("study", "list")}[command]
    message = refused(*words, "--storage", url.render_as_string(hide_password=False))
    assert "must answer, but: " in message
    assert 'role "nobody_here" does not exist' in message
    assert "mend the URL" in message
    assert "secret" not in message


def test_a_host_that_is_not_there(study_file: Path) -> None:
    message = refused("run", study_file, "--storage", "postgresql://u:secret@no-such-host.invalid/d")
    assert "must answer, but: " in message
    assert "start the server or mend the URL" in message
    assert "secret" not in message


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_without_the_schema(kind: str, new_storage: NewStorage) -> None:
    empty = new_storage(kind)
    for words in (("worker", "tiny"), ("study", "list"), ("launch", "tiny")):
        assert "must hold studies, but it holds none; run `amnl-tune run" in refused(*words, "--storage", empty)


def test_a_schema_newer_than_the_code(storage: str, study_file: Path) -> None:
    change(storage, "update amnl_schema_version set version_num = '9999'")
    for words in (("run", study_file), ("db", "upgrade")):
        message = refused(*words, "--storage", storage)
        assert "must not be newer than amnl-tune, but its schema 9999 is unknown to this version; upgrade" in message
    assert "but it is 9999; run `amnl-tune db upgrade`" in refused("worker", "tiny", "--storage", storage)


def test_a_storage_of_another_optuna(storage: str, study_file: Path) -> None:
    change(storage, "update version_info set library_version = '4.5.0'")
    message = refused("run", study_file, "--storage", storage)
    assert "must be of this Optuna's major version, 5." in message
    assert "but it was made by 4.5.0; set --storage" in message


def test_a_worker_with_another_optuna_is_at_work(storage: str) -> None:
    ledger = Ledger(storage)
    with ledger.write() as session:
        session.add(
            WorkerRow(id="old", study="other", host="elsewhere", pid=1, process_started=0.0, device="cpu", threads=1,
                      version="0", optuna_version="4.5.0", started_at=0.0, seen_at=database_time(session))
        )  # fmt: skip
    own = WorkerIdentity(id="new", study="tiny", pid=os.getpid(), device="cpu", threads=1)
    with pytest.raises(
        StorageError, match=r"but it is 5\..* here and 4\.5\.0 with workers that are at work; install one"
    ):
        sign_in(ledger, own)
    with ledger.write() as session:
        session.execute(sa.update(WorkerRow).where(WorkerRow.id == "old").values(seen_at=0.0))
    sign_in(ledger, own)
    ledger.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/proc/nowhere", "must be writable"),
        ("nothing://bucket/a", "must have a protocol that fsspec knows"),
        ("abfs://bucket/a", '[azure]"`'),
    ],
)
def test_artifact_urls_that_cannot_be_written(url: str, message: str, study_file: Path) -> None:
    assert message in refused("run", study_file, "--artifacts", url)


def test_sqlite_on_a_network_file_system(study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_systems, "mounts", lambda: [("/", "ext4"), (str(tmp_path), "nfs4")])
    for words in (("run", study_file), ("db", "upgrade")):
        message = refused(*words)
        assert f"SQLite must be on a disk of one host, but {tmp_path}" in message
        assert f"is on {tmp_path} (nfs4)" in message
        assert "or --storage to postgresql://" in message


def test_more_workers_than_sqlite_serves(study_file: Path) -> None:
    message = refused("run", study_file, "--workers", "9")
    assert "SQLite must serve at most 8 workers, but got --workers 9" in message
    assert "postgresql://" in message


def test_help_shows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    shown = CliRunner().invoke(app, ["worker", "--help"]).output
    for name in ("AMNL_TUNE_STORAGE]", "AMNL_TUNE_HOME;", "AMNL_TUNE_DATA]", "AMNL_TUNE_ARTIFACTS;"):
        assert name in shown
