import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from amnl_tune.errors import BundleError, StorageError, StudyError
from amnl_tune.results.bundle import load_bundle
from amnl_tune.results.prediction import predict, read_engines
from amnl_tune.results.shipping import ship
from amnl_tune.rul.metrics import rmse
from amnl_tune.search.ledger.engine import Ledger

if TYPE_CHECKING:
    Finished = Any


def test_an_export_says_everything_about_its_run(finished: "Finished") -> None:
    assert {path.name for path in finished.bundle.iterdir()} == {
        "config.toml",
        "model.safetensors",
        "preprocessing.json",
        "metrics.json",
    }
    document = tomllib.loads((finished.bundle / "config.toml").read_text())
    provenance = document["provenance"]
    assert provenance["study"] == "tiny"
    assert provenance["trial"] == finished.scores.winner.trial_number
    assert provenance["dataset"] == "SIM1"
    assert provenance["data_sha256"] == finished.source.training("SIM1").sha256
    assert provenance["test_data_sha256"] == finished.scores.data_sha256
    assert set(provenance["versions"]) == {"amnl_tune", "torch", "optuna", "python"}
    bundle = load_bundle(finished.bundle)
    assert set(bundle.config.plain()) == set(document["run"]) | {"horizon", "patience"}
    metrics = json.loads((finished.bundle / "metrics.json").read_text())
    assert metrics["mean_over_seeds"]["test_rmse"] == finished.scores.winner.test_rmse
    assert metrics["looks_at_test"] == 1
    assert metrics["forced"] is False


def test_its_predictions_are_the_ones_that_were_scored(finished: "Finished") -> None:
    bundle = load_bundle(finished.bundle)
    test = finished.source.test("SIM1")
    predicted = predict(bundle, test.frame)
    assert list(predicted["unit"]) == finished.scores.units
    assert rmse(predicted["rul"], test.rul) == pytest.approx(bundle.metrics["exported"]["test_rmse"], rel=1e-5)
    assert set(predicted["health"]) <= {"healthy", "degrading", "critical"}
    assert predicted.filter(like="p_").sum(axis=1).to_numpy() == pytest.approx(np.ones(len(predicted)))


def test_engines_shorter_than_the_window_are_predicted(finished: "Finished") -> None:
    frame = finished.source.test("SIM1").frame
    short = frame[frame["unit"] == frame["unit"].iloc[0]].head(3)
    assert len(predict(load_bundle(finished.bundle), short)) == 1


def test_predicting_needs_neither_optuna_nor_a_database(finished: "Finished", fleet_dir: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from amnl_tune.cli.app import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "loaded = {name.split('.')[0] for name in sys.modules} & {'optuna', 'sqlalchemy', 'alembic', 'plotly'}\n"
        "assert not loaded, loaded"
    )
    out = tmp_path / "rul.csv"
    arguments = ["predict", str(finished.bundle), str(fleet_dir / "test_SIM1.txt.gz"), "--out", str(out)]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True)
    assert list(pd.read_csv(out).columns[:4]) == ["unit", "cycle", "rul", "health"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.toml", None, "must hold config.toml, but .* No such file"),
        ("config.toml", b"what is this", "must be TOML"),
        ("config.toml", b"[run]\nwindow = 1", "do not"),
        ("metrics.json", b"{", "must be JSON"),
        ("preprocessing.json", b'{"format": 9}', "must be of format 1, but .* is of 9"),
        ("model.safetensors", b"x" * 40, "must belong together"),
        ("model.safetensors", None, "must belong together"),
    ],
)
def test_damaged_bundles(name: str, content: bytes | None, message: str, finished: "Finished", tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(finished.bundle, folder)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


def test_an_export_replaces_an_export_and_nothing_else(finished: "Finished", tmp_path: Path) -> None:
    again = (finished.ledger, finished.spec, finished.source, finished.artifacts)
    ship(*again, tmp_path / "out")
    ship(*again, tmp_path / "out")
    assert load_bundle(tmp_path / "out").metrics["test_engines"] == 10
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter1.tex").write_text("x")
    with pytest.raises(BundleError, match="is neither; choose another --out"):
        ship(*again, precious)
    assert (precious / "chapter1.tex").read_text() == "x"
    with pytest.raises(StorageError, match="must be writable"):
        ship(*again, Path("/proc/bundle"))


def test_an_export_needs_a_scored_promotion(finished: "Finished", tmp_path: Path) -> None:
    from amnl_tune.search.opening import open_study

    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    open_study(ledger, finished.spec, finished.source, finished.artifacts, device="cpu")
    with pytest.raises(StudyError, match=r"needs a scored promotion.*run `amnl-tune promote tiny`"):
        ship(ledger, finished.spec, finished.source, finished.artifacts, tmp_path / "out")
    ledger.close()


def test_a_missing_file_to_predict_on(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no"):
        read_engines(tmp_path / "engines.txt")
