"""`amnl-tune export`, `predict`, `report` on small things made by hand."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import save
from typer.testing import CliRunner, Result

from amnl_tune.artifacts import Artifacts
from amnl_tune.cli.app import app
from amnl_tune.database.engine import Ledger
from amnl_tune.results.export.bundle import write_bundle
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.studies.study_file import parse_study_spec
from amnl_tune.training.config import RunConfig


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def bundle(fleet_dir: Path, tmp_path: Path) -> Path:
    """An export of a network that nobody has trained."""
    config = RunConfig.build(
        {"dataset": "SIM1", "conv_channels": (4,), "hidden_size": 2, "num_heads": 2, "fc_sizes": (4,), "window": 5}
    )
    scaling = prepare(FleetSource((fleet_dir,)).training("SIM1"), config).scaling
    weights = save(AMNL(config).state_dict())
    folder = tmp_path / "bundle"
    write_bundle(folder, config=config, weights=weights, scaling=scaling, provenance={}, metrics={})
    return folder


@pytest.fixture
def ledger(fleet_dir: Path, tmp_path: Path, tiny_study: str) -> Iterator[Ledger]:
    """Of the default storage, with a study that has no trial yet."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'amnl_tune.db'}")
    spec = parse_study_spec(tiny_study, name="tiny")
    open_study(Workspace(ledger, FleetSource((fleet_dir,)), Artifacts(tmp_path)), spec, device="cpu")
    yield ledger
    ledger.close()


def test_predict_writes_csv_to_standard_output_or_a_file(bundle: Path, fleet_dir: Path, tmp_path: Path) -> None:
    engines = fleet_dir / "test_SIM1.txt.gz"
    shown = invoke("predict", bundle, engines)
    assert shown.exit_code == 0
    frame = pd.read_csv(io.StringIO(shown.stdout))
    assert list(frame.columns[:4]) == ["unit", "cycle", "rul", "health"]
    assert list(frame["unit"]) == list(range(1, 11))
    kept = invoke("predict", bundle, engines, "--out", tmp_path / "new" / "rul.csv")
    assert kept.stdout == ""
    assert "10 engines" in kept.stderr
    assert (tmp_path / "new" / "rul.csv").read_text() == shown.stdout
    assert [row["unit"] for row in json.loads(invoke("predict", bundle, engines, "--json").stdout)] == list(
        frame["unit"]
    )


def test_a_report_goes_into_the_home_folder(ledger: Ledger, tmp_path: Path) -> None:
    result = invoke("report", "tiny")
    assert result.stdout.strip() == str(tmp_path / "reports" / "tiny.html")
    assert "No trial has completed yet." in (tmp_path / "reports" / "tiny.html").read_text()


def test_an_export_needs_a_promotion(ledger: Ledger, fleet_dir: Path, tmp_path: Path) -> None:
    result = invoke("export", "tiny", "--data-dir", fleet_dir, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "needs a scored promotion" in result.stderr
    assert not (tmp_path / "out").exists()
