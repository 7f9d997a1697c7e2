"""From run-to-failure engines to rows that a run can gather windows from, and those kept on disk.

The rows of all engines stay in one (N, C) tensor; a window is the index of its last row. C is 17 as prepared, and what
a network's settings say once it looks (`EngineRows.seen_by`). Nothing here has ever seen a test engine: `PreparedData`
is all that search, pruning, early stopping and promotion get.

Prepared data are kept by the file's hash and every setting that shaped them. Two processes may write at once: whoever
comes second replaces equal content by equal content.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from amnl_tune.errors import ConfigurationError
from amnl_tune.files import canonical_hash, write_content
from amnl_tune.rul.configuration import DataConfig, InputConfig
from amnl_tune.rul.history import channels, trailing_mean
from amnl_tune.rul.layouts import CONDITIONS, RUL_CAP
from amnl_tune.rul.reading import engine_starts
from amnl_tune.rul.scaling import Scaling, fit_scaling
from amnl_tune.rul.sources import TrainingFleet

SHORTEST_TRUNCATION = 20
"""Validation engines are cut no earlier, in cycles: the shortest test engines of C-MAPSS have 19 to 31 rows."""


@dataclass(frozen=True)
class EngineRows:
    """N rows, engine after engine.

    Attributes:
        features: (N, C) float32: 17 normalised settings and sensors, or the channels that a network sees.
        first: (N,) int64, index of the first row of each row's engine.
        rul: (N,) float32, capped label in cycles.
        unit: (N,) int64, the engine's number in its file.
        step: rows from one step of a window to the next.
    """

    features: Tensor
    first: Tensor
    rul: Tensor
    unit: Tensor
    step: int = 1

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All of them, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def seen_by(self, config: InputConfig) -> "EngineRows":
        """Prepared rows as a network of `config` sees them: with its channels, pooled; on the host."""
        if not config.needs_whole_record and not config.drop_settings and config.pool == 1:
            return self
        first = self.first.cpu().numpy()
        seen, _ = channels(self.features.cpu().numpy(), first, config)
        return self.pooled(seen, config.pool)

    def pooled(self, seen: np.ndarray, steps: int) -> "EngineRows":
        """The same engines with other channels (N, C), each row the mean of the last `steps` of them."""
        pooled = trailing_mean(seen, self.first.cpu().numpy(), steps) if steps > 1 else seen
        return replace(self, features=torch.from_numpy(pooled), step=steps)

    def windows(self, last: Tensor, window: int) -> Tensor:
        """(M,) last rows -> (M, window, C); an engine with too few rows repeats its first one on the left."""
        back = torch.arange(window - 1, -1, -1, device=last.device) * self.step
        return self.features[torch.maximum(last[:, None] - back, self.first[last][:, None])]

    def ends(self) -> Tensor:
        """(engines,) each engine's last row."""
        is_last = torch.ones(len(self.unit), dtype=torch.bool, device=self.unit.device)
        is_last[:-1] = self.first[1:] != self.first[:-1]
        return is_last.nonzero().flatten()

    def to(self, device: torch.device | str) -> "EngineRows":
        """The same rows on another device."""
        return EngineRows(**{name: tensor.to(device) for name, tensor in self.tensors.items()}, step=self.step)


