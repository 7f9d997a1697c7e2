"""Predicting from files: in parts, in other precisions, and what the command makes of them."""

import gzip
import json
import tracemalloc
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from safetensors.torch import save
from typer.testing import CliRunner, Result

from amnl_tune.cli.app import app
from amnl_tune.errors import BundleError, ConfigurationError, DataError
from amnl_tune.results.export.bundle import load_bundle, write_bundle
from amnl_tune.results.export.prediction import EnginePredictor, predict
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.rul.reading import content_of, parse_fleet
from amnl_tune.rul.simulator import write_fleet
from amnl_tune.training import evaluation
from amnl_tune.training.boosting import fit_boosting
from amnl_tune.training.config import Precision, RunConfig

if TYPE_CHECKING:
    Finished = Any

CPU = torch.device("cpu")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["predict", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty engines, some of them in every block."""
    folder = tmp_path_factory.mktemp("many")
    write_fleet("SIM1", folder, seed=3, engines=60)
    path = folder / "engines.txt"
    path.write_bytes(gzip.decompress((folder / "test_SIM1.txt.gz").read_bytes()))
    return path


@pytest.mark.parametrize("block", [1, 3_000, 20_000, 1 << 30])
def test_a_file_in_parts_is_predicted_as_a_whole(finished: "Finished", many: Path, block: int) -> None:
    bundle = load_bundle(finished.bundle)
    whole = predict(bundle, parse_fleet(content_of(many), many))
    parts = list(EnginePredictor(bundle).stream(many, block))
    together = pd.concat(parts, ignore_index=True)
    assert len(together) == 60
    pd.testing.assert_frame_equal(together, whole, rtol=1e-4, atol=1e-4)


def test_memory_does_not_grow_with_the_file(finished: "Finished", many: Path, tmp_path: Path) -> None:
    predictor = EnginePredictor(load_bundle(finished.bundle))
    rows = pd.read_csv(many, sep=r"\s+", header=None)

    def peak(copies: int) -> int:
        path = tmp_path / f"{copies}.txt"
        with path.open("w") as file:
            for copy in range(copies):
                rows.assign(**{"0": rows[0] + 60 * copy})[["0", *rows.columns[1:]]].to_csv(
                    file, sep=" ", header=False, index=False
                )
        tracemalloc.start()
        counted = sum(len(part) for part in predictor.stream(path, 100_000))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert counted == 60 * copies
        return most

    peak(1)
    assert peak(20) < 1.2 * peak(10)  # both hold more engines than are predicted at once


def test_other_precisions_stay_within_their_tolerance(finished: "Finished", many: Path) -> None:
    bundle = load_bundle(finished.bundle)
    exact = pd.concat(EnginePredictor(bundle).stream(many))
    auto = EnginePredictor(bundle, CPU, Precision.AUTO)
    quick = pd.concat(auto.stream(many))
    assert auto.precision in {Precision.FP32, Precision.BF16}
    bf16 = pd.concat(EnginePredictor(bundle, CPU, Precision.BF16).stream(many))
    for other in (quick, bf16):
        assert (other["rul"] - exact["rul"]).abs().max() <= 0.5
    assert (bf16["rul"] != exact["rul"]).any()
    with pytest.raises(ConfigurationError, match="`precision` must be one that the device has, but got fp16 on cpu"):
        EnginePredictor(bundle, CPU, Precision.FP16)


def test_auto_keeps_float32_where_a_quicker_precision_is_wrong(
    finished: "Finished", many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "TOLERANCE", 0.0)
    monkeypatch.setattr(evaluation, "MARGIN", 0.0)
    predictor = EnginePredictor(load_bundle(finished.bundle), CPU, Precision.AUTO)
    list(predictor.stream(many))
    assert predictor.precision is Precision.FP32


def test_no_gradient_is_kept_and_nothing_drops_out(finished: "Finished", many: Path) -> None:
    bundle = load_bundle(finished.bundle)
    bundle.model.train()
    predictor = EnginePredictor(bundle)
    first, again = (pd.concat(predictor.stream(many)) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert not bundle.model.training


def test_the_command_writes_csv_and_json(finished: "Finished", many: Path, tmp_path: Path) -> None:
    printed = invoke(finished.bundle, many, "--device", "cpu")
    assert printed.exit_code == 0, printed.output
    shown = pd.read_csv(StringIO(printed.stdout))
    assert list(shown["unit"]) == list(range(1, 61))
    written = invoke(finished.bundle, many, "--out", tmp_path / "rul.csv", "--precision", "bf16", "--device", "cpu")
    assert "60 engines, in bf16" in written.stderr
    assert list(pd.read_csv(tmp_path / "rul.csv").columns) == list(shown.columns)
    records = json.loads(invoke(finished.bundle, many, "--json").stdout)
    assert [record["unit"] for record in records] == list(shown["unit"])
    assert [record["rul"] for record in records] == pytest.approx(list(shown["rul"]), rel=1e-3)


def test_a_fault_late_in_the_file_leaves_no_file(
    finished: "Finished", many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.txt"
    broken.write_bytes(many.read_bytes() + b"61 1 what\n")
    lines = len(many.read_bytes().splitlines())
    monkeypatch.setattr(EnginePredictor.stream, "__defaults__", (10_000,))
    result = invoke(finished.bundle, broken, "--out", tmp_path / "rul.csv")
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert f"{broken}, line {lines + 1}: a line must have 26 columns" in line
    assert not list(tmp_path.glob("*rul.csv*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must hold at least one row, but it is empty"),
        (b"\n \n", "must hold at least one row, but it is empty"),
        (b"1 2 3\n", "line 1: a line must have 26 columns between blanks, but got 3"),
    ],
)
def test_files_without_engines(finished: "Finished", tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "engines.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(EnginePredictor(load_bundle(finished.bundle)).stream(path, 2))


def test_a_missing_file_and_a_broken_one(finished: "Finished", many: Path, tmp_path: Path) -> None:
    predictor = EnginePredictor(load_bundle(finished.bundle))
    with pytest.raises(BundleError, match="there is no"):
        list(predictor.stream(tmp_path / "engines.txt"))
    broken = tmp_path / "engines.txt.gz"
    broken.write_bytes(gzip.compress(many.read_bytes())[:-50])
    with pytest.raises(DataError, match="must be a whole gzip file"):
        list(predictor.stream(broken, 10_000))


@pytest.mark.parametrize("kind", ["network", "seeds", "boosting", "mix"])
@pytest.mark.parametrize("broken", ["weights", "rows"])
def test_what_is_not_finite_is_unknown_and_why(kind: str, broken: str, many: Path, tmp_path: Path, tiny_config: RunConfig, tiny_data: PreparedData) -> None:  # fmt: skip
    """Never "healthy": NaN is below no threshold, and argmax takes it for the largest."""
    if (kind, broken) == ("boosting", "weights"):
        pytest.skip("trees have none")
    folder, file = tmp_path / "bundle", many
    _write(folder, kind, tiny_config, tiny_data, spoilt=broken == "weights")
    if broken == "rows":
        file = tmp_path / "engines.txt"
        lines = many.read_text().splitlines()
        values = lines[-1].split()
        values[6] = "1e300"
        file.write_text("\n".join([*lines[:-1], " ".join(values)]) + "\n")
    result = invoke(folder, file, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    unknown = [row for row in told if row["health"] == "unknown"]
    assert len(unknown) == (60 if broken == "weights" else 1)
    reason = "the model's RUL is not a finite number" if broken == "weights" else "beyond what a float32 holds"
    assert all(row["rul"] is None and reason in row["reason"] for row in unknown)
    assert all(row[name] is None for row in unknown for name in row if name.startswith("p_"))
    assert all(row["reason"] is None and row["rul"] is not None for row in told if row not in unknown)
    assert f"The health of {len(unknown)} engines is unknown: " in result.stderr
    frame = pd.read_csv(StringIO(invoke(folder, file).stdout))
    assert list(frame["health"]) == [row["health"] for row in told]
    assert frame["rul"].isna().sum() == len(unknown)
    for name in frame.select_dtypes("number"):  # the digits of the JSON
        assert [None if pd.isna(value) else value for value in frame[name]] == [row[name] for row in told]


def _write(folder: Path, kind: str, config: RunConfig, data: PreparedData, *, spoilt: bool) -> None:
    """A bundle; spoilt: a weight of one of its networks is NaN."""
    weights = {}
    for seed in (42, 123):
        torch.manual_seed(seed)
        model = AMNL(config)
        model.start_at(60.0)
        if spoilt and seed == 42:
            with torch.no_grad():
                model.shared[0].weight[0, 0] = torch.nan
        weights[seed] = save(model.state_dict())
    write_bundle(
        folder,
        config=config,
        weights=None if kind == "boosting" else weights[42],
        scaling=data.scaling,
        provenance={},
        metrics={},
        seeds=weights if kind in {"seeds", "mix"} else None,
        boosting=fit_boosting(data) if kind in {"boosting", "mix"} else None,
    )


@pytest.mark.parametrize("kind", ["network", "boosting", "mix"])
def test_an_exported_model_answers_nothing_to_what_is_not_finite(
    kind: str, tmp_path: Path, tiny_config: RunConfig, tiny_data: PreparedData
) -> None:
    """onnxruntime's ReLU makes a number of NaN, and trees answer to anything."""
    _write(tmp_path / "bundle", kind, tiny_config, tiny_data, spoilt=False)
    session = onnxruntime.InferenceSession(tmp_path / "bundle" / "model.onnx")
    shapes = {one.name: [3, *one.shape[1:]] for one in session.get_inputs()}
    for wrong in (np.nan, np.inf, -np.inf):
        given = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        for values in given.values():
            values[1].flat[-1] = wrong
        for answer in session.run(None, given):
            assert np.isfinite(answer[[0, 2]]).all()
            assert np.isnan(answer[1]).all()
