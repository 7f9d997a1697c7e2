"""The export bundle: a folder that predicts without Optuna and without a database.

    config.toml          [run]: the complete RunConfig; [provenance]: where it comes from
    model.safetensors    the best weights of the winner's best seed
    preprocessing.json   features, scaling, window, cap, health thresholds
    metrics.json         validation and test figures, beside the published defaults and the mean predictor

TOML has no null: a setting of the run that is absent here is null.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from amnl_tune.errors import BundleError
from amnl_tune.files import replace_folder
from amnl_tune.rul.cmapss import FEATURES
from amnl_tune.rul.conditions import Scaling
from amnl_tune.rul.configuration import RUL_CAP
from amnl_tune.rul.network import AMNL, HEALTH_CLASSES
from amnl_tune.training.config import RunConfig

__all__ = ["Bundle", "load_bundle", "write_bundle"]

FORMAT = 1
CONFIG, WEIGHTS, PREPROCESSING, METRICS = "config.toml", "model.safetensors", "preprocessing.json", "metrics.json"


@dataclass(frozen=True)
class Bundle:
    """A loaded export.

    Attributes:
        config: of the run. model: in evaluation mode. scaling: as fitted on its training engines.
        provenance, metrics: as exported.
    """

    config: RunConfig
    model: AMNL
    scaling: Scaling
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any]


def write_bundle(
    folder: Path,
    *,
    config: RunConfig,
    weights: bytes,
    scaling: Scaling,
    provenance: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> None:
    """Writes or replaces the bundle as a whole.

    Args:
        folder: of the bundle.
        config: of the run.
        weights: a safetensors file's content.
        scaling: fitted on the run's training engines.
        provenance, metrics: JSON- and TOML-serialisable, without null.

    Raises:
        BundleError: the folder holds something else than a bundle.
        StorageError: it cannot be written.
    """
    import tomli_w  # noqa: PLC0415  (needed to write only)

    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / CONFIG).exists())):
        raise BundleError(
            f"An export goes into a new folder or over an export, but {folder} is neither; choose another --out"
        )
    run = {name: value for name, value in config.plain().items() if value is not None}
    preprocessing = {
        "format": FORMAT,
        "features": list(FEATURES),
        "window": config.window,
        "rul_cap": RUL_CAP,
        "health_classes": list(HEALTH_CLASSES),
        "health_thresholds": list(config.health_thresholds),
        "scaling": scaling.to_plain(),
    }
    replace_folder(
        folder,
        {
            CONFIG: tomli_w.dumps({"run": run, "provenance": dict(provenance)}).encode(),
            WEIGHTS: weights,
            PREPROCESSING: json.dumps(preprocessing, indent=1).encode(),
            METRICS: json.dumps(metrics, indent=1).encode(),
        },
    )


def load_bundle(folder: Path) -> Bundle:
    """Reads an export.

    Raises:
        BundleError: a file is missing, damaged or of another format.
    """
    document = _toml(folder / CONFIG)
    preprocessing = _json(folder / PREPROCESSING)
    if preprocessing.get("format") != FORMAT or preprocessing.get("features") != list(FEATURES):
        raise BundleError(
            f"A bundle must be of format {FORMAT}, but {folder} is of {preprocessing.get('format')}; export it again "
            "with this version"
        )
    try:
        nulls = {"horizon": None, "patience": None}
        config = RunConfig.model_validate(nulls | document["run"])
        scaling = Scaling.from_plain(preprocessing["scaling"])
        model = AMNL(config)
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (KeyError, ValueError, ValidationError, RuntimeError, SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(
            f"A bundle's files must belong together, but those in {folder} do not: {reason}; export it again"
        ) from error
    return Bundle(config, model.eval(), scaling, document.get("provenance", {}), _json(folder / METRICS))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise BundleError(f"{path} must be TOML, but: {error}; export it again") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BundleError(
            f"A bundle must hold {path.name}, but {path} cannot be read: {reason}; name the folder of an "
            "`amnl-tune export`"
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(_text(path)))
    except ValueError as error:
        raise BundleError(f"{path} must be JSON, but: {error}; export it again") from error
