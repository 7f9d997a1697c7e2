"""The export bundle: a folder that predicts without Optuna and without a database.

    config.toml          [run]: the complete RunConfig; [provenance]: where it comes from
    model.safetensors    the best weights of the winner's best seed
    preprocessing.json   features, scaling, window, cap, health thresholds
    metrics.json         validation and test figures, beside the published defaults and the mean predictor
    seeds/42.safetensors ... the configuration's other runs, for an ensemble
    model.onnx           the same network for onnxruntime
    README.md            the model card
    requirements.txt     what `predict` needs, in the versions that the export was made with
    manifest.json        in-toto statement about the files above; SHA256SUMS  checksums of all

TOML has no null: a setting of the run that may be null and is absent here is null.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load

from amnl_tune import __version__
from amnl_tune.errors import BundleError, ConfigurationError
from amnl_tune.files import json_text, replace_folder, writing
from amnl_tune.results.manifest import CHECKSUMS, MANIFEST, with_manifest
from amnl_tune.results.model_card import model_card
from amnl_tune.results.onnx_model import onnx_model
from amnl_tune.rul.cmapss import FEATURES, SENSORS, SETTINGS
from amnl_tune.rul.conditions import Scaling
from amnl_tune.rul.configuration import RUL_CAP
from amnl_tune.rul.network import AMNL, HEALTH_CLASSES
from amnl_tune.training.config import RunConfig

__all__ = ["Bundle", "load_bundle", "write_bundle"]

FORMAT = 1
CONFIG, WEIGHTS, PREPROCESSING, METRICS = "config.toml", "model.safetensors", "preprocessing.json", "metrics.json"
ONNX, CARD, REQUIREMENTS, SEEDS = "model.onnx", "README.md", "requirements.txt", "seeds"
FILES = frozenset({CONFIG, WEIGHTS, PREPROCESSING, METRICS})
ALL_FILES = FILES | {ONNX, CARD, REQUIREMENTS, SEEDS, MANIFEST, CHECKSUMS}
NEEDED = ("numpy", "pandas", "safetensors", "scikit-learn", "torch")
NULLS = {name: None for name, field in RunConfig.model_fields.items() if NoneType in get_args(field.annotation)}
Part = TypeVar("Part")


@dataclass(frozen=True)
class Bundle:
    """A loaded export.

    Attributes:
        config: of the run. model: in evaluation mode. scaling: as fitted on its training engines.
        provenance, metrics: as exported.
        ensemble: the configuration's networks by seed, `model` among them; empty if one seed was promoted.
    """

    config: RunConfig
    model: AMNL
    scaling: Scaling
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any]
    ensemble: Mapping[int, AMNL] = field(default_factory=dict)


def write_bundle(
    folder: Path,
    *,
    config: RunConfig,
    weights: bytes,
    scaling: Scaling,
    provenance: Mapping[str, Any],
    metrics: Mapping[str, Any],
    seeds: Mapping[int, bytes] | None = None,
) -> None:
    """Writes or replaces the bundle as a whole.

    Args:
        folder: of the bundle.
        config: of the run.
        weights: a safetensors file's content.
        scaling: fitted on the run's training engines.
        provenance: JSON- and TOML-serialisable, without null. metrics: JSON-serialisable.
        seeds: safetensors content of each run of the configuration, if there are several.

    Raises:
        BundleError: the folder holds something else than a bundle.
        StorageError: it cannot be written.
    """
    import tomli_w  # noqa: PLC0415  (needed to write only)

    folder = folder.resolve()
    _require_replaceable(folder)
    run = {name: value for name, value in config.plain().items() if value is not None}
    preprocessing = {
        "format": FORMAT,
        "features": list(FEATURES),
        "window": config.window,
        "rul_cap": RUL_CAP,
        "health_classes": list(HEALTH_CLASSES),
        "health_thresholds": list(config.health_thresholds),
        "health_from": "network" if config.health_is_trained else "rul",
        "scaling": scaling.to_plain(),
    }
    model = AMNL(config)
    model.load_state_dict(load(weights))
    files = {
        CONFIG: tomli_w.dumps({"run": run, "provenance": dict(provenance)}).encode(),
        WEIGHTS: weights,
        PREPROCESSING: json_text(preprocessing).encode(),
        METRICS: json_text(dict(metrics)).encode(),
        ONNX: onnx_model(model.eval(), config.window),
        CARD: model_card(config, provenance, json.loads(json_text(dict(metrics)))).encode(),
        REQUIREMENTS: _requirements().encode(),
    } | {f"{SEEDS}/{seed}.safetensors": content for seed, content in (seeds or {}).items()}
    replace_folder(folder, with_manifest(files, provenance))


def _requirements() -> str:
    """Exact versions of what predicts; a local build's mark (2.13.0+cpu) is left out: no index has it."""
    ours = f"amnl-tune=={__version__}\n"
    return ours + "".join(f"{name}=={version(name).split('+')[0]}\n" for name in NEEDED) + "onnxruntime>=1.20\n"


