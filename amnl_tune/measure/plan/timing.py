"""How long training takes here, from a moment of the real thing: a study's own steps and validation."""

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import torch

from amnl_tune.host import threads_for
from amnl_tune.measure.plan.demand import Demand, Job, representative, shape_of
from amnl_tune.measure.plan.pace import MeasuredPace, Timing
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.evaluation import validate
from amnl_tune.training.execution import Execution, freed_memory_kept, own_threads
from amnl_tune.training.fit import Engines
from amnl_tune.training.probe import FreshRun, best_precision
from amnl_tune.training.timing import (
    Lap,
    lap,
    median_wall,
    peak_memory,
    reset_peak_memory,
    resident_memory,
    take_turns,
)

SHAPES = 6
"""At most, for each number of threads: the others lie on the line through these."""
FEWEST_SHAPES, SECONDS = 2, 5.0
"""After so many shapes, no further one is begun that many seconds after the first."""
MOMENT = 0.4
"""Seconds for which steps of one shape are timed, with at least `FEWEST` laps."""
FEWEST, MOST = 3, 10_000
SMALL = 16
"""Windows of the first steps: they tell whether the whole batch can be afforded."""
AFFORDABLE = 0.5
"""Seconds that a timed step may take: of a larger batch a part is timed, where a step is all proportional work."""
TOGETHER = {"cuda": 20}
"""Steps of a lap, 1 elsewhere: a CUDA device is waited for only after them, as in a real epoch."""


def calibrate(config: RunConfig, data: PreparedData, execution: Execution, *, moment: float = MOMENT) -> Timing:
    """Times steps and validation of `config`, whose batch may be cut to what is quick enough.

    Raises:
        ConfigurationError: as `fit`, for windows longer than every engine.
    """
    engines = Engines.of(_cut(config, 1), data, execution)
    windows = len(engines.training)
    auto = execution.precision is Precision.AUTO
    precision = Precision.FP32 if auto else execution.precision
    size = small = min(SMALL, config.batch_size, windows)
    if size < min(config.batch_size, windows):
        a_window = median_wall(_steps(_cut(config, small), engines, execution, precision, moment / 4)) / small
        size = max(small, min(config.batch_size, windows, int(AFFORDABLE / a_window)))
    probing = 0.0
    if auto:
        began = time.perf_counter()
        precision = best_precision(_cut(config, size), engines.batches, engines.training, execution)
        probing = time.perf_counter() - began
    before = resident_memory(execution.device)
    reset_peak_memory(execution.device)
    laps = _steps(_cut(config, size), engines, execution, precision, moment)
    taken = peak_memory(execution.device) - before
    quartiles = statistics.quantiles((one.wall for one in laps), n=4)
    step, whole = median_wall(laps), config.batch_size / size
    return Timing(
        step=step * whole,
        spread=(quartiles[2] - quartiles[0]) / 2 / step,
        forward=_forward(config, engines, execution, precision),
        probing=probing * whole,
        cpu=fmean(one.cpu for one in laps) * whole,
        memory=before + max(0, taken) * whole,
    )


def _cut(config: RunConfig, batch_size: int) -> RunConfig:
    return config.replaced(batch_size=batch_size, accumulation_steps=min(config.accumulation_steps, batch_size))


def _steps(config: RunConfig, engines: Engines, execution: Execution, precision: Precision, moment: float) -> list[Lap]:
    """Laps of a step, for `moment` seconds."""
    run, training = FreshRun(config, execution, precision), engines.training
    together = TOGETHER.get(execution.device.type, 1)

    def some() -> None:
        drawn = [torch.randint(len(training), (config.batch_size,)) for _ in range(together)]
        run.train(engines.batches([training[places] for places in drawn]))

    laps = take_turns({"": some}, execution.device, rounds=MOST, warm_up=2, fewest=FEWEST, seconds=moment)[""]
    return [Lap(one.wall / together, one.cpu / together) for one in laps]


def _forward(config: RunConfig, engines: Engines, execution: Execution, precision: Precision) -> float:
    """Seconds a window of the pass that follows each epoch."""
    network = FreshRun(config, execution, precision).state.evaluated

    def scored(count: int) -> Callable[[], float]:
        return lambda: validate(network, engines.rows, engines.validation[:count], config.window)

    few = min(SMALL, len(engines.validation))
    first = lap(scored(few), execution.device).wall
    count = min(len(engines.validation), max(few, int(few * AFFORDABLE / first)))
    return median_wall(take_turns({"": scored(count)}, execution.device, rounds=FEWEST)[""]) / count


def measure_paces(
    spec: StudySpec, demand: Demand, data: PreparedData, execution: Execution, counts: Sequence[int]
) -> dict[int, MeasuredPace]:
    """By the number of workers side by side: on a CPU each with its share of the cores, on GPUs with its share of one.

    Raises:
        ConfigurationError: as `fit`.
    """
    on_gpu = execution.device.type == "cuda"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", "import amnl_tune.search.worker"], check=False, capture_output=True)
    start = time.perf_counter() - began
    gpus = max(1, torch.cuda.device_count()) if execution.device.index is None else 1
    known: dict[int, list[tuple[Job, Timing]]] = {}
    paces = {}
    with freed_memory_kept():  # as in a worker
        for count in counts:
            fitting = threads_for(1 if on_gpu else count)
            threads = min(spec.hardware.threads_per_worker or fitting, fitting)
            if threads not in known:
                with own_threads(threads):
                    known[threads] = _timed(demand, data, execution)
            sharing = math.ceil(count / gpus) if on_gpu else 1
            paces[count] = MeasuredPace(known[threads], start, sharing=sharing, threads=threads)
    return paces


def _timed(demand: Demand, data: PreparedData, execution: Execution) -> list[tuple[Job, Timing]]:
    measured: list[tuple[Job, Timing]] = []
    began = time.monotonic()
    for config in representative(demand, SHAPES):
        if len(measured) >= FEWEST_SHAPES and time.monotonic() - began > SECONDS:
            break
        measured.append((demand.jobs[shape_of(config)], calibrate(config, data, execution)))
    return measured


def waited(paces: Mapping[int, MeasuredPace], workers: int) -> float | None:
    """By how many times steps of so many workers were slower than one thread's on an idle machine; None: not known.

    An idle machine's step takes one thread its CPU time, and several threads no longer. Beside other processes several
    wait for each other too, at every kernel: that can be a hundred times as long.
    """
    alone, own = paces[max(paces)], paces[min(count for count in paces if count >= workers)]
    if alone.threads > 1:
        return None
    shapes = alone.timings.keys() & own.timings.keys()
    return fmean(own.timings[shape].step / max(alone.timings[shape].cpu, 1e-9) for shape in shapes)
