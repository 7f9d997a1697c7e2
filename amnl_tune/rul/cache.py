"""Prepared data on disk, keyed by the file's hash and every setting that shaped it.

Two processes may write at once: whoever comes second replaces equal content by equal content.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from amnl_tune.files import write_content
from amnl_tune.rul.conditions import Scaling
from amnl_tune.rul.configuration import DataConfig
from amnl_tune.rul.preparation import EngineRows, PreparedData, prepare
from amnl_tune.rul.sources import TrainingFleet

__all__ = ["cached_prepare"]

FORMAT = 1
"""Raised whenever `prepare` changes what it computes."""

ROWS = ("features", "first", "rul", "unit")
REST = ("training_units", "validation_units", "truncations")


def cached_prepare(fleet: TrainingFleet, config: DataConfig, directory: Path) -> PreparedData:
    """`prepare(fleet, config)`, from `directory` where it has been prepared before.

    Raises:
        StorageError: the folder cannot be written.
        ConfigurationError: as `prepare`.
    """
    shaped_by = config.model_dump(mode="json", include=set(DataConfig.model_fields)) | {
        "sha256": fleet.sha256,
        "format": FORMAT,
    }
    key = hashlib.sha256(json.dumps(shaped_by, sort_keys=True).encode()).hexdigest()[:24]
    path = directory / f"{fleet.name}-{key}.safetensors"
    data = _load(path, fleet)
    if data is None:
        data = prepare(fleet, config)
        _store(path, data)
    return data


def _load(path: Path, fleet: TrainingFleet) -> PreparedData | None:
    """None if there is no readable file: a damaged one is prepared anew and replaced."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in (*ROWS, *REST)}
            scaling = Scaling.from_plain(json.loads(file.metadata()["scaling"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return PreparedData(
        dataset=fleet.name,
        sha256=fleet.sha256,
        rows=EngineRows(**{name: tensors[name] for name in ROWS}),
        scaling=scaling,
        **{name: tensors[name] for name in REST},
    )


def _store(path: Path, data: PreparedData) -> None:
    tensors: dict[str, torch.Tensor] = {name: getattr(data.rows, name) for name in ROWS}
    tensors |= {name: getattr(data, name) for name in REST}
    write_content(path, save(tensors, metadata={"scaling": json.dumps(data.scaling.to_plain())}))