def _require_replaceable(folder: Path) -> None:
    """A folder is replaced as a whole, so that nothing but an export may be in it."""
    with writing(folder):
        if not folder.exists():
            return
        found = {path.name for path in folder.iterdir()} if folder.is_dir() else None
    if found is None or (found and not found >= FILES):
        raise BundleError(
            f"An export goes into a new folder or over an export, but {folder} is neither; choose another --out"
        )
    if found - ALL_FILES:
        raise BundleError(
            f"An export replaces an export as a whole, but {folder} also holds {', '.join(sorted(found - ALL_FILES))}; "
            "move that away, or choose another --out"
        )


def load_bundle(folder: Path) -> Bundle:
    """Reads an export.

    Raises:
        BundleError: a file is missing, damaged, of another format or from another bundle.
    """
    document, preprocessing = _toml(folder / CONFIG), _json(folder / PREPROCESSING)
    if preprocessing.get("format") != FORMAT or preprocessing.get("features") != list(FEATURES):
        raise BundleError(
            f"A bundle must be of format {FORMAT}, but {folder} is of {preprocessing.get('format')}; export it again "
            "with this version"
        )
    config = _fitting(folder / CONFIG, lambda: RunConfig.build(NULLS | document["run"]))
    scaling = _fitting(folder / PREPROCESSING, lambda: _scaling(preprocessing, config))
    model = _fitting(folder / WEIGHTS, lambda: _model(folder / WEIGHTS, config))
    ensemble = {
        int(path.stem): _fitting(path, lambda path=path: _model(path, config))  # type: ignore[misc]
        for path in sorted((folder / SEEDS).glob("*.safetensors"), key=lambda path: int(path.stem))
    }
    return Bundle(config, model, scaling, document.get("provenance", {}), _json(folder / METRICS), ensemble)


def _scaling(preprocessing: Mapping[str, Any], config: RunConfig) -> Scaling:
    """Raises ValueError on numbers that cannot scale a row, or that another run's network was trained on."""
    scaling = Scaling.from_plain(preprocessing["scaling"])
    conditions, settings, sensors = len(scaling.centroids), (len(SETTINGS),), len(SENSORS)
    shapes = ((conditions, *settings), settings, settings, (conditions, sensors), (conditions, sensors))
    arrays = tuple(vars(scaling).values())
    if not conditions or tuple(array.shape for array in arrays) != shapes:
        raise ValueError("its `scaling` has other shapes than the features")
    if (
        not all(np.isfinite(array).all() for array in arrays)
        or min(scaling.setting_std.min(), scaling.sensor_std.min()) <= 0
    ):
        raise ValueError("its `scaling` must hold finite numbers and positive standard deviations")
    if preprocessing["window"] != config.window:
        raise ValueError(f"its window is {preprocessing['window']}, that of {CONFIG} {config.window}")
    return scaling


def _model(path: Path, config: RunConfig) -> AMNL:
    """In evaluation mode. Raises RuntimeError on weights of another network."""
    model = AMNL(config)
    model.load_state_dict(load(path.read_bytes()))
    return model.eval()


def _fitting(path: Path, read: Callable[[], Part]) -> Part:
    """What one file holds; a file that does not hold it is named."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError, OSError, ConfigurationError) as error:
        reason = {KeyError: f"it lacks {error}", RuntimeError: f"its weights are of another network than {CONFIG}'s"}
        said = reason.get(type(error)) or getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise BundleError(
            f"A bundle's files must belong together, but {path} does not: {said}; export it again"
        ) from error


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
        document = json.loads(_text(path))
    except ValueError as error:
        raise BundleError(f"{path} must be JSON, but: {error}; export it again") from error
    if not isinstance(document, dict):
        raise BundleError(f"{path} must be a JSON object, but it is a {type(document).__name__}; export it again")
    return document
