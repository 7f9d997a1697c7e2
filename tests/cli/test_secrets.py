"""A secret in every place where a user can put one: no command tells it, nor does any file or table."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from amnl_tune.cli.app import app

SECRET = "s3cr3tpw"
POSTGRESQL = {
    "before the @": f"postgresql://nobody:{SECRET}@localhost:1/d",
    "in the query": f"postgresql://localhost:1/d?user=nobody&password={SECRET}",
    "of a certificate": f"postgresql://nobody@localhost:1/d?sslmode=require&sslpassword={SECRET}",
    "unknown option": f"postgresql://nobody@localhost:1/d?pw={SECRET}",
    "with an @": f"postgresql://nobody:se@{SECRET}@localhost:1/d",
    "with an @ and a /": f"postgresql://nobody:se@{SECRET}/x@localhost:1/d",
    "with a ?": f"postgresql://nobody:se?{SECRET}@localhost:1/d",
    "with ? and @": f"postgresql://nobody:se?a={SECRET}@x@localhost:1/d",
    "without slashes": f"postgresql:nobody:{SECRET}@localhost/d",
    "mistyped scheme": f"postgrs://nobody:{SECRET}@localhost/d",
    "no number for a port": f"postgresql://nobody:{SECRET}@localhost:port/d",
    "without a host": f"postgresql://nobody:{SECRET}:5432/d",
    "as libpq has it": f"host=localhost port=1 user=nobody password={SECRET}",
    "not a database": f"https://nobody:{SECRET}@localhost/d",
}
COMMANDS = {
    "study list": ("study", "list"),
    "study show": ("study", "show", "tiny", "--json"),
    "study trials": ("study", "trials", "tiny"),
    "study stop": ("study", "stop", "tiny"),
    "study extend": ("study", "extend", "tiny", "--trials", "9"),
    "run": ("run", "FILE"),
    "worker": ("worker", "tiny"),
    "workers": ("workers",),
    "launch": ("launch", "tiny", "--workers", "1"),
    "launch on kubernetes": ("launch", "tiny", "--on", "kubernetes", "--workers", "1", "--artifacts", "s3://b/x"),
    "doctor": ("doctor",),
    "plan": ("plan", "FILE", "--actual"),
    "lr-find": ("lr-find", "FILE"),
    "promote": ("promote", "tiny"),
    "replay": ("replay", "tiny", "1"),
    "export": ("export", "tiny"),
    "report": ("report", "tiny"),
    "compare": ("compare", "tiny", "other"),
    "dashboard": ("dashboard", "--port", "0"),
    "db upgrade": ("db", "upgrade"),
    "db status": ("db", "status", "--json"),
    "db backup": ("db", "backup", "--out", "backup.db"),
    "wrong place": ("study", "show", "tiny"),
}


@pytest.fixture
def study_file(tmp_path: Path, tiny_study: str, fleet_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMNL_TUNE_DATA", str(fleet_dir))
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_study)
    return path


@pytest.fixture(autouse=True)
def nothing_is_kept(tmp_path: Path) -> Iterator[None]:
    """After each test: no file has it."""
    yield
    assert_not_in_files(tmp_path)


def assert_not_in_files(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert SECRET not in path.name
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def told(*arguments: str) -> str:
    """Everything that a command says, which must end as a user's mistake does."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, (arguments, result.output, result.exception)
    assert SECRET not in result.output + repr(result.exception)
    return result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_storage_that_does_not_answer(command: str, study_file: Path) -> None:
    words = [str(study_file) if word == "FILE" else word for word in COMMANDS[command]]
    for url in POSTGRESQL.values():
        if command == "launch on kubernetes":
            result = CliRunner().invoke(app, [*words, "--storage", url])
            assert SECRET not in result.output
        elif command == "wrong place":
            assert "unexpected extra argument" in told(*words, url)
        else:
            told(*words, "--storage", url)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        (f"s3://KEY:{SECRET}@bucket/x", "the Secret 'amnl-tune'"),
        (f"s3://KEY:a/b+{SECRET}@bucket/x", "the Secret 'amnl-tune'"),
        (f"sftp://me:{SECRET}@host/x", "the Secret 'amnl-tune'"),
        (f"https://host/x?token={SECRET}", "the Secret 'amnl-tune'"),
        (f"me:{SECRET}@host/x", "use s3://BUCKET/FOLDER"),
    ],
)
def test_no_manifest_has_it(url: str, remedy: str) -> None:
    launched = ("launch", "tiny", "--on", "kubernetes", "--workers", "1", "--data-dir", "/data", "--artifacts", url)
    for form in ((), ("--json",)):
        assert remedy in told(*launched, *form)


