"""How long a run takes here, from a moment of the real thing: its own training steps and forward passes.

Notation: B batch, M training windows.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from amnl_tune.rul.preparation import EngineRows, PreparedData
from amnl_tune.training.batches import Batches, LoaderBatches, ResidentBatches, choose_data_path
from amnl_tune.training.config import DataPath, Precision, RunConfig
from amnl_tune.training.evaluation import validate
from amnl_tune.training.execution import Execution
from amnl_tune.training.precision import float32_mode
from amnl_tune.training.probe import best_precision
from amnl_tune.training.state import RunState, own_rng
from amnl_tune.training.step import make_step
from amnl_tune.training.timing import peak_memory, reset_peak_memory, wait

MOMENT = 0.4
"""Seconds for which steps of one shape are timed."""
SMALL = 16
"""Windows of the first steps: they tell whether the whole batch can be afforded."""
AFFORDABLE = 0.5
"""Seconds that a timed step may take; a larger batch is timed in part, and continued as a straight line."""
FEWEST = 3
WARM_UP = {"cuda": 5}
"""Untimed steps, 2 elsewhere: on CUDA the graph is captured in them."""
TOGETHER = {"cuda": 20}
"""Steps that are timed as one, 1 elsewhere: a CUDA device is waited for only after them, as in a real epoch."""


@dataclass(frozen=True)
class Timing:
    """Of one shape on this machine.

    Attributes:
        step: seconds of a training step with the gathering of its batch, median.
        spread: of the steps around it, as a share: half the distance of their quartiles.
        forward: seconds a window in validation.
        probing: seconds that `precision = "auto"` took to decide; 0 where it had been decided before.
        cpu: seconds of CPU time of a step, over all threads: less than `step` on one thread is waiting for a core.
        memory: bytes at the peak of a step; on a CPU those of the whole process, libraries included.
    """

    step: float
    spread: float
    forward: float
    probing: float
    cpu: float = 0.0
    memory: float = 0.0


def calibrate(config: RunConfig, data: PreparedData, execution: Execution, *, moment: float = MOMENT) -> Timing:
    """Times steps and validation of `config`, whose batch may be cut to what is quick enough.

    Raises:
        ConfigurationError: as `fit`, for windows longer than every engine.
    """
    stand = _Stand.of(config, data, execution)
    small = min(SMALL, config.batch_size, len(stand.training))
    decided, probing = _decide(stand, _cut(config, small))
    least, laps = stand.laps(_cut(config, small), decided, moment / 4)
    first = [lap.wall for lap in laps]
    per_window = statistics.median(first) / small
    size = min(config.batch_size, len(stand.training))
    while size > small and size * per_window > AFFORDABLE:
        size //= 2
    size = max(size, small)
    if size == config.batch_size and size > small and execution.precision is Precision.AUTO:
        decided, probing = _decide(stand, config)
    memory, laps = stand.laps(_cut(config, size), decided, moment)
    memory = _continued((small, least), (size, max(least, memory)), config.batch_size)
    timed = [lap.wall for lap in laps]
    step = _continued((small, statistics.median(first)), (size, statistics.median(timed)), config.batch_size)
    cpu = step * statistics.fmean(lap.cpu for lap in laps) / statistics.median(timed)
    probing *= config.batch_size / size
    return Timing(step, _spread(timed), stand.forward(config, decided), probing, cpu, memory)


class _Lap(NamedTuple):
    """Seconds of a step: by the clock, and of this process' CPU time."""

    wall: float
    cpu: float


def _cut(config: RunConfig, batch_size: int) -> RunConfig:
    return config.replaced(batch_size=batch_size, accumulation_steps=min(config.accumulation_steps, batch_size))


def _continued(small: tuple[int, float], large: tuple[int, float], batch_size: int) -> float:
    """Seconds or bytes of a step on `batch_size` windows, on the line through two (windows, seconds)."""
    if batch_size == large[0]:
        return large[1]
    if large[0] == small[0]:
        return large[1] * batch_size / large[0]
    slope = max(0.0, (large[1] - small[1]) / (large[0] - small[0]))
    return large[1] + slope * (batch_size - large[0])


