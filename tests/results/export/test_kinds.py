"""Exports of every kind, with history: a network, boosting, the mix; predicted, streamed, as ONNX, verified."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from safetensors.torch import save
from typer.testing import CliRunner, Result

from amnl_tune.cli.app import app
from amnl_tune.errors import BundleError
from amnl_tune.results.export import prediction
from amnl_tune.results.export.bundle import Bundle, load_bundle, write_bundle
from amnl_tune.results.export.onnx import METADATA
from amnl_tune.results.export.prediction import EnginePredictor, predict
from amnl_tune.results.export.verify import verify
from amnl_tune.rul.history import channel_names
from amnl_tune.rul.metrics import nasa_score, rmse
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import PreparedData, engine_rows, prepare
from amnl_tune.rul.reading import content_of, parse_fleet
from amnl_tune.rul.simulator import write_fleet
from amnl_tune.rul.sources import FleetSource
from amnl_tune.rul.statistics import history_statistics
from amnl_tune.rul.streaming import EngineStream, seen_windows
from amnl_tune.training.boosting import Boosting, fit_boosting
from amnl_tune.training.config import RunConfig
from amnl_tune.training.evaluation import predict_windows

HISTORY = {"age": True, "deviation": 5, "ewma": [0.1, 0.03], "pool": 2, "drop_settings": True, "pad_short": True}
KINDS = ("network", "boosting", "mix")


@dataclass(frozen=True)
class Made:
    config: RunConfig
    data: PreparedData
    boosting: Boosting
    source: FleetSource
    folder: Path

    def bundle(self, kind: str) -> Path:
        return self.folder / kind


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, fleet_dir: Path, tiny_config: RunConfig) -> Made:
    folder = tmp_path_factory.mktemp("kinds")
    config = tiny_config.replaced(**HISTORY, window=10, loss="fixed")
    source = FleetSource((fleet_dir,))
    fleet, test = source.training("SIM1"), source.test("SIM1")
    data = prepare(fleet, config)
    boosting = fit_boosting(data)
    seeds = {}
    for seed in (42, 123, 456):
        torch.manual_seed(seed)
        model = AMNL(config)
        model.start_at(60.0 + seed / 100)
        seeds[seed] = save(model.state_dict())
    made = Made(config, data, boosting, source, folder)
    for kind in KINDS:
        networks = kind != "boosting"
        write_bundle(
            made.bundle(kind),
            config=config,
            weights=seeds[42] if networks else None,
            scaling=data.scaling,
            provenance={
                "study": "kinds", "data_sha256": fleet.sha256, "test_data_sha256": test.sha256,
                "condition_distance": 9.0,
            },
            metrics={"exported": {}},
            seeds=seeds if networks else None,
            boosting=boosting if kind != "network" else None,
        )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty engines, some of them in every block."""
    folder = tmp_path_factory.mktemp("many")
    write_fleet("SIM1", folder, seed=3, engines=20)
    path = folder / "engines.txt"
    path.write_bytes(gzip.decompress((folder / "test_SIM1.txt.gz").read_bytes()))
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["predict", *(str(argument) for argument in arguments)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [700, 20_000, 1 << 30])
def test_a_file_in_parts_is_predicted_as_a_whole_bit_for_bit(
    made: Made, many: Path, kind: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "TOGETHER", 12)
    bundle = load_bundle(made.bundle(kind))
    whole = predict(bundle, parse_fleet(content_of(many), many))
    parts = list(EnginePredictor(bundle).stream(many, block))
    assert [len(part) for part in parts] == [12, 8]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole, check_exact=True)


def test_what_a_stream_sees_is_what_training_sees(made: Made) -> None:
    frame = made.source.test("SIM1").frame
    stream = EngineStream(made.data.scaling, made.config)
    ended = [
        *stream.feed(frame.iloc[:77]),
        *stream.feed(frame.iloc[77:78]),
        *stream.feed(frame.iloc[78:]),
        *stream.end(),
    ]
    rows = engine_rows(frame, made.data.scaling)
    last = rows.ends()
    expected = rows.seen_by(made.config).windows(last, made.config.window)
    assert torch.equal(seen_windows(ended, made.config), expected)
    assert expected.shape[2] == len(channel_names(made.config)) == 14 * 4 + 1
    statistics, _ = history_statistics(rows.features.numpy(), rows.first.numpy(), last.numpy())
    np.testing.assert_array_equal(np.stack([engine.statistics for engine in ended]), statistics)


