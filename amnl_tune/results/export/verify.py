"""Can an export's figures be had again? Its files, its validation engines, its test engines.

It tells nothing new of the test engines: the figure is known. So it is no look, and the ledger has no part in it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from amnl_tune.errors import BundleError
from amnl_tune.results.export.bundle import Bundle, load_bundle
from amnl_tune.results.export.bundle_files import BundleFiles
from amnl_tune.results.export.manifest import damaged
from amnl_tune.rul.metrics import nasa_score, rmse
from amnl_tune.rul.preparation import EngineRows, engine_rows, prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.training.evaluation import predict_windows

TOLERANCE = 1e-4
"""Relative: another machine's float32 sums differ in the sixth digit."""

FIGURES = ("validation_rmse", "test_rmse", "nasa_score")


@dataclass(frozen=True)
class Figure:
    """One figure, as recorded and as computed again; None: not finite."""

    name: str
    recorded: float | None
    recomputed: float | None

    @property
    def equal(self) -> bool:
        """Within the tolerance; what is not finite equals nothing but the same."""
        if self.recorded is None or self.recomputed is None:
            return self.recorded is self.recomputed
        return math.isclose(self.recorded, self.recomputed, rel_tol=TOLERANCE)


def verify(folder: Path, source: FleetSource) -> list[Figure]:
    """Checks the files of an export, then computes the exported model's figures again.

    Raises:
        BundleError: files are damaged, or the data here are not those that the export was made on.
        DataError: the data are not there.
    """
    files = BundleFiles(folder)
    broken = damaged(files)
    if broken:
        raise BundleError(
            f"An export's files must be as they were written, but {', '.join(broken)} in {folder} are not; export again"
        )
    bundle = load_bundle(folder)
    dataset, provenance, known = bundle.config.dataset, bundle.provenance, _exported(bundle, folder)
    fleet = source.training(dataset)
    _require_same(dataset, "training", fleet.sha256, provenance.get("data_sha256"))
    again = {"validation_rmse": _validation(bundle, source)}
    if "test_rmse" in known:
        test = source.test(dataset)
        _require_same(dataset, "test", test.sha256, provenance.get("test_data_sha256"))
        rows = engine_rows(test.frame, bundle.scaling, test.rul)
        ends = rows.ends()
        predicted, true = _answers(bundle, rows, ends), rows.rul[ends].numpy()
        again |= {"test_rmse": rmse(predicted, true), "nasa_score": nasa_score(predicted, true)}
    return [Figure(name, _finite(known, name), _finite(again, name)) for name in again]


def _validation(bundle: Bundle, source: FleetSource) -> float:
    data = prepare(source.training(bundle.config.dataset), bundle.config)
    again, known = data.scaling.sensor_mean, bundle.scaling.sensor_mean
    if again.shape != known.shape or not np.allclose(again, known):
        raise BundleError(
            "An export's scaling must be that of its training engines, but fitted again it differs; the export was "
            "made on another split or by another version"
        )
    last = data.validation_windows()
    return rmse(_answers(bundle, data.rows, last), data.rows.rul[last].numpy())


def _answers(bundle: Bundle, rows: EngineRows, last: Tensor) -> np.ndarray:
    """(M,) RUL in cycles at rows of the prepared rows, by whatever the export is."""
    seen, window = rows.seen_by(bundle.config), bundle.config.window
    own = [predict_windows(network, seen, last, window).rul.numpy() for network in bundle.networks]
    parts = [np.mean(own, axis=0)] if own else []
    parts += [bundle.boosting.at(rows, last)] if bundle.boosting else []
    return np.asarray(np.mean(parts, axis=0))


def _require_same(dataset: str, which: str, here: str, recorded: Any) -> None:
    if here != recorded:
        raise BundleError(
            f"An export is verified on its own data, but the {which} data of {dataset} here have SHA-256 {here[:12]} "
            f"and the export was made on {str(recorded or 'unknown')[:12]}; set --data-dir to its data"
        )


def _exported(bundle: Bundle, folder: Path) -> Mapping[str, Any]:
    """The recorded figures. Raises BundleError where they are none."""
    figures = bundle.metrics.get("exported")
    known = {name: figures[name] for name in FIGURES if name in figures} if isinstance(figures, dict) else {}
    if "validation_rmse" not in known or not all(_is_figure(value) for value in known.values()):
        raise BundleError(
            f"An export's metrics must hold `exported` with {', '.join(FIGURES)}, each a number or null, but those in "
            f"{folder} do not; export it again"
        )
    return known


def _is_figure(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _finite(figures: Mapping[str, Any], name: str) -> float | None:
    value = figures.get(name)
    return float(value) if value is not None and math.isfinite(value) else None
