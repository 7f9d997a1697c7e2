"""`amnl-tune doctor` as a user types it, and after a real worker was killed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bounded import until
from sqlalchemy import select, update
from typer.testing import CliRunner, Result

from amnl_tune.artifacts import Artifacts
from amnl_tune.cli.app import app
from amnl_tune.database.engine import Ledger, make_file
from amnl_tune.database.models import RunRow, RunStatus, WorkerRow
from amnl_tune.health import disk_checks
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.studies.study_file import parse_study_spec


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def any_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """How full this machine's disk is decides no test."""
    monkeypatch.setattr(disk_checks, "space", lambda places: ())


def findings(*options: str, code: int = 0) -> list[dict[str, Any]]:
    result = invoke("doctor", "--json", *options)
    assert result.exit_code == code, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_what_cannot_be_looked_at_is_the_user_s_mistake(tmp_path: Path) -> None:
    result = invoke("doctor")
    assert (result.exit_code, "there is no" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
    assert invoke("db", "upgrade").exit_code == 0
    result = invoke("doctor", "nothing")
    assert (result.exit_code, "there is no 'nothing'" in result.stderr) == (2, True)
    result = invoke("doctor", "--storage", "postgresql://u:secret@127.0.0.1:1/d")
    assert (result.exit_code, "secret" in result.output) == (2, False)


def test_an_error_is_exit_code_1(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'amnl_tune.db'}")
    make_file(ledger.url)
    shown = invoke("doctor")
    assert shown.exit_code == 1
    assert "error   schema: " in shown.output
    assert "-> run `amnl-tune db upgrade`" in shown.output
    assert invoke("db", "upgrade").exit_code == 0
    healthy = invoke("doctor")
    assert healthy.exit_code == 0
    assert "ok      schema: schema 0003" in healthy.output
    with ledger.write() as session:
        for host in ("a", "b"):
            session.add(
                WorkerRow(
                    id=host, study="s", host=host, pid=1, process_started=0.0, device="cpu", threads=1, version="0.0.1",
                    optuna_version="4.6.0", started_at=time.time(), seen_at=time.time(),
                )
            )  # fmt: skip
    ledger.close()
    errors = [one for one in findings("--fix", code=1) if one["severity"] == "error"]
    assert [one["check"] for one in errors] == ["sqlite", "versions"]
    assert "Optuna must be of one major version everywhere" in errors[1]["what"]
    assert all(one["remedy"] and not one["fixable"] and one["done"] is None for one in errors)


@pytest.mark.slow
def test_after_a_worker_was_killed(tmp_path: Path, tiny_study: str, fleet_dir: Path) -> None:
    """Found at once, handed back, its process signed out; the next worker ends the study."""
    spec = parse_study_spec(tiny_study.replace("epochs = 3", "epochs = 60"), name="tiny")
    ledger = Ledger(f"sqlite:///{tmp_path / 'amnl_tune.db'}")
    open_study(Workspace(ledger, FleetSource((fleet_dir,)), Artifacts(tmp_path)), spec, device="cpu")
    command = [sys.executable, "-m", "amnl_tune", "worker", "tiny", "--threads", "1", "--no-tensorboard"]
    environment = os.environ | {"AMNL_TUNE_DATA": str(fleet_dir)}

    def runs() -> list[RunRow]:
        with ledger.read() as session:
            return list(session.scalars(select(RunRow).order_by(RunRow.slot)))

    with subprocess.Popen(command, env=environment) as worker:
        try:
            until(lambda: any(run.epochs_done for run in runs()), "an epoch")
        finally:
            worker.kill()
    (held,) = [run for run in runs() if run.status is RunStatus.RUNNING]
    warned = {one["check"]: one for one in findings() if one["severity"] == "warning"}
    assert set(warned) == {"leases", "workers"}
    assert "its process on this host is gone" in warned["leases"]["what"]
    mended = invoke("doctor", "tiny", "--fix")
    assert mended.exit_code == 0
    assert f"fixed: trial {held.trial_number}: handed back after epoch {held.epochs_done}" in mended.output
    assert "fixed: dead workers of study 'tiny' signed out: 1" in mended.output
    assert {one["severity"] for one in findings()} == {"ok"}
    with ledger.write() as session:  # enough has been seen of the others
        session.execute(update(RunRow).where(RunRow.id != held.id).values(status=RunStatus.FAIL))
    subprocess.run(command, env=environment, check=True, timeout=240)
    resumed = next(run for run in runs() if run.id == held.id)
    assert (resumed.status, resumed.failures, resumed.fence) == (RunStatus.COMPLETE, 0, held.fence + 1)
    assert resumed.epochs_done > held.epochs_done
    ledger.close()
