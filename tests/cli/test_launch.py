"""`amnl-tune launch` as a user types it: what is refused before anything starts, and what is printed."""

import json
from pathlib import Path

import kubernetes_validate
import pytest
import torch
import yaml
from typer.testing import CliRunner, Result

from amnl_tune.artifacts import Artifacts
from amnl_tune.cli.app import app
from amnl_tune.database.engine import SQLITE_WORKERS, Ledger
from amnl_tune.database.models import StudyRow
from amnl_tune.database.schema import upgrade
from amnl_tune.ledger.studies import freeze
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.studies.sections import DataTable
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec

POSTGRES = "postgresql://me:geheim@db/amnl"


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["launch", *(str(argument) for argument in arguments)])


def refused(*arguments: object) -> str:
    """The one line that a user's mistake gets."""
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert "Traceback" not in result.output
    (line,) = result.stderr.strip().splitlines()
    return line.removeprefix("Error: ")


@pytest.fixture
def study(tiny_study: str, tmp_path: Path, fleet_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The prepared study `tiny` in the default storage."""
    monkeypatch.setenv("AMNL_TUNE_DATA", str(fleet_dir))
    url = f"sqlite:///{tmp_path / 'amnl_tune.db'}"
    upgrade(url)
    ledger = Ledger(url)
    spec = parse_study_spec(tiny_study, name="tiny")
    open_study(Workspace(ledger, FleetSource((fleet_dir,)), Artifacts(tmp_path)), spec, device="cpu")
    ledger.close()
    return spec.name


def test_an_unknown_launcher_is_refused_with_the_known_ones() -> None:
    assert refused("tiny", "--on", "sge") == "`--on` must be one of local, ray, slurm, kubernetes, but got 'sge'"


def test_more_workers_than_sqlite_serves(study: str) -> None:
    message = refused(study, "--workers", SQLITE_WORKERS + 1, "--threads", 1)
    assert message == (
        "SQLite must serve at most 8 workers, but got --workers 9; use "
        "--storage postgresql://USER:PASSWORD@HOST/DATABASE, or fewer workers"
    )


def test_studies_that_nobody_can_join(study: str, tiny_study: str, tmp_path: Path) -> None:
    assert "there is no 'tinyy'" in refused("tinyy")
    ledger = Ledger(f"sqlite:///{tmp_path / 'amnl_tune.db'}")
    freeze(ledger, parse_study_spec(tiny_study, name="fresh"), "sha")
    ledger.close()
    assert refused("fresh") == (
        "Study 'fresh' must be prepared before workers join, but it is not; run `amnl-tune run FILE` first, or use --wait"
    )


@pytest.mark.parametrize("on", ["local", "ray", "slurm"])
def test_no_worker_is_started_without_data(
    on: str, study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that finds none would end for good, in every pod and task anew."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'amnl_tune.db'}")
    with ledger.write() as session:
        row = session.get_one(StudyRow, study)
        row.spec = StudySpec.from_json(row.spec).model_copy(update={"data": DataTable(dataset="FD001")}).to_json()
    ledger.close()
    message = refused(study, "--on", on)
    assert "Data set 'FD001' needs train_FD001.txt or train_FD001.txt.gz, but it is in none of" in message
    assert "run `amnl-tune data fetch`, or name its folder by `--data-dir`" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--gpus-per-worker", 0.5), "(none visible); use --device cpu without --gpus-per-worker"),
        (("--gpus-per-worker", 0.5, "--device", "cpu"), "(none visible); use --device cpu without --gpus-per-worker"),
        (("--gpus-per-worker", 1.5), "use 0.25 for four workers on a GPU, 2 for two GPUs a worker"),
        (
            ("--device", "cuda:1"),
            "`--device` must be there, but got 'cuda:1' where 0 GPUs are visible; use --device cpu",
        ),
    ],
)
def test_gpus_that_are_not_there(
    options: tuple[object, ...], message: str, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert refused(study, "--device", "auto", *options).endswith(message)


def test_kubernetes_prints_a_job_without_asking_a_database() -> None:
    options = (
        "--on",
        "kubernetes",
        "--workers",
        8,
        "--storage",
        POSTGRES,
        "--artifacts",
        "s3://bucket/fd001",
        "--image",
        "r/a:1",
    )
    result = invoke(
        "fd001",
        *options,
        "--volume-claim",
        "data",
        "--gpus-per-worker",
        1,
        "--threads",
        4,
        "--wait",
        "--no-tensorboard",
    )
    assert (result.exit_code, result.stderr) == (0, "")
    job = yaml.safe_load(result.stdout)
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [
        "worker", "fd001", "--threads", "4", "--wait", "--no-tensorboard", "--device", "cuda",
    ]  # fmt: skip
    assert "geheim" not in result.stdout
    assert "kubectl create secret generic amnl-tune --from-file=storage=/dev/stdin" in result.stdout
    result = invoke("fd001", *options, "--namespace", "rul", "--data-dir", "/opt/cmapss", "--json")
    job = json.loads(result.stdout)
    assert job["metadata"] == job["metadata"] | {"name": "amnl-tune-fd001", "namespace": "rul"}
    environment = job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "AMNL_TUNE_DATA", "value": "/opt/cmapss"} in environment


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "got no --workers; use --workers 8"),
        (("--workers", 2, "--storage", "sqlite:///x.db"), "pods run on several; use --storage postgresql://"),
        (("--workers", 2), "got neither --artifacts nor --volume-claim"),
        (("--workers", 2, "--artifacts", "s3://a/b"), "got neither --volume-claim nor --data-dir"),
        (("--workers", 2, "--volume-claim", "data"), "got no --image; build and push one"),
        (("--workers", 2, "--volume-claim", "data", "--gpus-per-worker", 0.5), "must give a pod whole GPUs"),
        (("--workers", 2, "--volume-claim", "data", "--gpus-per-worker", -1), "must be a fraction up to 1 or a whole"),
    ],
)
def test_what_kubernetes_cannot_do(options: tuple[object, ...], message: str) -> None:
    assert message in refused("fd001", "--on", "kubernetes", *options)
