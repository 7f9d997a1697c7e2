"""What is said of a machine that others use too, and that what is said is measured."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from amnl_tune.measure.load import Load, Watch, delay, load_average
from amnl_tune.measure.plan.timing import calibrate
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import RunConfig
from amnl_tune.training.execution import Execution, own_threads


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (Load(0.2, 1.9, 2, 1.02), ""),
        (Load(None, None, 2, None), ""),
        (Load(4.2, 5.1, 2, 2.5), "was measured: load 4.2 before and 5.1 after, on 2 cores. Steps took 2.5 times their CPU time, so X2.5."),
        (Load(4.2, 5.1, 2, 1.1), "not idle: load 4.2 before and 5.1 after, on 2 cores; what was measured hardly had to wait."),
        (Load(4.2, 5.1, 2, None), "was measured: load 4.2 before and 5.1 after, on 2 cores; idle it is quicker."),
        (Load(0.1, 2.0, 2, 3.0), "Steps took 3.0 times their CPU time"),  # the last minute's mean comes late
        (Load(None, None, 2, 3.0), "This machine was busy while it was measured. Steps took 3.0 times their CPU time"),
    ],
)  # fmt: skip
def test_a_busy_machine_is_told(load: Load, said: str) -> None:
    words = load.words(lambda times: f"X{times}")
    assert load.busy == bool(said)
    assert said in words
    assert load.plain()["busy"] is load.busy


def test_cpu_time_is_measured_beside_wall_time(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    """Beside more busy processes than there are cores, steps take longer by the clock and as long by their CPU time."""
    watch = Watch()
    with own_threads(1), busy_processes(3 * (os.cpu_count() or 1)):
        beside, computing = calibrate(tiny_config, tiny_data, Execution(), moment=1.5), delay(1.0)
        load = watch.ended()
    assert load_average() is not None
    assert beside.cpu > 0
    assert beside.step > beside.cpu / 2
    assert computing > 1.25
    assert load.busy  # seen after the measurement, though the machine may have been idle before it
    assert watch.ended(on_gpu=True).delay is None
    assert (watch.ended(9.0).delay or 0.0) >= 9.0


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    ready = context.Semaphore(0)
    processes = [context.Process(target=_compute, args=(ready,), daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        for _ in processes:
            assert ready.acquire(timeout=120)
        yield
    finally:
        for process in processes:
            process.kill()
            process.join(60)


def _compute(ready: Any) -> None:
    ready.release()
    while time.monotonic() > 0:
        pass
