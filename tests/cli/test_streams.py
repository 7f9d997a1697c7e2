"""Streams that are ASCII alone, full, closed or gone; and commands that are struck: real processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from amnl_tune.cli.app import app
from amnl_tune.database.engine import Ledger
from amnl_tune.ledger.studies import freeze
from amnl_tune.studies.study_file import parse_study_spec

pytestmark = pytest.mark.slow
WORDS = [sys.executable, "-m", "amnl_tune"]
BLOB = 150_000_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder whose name is not ASCII, with a study."""
    home = tmp_path_factory.mktemp("größer")
    storage = f"sqlite:///{home / 'amnl_tune.db'}"
    assert CliRunner().invoke(app, ["db", "upgrade", "--storage", storage]).exit_code == 0
    ledger = Ledger(storage)
    text = (Path(__file__).parents[1] / "tiny.toml").read_text()
    freeze(ledger, parse_study_spec(text, name="tiny"), "0" * 64)
    ledger.close()
    return home


def started(home: Path, *arguments: object, shell: str = "{}", **environment: str) -> subprocess.CompletedProcess[str]:
    command = " ".join(f"'{word}'" for word in [*WORDS, *map(str, arguments)])
    surroundings = {"PATH": os.environ["PATH"], "AMNL_TUNE_HOME": str(home), "HOME": str(home)}
    surroundings |= {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {shell.format(command)}"],
        capture_output=True, text=True, env=surroundings | environment, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", [("study", "show", "tiny"), ("db", "backup", "--out"), ("--help",)])
def test_characters_that_a_stream_does_not_know(words: tuple[str, ...], home: Path, tmp_path: Path) -> None:
    words = (*words, f"{tmp_path}/größte.db") if words[0] == "db" else words
    done = started(home, *words, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "te.db: " in done.stdout or done.stdout.isascii()


SAID = "from amnl_tune.cli.streams import guarded\nwith guarded():\n    print('gr\\xf6\\xdfer\\xa032 \\udcff')"


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C.UTF-8"}]
)
def test_a_blank_and_a_file_s_name_stay_what_they_are(environment: dict[str, str]) -> None:
    environment = dict(os.environ) | {"PYTHONUTF8": "0"} | environment
    done = subprocess.run([sys.executable, "-c", SAID], capture_output=True, env=environment, check=True, timeout=300)
    if "UTF-8" in environment.get("LC_ALL", ""):
        assert done.stdout == "größer\xa032 ".encode() + b"\xff\n"
    else:
        assert done.stdout == rb"gr\xf6\xdfer 32 " + b"\xff\n"


@pytest.mark.parametrize("words", [("db", "status"), ("db", "status", "--json"), ("--help",)])
def test_a_full_disk_behind_standard_output(words: tuple[str, ...], home: Path) -> None:
    done = started(home, *words, shell="{} > /dev/full")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: Standard output must be writable, but: No space left on device; free space there, or name another "
        "file\n"
    )


@pytest.mark.parametrize("words", [("db", "status"), ("--version",)])
def test_a_reader_that_has_gone(words: tuple[str, ...], home: Path) -> None:
    done = started(home, *words, shell="{{ {}; echo $? >&2; }} | true")
    assert done.stderr == "141\n"


def test_errors_that_nobody_can_read_keep_their_exit_code(home: Path) -> None:
    for shell in ("{} 2> /dev/full", "{} 2>&-"):
        assert started(home, "db", "status", "--home", home / "nowhere", shell=shell).returncode == 2
    assert started(home, "db", "status", shell="{} >&-").returncode == 0


@pytest.fixture
def large(home: Path, tmp_path: Path) -> Iterator[str]:
    """A storage that takes a moment to copy."""
    storage = f"sqlite:///{tmp_path / 'large.db'}"
    assert CliRunner().invoke(app, ["db", "upgrade", "--storage", storage]).exit_code == 0
    with closing(sqlite3.connect(tmp_path / "large.db")) as connection:
        connection.execute("create table other (content blob)")
        connection.execute("insert into other values (zeroblob(?))", [BLOB])
        connection.commit()
    yield storage
    (tmp_path / "large.db").unlink()


def struck(storage: str, out: Path, number: signal.Signals) -> tuple[int, str]:
    """A backup that got the signal while it was copying; its exit code and words."""
    for _ in range(20):
        command = [*WORDS, "db", "backup", "--out", str(out), "--storage", storage]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not any(path.stat().st_size for path in parts(out)):
                time.sleep(0.001)
            process.send_signal(number)
            try:
                _, words = process.communicate(timeout=300)
            finally:
                process.kill()
            if process.returncode != 0:
                return process.returncode, words
        out.unlink()  # it was quicker
    raise AssertionError("every backup was made before the signal came")


def parts(out: Path) -> list[Path]:
    return [path for path in out.parent.iterdir() if path.name.startswith(f".{out.name}.")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_struck_backup_leaves_nothing(number: signal.Signals, large: str, tmp_path: Path) -> None:
    code, words = struck(large, tmp_path / "b.db", number)
    assert (code, words.startswith("Interrupted: ")) == (2, True), words
    assert {path.name for path in tmp_path.iterdir()} <= {"large.db", "large.db.lock"}


@pytest.mark.parametrize("remover", ["backup", "doctor"])
def test_what_a_killed_backup_left_goes_with_the_next(remover: str, large: str, tmp_path: Path) -> None:
    code, _ = struck(large, tmp_path / "b.db", signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert parts(tmp_path / "b.db")
    if remover == "backup":
        with closing(sqlite3.connect(tmp_path / "large.db")) as connection:
            connection.execute("drop table other")
        assert CliRunner().invoke(app, ["db", "backup", "--out", f"{tmp_path}/c.db", "--storage", large]).exit_code == 0
    else:
        seen: Any = CliRunner().invoke(app, ["doctor", "--storage", large])
        assert "were left by processes that were killed" in seen.output
        assert parts(tmp_path / "b.db")
        CliRunner().invoke(app, ["doctor", "--storage", large, "--fix"])
    assert not parts(tmp_path / "b.db")
