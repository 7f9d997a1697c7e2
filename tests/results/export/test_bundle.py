import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import save

from amnl_tune.database.engine import Ledger
from amnl_tune.errors import BundleError, StorageError, StudyError
from amnl_tune.ledger.studies import find_study
from amnl_tune.results.export.bundle import load_bundle, write_bundle
from amnl_tune.results.export.export import ship
from amnl_tune.results.export.prediction import predict
from amnl_tune.rul.metrics import rmse
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.simulator import write_fleet
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace
from amnl_tune.training.config import RunConfig

if TYPE_CHECKING:
    Finished = Any


def test_an_export_says_everything_about_its_run(finished: "Finished") -> None:
    assert {path.name for path in finished.bundle.iterdir()} == {
        "config.toml",
        "model.safetensors",
        "preprocessing.json",
        "metrics.json",
        "model.onnx",
        "seeds",
        "README.md",
        "requirements.txt",
        "manifest.json",
        "SHA256SUMS",
    }
    assert {path.name for path in (finished.bundle / "seeds").iterdir()} == {"42.safetensors", "123.safetensors"}
    document = tomllib.loads((finished.bundle / "config.toml").read_text())
    provenance = document["provenance"]
    assert provenance["study"] == "tiny"
    assert provenance["trial"] == finished.scores.winner.trial_number
    assert provenance["dataset"] == "SIM1"
    assert provenance["data_sha256"] == finished.source.training("SIM1").sha256
    assert provenance["test_data_sha256"] == finished.scores.data_sha256
    assert set(provenance["versions"]) == {"amnl_tune", "torch", "optuna", "python"}
    bundle = load_bundle(finished.bundle)
    assert set(bundle.config.plain()) == set(document["run"])
    assert RunConfig.build(document["run"]) == bundle.config
    assert provenance["execution"] == {"precision": "fp32", "device": "cpu", "threads": 1}
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
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, timeout=300)
    assert list(pd.read_csv(out).columns[:4]) == ["unit", "cycle", "rul", "health"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.toml", None, "must hold config.toml, but .* No such file"),
        ("config.toml", b"what is this", "must be TOML"),
        ("config.toml", b"[run]\nwindow = 1", "does not: .*`window`"),
        ("metrics.json", b"{", "must be JSON"),
        ("preprocessing.json", b'{"format": 9}', "must be of format 1 or 2, but .* is of 9"),
        ("model.safetensors", b"x" * 40, "must belong together"),
        ("model.safetensors", None, "must belong together"),
        ("metrics.json", b"[1]", "must be a JSON object, but it is a list"),
        ("config.toml", b"format = 1", "config.toml does not: it lacks 'run'"),
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
    again = (
        Workspace(finished.ledger, finished.source, finished.artifacts),
        find_study(finished.ledger, finished.spec.name),
    )
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


def test_what_else_is_in_a_folder_is_never_deleted(finished: "Finished", tmp_path: Path) -> None:
    again = (
        Workspace(finished.ledger, finished.source, finished.artifacts),
        find_study(finished.ledger, finished.spec.name),
    )
    project = tmp_path / "project"
    project.mkdir()
    (project / "config.toml").write_text("[tool]")
    with pytest.raises(BundleError, match="is neither"):
        ship(*again, project)
    ship(*again, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"also holds notes\.txt; move that away"):
        ship(*again, tmp_path / "out")
    assert (project / "config.toml").read_text() == "[tool]"
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_an_export_into_the_empty_folder_one_is_in(
    finished: "Finished", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    ship(
        Workspace(finished.ledger, finished.source, finished.artifacts),
        find_study(finished.ledger, finished.spec.name),
        Path(),
    )
    assert load_bundle(tmp_path / "here").config.dataset == "SIM1"


@pytest.mark.parametrize(
    "settings",
    [
        {"patience": None, "horizon": None},
        {"patience": 3, "horizon": 9, "ewma": (), "deviation": 0},
        {"patience": None, "horizon": 40, "ewma": (0.1, 0.03), "deviation": 20, "age": True, "pad_short": True,
         "conv_channels": (4, 6), "fc_sizes": (8,), "health_thresholds": (20.5, 70.0), "schedule": "cosine",
         "pooling": "last+mean", "loss": "grace", "learning_rate": 1e-3 / 3, "seed": 2**63 - 1},
    ],
)  # fmt: skip
def test_config_toml_alone_makes_the_same_run(settings: dict[str, Any], finished: "Finished", tmp_path: Path) -> None:
    config = _written(finished, tmp_path / "bundle", **settings)
    run = tomllib.loads((tmp_path / "bundle" / "config.toml").read_text())["run"]
    assert set(run) == set(RunConfig.model_fields)
    for rebuilt in (RunConfig.build(run), RunConfig(**run), RunConfig.model_validate_json(json.dumps(run))):
        assert rebuilt == config
        assert rebuilt.fingerprint() == config.fingerprint()


def test_exports_of_before_left_out_what_has_no_value(finished: "Finished", tmp_path: Path) -> None:
    _written(finished, tmp_path / "old", patience=None, horizon=None)
    file = tmp_path / "old" / "config.toml"
    file.write_text("".join(line for line in file.read_text().splitlines(True) if ' = "none"' not in line))
    assert "patience" not in file.read_text()
    assert load_bundle(tmp_path / "old").config.patience is None


def test_settings_without_a_value_come_back_without_one(finished: "Finished", tmp_path: Path) -> None:
    _written(finished, tmp_path / "a", patience=None, horizon=None)
    _written(finished, tmp_path / "b", patience=3, horizon=9)
    assert (load_bundle(tmp_path / "a").config.patience, load_bundle(tmp_path / "a").config.horizon) == (None, None)
    assert (load_bundle(tmp_path / "b").config.patience, load_bundle(tmp_path / "b").config.horizon) == (3, 9)


@pytest.mark.parametrize("untrained", [{"loss": "rul_only"}, {"loss": "fixed", "task_weight": 1.0}])
def test_a_network_without_a_trained_health_head_takes_health_from_the_rul(
    untrained: dict[str, Any], finished: "Finished", tmp_path: Path
) -> None:
    config = _written(finished, tmp_path / "bundle", health_thresholds=(1e-9, 2e-9), **untrained)
    assert json.loads((tmp_path / "bundle" / "preprocessing.json").read_text())["health_from"] == "rul"
    predicted = predict(load_bundle(tmp_path / "bundle"), finished.source.test("SIM1").frame)
    assert list(predicted.columns) == ["unit", "cycle", "rul", "health", "condition_distance", "reason"]
    low = config.health_thresholds[0]
    assert list(predicted["health"]) == ["critical" if rul <= low else "healthy" for rul in predicted["rul"]]


def test_the_files_of_two_bundles_do_not_mix(finished: "Finished", tmp_path: Path) -> None:
    _written(finished, tmp_path / "a", window=10)
    shutil.copy(finished.bundle / "preprocessing.json", tmp_path / "a")
    with pytest.raises(BundleError, match=r"preprocessing\.json does not: its window is 20, that of config\.toml 10"):
        load_bundle(tmp_path / "a")
    shutil.copytree(finished.bundle, tmp_path / "b")
    config = (tmp_path / "b" / "config.toml").read_text()
    (tmp_path / "b" / "config.toml").write_text(re.sub(r"hidden_size = \d+", "hidden_size = 16", config))
    with pytest.raises(BundleError, match=r"model\.safetensors does not: its weights are of another network"):
        load_bundle(tmp_path / "b")


def test_numbers_that_cannot_scale_are_refused(finished: "Finished", tmp_path: Path) -> None:
    shutil.copytree(finished.bundle, tmp_path / "a")
    path = tmp_path / "a" / "preprocessing.json"
    for change, message in (({"setting_std": [1.0, 0.0, 1.0]}, "positive"), ({"setting_mean": [1.0]}, "other shapes")):
        content = json.loads((finished.bundle / path.name).read_text())
        content["scaling"] |= change
        path.write_text(json.dumps(content))
        with pytest.raises(BundleError, match=message):
            load_bundle(tmp_path / "a")


def test_columns_that_are_missing_are_named(finished: "Finished") -> None:
    frame = finished.source.test("SIM1").frame
    with pytest.raises(BundleError, match="but got sensor_4 missing"):
        predict(load_bundle(finished.bundle), frame.drop(columns="sensor_4"))
    with pytest.raises(BundleError, match="but got no rows"):
        predict(load_bundle(finished.bundle), frame.head(0))


def _written(finished: "Finished", folder: Path, **changes: Any) -> RunConfig:
    """The finished study's bundle under a changed configuration, untrained."""
    bundle = load_bundle(finished.bundle)
    config = bundle.config.replaced(**changes)
    weights = save(AMNL(config).state_dict())
    write_bundle(folder, config=config, weights=weights, scaling=bundle.scaling, provenance={}, metrics={})
    return config


def test_an_export_needs_a_scored_promotion(finished: "Finished", tmp_path: Path) -> None:
    from amnl_tune.search.opening import open_study

    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    open_study(Workspace(ledger, finished.source, finished.artifacts), finished.spec, device="cpu")
    with pytest.raises(StudyError, match=r"needs a scored promotion.*run `amnl-tune promote tiny`"):
        ship(
            Workspace(ledger, finished.source, finished.artifacts),
            find_study(ledger, finished.spec.name),
            tmp_path / "out",
        )
    ledger.close()


def test_an_export_is_made_on_the_study_s_own_data(finished: "Finished", tmp_path: Path) -> None:
    write_fleet("SIM1", tmp_path / "other", seed=2, engines=10)
    with pytest.raises(StudyError, match="stay on them, but SIM1 here has SHA-256"):
        ship(
            Workspace(finished.ledger, FleetSource((tmp_path / "other",)), finished.artifacts),
            find_study(finished.ledger, finished.spec.name),
            tmp_path / "out",
        )
    assert not (tmp_path / "out").exists()
