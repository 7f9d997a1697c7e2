"""A whole `run` where next to nothing is known of user, host and folder: what it needs at its end is there, or is told."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from amnl_tune.cli.app import app
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import TestScoreRow
from amnl_tune.results.export.bundle import load_bundle

UNKNOWN = ["unshare", "--user", "--mount", "--map-user=54321", "--map-group=54321"]
"""A user number that nobody has entered in passwd, as `docker --user` and OpenShift give."""

NOTEBOOK = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONWARNINGS": "error::UserWarning",
    "PYTHONOPTIMIZE": "2",
    "OMP_NUM_THREADS": "7",
    "TORCHELASTIC_RUN_ID": "somebody's",
    "WORLD_SIZE": "4",
    "TZ": "Nowhere/Town",
    "COLUMNS": "wide",
    "LC_ALL": "xx_XX",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a user whose own scripts have libraries' names."""
    made = tmp_path / "mine"
    made.mkdir()
    for name in ("random", "optuna", "profile", "torch"):
        (made / f"{name}.py").write_text("print('my own experiment runs')\nraise SystemExit(1)\n")
    return made


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no other user can be had without `unshare`")
def test_an_unknown_user_in_a_notebook_runs_the_whole_line(folder: Path, tiny_study: str, fleet_dir: Path) -> None:
    if subprocess.run([*UNKNOWN, "true"], capture_output=True, check=False, timeout=300).returncode:
        pytest.skip("no user namespaces here")
    text = tiny_study.replace("trials = 4", "trials = 2").replace("workers = 2", "workers = 1")
    (folder / "tiny.toml").write_text(text)
    environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "AMNL_TUNE_DATA": str(fleet_dir), **NOTEBOOK}
    command = [sys.executable, "-m", "amnl_tune"]
    ended = subprocess.run(
        [shutil.which("unshare") or "", *UNKNOWN[1:], *command, "run", "tiny.toml", "--home", "home"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
    assert "my own experiment" not in ended.stdout
    assert load_bundle(folder / "exports" / "tiny").provenance["study"] == "tiny"
    ledger = Ledger(f"sqlite:///{folder / 'home' / 'amnl_tune.db'}")
    with ledger.read() as session:
        assert session.scalars(select(TestScoreRow.scored_by)).one().startswith("uid-54321@")
    ledger.close()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("export", "An export goes into a new folder or over an export"),
        ("place", "must be writable, but: "),
        ("report", "must be writable, but: "),
        ("truth", "RUL_SIM1.txt"),
    ],
)
def test_what_the_end_needs_is_checked_before_anything_is_trained(
    spoil: str, told: str, tiny_study: str, fleet_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    shutil.copytree(fleet_dir, data)
    file, out = tmp_path / "tiny.toml", tmp_path / "out" / "export"
    file.write_text(tiny_study)
    match spoil:
        case "export":
            (out / "thesis").mkdir(parents=True)
        case "place":
            out.parent.write_text("a file where a folder is needed")
        case "report":
            (tmp_path / "reports" / "tiny.html").mkdir(parents=True)
        case "truth":
            for truth in data.glob("RUL_SIM1.txt*"):
                truth.unlink()
            (data / "RUL_SIM1.txt").write_text("many\n")
    monkeypatch.setenv("AMNL_TUNE_DATA", str(data))
    result = CliRunner().invoke(app, ["run", str(file), "--out", str(out)])
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "amnl_tune.db").exists()


@pytest.mark.parametrize("command", ["lr-find", "profile", "bench", "plan"])
def test_a_figures_place_is_checked_before_anything_is_measured(
    command: str, tiny_study: str, fleet_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(tiny_study)
    monkeypatch.setenv("AMNL_TUNE_DATA", str(fleet_dir))
    result = CliRunner().invoke(app, [command, str(file), "--out", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert f"{tmp_path} must be writable, but: a folder is there" in result.stderr
