"""`amnl-tune promote --gpus 2` on a CPU: real processes started by torchrun, one of them killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import AttemptRow, EpochRow, RunRow, RunStatus
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.search.workplace import Workplace
from amnl_tune.studies.study_file import parse_study_spec
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fit import fit

pytestmark = pytest.mark.slow

Promote = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def place(tmp_path: Path, tiny_study: str, fleet_dir: Path) -> Iterator[Workplace]:
    """A worker's, in a study whose search is done; without dropout, whose masks depend on the number of processes."""
    text = tiny_study.replace("[fixed]", "[fixed]\ndropout = 0.0\nattention_dropout = 0.0")
    promotion = "epochs = 20\ncheckpoint_every = 1\nincumbent = false\noverrides = { learning_rate = 1e-3 }"
    text = text.replace("[promotion]\nepochs = 4", f"[promotion]\n{promotion}")
    spec = parse_study_spec(text, name="tiny")
    url = f"sqlite:///{tmp_path / 'amnl_tune.db'}"
    ledger = Ledger(url)
    source, artifacts = FleetSource((fleet_dir,)), Artifacts(tmp_path)
    open_study(Workspace(ledger, source, artifacts), spec, device="cpu")
    place = open_workplace(url, "tiny", source, artifacts, tensorboard=False)
    work(place, threads=1)
    yield place
    ledger.close()
    place.ledger.close()


@pytest.fixture
def promote(tmp_path: Path, fleet_dir: Path) -> Promote:
    def start(*options: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "amnl_tune", "promote", "tiny", "--device", "cpu", "--json", *options],
            env=os.environ | {"AMNL_TUNE_HOME": str(tmp_path), "AMNL_TUNE_DATA": str(fleet_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def promoted(ledger: Ledger) -> list[RunRow]:
    with ledger.read() as session:
        return list(session.scalars(select(RunRow).where(RunRow.promotion > 0).order_by(RunRow.promotion)))


def ranks(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The processes that train: torchrun's children."""
    return [
        child
        for torchrun in psutil.Process(process.pid).children()
        for child in torchrun.children()
        if "worker" in child.cmdline()
    ]


def test_two_processes_promote_as_one_does_and_a_killed_one_loses_nothing(place: Workplace, promote: Promote) -> None:
    ledger = place.ledger
    team = promote("--gpus", "2", "--threads", "1")
    until = time.monotonic() + 300
    while not any(run.epochs_done >= 3 for run in promoted(ledger)):
        assert time.monotonic() < until, "no epoch of the promoted run"
        assert team.poll() is None, team.communicate(timeout=60)[1]
        time.sleep(0.02)
    both = ranks(team)
    assert len(both) == 2
    both[1].send_signal(signal.SIGKILL)
    out, err = team.communicate(timeout=400)
    assert team.returncode == 0, err
    assert json.loads(out)["promotion"]

    (run,) = promoted(ledger)
    assert (run.status, run.epochs_done) == (RunStatus.COMPLETE, 20)
    with ledger.read() as session:
        attempts = list(session.scalars(select(AttemptRow).where(AttemptRow.run == run.id).order_by(AttemptRow.fence)))
    assert len(attempts) >= 2
    assert attempts[-1].epochs_before >= 1, "it began again"

    with ledger.read() as session:
        rows = session.scalars(select(EpochRow).where(EpochRow.run == run.id).order_by(EpochRow.number))
        curve = [row.train_rul_loss for row in rows]
    alone = [epoch.train_rul_loss for epoch in fit(RunConfig.model_validate_json(run.config or ""), place.data)]
    assert len(curve) == 20
    assert curve == pytest.approx(alone, rel=1e-3)


def test_more_gpus_than_there_are_and_workers_beside_them_are_refused(place: Workplace, promote: Promote) -> None:
    for options, told in (
        (("--gpus", "2", "--workers", "3"), "--gpus 2 trains one run at a time"),
        (("--gpus", "99", "--device", "cuda"), "Error: `--"),
    ):
        refused = promote(*options)
        _, err = refused.communicate(timeout=180)
        assert refused.returncode == 2
        assert told in err
    assert promoted(place.ledger) == []
