"""RUL and health of engines in a C-MAPSS-form file of any size, by an export bundle."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from amnl_tune.errors import BundleError
from amnl_tune.results.bundle import Bundle
from amnl_tune.rul.cmapss import COLUMNS, FEATURES, FleetParser, blocks_of
from amnl_tune.rul.loss import health_class
from amnl_tune.rul.network import HEALTH_CLASSES
from amnl_tune.rul.preparation import EngineRows, engine_rows
from amnl_tune.training.evaluation import predict_windows
from amnl_tune.training.inference import Predictor
from amnl_tune.training.precision import Precision

__all__ = ["EnginePredictor", "predict"]

BLOCK = 8 << 20
"""Bytes that are parsed at once: some 50,000 rows, so that a batch is large and memory small."""


class EnginePredictor:
    """An export at work on one device.

    Args:
        bundle: as loaded.
        device: where it predicts; a CPU's predictions in `fp32` are the ones that the export was scored with.
        precision: as `training.inference.Predictor`.
        ensemble: also ask the configuration's other seeds, if the export has them.

    Raises:
        ConfigurationError: a precision that the device lacks.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: torch.device | None = None,
        precision: Precision = Precision.FP32,
        *,
        ensemble: bool = True,
    ) -> None:
        self.bundle = bundle
        place = device or torch.device("cpu")
        self.predictor = Predictor(bundle.model, place, precision)
        members = bundle.ensemble.values() if ensemble else ()
        self.ensemble = [Predictor(model, place, precision) for model in members]
        self.known_distance = float(bundle.provenance.get("condition_distance", math.inf))

    @property
    def precision(self) -> Precision:
        """`auto` until the first engines are predicted."""
        return self.predictor.precision

    def stream(self, path: Path, block: int = BLOCK) -> Iterator[pd.DataFrame]:
        """What `__call__` gives for the engines of a file, in parts; memory holds a block and an engine's last window.

        Args:
            path: a `.txt` or `.txt.gz` file in C-MAPSS form.
            block: bytes that are parsed at once.

        Raises:
            BundleError: no such file. DataError: it breaks the format; names the line.
        """
        if not path.is_file():
            raise BundleError(
                f"A file to predict on must exist, but there is no {path}; name a C-MAPSS-form .txt or .txt.gz"
            )
        for engines in _engines(path, self.bundle.config.window, block):
            yield self(engines)

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row an engine, from its last window; an engine shorter than the window repeats its first cycle.

        Args:
            frame: C-MAPSS rows, engine after engine.

        Returns:
            unit; cycle, its last; rul, in cycles; health, the likeliest class; one probability column a class. A
            network that was trained on the RUL alone has no opinion on health: the class is that of its RUL, without
            probabilities.
            condition_distance: of the window's farthest cycle to the nearest operating condition that was learned, in
            standard deviations of the settings; `known_distance` is the farthest among the training engines.
            rul_mean, rul_std: over an ensemble's seeds, in cycles; the standard deviation is a sample's.

        Raises:
            BundleError: a column is missing, or there is no row.
        """
        missing = [name for name in ("unit", "cycle", *FEATURES) if name not in frame]
        if missing or frame.empty:
            what = f"{', '.join(missing)} missing" if missing else "no rows"
            raise BundleError(f"Engines to predict on must have rows of C-MAPSS columns, but got {what}; add them")
        bundle = self.bundle
        rows = engine_rows(frame, bundle.scaling)
        last = rows.ends()
        rul, logits = (part.cpu() for part in predict_windows(self.predictor, rows, last, bundle.config.window))
        probability = logits.softmax(dim=1)
        learned = bundle.config.health_is_trained
        health = probability.argmax(dim=1) if learned else health_class(rul, bundle.config.health_thresholds)
        ends = frame.iloc[last.numpy()]
        columns = {
            "unit": ends["unit"].to_numpy(),
            "cycle": ends["cycle"].to_numpy(),
            "rul": rul.numpy(),
            "health": [HEALTH_CLASSES[i] for i in health.tolist()],
        }
        if learned:
            columns |= {f"p_{name}": probability[:, i].numpy() for i, name in enumerate(HEALTH_CLASSES)}
        distance = torch.from_numpy(bundle.scaling.condition_distance(frame))
        seen = torch.maximum(last[:, None] - torch.arange(bundle.config.window), rows.first[last][:, None])
        columns["condition_distance"] = distance[seen].amax(dim=1).numpy()
        return pd.DataFrame(columns | self._spread(rows, last))

    def _spread(self, rows: EngineRows, last: torch.Tensor) -> dict[str, np.ndarray]:
        """The seeds' mean and standard deviation for each engine."""
        if len(self.ensemble) < 2:
            return {}
        window = self.bundle.config.window
        answers = torch.stack([predict_windows(member, rows, last, window).rul.cpu() for member in self.ensemble])
        return {"rul_mean": answers.mean(dim=0).numpy(), "rul_std": answers.std(dim=0).numpy()}


def predict(bundle: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    """`EnginePredictor(bundle)(frame)`: on the CPU, in float32."""
    return EnginePredictor(bundle)(frame)


def _engines(path: Path, window: int, block: int) -> Iterator[pd.DataFrame]:
    """Whole engines' last `window` rows: nothing before them reaches a prediction."""
    parser = FleetParser(path)
    begun = pd.DataFrame(columns=COLUMNS)
    for content in blocks_of(path, block):
        rows = parser.parse(content)
        if rows.empty:
            continue
        tails = (pd.concat([begun, rows]) if len(begun) else rows).groupby("unit", sort=False).tail(window)
        going_on = tails["unit"] == parser.unit
        begun = tails[going_on]
        if not going_on.all():
            yield tails[~going_on]
    parser.end()
    yield begun