def _spread(seconds: list[float]) -> float:
    quartiles = statistics.quantiles(seconds, n=4)
    return (quartiles[2] - quartiles[0]) / 2 / statistics.median(seconds)


def _decide(stand: "_Stand", config: RunConfig) -> tuple[Precision, float]:
    """The precision of `config` as a run would find it, and the seconds that this took."""
    if stand.execution.precision is not Precision.AUTO:
        return stand.execution.precision, 0.0
    started = time.perf_counter()
    precision = best_precision(config, stand.batches, stand.training, stand.execution)
    return precision, time.perf_counter() - started


@dataclass(frozen=True)
class _Stand:
    """The data as a run has them: rows on the device, or on the host where a DataLoader gathers; (M,) last rows."""

    data: PreparedData
    execution: Execution
    rows: EngineRows
    batches: Batches
    training: Tensor

    @classmethod
    def of(cls, config: RunConfig, data: PreparedData, execution: Execution) -> "_Stand":
        training = data.training_windows(config, config.stride)
        device, seen = execution.device, data.rows.seen_by(config)
        if choose_data_path(execution.data_path, seen, device) is DataPath.LOADER:
            loader = LoaderBatches(seen, config.window, device, execution.loader_workers)
            return cls(data, execution, seen, loader, training)
        rows = seen.to(device)
        return cls(data, execution, rows, ResidentBatches(rows, config.window), training)

    def laps(self, config: RunConfig, precision: Precision, moment: float) -> tuple[float, list[_Lap]]:
        """Bytes at the peak, and the laps of the steps, for `moment` seconds but at least `FEWEST` steps."""
        reset_peak_memory(self.execution.device)
        device, state = self.execution.device, self._state(config, precision)
        state.model.train()
        train = make_step(state, self.execution)
        together = TOGETHER.get(device.type, 1)

        def some(count: int) -> None:
            parts = [torch.randint(len(self.training), (config.batch_size,)) for _ in range(count)]
            with own_rng(state.rng, device), float32_mode(precision, device):
                for windows, rul in self.batches([self.training[part] for part in parts]):
                    state.begin_step(1000)
                    train(windows, rul)

        some(WARM_UP.get(device.type, 2))
        timed = self._timed(lambda: some(together), moment)
        return float(peak_memory(device)), [_Lap(lap.wall / together, lap.cpu / together) for lap in timed]

    def forward(self, config: RunConfig, precision: Precision) -> float:
        """Seconds a window of the pass that follows each epoch."""
        last = self.data.validation_windows(config.validation_subset).to(self.rows.features.device)
        network = self._state(config, precision).evaluated
        few = last[:SMALL]
        validate(network, self.rows, few, config.window)
        (lap, *_) = self._timed(lambda: validate(network, self.rows, few, config.window), 0.0, fewest=1)
        if lap.wall / len(few) * len(last) > AFFORDABLE:
            return lap.wall / len(few)
        laps = self._timed(lambda: validate(network, self.rows, last, config.window), 0.0)
        return statistics.median(lap.wall for lap in laps) / len(last)

    def _state(self, config: RunConfig, precision: Precision) -> RunState:
        return RunState.start(
            config, mean_rul=60.0, data_sha256=self.data.sha256, device=self.execution.device, precision=precision
        )

    def _timed(self, step: Callable[[], object], moment: float, fewest: int = FEWEST) -> list[_Lap]:
        times: list[_Lap] = []
        wait(self.execution.device)
        began = time.perf_counter()
        while len(times) < fewest or time.perf_counter() - began < moment:
            started, used = time.perf_counter(), time.process_time()
            step()
            wait(self.execution.device)
            times.append(_Lap(time.perf_counter() - started, time.process_time() - used))
        return times