@pytest.mark.parametrize("protocol", ["s3", "gs", "abfs"])
def test_a_bucket_with_keys_in_its_url(protocol: str, study_file: Path) -> None:
    """No package would read them there; each would take them for the bucket's name."""
    for url in (f"{protocol}://KEY:{SECRET}@bucket/x", f"{protocol}://KEY:a/b+{SECRET}@bucket/x"):
        message = told("run", str(study_file), "--artifacts", url)
        assert "must name bucket and folder alone" in message
        assert "from the environment" in message


def test_sources_of_data(tmp_path: Path) -> None:
    sources = (
        f"http://me:{SECRET}@127.0.0.1:1/x.zip",
        f"https://127.0.0.1:1/x.zip?token={SECRET}",
        f"htp://{SECRET}@h",
    )
    words = [word for source in sources for word in ("--source", source)]
    message = told("data", "fetch", "--data-dir", str(tmp_path), *words)
    assert "http://***@127.0.0.1:1/x.zip" in message
    assert "x.zip?token=***" in message


def test_a_bugs_traceback(tmp_path: Path) -> None:
    """Of a process: what a library says of a URL is in nobody's hands."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, amnl_tune.settings as settings\n"
        "def broken(*_, **__): raise ValueError('cannot read ' + os.environ['AMNL_TUNE_STORAGE'])\n"
        "settings.Settings.resolve = broken\n"
    )
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]),
        "AMNL_TUNE_STORAGE": f"postgresql://me:{SECRET}@localhost:1/d",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "amnl_tune", "study", "list"],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "ValueError: cannot read postgresql://me:***@localhost:1/d" in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_study_from_its_file_to_its_pages(
    study_file: Path, tmp_path: Path, new_storage: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server that takes any password: what is done is told everywhere, the secret nowhere."""
    study_file.write_text(study_file.read_text().replace("trials = 4", "trials = 2"))
    url = make_url(new_storage("postgresql"))
    storage = url.set(password=f"a@{SECRET}").render_as_string(hide_password=False)
    monkeypatch.setenv("AMNL_TUNE_STORAGE", f"{storage}&sslpassword={SECRET}" if url.query else storage)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{SECRET}@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    ran = subprocess.run(
        [sys.executable, "-m", "amnl_tune", "run", str(study_file), "--out", str(tmp_path / "export")],
        env=os.environ, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert SECRET not in ran.stdout + ran.stderr
    logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
    assert "MLflow at http://***@127.0.0.1:1 does not take the run" in logs
    for words in (("study", "show", "tiny"), ("study", "list"), ("doctor",), ("db", "status"), ("workers",)):
        for form in ((), ("--json",)):
            result = CliRunner().invoke(app, [*words, *form])
            assert result.exit_code in {0, 1}, result.output
            assert SECRET not in result.output
    assert CliRunner().invoke(app, ["db", "backup", "--out", str(tmp_path / "backup.db")]).exit_code == 0
    assert_not_in_database(url.render_as_string(hide_password=False))
    assert_not_on_pages(tmp_path)
    gc.collect()  # commands leave connections to the end of their process


def assert_not_in_database(storage: str) -> None:
    with psycopg.connect(storage) as connection:
        tables = [row[0] for row in connection.execute("select tablename from pg_tables where schemaname = 'public'")]
        assert "amnl_workers" in tables
        for table in tables:
            rows = connection.execute(f"select t::text from {table} t").fetchall()  # type: ignore[call-overload]
            assert SECRET not in json.dumps(rows)


def assert_not_on_pages(home: Path) -> None:
    from werkzeug.test import Client

    from amnl_tune.artifacts import Artifacts
    from amnl_tune.dashboard.app import dashboard_app
    from amnl_tune.dashboard.credentials import Credentials
    from amnl_tune.dashboard.guard import Rules
    from amnl_tune.database.engine import Ledger
    from amnl_tune.database.optuna_storage import borrowed_storage

    ledger = Ledger(os.environ["AMNL_TUNE_STORAGE"])
    with borrowed_storage(ledger) as storage:
        dashboard = dashboard_app(ledger, storage, Artifacts(home), Rules(credentials=Credentials(token="t" * 24)))
        for path in ("/api/studies", "/api/studies/1", "/report/tiny", "/metrics", "/healthz", "/dashboard"):
            answer = Client(dashboard).get(path, auth=("local", "t" * 24))
            assert answer.status_code == 200, (path, answer)
            assert SECRET not in answer.text
    ledger.close()
