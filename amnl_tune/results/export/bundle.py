"""The export bundle: a folder that predicts without Optuna and without a database.

    config.toml          [run]: the complete RunConfig; [provenance]: where it comes from, [provenance.execution]: in
                         which precision, on which device, on how many threads it was trained
    model.safetensors    the best weights of the winner's best seed (not of boosting alone)
    preprocessing.json   channels, scaling, window, cap, health thresholds
    metrics.json         validation and test figures, beside the published defaults, boosting and the mean predictor
    seeds/42.safetensors ... the configuration's other runs, for an ensemble; a mix is made of all
    boosting.onnx        gradient boosting, of boosting and of a mix
    model.onnx           the whole model for onnxruntime
    README.md            the model card
    requirements.txt     what `predict` needs, in the versions that the export was made with
    manifest.json        in-toto statement about the files above; SHA256SUMS  checksums of all

TOML has no null: a setting of the run without a value is "none", which `RunConfig.build` takes. Older exports leave it
out: what is absent there is null.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load

from amnl_tune.documents import brief
from amnl_tune.errors import BundleError, ConfigurationError
from amnl_tune.files import json_text, replace_folder, writing
from amnl_tune.results.export.bundle_files import SEEDS, WEIGHTS, BundleFiles, seed_of
from amnl_tune.results.export.card import model_card
from amnl_tune.results.export.manifest import CHECKSUMS, MANIFEST, with_manifest
from amnl_tune.results.export.preprocessing import preprocessing, require_format, scaling_of
from amnl_tune.rul.configuration import DataConfig
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.scaling import Scaling
from amnl_tune.rul.statistics import STATISTICS
from amnl_tune.training.boosting import Boosting
from amnl_tune.training.config import NULLABLE, RunConfig
from amnl_tune.version import __version__

CONFIG, PREPROCESSING, METRICS = "config.toml", "preprocessing.json", "metrics.json"
ONNX, CARD, REQUIREMENTS = "model.onnx", "README.md", "requirements.txt"
BOOSTING = "boosting.onnx"
FILES = frozenset({CONFIG, PREPROCESSING, METRICS})
ALL_FILES = FILES | {WEIGHTS, BOOSTING, ONNX, CARD, REQUIREMENTS, SEEDS, MANIFEST, CHECKSUMS}
NEEDED = ("numpy", "onnxruntime", "pandas", "safetensors", "scikit-learn", "torch")
UNFITTING = (
    AttributeError, LookupError, TypeError, ValueError, RuntimeError, ArithmeticError, OSError, SafetensorError,
    ConfigurationError,
)  # fmt: skip
"""What reading a file raises that holds something else."""
Part = TypeVar("Part")


@dataclass(frozen=True)
class Bundle:
    """A loaded export.

    Attributes:
        config: of the run. scaling: as fitted on its training engines.
        model: in evaluation mode; None: it is boosting alone.
        provenance, metrics: as exported.
        ensemble: the configuration's networks by seed, `model` among them; empty if one seed was promoted.
        boosting: the model, or one half of a mix with all the networks; None: it is a network alone.
    """

    config: RunConfig
    model: AMNL | None
    scaling: Scaling
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any]
    ensemble: Mapping[int, AMNL] = field(default_factory=dict)
    boosting: Boosting | None = None

    @property
    def networks(self) -> tuple[AMNL, ...]:
        """Those that the export's own prediction is made of: all of a mix, else the one."""
        if self.boosting and self.ensemble:
            return tuple(self.ensemble.values())
        return (self.model,) if self.model else ()

    @property
    def needs_whole_record(self) -> bool:
        """Whether it reads more of an engine than its last window."""
        return self.boosting is not None or self.config.needs_whole_record


def write_bundle(
    folder: Path,
    *,
    config: RunConfig,
    weights: bytes | None,
    scaling: Scaling,
    provenance: Mapping[str, Any],
    metrics: Mapping[str, Any],
    seeds: Mapping[int, bytes] | None = None,
    boosting: Boosting | None = None,
) -> None:
    """Writes or replaces the bundle as a whole: a network, boosting, or with both a mix of them.

    Args:
        folder: of the bundle.
        config: of the run; of boosting alone, its data are what counts.
        weights: a safetensors file's content; None: boosting alone.
        scaling: fitted on the run's training engines.
        provenance: JSON- and TOML-serialisable, without null. metrics: JSON-serialisable.
        seeds: safetensors content of each run of the configuration, if there are several.

    Raises:
        BundleError: the folder holds something else than a bundle.
        StorageError: it cannot be written.
    """
    import tomli_w  # noqa: PLC0415  (needed to write only)

    from amnl_tune.results.export.onnx import onnx_model  # noqa: PLC0415  (onnx takes its time; who predicts needs none)

    folder = folder.resolve()
    require_replaceable(folder)
    networks = [_built(config, content) for content in _asked(weights, seeds if boosting else None)]
    kind = "network" if not boosting else "mix" if networks else "boosting"
    run = config.toml()
    if not networks:
        run = {name: run[name] for name in (*DataConfig.model_fields, "health_thresholds")}
        config = RunConfig.build(run)
    document = preprocessing(config, scaling, kind=kind, statistics=boosting.names if boosting else ())
    parts = {WEIGHTS: weights, BOOSTING: boosting.onnx if boosting else None}
    files = {
        CONFIG: tomli_w.dumps({"run": run, "provenance": dict(provenance)}).encode(),
        **{name: content for name, content in parts.items() if content is not None},
        PREPROCESSING: json_text(document).encode(),
        METRICS: json_text(dict(metrics)).encode(),
        ONNX: onnx_model(networks, config, boosting, document),
        CARD: model_card(config, provenance, json.loads(json_text(dict(metrics)))).encode(),
        REQUIREMENTS: _requirements().encode(),
    } | {f"{SEEDS}/{seed}.safetensors": content for seed, content in (seeds or {}).items()}
    replace_folder(folder, with_manifest(files, provenance))


