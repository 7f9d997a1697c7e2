"""What an export has beside the model: ONNX, model card, checksums, manifest; and its verification."""

import hashlib
import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from typer.testing import CliRunner, Result

from amnl_tune.cli.app import app
from amnl_tune.errors import BundleError, StudyError
from amnl_tune.ledger.promotions import promoted_candidates
from amnl_tune.ledger.studies import find_study
from amnl_tune.results.export.bundle import load_bundle
from amnl_tune.results.export.card import model_card
from amnl_tune.results.export.export import ship, ship_best
from amnl_tune.results.export.onnx import onnx_model
from amnl_tune.results.export.prediction import EnginePredictor, predict
from amnl_tune.results.export.verify import Figure, verify
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.search.opening import Workspace
from amnl_tune.training.config import RunConfig

if TYPE_CHECKING:
    Finished = Any


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("pooling", ["last", "mean", "attention", "last+mean"])
def test_onnx_answers_as_pytorch_does_for_any_batch(pooling: str) -> None:
    config = RunConfig.build({"dataset": "SIM1", "pooling": pooling, "hidden_size": 16, "num_layers": 2, "window": 30})
    model = AMNL(config)
    model.start_at(80.0)
    session = onnxruntime.InferenceSession(onnx_model([model], config))
    for batch in (1, 2, 65):
        windows = torch.randn(batch, config.window, 17, generator=torch.Generator().manual_seed(batch)) * 3
        rul, health = session.run(None, {"windows": windows.numpy()})
        with torch.inference_mode():
            expected = model(windows)
        assert rul.shape == (batch,)
        np.testing.assert_allclose(rul, expected.rul.numpy(), atol=1e-4)
        np.testing.assert_allclose(health, expected.health.numpy(), atol=1e-4)


def test_the_exported_onnx_model_is_the_exported_network(finished: "Finished") -> None:
    bundle = load_bundle(finished.bundle)
    session = onnxruntime.InferenceSession(finished.bundle / "model.onnx")
    windows = torch.randn(7, bundle.config.window, 17)
    with torch.inference_mode():
        expected = bundle.model(windows).rul.numpy()
    np.testing.assert_allclose(session.run(["rul"], {"windows": windows.numpy()})[0], expected, atol=1e-4)