@dataclass(frozen=True)
class PreparedData:
    """Training and validation engines of one data set, ready for `training.fit`.

    Attributes:
        dataset: its name.
        sha256: of the file that it was read from.
        rows: of all training engines, those held out for validation included.
        scaling: fitted on the engines that are not held out.
        training_units: (E,) int64 engine numbers to learn from.
        validation_units: (V,) int64 engine numbers held out.
        truncations: (V, K) int64 rows at which validation engines are cut, scored like test engines.
    """

    dataset: str
    sha256: str
    rows: EngineRows
    scaling: Scaling
    training_units: Tensor
    validation_units: Tensor
    truncations: Tensor

    def training_windows(self, seen: InputConfig, stride: int = 1) -> Tensor:
        """Last rows (M,) of the windows to learn from: every `stride`-th cycle counted back from each engine's end.

        Raises:
            ConfigurationError: every training engine is shorter than the window, and `seen` does not pad.
        """
        last = self._windows_of(self.training_units, seen, stride)
        if len(last) == 0:
            longest = max(int((self.rows.unit == unit).sum()) for unit in self.training_units)
            pooled = f" of {seen.pool} cycles" if seen.pool > 1 else ""
            raise ConfigurationError(
                f"`window` must be at most the longest training engine, but got window={seen.window}{pooled} for "
                f"engines of up to {longest} cycles; lower `window`, or set `pad_short = true`"
            )
        return last

    def validation_windows(self, share: float = 1.0) -> Tensor:
        """Last rows of the truncated validation engines (of the first `share` of them, at least one engine)."""
        return self.truncations[: max(1, round(share * len(self.truncations)))].reshape(-1)

    def all_validation_windows(self, seen: InputConfig) -> Tensor:
        """Last rows of every full window of the validation engines; empty if all are shorter. Padded, of every row."""
        return self._windows_of(self.validation_units, seen, 1)

    def _windows_of(self, units: Tensor, seen: InputConfig, stride: int) -> Tensor:
        row = torch.arange(len(self.rows.unit))
        cycles = torch.bincount(self.rows.first, minlength=len(row))[self.rows.first]
        from_end = self.rows.first + cycles - 1 - row
        full = row - self.rows.first >= (0 if seen.pad_short else seen.span - 1)
        return row[torch.isin(self.rows.unit, units) & full & (from_end % stride == 0)]


def engine_rows(frame: pd.DataFrame, scaling: Scaling, rul_at_end: np.ndarray | None = None) -> EngineRows:
    """Normalised rows with capped labels.

    Args:
        frame: C-MAPSS rows, engine after engine.
        scaling: as fitted on training engines.
        rul_at_end: (engines,) cycles left after each engine's last row; None: run to failure, 0.
    """
    unit = frame["unit"].to_numpy(np.int64)
    starts = engine_starts(unit)
    lengths = np.diff(np.r_[starts, len(unit)])
    first = np.repeat(starts, lengths)
    remaining = np.zeros(len(starts)) if rul_at_end is None else rul_at_end
    rul = np.repeat(starts + lengths - 1 + remaining, lengths) - np.arange(len(unit))
    return EngineRows(
        features=torch.from_numpy(scaling.transform(frame)),
        first=torch.from_numpy(first),
        rul=torch.from_numpy(np.minimum(rul, RUL_CAP).astype(np.float32)),
        unit=torch.from_numpy(unit.copy()),
    )


def prepare(fleet: TrainingFleet, config: DataConfig) -> PreparedData:
    """Splits by engine, fits the normalisation on the training engines, labels and truncates.

    Raises:
        ConfigurationError: too few engines to hold one out, or more conditions than settings.
    """
    units = fleet.frame["unit"].unique()
    held_out = max(1, round(config.validation_fraction * len(units)))
    if held_out >= len(units):
        raise ConfigurationError(
            f"`validation_fraction` must leave at least one training engine, but got {config.validation_fraction:g} of "
            f"{len(units)} engines; lower `data.validation_fraction`"
        )
    random = np.random.default_rng(config.split_seed)
    shuffled = random.permutation(units)
    validation, training = shuffled[:held_out], np.sort(shuffled[held_out:])
    scaling = fit_scaling(
        fleet.frame[fleet.frame["unit"].isin(training)],
        conditions=config.conditions or CONDITIONS.get(fleet.name, 1),
        normalization=config.normalization,
        seed=config.split_seed,
    )
    rows = engine_rows(fleet.frame, scaling)
    truncations = [_truncations(rows, unit, config.validation_truncations, random) for unit in validation]
    return PreparedData(
        dataset=fleet.name,
        sha256=fleet.sha256,
        rows=rows,
        scaling=scaling,
        training_units=torch.from_numpy(training),
        validation_units=torch.from_numpy(validation),
        truncations=torch.from_numpy(np.stack(truncations)),
    )


def _truncations(rows: EngineRows, unit: int, count: int, random: np.random.Generator) -> np.ndarray:
    own = np.flatnonzero(rows.unit.numpy() == unit)
    earliest = min(SHORTEST_TRUNCATION, len(own)) - 1
    return np.asarray(own[0] + random.integers(earliest, len(own), size=count))


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
    path = directory / f"{fleet.name}-{canonical_hash(shaped_by)[:24]}.safetensors"
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
