"""This machine, tried for a moment: shapes of a study timed in worker processes that really work side by side."""

import multiprocessing
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Any

import torch

from amnl_tune.artifacts import Artifacts
from amnl_tune.errors import AmnlTuneError, StudyError
from amnl_tune.host import threads_for
from amnl_tune.measure.plan.calibration import Timing, calibrate
from amnl_tune.rul.preparation import cached_prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import execution_of
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig
from amnl_tune.training.execution import keep_freed_memory

PATIENCE = 300.0
"""Seconds after which a process that says nothing counts as stuck."""


@dataclass(frozen=True)
class Station:
    """What a worker process needs to train as the study's workers would."""

    spec: StudySpec
    directories: tuple[Path, ...]
    home: Path
    device: str


class Rehearsal:
    """So many worker processes, started once; `time` lets some of them train at once.

    Args:
        station: of each.
        most: processes.
    """

    def __init__(self, station: Station, most: int) -> None:
        self.station, self.most = station, most
        self.start_seconds = 0.0
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []

    def __enter__(self) -> "Rehearsal":
        context = multiprocessing.get_context("spawn")
        started = time.perf_counter()
        for _ in range(self.most):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(self.station, there), daemon=False)
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)
        for index in range(self.most):
            self._answer(index)
        self.start_seconds = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.send(None)
            pipe.close()
        for process in self._processes:
            process.join(1.0 if error else PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()

    def time(self, config: RunConfig, side_by_side: int) -> Timing:
        """Mean over `side_by_side` processes that train `config` at once, each with its share of the cores.

        Raises:
            AmnlTuneError: as they did. StudyError: one of them has died.
        """
        fitting = threads_for(side_by_side)
        threads = min(self.station.spec.hardware.threads_per_worker or fitting, fitting)
        for pipe in self._pipes[:side_by_side]:
            with suppress(OSError):  # its process has died: it will not answer either
                pipe.send((config, threads))
        return _mean([self._answer(index) for index in range(side_by_side)])

    def _answer(self, index: int) -> Any:
        """Of one process. Raises AmnlTuneError as it did; StudyError if it has died, or says nothing."""
        pipe, process = self._pipes[index], self._processes[index]
        reason = f"one of them has said nothing for {PATIENCE:.0f} s"
        try:
            answer = pipe.recv() if pipe.poll(PATIENCE) else None
        except (EOFError, OSError):
            process.join(PATIENCE)
            answer, reason = None, f"one of them has ended with exit code {process.exitcode}"
        if answer is None:
            raise StudyError(
                f"Processes must be able to train side by side here, but {reason}; free memory, or lower "
                "`hardware.workers`"
            )
        if isinstance(answer, AmnlTuneError):
            raise answer
        return answer


def _mean(timings: Sequence[Timing]) -> Timing:
    return Timing(**{field.name: fmean(getattr(timing, field.name) for timing in timings) for field in fields(Timing)})


def _work(station: Station, pipe: Connection) -> None:
    """A process: everything that a worker imports and opens, then timings until there is nothing more to do."""
    try:
        keep_freed_memory()  # as a worker does
        spec = station.spec
        fleet = FleetSource(station.directories).training(spec.data.dataset)
        config = spec.run_config(spec.incumbent_parameters())
        data = cached_prepare(fleet, config, Artifacts(station.home).prepared)
        execution = execution_of(spec.hardware, home=station.home, device=station.device)
        pipe.send("ready")
        while (order := pipe.recv()) is not None:
            config, threads = order
            torch.set_num_threads(threads)
            pipe.send(calibrate(config, data, execution))
    except AmnlTuneError as error:
        pipe.send(error)
    except (EOFError, KeyboardInterrupt):  # whoever asked has gone
        return