def test_checksums_and_manifest_are_of_every_file(finished: "Finished") -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=finished.bundle, check=False, timeout=300
    )
    assert done.returncode == 0
    files = {str(path.relative_to(finished.bundle)) for path in finished.bundle.rglob("*") if path.is_file()}
    listed = {line.split("  ")[1] for line in (finished.bundle / "SHA256SUMS").read_text().splitlines()}
    assert listed == files - {"SHA256SUMS"}
    statement = json.loads((finished.bundle / "manifest.json").read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    digests = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    assert digests.keys() == files - {"SHA256SUMS", "manifest.json"}
    assert digests["model.onnx"] == hashlib.sha256((finished.bundle / "model.onnx").read_bytes()).hexdigest()
    assert statement["predicate"]["study"] == "tiny"


def test_the_model_card_says_what_was_measured_and_how(finished: "Finished") -> None:
    card = (finished.bundle / "README.md").read_text()
    scores = finished.scores
    low, high = scores.comparison.winner_rmse.low, scores.comparison.winner_rmse.high
    for told in (
        "Simulated data",
        f"{scores.winner.test_rmse:.2f} [{low:.2f}, {high:.2f}]",
        f"{scores.mean_rmse:.2f}",
        scores.comparison.words,
        finished.source.training("SIM1").sha256,
        "Test engines: scored once.",
        "with the seeds 42, 123",
        "Intended use and limits",
    ):
        assert told in card, told
    versions = (finished.bundle / "requirements.txt").read_text()
    assert f"torch=={torch.__version__.split('+')[0]}\n" in versions


def test_a_card_bears_missing_and_infinite_figures_and_says_what_is_wrong() -> None:
    wide = {"value": None, "low": 3.0, "high": None}
    metrics = {
        "mean_over_seeds": {"validation_rmse": 11.0, "test_rmse": 12.0, "nasa_score": None},
        "comparison": {"words": "not established", "winner_rmse": {"low": 1.0, "high": None}, "winner_nasa": wide},
        "looks_at_test": 2,
        "contaminated": True,
    }
    card = model_card(RunConfig(dataset="FD001"), {}, metrics)
    assert "12.00 [1.00, infinite] | - |" in card
    assert "2 looks at these test engines in this storage" in card
    assert "Contaminated" in card
    assert "Simulated" not in card
    assert "never scored for this configuration" in model_card(RunConfig(dataset="FD001"), {}, {"looks_at_test": 0})


def test_several_seeds_give_an_uncertainty(finished: "Finished") -> None:
    bundle, frame = load_bundle(finished.bundle), finished.source.test("SIM1").frame
    assert list(bundle.ensemble) == [42, 123]
    found = predict(bundle, frame)
    each = np.array(list(finished.scores.winner.predicted_by_seed.values()))
    np.testing.assert_allclose(found["rul_mean"], each.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(found["rul_std"], each.std(axis=0, ddof=1), rtol=1e-3, atol=1e-3)
    alone = EnginePredictor(bundle, ensemble=False)(frame)
    assert "rul_std" not in alone
    np.testing.assert_array_equal(alone["rul"], found["rul"])


def test_unknown_operating_conditions_are_seen(finished: "Finished", tmp_path: Path) -> None:
    bundle, frame = load_bundle(finished.bundle), finished.source.test("SIM1").frame.copy()
    known = EnginePredictor(bundle).known_distance
    assert (predict(bundle, frame)["condition_distance"] <= 2 * known).all()
    last = frame.groupby("unit")["cycle"].transform("max") == frame["cycle"]
    frame.loc[last & (frame["unit"] == 3), "setting_1"] += 50 * bundle.scaling.setting_std[0]
    found = predict(bundle, frame).set_index("unit")["condition_distance"]
    assert found.idxmax() == 3
    assert found[3] == pytest.approx(50, rel=0.2)
    assert found[3] > known
    file = tmp_path / "engines.txt"
    frame.to_csv(file, sep=" ", header=False, index=False)
    told = invoke("predict", finished.bundle, file, "--out", tmp_path / "rul.csv")
    assert "operating conditions that the model has not learned" in told.stderr
    assert "rul_std" in (tmp_path / "rul.csv").read_text()
    assert "rul_std" not in invoke("predict", finished.bundle, file, "--no-ensemble").stdout


def test_an_export_is_verified(finished: "Finished", fleet_dir: Path) -> None:
    figures = verify(finished.bundle, finished.source)
    assert [figure.name for figure in figures] == ["validation_rmse", "test_rmse", "nasa_score"]
    assert all(figure.equal for figure in figures), figures
    shown = invoke("verify", finished.bundle, "--data-dir", fleet_dir, "--json")
    assert shown.exit_code == 0, shown.output
    assert [figure["equal"] for figure in json.loads(shown.stdout)] == [True] * 3


def test_a_wrong_figure_a_damaged_file_and_other_data_are_found(
    finished: "Finished", fleet_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(finished.bundle, folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["exported"]["test_rmse"] -= 1
    (folder / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(BundleError, match=r"must be as they were written, but metrics.json in"):
        verify(folder, finished.source)
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    digest = hashlib.sha256((folder / "metrics.json").read_bytes()).hexdigest()
    fixed = [f"{digest}  metrics.json" if line.endswith("  metrics.json") else line for line in sums]
    (folder / "SHA256SUMS").write_text("\n".join(fixed) + "\n")
    refused = invoke("verify", folder, "--data-dir", fleet_dir)
    assert refused.exit_code == 2
    assert "figures must come out again, but test_rmse of" in refused.stderr
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(BundleError, match="must have its checksums"):
        verify(folder, finished.source)


@pytest.mark.parametrize(
    ("recorded", "recomputed", "equal"),
    [(1.0, 1.00001, True), (1.0, 1.1, False), (None, None, True), (None, 2.0, False), (2.0, None, False)],
)
def test_what_is_not_finite_equals_only_itself(recorded: Any, recomputed: Any, equal: bool) -> None:
    assert Figure("nasa_score", recorded, recomputed).equal is equal


def test_every_promoted_trial_can_be_exported_and_none_is_scored_for_it(finished: "Finished", tmp_path: Path) -> None:
    where = (
        Workspace(finished.ledger, finished.source, finished.artifacts),
        find_study(finished.ledger, finished.spec.name),
    )
    number = finished.scores.promotion
    trials = [c.trial_number for c in promoted_candidates(find_study(finished.ledger, "tiny"), number)]
    shipped = ship_best(*where, tmp_path / "best", top=len(trials))
    assert [score.trial_number for score in shipped.values()] == trials
    assert {path.name for path in (tmp_path / "best").iterdir() if not path.name.startswith(".")} == {
        f"{rank}-trial-{trial}" for rank, trial in enumerate(trials, start=1)
    }
    ship(*where, tmp_path / "defaults", trial=0)
    assert load_bundle(tmp_path / "defaults").provenance["trial"] == 0
    with pytest.raises(StudyError, match=r"trial 99 of study 'tiny' was not promoted .* --format toml"):
        ship(*where, tmp_path / "none", trial=99)
    with pytest.raises(StudyError, match="best 9 needs as many promoted configurations"):
        ship_best(*where, tmp_path / "many", top=9)


def test_configurations_alone_in_three_formats(finished: "Finished", tmp_path: Path) -> None:
    storage = ("--storage", finished.ledger.url.render_as_string())
    toml = tomllib.loads(invoke("export", "tiny", "--format", "toml", *storage).stdout)
    assert toml["trial"] == finished.scores.winner.trial_number
    assert toml["run"]["epochs"] == finished.spec.promotion.epochs
    assert toml["run"]["patience"] == "none"
    winner = json.loads(invoke("export", "tiny", "--format", "json", *storage).stdout)
    assert RunConfig.build(toml["run"]) == RunConfig.build(winner["run"])
    told = json.loads(invoke("export", "tiny", "--format", "json", "--trial", 1, *storage).stdout)
    assert (told["trial"], told["run"]["epochs"]) == (1, finished.spec.trial.epochs)
    assert RunConfig.build(told["run"]).plain() == told["run"]
    out = tmp_path / "best.yaml"
    assert invoke("export", "tiny", "--format", "yaml", "--top", 2, "--out", out, *storage).exit_code == 0
    best = yaml.safe_load(out.read_text())
    assert best[0]["validation_rmse"] <= best[1]["validation_rmse"]
    for wrong, message in (
        (("--trial", 77, "--format", "json"), "has no trial 77"),
        (("--top", 77, "--format", "json"), "has 4 of them; lower --top"),
        (("--trial", 1, "--top", 1), "leave one out"),
    ):
        refused = invoke("export", "tiny", *wrong, *storage)
        assert (refused.exit_code, message in refused.stderr) == (2, True), refused.output
