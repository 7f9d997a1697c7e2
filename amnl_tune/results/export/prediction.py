"""RUL and health of engines in a C-MAPSS-form file of any size, by an export bundle."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from amnl_tune.errors import BundleError
from amnl_tune.results.export.bundle import Bundle
from amnl_tune.rul.configuration import HEALTH_CLASSES
from amnl_tune.rul.layouts import FEATURES
from amnl_tune.rul.losses import UNKNOWN, health_class, likeliest_class
from amnl_tune.rul.networks.amnl import Prediction, health_names
from amnl_tune.rul.reading import FleetParser, blocks_of
from amnl_tune.rul.streaming import EndedEngine, EngineStream, seen_windows
from amnl_tune.training.config import Precision
from amnl_tune.training.evaluation import Predictor

BLOCK = 8 << 20
"""Bytes that are parsed at once: some 50,000 rows, so that memory stays small."""

TOGETHER = 256
"""Engines that are predicted at once, whatever the blocks: a batch's size may decide the last bits of an answer."""

ANY_START = 2**53

NO_INPUT = "its rows are beyond what a float32 holds once they are scaled"
NO_RUL = "the model's RUL is not a finite number"
NO_HEALTH = "the model's health probabilities are not finite numbers"


@dataclass
class LateRecords:
    """Engines whose records began after their first cycle: what was assumed of them is said once, at the end.

    Attributes:
        engines: so many. latest: the latest first cycle of a record.
    """

    engines: int = 0
    latest: int = 0

    @property
    def assumed(self) -> str:
        """In a sentence."""
        who = "1 record begins" if self.engines == 1 else f"{self.engines} records begin"
        return (
            f"{who} after cycle 1, the latest at cycle {self.latest}: assumed that the cycles before were like the "
            "first ones recorded, and that the cycle column tells the age"
        )

    def note(self, engine: EndedEngine) -> None:
        """Counts it, if it is one."""
        if engine.begins > 1:
            self.engines, self.latest = self.engines + 1, max(self.latest, engine.begins)