def answers(made: Made, bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """(3, E) of the networks and (E,) of boosting, by the ways that training has."""
    rows = engine_rows(made.source.test("SIM1").frame, made.data.scaling)
    last, seen = rows.ends(), rows.seen_by(made.config)
    networks = [
        predict_windows(model, seen, last, made.config.window).rul.numpy() for model in bundle.ensemble.values()
    ]
    return np.array(networks), made.boosting.at(rows, last)


def test_a_mix_is_the_mean_of_all_seeds_mean_and_boosting(made: Made) -> None:
    bundle = load_bundle(made.bundle("mix"))
    assert bundle.needs_whole_record
    networks, boosted = answers(made, bundle)
    found = predict(bundle, made.source.test("SIM1").frame)
    np.testing.assert_allclose(found["rul"], (networks.mean(axis=0) + boosted) / 2, rtol=1e-5)
    np.testing.assert_allclose(found["rul_mean"], networks.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["rul_boosting"], boosted, rtol=1e-5)
    assert found.filter(like="p_").sum(axis=1).to_numpy() == pytest.approx(np.ones(len(found)), rel=1e-5)


def test_boosting_alone_has_no_network(made: Made) -> None:
    bundle = load_bundle(made.bundle("boosting"))
    assert bundle.model is None
    assert not (made.bundle("boosting") / "model.safetensors").exists()
    assert bundle.config.dataset == "SIM1"
    found = predict(bundle, made.source.test("SIM1").frame)
    assert list(found) == ["unit", "cycle", "rul", "health", "condition_distance", "reason"]
    rows = engine_rows(made.source.test("SIM1").frame, made.data.scaling)
    np.testing.assert_allclose(found["rul"], made.boosting.at(rows, rows.ends()), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_model_onnx_is_the_whole_model_and_says_what_it_takes(made: Made, kind: str) -> None:
    bundle = load_bundle(made.bundle(kind))
    path = made.bundle(kind) / "model.onnx"
    rows = engine_rows(made.source.test("SIM1").frame, made.data.scaling)
    last = rows.ends()
    statistics, _ = history_statistics(rows.features.numpy(), rows.first.numpy(), last.numpy())
    given = {
        "windows": rows.seen_by(made.config).windows(last, made.config.window).numpy(),
        "statistics": statistics,
    }
    session = onnxruntime.InferenceSession(path)
    wanted = [entry.name for entry in session.get_inputs()]
    assert wanted == {"network": ["windows"], "boosting": ["statistics"], "mix": ["windows", "statistics"]}[kind]
    expected = predict(bundle, made.source.test("SIM1").frame)
    for few in (slice(None), slice(0, 1)):
        rul = session.run(["rul"], {name: given[name][few] for name in wanted})[0]
        np.testing.assert_allclose(rul, expected["rul"].to_numpy()[few], atol=1e-3)
    (described,) = [entry.value for entry in onnx.load(path).metadata_props if entry.key == METADATA]
    told = json.loads((made.bundle(kind) / "preprocessing.json").read_text())
    assert json.loads(described) == told
    assert told["kind"] == kind
    assert told["format"] == 2
    if kind != "boosting":
        assert told["features"] == list(channel_names(made.config))
        assert told["history"] == HISTORY
        health = session.run(["health"], {name: given[name] for name in wanted})[0]
        assert [np.argmax(row) for row in health] == [
            ["healthy", "degrading", "critical"].index(name) for name in expected["health"]
        ]
    if kind != "network":
        assert len(told["statistics"]) == 127


@pytest.mark.parametrize("kind", KINDS)
def test_verify_computes_the_figures_again(made: Made, kind: str, tmp_path: Path) -> None:
    bundle = load_bundle(made.bundle(kind))
    last = made.data.validation_windows()
    seen = made.data.rows.seen_by(bundle.config)
    parts = [
        np.mean([predict_windows(model, seen, last, bundle.config.window).rul.numpy() for model in models], axis=0)
        for models in [bundle.networks]
        if models
    ] + ([made.boosting.at(made.data.rows, last)] if bundle.boosting else [])
    test = made.source.test("SIM1")
    predicted = predict(bundle, test.frame)["rul"]
    figures = {
        "validation_rmse": rmse(np.mean(parts, axis=0), made.data.rows.rul[last].numpy()),
        "test_rmse": rmse(predicted, test.rul),
        "nasa_score": nasa_score(predicted, test.rul),
    }
    weights = {seed: save(model.state_dict()) for seed, model in bundle.ensemble.items()}
    write_bundle(
        tmp_path / "out", config=bundle.config, weights=weights.get(42), scaling=bundle.scaling,
        provenance=bundle.provenance, metrics={"exported": figures}, seeds=weights or None, boosting=bundle.boosting,
    )  # fmt: skip
    assert all(figure.equal for figure in verify(tmp_path / "out", made.source))


def later(path: Path, start: int) -> None:
    """A copy of the file whose second engine's record begins at a cycle."""
    frame = pd.read_csv(path, sep=r"\s+", header=None)
    frame[(frame[0] != 2) | (frame[1] >= start)].to_csv(path, sep=" ", header=False, index=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_that_begins_later_is_refused_unless_told(made: Made, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "engines.txt"
    path.write_bytes(gzip.decompress((made.source.directories[0] / "test_SIM1.txt.gz").read_bytes()))
    later(path, 9)
    refused = invoke(made.bundle(kind), path)
    assert refused.exit_code == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "that of unit 2 begins at cycle 9; give the whole record, or accept later ones by --from-cycle 9" in line
    assert invoke(made.bundle(kind), path, "--from-cycle", 8).exit_code == 2
    told = invoke(made.bundle(kind), path, "--from-cycle", 9)
    assert told.exit_code == 0, told.output
    assert "1 record begins after cycle 1, the latest at cycle 9: assumed that" in told.stderr
    assert len(told.stdout.splitlines()) == 11
    frame = parse_fleet(gzip.decompress((made.source.directories[0] / "test_SIM1.txt.gz").read_bytes()), path)
    with pytest.raises(BundleError, match="begins at cycle 9"):
        predict(load_bundle(made.bundle(kind)), frame[(frame["unit"] != 2) | (frame["cycle"] >= 9)])


def test_a_window_alone_needs_no_whole_record(made: Made, tiny_config: RunConfig, tmp_path: Path) -> None:
    write_bundle(
        tmp_path / "plain", config=tiny_config, weights=save(AMNL(tiny_config).state_dict()),
        scaling=made.data.scaling, provenance={}, metrics={},
    )  # fmt: skip
    told = json.loads((tmp_path / "plain" / "preprocessing.json").read_text())
    assert told["format"] == 1
    assert set(told) == {
        "format", "features", "window", "rul_cap", "health_classes", "health_thresholds", "health_from", "scaling",
        "definitions",
    }  # fmt: skip
    frame = made.source.test("SIM1").frame
    whole, late = (predict(load_bundle(tmp_path / "plain"), part) for part in (frame, frame[frame["cycle"] >= 5]))
    assert len(whole) == len(late)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told.update(format=3), "must be of format 1 or 2, but .* is of 3"),
        (lambda told: told.update(features=told["features"][:-1]), "its `features` are not those of config.toml"),
        (lambda told: told.update(statistics=["sensor_2_mood"]), "`statistics` are others"),
        (lambda told: told.update(kind="oracle"), "kind must be one of network, boosting, mix, but .* is 'oracle'"),
    ],
)
def test_what_this_version_cannot_read(
    made: Made, change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    shutil.copytree(made.bundle("mix"), tmp_path / "mix")
    path = tmp_path / "mix" / "preprocessing.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(tmp_path / "mix")
    assert "\n" not in str(caught.value)


def test_a_damaged_boosting_is_named(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.bundle("boosting"), tmp_path / "boosting")
    (tmp_path / "boosting" / "boosting.onnx").write_bytes(b"what")
    with pytest.raises(BundleError, match=r"boosting.onnx does not: .*; export it again"):
        load_bundle(tmp_path / "boosting")


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_with_a_hole_is_refused(made: Made, kind: str) -> None:
    """The file's parser sees it; a data frame's is seen here, for channels would be of other cycles."""
    frame = made.source.test("SIM1").frame
    hole = frame[(frame["unit"] != 2) | (frame["cycle"] == 1) | (frame["cycle"] > 9)]
    with pytest.raises(BundleError, match=r"unit 2 has \d+ rows from cycle 1 to \d+; let none be missing"):
        predict(load_bundle(made.bundle(kind)), hole)
    with pytest.raises(BundleError, match="from cycle 0 to"):
        predict(load_bundle(made.bundle(kind)), frame.assign(cycle=frame["cycle"] - 1))
