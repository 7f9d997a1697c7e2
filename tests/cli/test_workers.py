"""`amnl-tune workers` while a real worker works, once and watched."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bounded import line_of
from typer.testing import CliRunner, Result

from amnl_tune.artifacts import Artifacts
from amnl_tune.cli.app import app
from amnl_tune.database.engine import Ledger
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.studies.study_file import parse_study_spec


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def shown(*options: str) -> list[dict[str, Any]]:
    result = invoke("workers", "--json", *options)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.fixture
def study(tmp_path: Path, tiny_study: str, fleet_dir: Path) -> Iterator[str]:
    """One whose trials take long enough to be looked at."""
    spec = parse_study_spec(tiny_study.replace("epochs = 3", "epochs = 400"), name="tiny")
    ledger = Ledger(f"sqlite:///{tmp_path / 'amnl_tune.db'}")
    open_study(Workspace(ledger, FleetSource((fleet_dir,)), Artifacts(tmp_path)), spec, device="cpu")
    yield "tiny"
    ledger.close()


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(fleet_dir: Path) -> Iterator[Start]:
    """Starts `amnl-tune` as a process, which does not outlive the test."""
    with ExitStack() as stack:

        def started(*arguments: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-m", "amnl_tune", *arguments],
                env=os.environ | {"AMNL_TUNE_DATA": str(fleet_dir), "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield started


@pytest.mark.slow
def test_a_real_worker_is_seen_working_dying_and_gone(study: str, start: Start) -> None:
    assert shown() == []
    assert "No worker of study 'tiny' is there" in invoke("workers", study).output
    worker = start("worker", study, "--threads", "1", "--no-tensorboard")
    until, found = time.monotonic() + 300, []
    while time.monotonic() < until and not (found and found[0]["assignment"] and found[0]["assignment"]["epoch"]):
        time.sleep(0.2)
        found = shown(study)
    assert (found[0]["pid"], found[0]["presence"], found[0]["device"]) == (worker.pid, "working", "cpu")
    assert found[0]["assignment"]["label"] == "trial 0"
    assert found[0]["assignment"]["epochs"] == 400
    assert found[0]["assignment"]["samples_per_second"] > 0
    assert "trial 0" in invoke("workers").output
    watching = start("workers", study, "--watch", "--json")
    looks = [json.loads(line_of(watching)) for _ in range(2)]
    assert [look[0]["pid"] for look in looks] == [worker.pid] * 2
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=180)
    assert (watching.returncode, err) == (0, "")
    worker.kill()
    worker.communicate(timeout=180)
    assert [one["presence"] for one in shown()] == ["dead"]
    second = start("worker", study, "--threads", "1", "--no-tensorboard")
    while time.monotonic() < until and [one["presence"] for one in shown()] != ["working"]:
        time.sleep(0.2)
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=180)
    assert shown() == []
    assert [one["presence"] for one in shown("--all")] == ["left", "left"]


def test_unknown_studies_and_storages_without_any() -> None:
    assert invoke("workers").exit_code == 2
    assert invoke("db", "upgrade").exit_code == 0
    assert "No worker is there" in invoke("workers").output
    result = invoke("workers", "nothing")
    assert (result.exit_code, "there is no 'nothing'" in result.stderr) == (2, True)