class EnginePredictor:
    """An export at work on one device.

    Args:
        bundle: as loaded.
        device: where it predicts; a CPU's predictions in `fp32` are the ones that the export was scored with.
        precision: as `training.evaluation.Predictor`.
        ensemble: also tell what the configuration's other seeds say, if the export has them, and a mix's parts.
        from_cycle: the cycle at which a record may begin at the latest. A model of an engine's whole history takes the
            cycles that it does not see to have been like the first ones that it does; its age is the file's.

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
        from_cycle: int = 1,
    ) -> None:
        self.bundle, self.from_cycle, self.spread = bundle, from_cycle, ensemble
        place = device or torch.device("cpu")
        self.networks = [Predictor(model, place, precision) for model in bundle.networks]
        others = bundle.ensemble.values() if ensemble and not bundle.boosting else ()
        self.ensemble = [Predictor(model, place, precision) for model in others]
        self.known_distance = float(bundle.provenance.get("condition_distance", math.inf))
        self.late = LateRecords()

    @property
    def precision(self) -> Precision:
        """`auto` until the first engines are predicted."""
        return self.networks[0].precision if self.networks else Precision.FP32

    def stream(self, path: Path | str, block: int = BLOCK) -> Iterator[pd.DataFrame]:
        """What `__call__` gives for the engines of a file, in parts of TOGETHER engines, bit for bit.

        Memory holds a block and the last windows of these engines, however long a record is.

        Args:
            path: a `.txt` or `.txt.gz` file in C-MAPSS form.
            block: bytes that are parsed at once.

        Raises:
            BundleError: no such file, or a record that begins too late. DataError: it breaks the format; names the
                line.
        """
        path = Path(path)
        if not path.is_file():
            raise BundleError(
                f"A file to predict on must exist, but there is no {path}; name a C-MAPSS-form .txt or .txt.gz"
            )
        yield from self._parts(_frames(path, block))

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row an engine, from its last window; an engine shorter than the window repeats its first cycle.

        Args:
            frame: C-MAPSS rows, engine after engine.

        Returns:
            unit; cycle, its last; rul, in cycles; health, the likeliest class or "unknown"; one probability column a
            class. A model that was trained on the RUL alone has no opinion on health: the class is that of its RUL,
            without probabilities.
            condition_distance: of the window's farthest cycle to the nearest operating condition that was learned, in
            standard deviations of the settings; `known_distance` is the farthest among the training engines.
            rul_mean, rul_std: over an ensemble's seeds, in cycles; the standard deviation is a sample's.
            rul_boosting: of a mix, boosting's part of it; the other half is rul_mean.
            reason: why the health is "unknown", its RUL or probabilities then being NaN; None where it is known.

        Raises:
            BundleError: a column is missing, there is no row, or a record begins too late.
        """
        missing = [name for name in ("unit", "cycle", *FEATURES) if name not in frame]
        if missing or frame.empty:
            what = f"{', '.join(missing)} missing" if missing else "no rows"
            raise BundleError(f"Engines to predict on must have rows of C-MAPSS columns, but got {what}; add them")
        return pd.concat(self._parts(iter([frame])), ignore_index=True)

    def _parts(self, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is said of each engine
            yield from self._of(frames)

    def _of(self, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        stream = EngineStream(self.bundle.scaling, self.bundle.config, statistics=self.bundle.boosting is not None)
        waiting: list[EndedEngine] = []
        for frame in frames:
            waiting += stream.feed(frame)
            while len(waiting) >= TOGETHER:
                yield self._predicted(waiting[:TOGETHER])
                del waiting[:TOGETHER]
        waiting += stream.end()
        while waiting:
            yield self._predicted(waiting[:TOGETHER])
            del waiting[:TOGETHER]

    def _predicted(self, engines: Sequence[EndedEngine]) -> pd.DataFrame:
        for engine in engines:
            self._require_whole(engine)
        columns = {
            "unit": np.array([engine.unit for engine in engines]),
            "cycle": np.array([engine.cycle for engine in engines]),
        } | self._answers(engines)
        columns["condition_distance"] = np.array([engine.distances.max() for engine in engines])
        spread = [name for name in ("rul_mean", "rul_std", "rul_boosting", "reason") if name in columns]
        return pd.DataFrame(columns | {name: columns.pop(name) for name in spread})

    def _answers(self, engines: Sequence[EndedEngine]) -> dict[str, np.ndarray]:
        """rul, health, and what there is of the others."""
        config, boosting, found = self.bundle.config, self.bundle.boosting, dict[str, np.ndarray]()
        windows = seen_windows(engines, config) if self.networks else torch.empty(0)
        own, others = ([_on_host(each, windows) for each in asked] for asked in (self.networks, self.ensemble))
        parts = [torch.stack([answer.rul for answer in own]).mean(dim=0)] if own else []
        statistics = torch.empty(0)
        if boosting:
            known = np.stack([engine.statistics for engine in engines])
            parts.append(torch.from_numpy(boosting.predict(known).astype(np.float32)))
            statistics = torch.from_numpy(known)
        seen = _finite_rows(windows, len(engines)) & _finite_rows(statistics, len(engines))
        rul = torch.where(seen, torch.stack(parts).mean(dim=0), torch.nan)  # trees answer to anything, a ReLU to -inf
        health = health_class(rul, config.health_thresholds)
        if own and config.health_is_trained:
            probability = torch.stack([answer.health.softmax(dim=1) for answer in own]).mean(dim=0)
            probability = torch.where(seen[:, None], probability, torch.nan)
            health = torch.where(health == UNKNOWN, UNKNOWN, likeliest_class(probability))
            found = {f"p_{name}": probability[:, i].numpy() for i, name in enumerate(HEALTH_CLASSES)}
        if self.spread:
            found |= _spread([answer.rul for answer in others or own])
            found |= {"rul_boosting": parts[-1].numpy()} if own and boosting else {}
        reason = np.where(seen, np.where(rul.isfinite(), NO_HEALTH, NO_RUL), NO_INPUT).astype(object)
        reason[health.numpy() != UNKNOWN] = None
        return {"rul": rul.numpy(), "health": np.array(health_names(health.tolist()))} | found | {"reason": reason}

    def _require_whole(self, engine: EndedEngine) -> None:
        """Raises BundleError for a record that begins later than the model bears."""
        if not self.bundle.needs_whole_record:
            return
        if engine.begins < 1 or engine.cycle - engine.begins + 1 != engine.rows:
            raise BundleError(
                f"A record must have every cycle from its first to its last, for this model reads its whole history, "
                f"but that of unit {engine.unit} has {engine.rows} rows from cycle {engine.begins} to {engine.cycle}; "
                "let none be missing, and count from 1"
            )
        if engine.begins > self.from_cycle:
            raise BundleError(
                f"A record must begin with the engine's first cycle, for this model reads its whole history, but that "
                f"of unit {engine.unit} begins at cycle {engine.begins}; give the whole record, or accept later ones "
                f"by --from-cycle {engine.begins}"
            )
        self.late.note(engine)


def predict(bundle: Bundle, frame: pd.DataFrame) -> pd.DataFrame:
    """`EnginePredictor(bundle)(frame)`: on the CPU, in float32."""
    return EnginePredictor(bundle)(frame)


def _on_host(network: Predictor, windows: Tensor) -> Prediction:
    answer = network(windows.to(network.device))
    return Prediction(answer.rul.cpu(), answer.health.cpu())


def _finite_rows(values: Tensor, count: int) -> Tensor:
    """(M,) whether all of an engine's values are finite; of none (0,), all are."""
    return values.flatten(1).isfinite().all(dim=1) if values.numel() else torch.ones(count, dtype=torch.bool)


def _spread(answers: Sequence[Tensor]) -> dict[str, np.ndarray]:
    """The seeds' mean and standard deviation for each engine."""
    if len(answers) < 2:
        return {}
    stacked = torch.stack(list(answers))
    return {"rul_mean": stacked.mean(dim=0).numpy(), "rul_std": stacked.std(dim=0).numpy()}


def _frames(path: Path, block: int) -> Iterator[pd.DataFrame]:
    """A file's rows, block by block; when a record begins is for the model to judge."""
    parser = FleetParser(path, latest_start=ANY_START)
    for content in blocks_of(path, block):
        rows = parser.parse(content)
        if len(rows):
            yield rows
    parser.end()
