"""Where an epoch's time goes: the real loop over real batches, every phase timed.

Notation: B batch, M training windows.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from amnl_tune.files import writing
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.evaluation import validate
from amnl_tune.training.execution import Execution
from amnl_tune.training.fit import Engines
from amnl_tune.training.probe import FreshRun
from amnl_tune.training.state import RunState
from amnl_tune.training.step import Step, why_not_graphed
from amnl_tune.training.timing import Stopwatch, lap, median_wall, peak_memory, reset_peak_memory, take_turns, wait

WARM_UP = {"cuda": 6}
"""Untimed steps, 2 elsewhere: on CUDA the graph is captured in them."""
VALIDATIONS = 3
TRACED = 3
"""Steps in a trace: more of the same would only make the file larger."""


@dataclass(frozen=True)
class Phases:
    """Seconds of an epoch.

    Attributes:
        forward: the network alone. backward: loss, gradients, clip, optimiser, weight EMA.
        data: waiting for batches. validation: the pass after the epoch.
        other: shuffling, learning rate, sums of losses, keeping the best weights.
    """

    forward: float
    backward: float
    data: float
    validation: float
    other: float

    @property
    def total(self) -> float:
        """Of the epoch."""
        return float(sum(vars(self).values()))

    def shares(self) -> dict[str, float]:
        """Of the epoch, by phase; their sum is 1."""
        return {name: seconds / self.total for name, seconds in vars(self).items()}


@dataclass(frozen=True)
class EpochProfile:
    """What was measured.

    Attributes:
        phases: of an epoch, from the medians of the measured steps.
        optimizer: seconds of an epoch in the optimiser, a part of `phases.backward`.
        steps: measured. steps_an_epoch, windows: of an epoch; windows is M.
        samples_per_second: training windows in the loop as it is, without waiting for the device between phases.
        peak_memory: bytes, as `timing.peak_memory`.
        no_graph: why the step is no CUDA graph; None: it is one.
    """

    phases: Phases
    optimizer: float
    steps: int
    steps_an_epoch: int
    windows: int
    samples_per_second: float
    peak_memory: int
    no_graph: str | None


def profile_epoch(
    config: RunConfig,
    data: PreparedData,
    execution: Execution,
    *,
    precision: Precision,
    steps: int,
    trace: Path | None = None,
) -> EpochProfile:
    """Trains `steps` steps of a fresh run and validates it; its own random numbers, nobody else's.

    Args:
        config: of the run. data: its engines. execution: where and how, but for the precision.
        precision: not `auto`.
        steps: to measure, after a few untimed ones.
        trace: file for a Chrome trace (torch.profiler) of a few further steps.

    Raises:
        ConfigurationError: as `fit`. StorageError: the trace cannot be written.
    """
    device, engines = execution.device, Engines.of(config, data, execution)
    reset_peak_memory(device)
    loop = _Loop(config, data, engines, execution, precision)
    loop.train(WARM_UP.get(device.type, 2))
    watch, inner = Stopwatch(device), Stopwatch(device)
    if isinstance(loop.run.step, Step):
        with _inner_parts(loop.run.state, inner):
            seconds = lap(lambda: loop.train(steps, watch), device).wall
        whole = sum(watch.taken["step"])
    else:  # what happens inside a graph cannot be timed: the same step goes eagerly for its proportions
        seconds = lap(lambda: loop.train(steps), device).wall
        loop.train(steps, watch)
        eager = _Loop(config, data, engines, replace(execution, cuda_graph=False), precision)
        eager.train(WARM_UP[device.type])
        outer = Stopwatch(device)
        with _inner_parts(eager.run.state, inner):
            eager.train(steps, outer)
        whole = sum(outer.taken["step"])
    used = peak_memory(device)
    if trace:
        _trace(loop, trace)
    count = -(-len(engines.training) // config.batch_size)
    step = statistics.median(watch.taken["step"]) * count
    forward, optimizer = (sum(inner.taken[part]) / whole for part in ("forward", "optimizer"))
    return EpochProfile(
        phases=Phases(
            forward=step * forward,
            backward=step * (1 - forward),
            data=statistics.median(watch.taken["data"]) * count,
            validation=loop.validation(),
            other=loop.between_epochs(),
        ),
        optimizer=step * optimizer,
        steps=steps,
        steps_an_epoch=count,
        windows=len(engines.training),
        samples_per_second=steps * config.batch_size / seconds,
        peak_memory=used,
        no_graph=why_not_graphed(loop.run.state, execution),
    )


class _Loop:
    """A fresh run that trains as `fit` does, on full batches."""

    def __init__(
        self, config: RunConfig, data: PreparedData, engines: Engines, execution: Execution, precision: Precision
    ) -> None:
        self.config, self.engines, self.device = config, engines, execution.device
        mean = float(data.rows.rul[engines.training].mean())
        self.run = FreshRun(config, execution, precision, mean_rul=mean)

    def train(self, steps: int, watch: Stopwatch | None = None) -> None:
        """So many steps, shuffled epoch after epoch; `watch` gets the parts `data` and `step` of each."""
        parts: list[Tensor] = []
        while len(parts) < steps:
            parts += [batch for batch in self.shuffled() if len(batch) == self.config.batch_size]
        batches: Iterable[Sequence[Tensor]] = self.engines.batches(parts[:steps])
        self.run.train(_watched(batches, watch) if watch else batches)

    def shuffled(self) -> tuple[Tensor, ...]:
        """(B,) last rows of an epoch's batches."""
        training = self.engines.training
        order = torch.randperm(len(training), generator=self.run.state.order)
        return torch.split(training[order], self.config.batch_size)

    def validation(self) -> float:
        """Seconds of the pass that follows every epoch."""
        engines, model = self.engines, self.run.state.evaluated
        return self._median(lambda: validate(model, engines.rows, engines.validation, self.config.window))

    def between_epochs(self) -> float:
        """Seconds for shuffling and for keeping the best weights."""
        self.run.state.best_rmse = float("inf")
        return self._median(self.shuffled) + lap(lambda: self.run.state.observe(0.0), self.device).wall

    def _median(self, action: Callable[[], object]) -> float:
        return median_wall(take_turns({"": action}, self.device, rounds=VALIDATIONS)[""])


def _watched(batches: Iterable[Sequence[Tensor]], watch: Stopwatch) -> Iterator[Sequence[Tensor]]:
    """Whoever asks for the next batch has done a step on the last one."""
    watch.begin()
    for batch in batches:
        watch.end("data")
        yield batch
        watch.end("step")


def _trace(loop: _Loop, path: Path) -> None:
    """Some steps as torch.profiler sees them."""
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if loop.device.type == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds, acc_events=True) as found:
        loop.train(TRACED)
        wait(loop.device)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()  # torch itself only logs a folder that refuses
        found.export_chrome_trace(str(path))


@contextmanager
def _inner_parts(state: RunState, watch: Stopwatch) -> Iterator[None]:
    """Within it, forward passes (of a step in several parts, several) and the optimiser are timed."""
    model = state.model

    def timed(function: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        def measured(x: Tensor) -> Any:
            watch.begin()
            answer = function(x)
            watch.end("forward")
            return answer

        return measured

    hooks = [
        state.optimizer.register_step_pre_hook(lambda *_: watch.begin()),
        state.optimizer.register_step_post_hook(lambda *_: watch.end("optimizer")),
    ]
    for name in ("encode", "decode"):
        setattr(model, name, timed(getattr(model, name)))
    try:
        yield
    finally:
        for name in ("encode", "decode"):
            delattr(model, name)
        for hook in hooks:
            hook.remove()
