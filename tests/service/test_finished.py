"""A study that an earlier version has finished: it shows its result, and nothing is trained."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amnl_tune.cli.app import app

FINISHED = Path(__file__).parent / "finished"
"""Study file, database, artifacts and what `study show --json` said, of the version before the rooms."""
FLEET = Path(__file__).parents[1] / "database" / "schemas" / "fleet"
TABLES = ("amnl_runs", "amnl_epochs", "amnl_attempts", "amnl_workers", "amnl_promotions", "amnl_test_scores", "trials")


def counts(home: Path) -> dict[str, int]:
    connection = sqlite3.connect(home / "amnl_tune.db")
    try:
        return {table: connection.execute(f"select count(*) from {table}").fetchone()[0] for table in TABLES}
    finally:
        connection.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copytree(FINISHED / "artifacts", tmp_path / "artifacts")
    shutil.copy(FINISHED / "tiny.toml", tmp_path)
    connection = sqlite3.connect(tmp_path / "amnl_tune.db")
    connection.executescript((FINISHED / "study.sql").read_text())
    connection.close()
    return tmp_path


def test_it_shows_its_result_and_trains_nothing(home: Path) -> None:
    before = counts(home)
    words = ("run", str(home / "tiny.toml"), "--json", "--home", str(home), "--data-dir", str(FLEET))
    told = CliRunner().invoke(app, [*words, "--out", str(home / "export")])
    assert told.exit_code == 0, told.output
    facts = json.loads(told.stdout)
    assert (facts.pop("export"), facts.pop("report")) == (str(home / "export"), str(home / "reports" / "tiny.html"))
    assert facts == json.loads((FINISHED / "show.json").read_text())
    assert "Study 'tiny' is finished" in told.stderr
    assert counts(home) == before
