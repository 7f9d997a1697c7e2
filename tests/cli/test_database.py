"""`amnl-tune db` as a user types it, on both kinds of database."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amnl_tune.cli.app import app
from amnl_tune.cli.database import size


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_status_backup_and_restore(kind: str, new_storage: Callable[[str], str], tmp_path: Path) -> None:
    storage, out = new_storage(kind), tmp_path / "a.db"
    assert invoke("db", "upgrade", "--storage", storage).exit_code == 0
    shown = invoke("db", "status", "--storage", storage)
    assert shown.exit_code == 0
    for told in ("schema           0003", "Optuna's schema  v", "studies          none", "amnl_runs"):
        assert told in shown.output
    facts = json.loads(invoke("db", "status", "--storage", storage, "--json").stdout)
    assert (facts["kind"], facts["problem"], facts["schema"]) == (kind, None, "0003")
    assert {table["name"]: table["rows"] for table in facts["tables"]}["amnl_schema_version"] == 1
    made = invoke("db", "backup", "--storage", storage, "--out", out)
    assert made.exit_code == 0
    assert f"{out}: 3 rows of " in made.output
    again = invoke("db", "backup", "--storage", storage, "--out", out)
    assert (again.exit_code, "must not replace a file" in again.stderr) == (2, True)
    for target in (new_storage("sqlite"), new_storage("postgresql")):
        restored = invoke("db", "restore", out, "--storage", target)
        assert (restored.exit_code, "3 rows of " in restored.output) == (0, True)
        assert json.loads(invoke("db", "restore", out, "--storage", target, "--json").stdout)["schema"] == "0003"


def test_a_password_is_not_shown() -> None:
    for command in ("status", "upgrade", "backup"):
        result = invoke("db", command, "--storage", "postgresql://u:secret@127.0.0.1:1/d", *OUT.get(command, ()))
        assert result.exit_code == 2
        assert "must answer" in result.stderr
        assert "secret" not in result.output


OUT = {"backup": ("--out", "never.db")}


def test_a_storage_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for command in (("status",), ("backup", "--out", tmp_path / "out.db")):
        result = invoke("db", *command)
        assert (result.exit_code, "there is no" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_storage_that_does_not_fit_is_shown_and_refused(tmp_path: Path) -> None:
    """What there is on stdout, the remedy on stderr, exit code 2."""
    (tmp_path / "amnl_tune.db").touch()
    result = invoke("db", "status", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["schema"] is None
    assert "must hold amnl-tune's tables, but it holds none; run `amnl-tune db upgrade`" in result.stderr
    assert invoke("db", "upgrade").exit_code == 0
    assert invoke("db", "status").exit_code == 0


def test_an_older_backup_says_what_comes_next(tmp_path: Path) -> None:
    schemas = Path(__file__).parents[1] / "database" / "schemas"
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.executescript((schemas / "0001_sqlite.sql").read_text())
    connection.close()
    result = invoke("db", "restore", tmp_path / "old.db")
    assert (result.exit_code, "run `amnl-tune db upgrade` next" in result.output) == (0, True)
    assert invoke("db", "status").exit_code == 2
    assert invoke("db", "upgrade").exit_code == 0
    assert "tiny" in invoke("study", "show", "tiny").output


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1400, "1.4 kB"), (2_500_000, "2.5 MB"), (7.2e9, "7.2 GB")]
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text
