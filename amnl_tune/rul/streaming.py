"""Engines whose records are read in parts: what a prediction needs of each, once it has ended, and nothing else.

Notation: E engines; n rows of a part; C channels; F statistics. Between two parts only the engine that goes on is kept:
its recursions, and its last rows as far as a window reaches back. So memory does not grow with a file or with a record,
and where the parts are cut decides no bit of the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from amnl_tune.rul.configuration import InputConfig
from amnl_tune.rul.history import Past, channels
from amnl_tune.rul.preparation import EngineRows
from amnl_tune.rul.reading import engine_starts
from amnl_tune.rul.scaling import Scaling
from amnl_tune.rul.statistics import StatisticsPast, history_statistics


@dataclass(frozen=True)
class EndedEngine:
    """What is known of one engine at its last row.

    Attributes:
        unit: its number. begins, cycle: its first and its last cycle, by the file. rows: of its record.
        seen: (k, C) its last rows as the network sees them, as many as a window reaches back over.
        distances: (k,) of these rows to the nearest operating condition that was learned.
        statistics: (F,) of its last row.
    """

    unit: int
    begins: int
    cycle: int
    rows: int
    seen: NDArray[np.float32]
    distances: NDArray[np.float64]
    statistics: NDArray[np.float32]


class EngineStream:
    """Takes the rows of an engine file part by part.

    Args:
        scaling: as fitted on training engines.
        config: what the network sees.
        statistics: whether they are wanted; else they are empty.
    """

    def __init__(self, scaling: Scaling, config: InputConfig, *, statistics: bool = True) -> None:
        self.scaling, self.config, self.statistics = scaling, config, statistics
        self.open: EndedEngine | None = None
        """The engine whose record may go on."""
        self.past: tuple[Past | None, StatisticsPast | None] = (None, None)
        """And what its next row needs to know."""

    def feed(self, frame: pd.DataFrame) -> list[EndedEngine]:
        """The engines that another part shows to have ended.

        Args:
            frame: C-MAPSS rows, engine after engine, one or more.
        """
        unit, cycle = frame["unit"].to_numpy(np.int64), frame["cycle"].to_numpy(np.int64)
        starts = engine_starts(unit)
        lengths = np.diff(np.r_[starts, len(unit)])
        known = self.open if self.open and self.open.unit == unit[0] else None
        ended = [self.open] if self.open and not known else []
        past = self.past if known else (None, None)
        begins = cycle[starts]
        if known:
            begins = np.r_[known.begins, begins[1:]]
        first, before = np.repeat(starts, lengths), np.repeat(begins - 1, lengths)
        features = self.scaling.transform(frame)
        seen, recursion = channels(features, first, self.config, past=past[0], before=before)
        ends = starts + lengths - 1
        statistics: NDArray[np.float32] = np.empty((len(starts), 0), np.float32)
        recent = None
        if self.statistics:
            statistics, recent = history_statistics(features, first, ends, past=past[1], before=before)
        distances = self.scaling.condition_distance(frame)
        for place, (start, end) in enumerate(zip(starts, ends + 1, strict=True)):
            parts = [(seen[start:end], distances[start:end])]
            if known and not place:
                parts.insert(0, (known.seen, known.distances))
            rows, far = (np.concatenate(own)[-self.config.span :] for own in zip(*parts, strict=True))
            count = int(end - start) + (known.rows if known and not place else 0)
            told = int(unit[start]), int(begins[place]), int(cycle[end - 1]), count
            ended.append(EndedEngine(*told, rows, far, statistics[place]))
        self.open, self.past = ended.pop(), (recursion, recent)
        return ended

    def end(self) -> list[EndedEngine]:
        """The engine that the last part left open, if there is one."""
        ended = [self.open] if self.open else []
        self.open, self.past = None, (None, None)
        return ended


def seen_windows(engines: Sequence[EndedEngine], config: InputConfig) -> Tensor:
    """(E, window, C) the last window of each."""
    lengths = np.array([len(engine.seen) for engine in engines])
    ends = np.cumsum(lengths)
    unit = np.repeat(np.arange(len(engines)), lengths)
    rows = EngineRows(
        features=torch.empty(0),
        first=torch.from_numpy(np.repeat(ends - lengths, lengths)),
        rul=torch.zeros(len(unit)),
        unit=torch.from_numpy(unit),
    )
    seen = rows.pooled(np.concatenate([engine.seen for engine in engines]), config.pool)
    return seen.windows(torch.from_numpy(ends - 1), config.window)
