"""Is preprocessing.json enough for somebody without our code? Written from its `definitions` alone, in plain NumPy."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from safetensors.torch import save

from amnl_tune.results.export.bundle import load_bundle, write_bundle
from amnl_tune.results.export.prediction import predict
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.training.boosting import fit_boosting
from amnl_tune.training.config import RunConfig

Array = np.ndarray


def ewma(x: Array, rate: float) -> Array:
    mean, weight, found = np.zeros(x.shape[1]), 0.0, []
    for row in x:
        mean, weight = (1 - rate) * mean + rate * row, (1 - rate) * weight + rate
        found.append(mean / weight)
    return np.array(found)


def slope(x: Array) -> Array:
    t = np.arange(len(x)) - (len(x) - 1) / 2
    return t @ x / (t @ t) if len(x) > 1 else np.zeros(x.shape[1])


RECENT: dict[str, Callable[[Array], Array]] = {
    "mean": lambda x: x.mean(axis=0),
    "sd": lambda x: x.std(axis=0),
    "slope": slope,
}


def scaled(told: dict[str, Any], record: Array) -> tuple[Array, Array]:
    """(n, 3) settings and (n, 14) sensors of one engine's (n, 26) rows."""
    known = {name: np.array(values) for name, values in told["scaling"].items()}
    settings = (record[:, 2:5] - known["setting_mean"]) / known["setting_std"]
    condition = ((settings[:, None] - known["centroids"]) ** 2).sum(axis=-1).argmin(axis=1)
    columns = [4 + int(name.split("_")[1]) for name in told["scaled"] if name.startswith("sensor")]
    x = (record[:, columns] - known["sensor_mean"][condition]) / known["sensor_std"][condition]
    return settings.astype(np.float32).astype(float), x.astype(np.float32).astype(float)


def window(told: dict[str, Any], record: Array) -> Array:
    settings, x = scaled(told, record)
    sensors = [name for name in told["scaled"] if name.startswith("sensor")]
    history, channels = told["history"], {f"setting_{i + 1}": settings[:, i] for i in range(3)}
    channels |= dict(zip(sensors, x.T, strict=True))
    first = history["deviation"]
    away = np.array([x[i] - x[: min(i + 1, first)].mean(axis=0) for i in range(len(x))]) if first else x
    channels |= {f"{name}_deviation_{first}": away[:, j] for j, name in enumerate(sensors)}
    for rate in history["ewma"]:
        channels |= {f"{name}_ewma_{rate}": ewma(x, rate)[:, j] for j, name in enumerate(sensors)}
    channels["age"] = record[:, 1] / 100
    seen, pool = np.stack([channels[name] for name in told["features"]], axis=1), history["pool"]
    seen = np.array([seen[max(0, i - pool + 1) : i + 1].mean(axis=0) for i in range(len(seen))])
    return seen[[max(0, len(seen) - 1 - pool * back) for back in reversed(range(told["window"]))]]


def statistics(told: dict[str, Any], record: Array) -> Array:
    _, x = scaled(told, record)
    sensors = [name for name in told["scaled"] if name.startswith("sensor")]
    found = []
    for name in told["statistics"]:
        match = re.fullmatch(r"(sensor_\d+)_(mean_so_far|(\w+?)_([\d.]+))", name)
        if match is None:
            assert name == "age"
            found.append(record[-1, 1])
            continue
        own = x[:, [sensors.index(match[1])]]
        if match[2] == "mean_so_far":
            found.append(own.mean())
        elif match[3] == "ewma":
            found.append(ewma(own, float(match[4]))[-1, 0])
        else:
            found.append(float(RECENT[match[3]](own[-int(match[4]) :])[0]))
    return np.array(found)


@pytest.mark.parametrize(
    "history", [{"ewma": [0.1, 0.03], "deviation": 7, "age": True}, {"pool": 3, "drop_settings": True}]
)
def test_a_stranger_gets_the_same_rul(
    history: dict[str, Any], fleet_dir: Path, tiny_config: RunConfig, tmp_path: Path
) -> None:
    source = FleetSource((fleet_dir,))
    config = tiny_config.replaced(window=12, **history)
    data = prepare(source.training("SIM1"), config)
    model = AMNL(config)
    model.start_at(60.0)
    write_bundle(
        tmp_path / "mix", config=config, weights=save(model.state_dict()), scaling=data.scaling, provenance={},
        metrics={}, boosting=fit_boosting(data),
    )  # fmt: skip
    told = json.loads((tmp_path / "mix" / "preprocessing.json").read_text())
    frame = source.test("SIM1").frame
    young = frame[(frame["unit"] != 3) | (frame["cycle"] <= 2)]  # an engine of two rows
    records = [own.to_numpy(np.float64) for _, own in young.groupby("unit")]
    given = {
        "windows": np.stack([window(told, record) for record in records]).astype(np.float32),
        "statistics": np.stack([statistics(told, record) for record in records]).astype(np.float32),
    }
    rul = onnxruntime.InferenceSession(tmp_path / "mix" / "model.onnx").run(["rul"], given)[0]
    np.testing.assert_allclose(rul, predict(load_bundle(tmp_path / "mix"), young)["rul"], atol=1e-3)