def _asked(weights: bytes | None, seeds: Mapping[int, bytes] | None) -> list[bytes]:
    """Weights of the networks that a prediction is made of."""
    return list(seeds.values()) if seeds else [weights] if weights else []


def _built(config: RunConfig, weights: bytes) -> AMNL:
    model = AMNL(config)
    model.load_state_dict(load(weights))
    return model.eval()


def _requirements() -> str:
    """Exact versions of what predicts; a local build's mark (2.13.0+cpu) is left out: no index has it."""
    ours = f"amnl-tune=={__version__}\n"
    return ours + "".join(f"{name}=={version(name).split('+')[0]}\n" for name in NEEDED)


def require_replaceable(folder: Path) -> None:
    """A folder is replaced as a whole, so that nothing but an export may be in it.

    Raises:
        BundleError: something else is. StorageError: it cannot be looked into.
    """
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


def load_bundle(folder: Path | str) -> Bundle:
    """Reads an export, from its folder, which may come from a stranger.

    Raises:
        BundleError: a file is missing, damaged, of another format or from another bundle; a link, a pipe or a device;
            larger than its network.
    """
    files = BundleFiles(Path(folder))
    document, described = files.toml(CONFIG), files.json(PREPROCESSING)
    require_format(described, files.folder)
    kind = described.get("kind", "network")
    config = _fitting(files, CONFIG, lambda: RunConfig.build(dict.fromkeys(NULLABLE) | document["run"]))
    files = replace(files, network=network_bytes(config))
    scaling = _fitting(files, PREPROCESSING, lambda: scaling_of(described, config))
    model = _fitting(files, WEIGHTS, lambda: _network(files, WEIGHTS, config)) if kind != "boosting" else None
    ensemble = {
        seed_of(name): _fitting(files, name, lambda name=name: _network(files, name, config))  # type: ignore[misc]
        for name in files.seeds()
    }
    boosting = _fitting(files, BOOSTING, lambda: _boosting(files, described)) if kind != "network" else None
    provenance = _fitting(files, CONFIG, lambda: _provenance(document.get("provenance", {})))
    return Bundle(config, model, scaling, provenance, files.json(METRICS), ensemble, boosting)


def network_bytes(config: RunConfig) -> int:
    """What the tensors of a network of `config` take, without making them."""
    with torch.device("meta"):
        return sum(tensor.nbytes for tensor in AMNL(config).state_dict().values())


def _network(files: BundleFiles, name: str, config: RunConfig) -> AMNL:
    """Raises RuntimeError on weights of another network; one that the file cannot fill is not even made."""
    content = files.read(name)
    if len(content) < (files.network or 0) // 4:
        raise RuntimeError
    return _built(config, content)


def _provenance(told: Any) -> Mapping[str, Any]:
    """Raises TypeError, ValueError on what no export has written."""
    if not isinstance(told, dict):
        raise TypeError("`provenance` must be a table")
    distance = told.get("condition_distance", 0.0)
    if isinstance(distance, bool) or not isinstance(distance, int | float) or not distance >= 0:
        raise ValueError(f"`condition_distance` must be a number, 0 or more, but got {brief(distance)}")
    return told


def _boosting(files: BundleFiles, described: Mapping[str, Any]) -> Boosting:
    """Raises ValueError on statistics that this version does not know."""
    names = tuple(described["statistics"])
    if not set(names) <= set(STATISTICS):
        raise ValueError(f"its `statistics` are others than those of this version in {PREPROCESSING}")
    boosting = Boosting(files.read(BOOSTING), names, 0.0)
    try:
        shape = boosting.predict(np.zeros((2, len(STATISTICS)), np.float32)).shape
    except Exception as error:  # onnxruntime's own kinds have no common name
        raise ValueError("it is no ONNX model of these statistics") from error
    if shape != (2,):
        raise ValueError("it is no ONNX model of these statistics")
    return boosting


def _fitting(files: BundleFiles, name: str, read: Callable[[], Part]) -> Part:
    """What one file holds; a file that does not hold it is named."""
    try:
        return read()
    except UNFITTING as error:
        said = brief(getattr(error, "strerror", None) or str(error), 300)
        if isinstance(error, KeyError):
            said = f"it lacks {said}"
        elif isinstance(error, RuntimeError):
            said = f"its weights are of another network than {CONFIG}'s"
        raise BundleError(
            f"A bundle's files must belong together, but {files.folder / name} does not: {said}; export it again"
        ) from error
