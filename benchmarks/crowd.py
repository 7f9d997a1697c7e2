"""Worker processes that report at once."""

import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.storage_arms import Arm, Ours

__all__ = ["EPOCHS", "LONGEST", "Crowd", "Told"]

EPOCHS = 100
"""Of a trial: long enough that nobody needs a second one."""
LONGEST = 10.0
"""Seconds that workers report for."""


@dataclass(frozen=True)
class Task:
    """What a worker does.

    Attributes:
        place: where the arm's storage is.
        pace: seconds from one report to the next; 0: as fast as it is answered.
        until: seconds that it goes on for.
        struck: the first failure ends it quietly: the server is to be struck down.
    """

    arm: Arm
    place: str
    pace: float
    until: float
    struck: bool


@dataclass(frozen=True)
class Told:
    """What one worker saw.

    Attributes:
        latencies: seconds of each acknowledged report, in order. ended: `time.monotonic()` after the last one.
        run: our key of its trial; None in an arm of Optuna's.
    """

    latencies: list[float]
    ended: float
    run: int | None


def work(task: Task, start: Any, told: Any) -> None:
    """A worker process: its report of epoch 1 opens connections and compiles statements; the others are timed."""
    reporting, rng = task.arm(task.place), random.Random(os.getpid())
    reporting.begin()
    reporting.report(1, 30.0)
    start.wait()
    began, latencies = time.monotonic(), list[float]()
    time.sleep(rng.random() * task.pace)
    for number in range(2, EPOCHS + 1):
        before = time.monotonic()
        if before - began > task.until:
            break
        try:
            reporting.report(number, 12.0 + 10.0 / number + 10.0 * rng.random())
        except Exception:
            if task.struck:
                break
            raise
        latencies.append(time.monotonic() - before)
        time.sleep(max(0.0, task.pace - latencies[-1]))
    run = reporting.lease.run if isinstance(reporting, Ours) else None
    told.put(Told(latencies, time.monotonic(), run))


class Crowd:
    """Starts worker processes quickly: the imports are made once."""

    def __init__(self) -> None:
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)  # the fork server's
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["benchmarks.crowd"])

    def work(
        self,
        arm: Arm,
        place: str,
        workers: int,
        *,
        pace: float = 0.0,
        until: float = LONGEST,
        strike: Callable[[], None] | None = None,
    ) -> tuple[list[Told], float]:
        """What they tell, and `time.monotonic()` when they began; `strike` is called right after that."""
        start, told = self._context.Barrier(workers + 1), self._context.Queue()
        task = Task(arm, place, pace, until, struck=strike is not None)
        processes = [self._context.Process(target=work, args=(task, start, told)) for _ in range(workers)]
        for process in processes:
            process.start()
        start.wait(600)
        began = time.monotonic()
        if strike:
            strike()
        answers = [told.get(timeout=600) for _ in processes]
        for process in processes:
            process.join()
        return answers, began
