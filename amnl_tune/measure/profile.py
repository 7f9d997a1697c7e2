"""Where an epoch's time goes: the real loop over real batches, every phase timed.

Notation: B batch, M training windows.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from amnl_tune.training.precision import float32_mode
from amnl_tune.training.state import RunState, own_rng
from amnl_tune.training.step import GraphedStep, Step, make_step, why_not_graphed
from amnl_tune.training.timing import peak_memory, reset_peak_memory, wait

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
        peak_memory: bytes, as `gauges.peak_memory`.
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
    reset_peak_memory(execution.device)
    run = _Run(config, data, execution, precision)
    run.loop(WARM_UP.get(execution.device.type, 2), _Laps(execution.device))
    laps, parts, per_second = run.measure(steps)
    used = peak_memory(execution.device)
    if trace:
        run.trace(trace)
    count = -(-len(run.engines.training) // config.batch_size)
    step = statistics.median(laps.taken["step"])
    return EpochProfile(
        phases=Phases(
            forward=step * parts["forward"] * count,
            backward=step * (1 - parts["forward"]) * count,
            data=statistics.median(laps.taken["data"]) * count,
            validation=run.validation(),
            other=statistics.median(laps.taken["other"]) * count + run.between_epochs(),
        ),
        optimizer=step * parts["optimizer"] * count,
        steps=steps,
        steps_an_epoch=count,
        windows=len(run.engines.training),
        samples_per_second=per_second,
        peak_memory=used,
        no_graph=why_not_graphed(run.state, execution),
    )


class _Laps:
    """A stopwatch: each lap ends where the next begins, so that together they are the whole time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.taken: defaultdict[str, list[float]] = defaultdict(list)
        self.begin()

    def begin(self) -> None:
        wait(self.device)
        self.last = time.perf_counter()

    def end(self, name: str) -> None:
        before = self.last
        self.begin()
        self.taken[name].append(self.last - before)


class _Run:
    """A fresh run between two of its steps."""

    def __init__(self, config: RunConfig, data: PreparedData, execution: Execution, precision: Precision) -> None:
        self.config, self.data, self.execution, self.device = config, data, execution, execution.device
        self.engines = Engines.of(config, data, execution)
        self.precision = precision
        self.state = self.fresh_state()
        self.step: Step | GraphedStep = make_step(self.state, execution)

    def fresh_state(self) -> RunState:
        mean = float(self.data.rows.rul[self.engines.training].mean())
        state = RunState.start(
            self.config, mean_rul=mean, data_sha256=self.data.sha256, device=self.device, precision=self.precision
        )
        state.model.train()
        return state

    def measure(self, steps: int) -> tuple[_Laps, dict[str, float], float]:
        """Laps of the real step, the shares of its parts, and training windows a second."""
        laps, started = _Laps(self.device), time.perf_counter()
        if isinstance(self.step, Step):
            parts = self.parts_of_steps(steps, laps)
            seconds = time.perf_counter() - started
        else:  # what happens inside a graph cannot be timed: the same step goes eagerly for its proportions
            self.loop(steps, None)
            wait(self.device)
            seconds = time.perf_counter() - started
            self.loop(steps, laps)
            graphed = self.state, self.step
            self.state = self.fresh_state()
            self.step = Step(self.state)
            self.loop(WARM_UP[self.device.type], None)
            parts = self.parts_of_steps(steps, _Laps(self.device))
            self.state, self.step = graphed
        return laps, parts, steps * self.config.batch_size / seconds

    def parts_of_steps(self, steps: int, laps: _Laps) -> dict[str, float]:
        """Shares of the forward passes and of the optimiser in the steps' time."""
        with _inner_laps(self.state, self.device) as inner:
            self.loop(steps, laps)
        return {name: sum(inner.taken[name]) / sum(laps.taken["step"]) for name in ("forward", "optimizer")}

    def loop(self, steps: int, laps: _Laps | None) -> None:
        """As `fit` trains, on full batches."""
        total = torch.zeros(2, device=self.device)
        with own_rng(self.state.rng, self.device), float32_mode(self.precision, self.device):
            batches = iter(self.engines.batches(self.parts(steps)))
            if laps:
                laps.begin()
            for _ in range(steps):
                windows, rul = next(batches)
                if laps:
                    laps.end("data")
                self.state.begin_step(1000)
                if laps:
                    laps.end("other")
                terms = self.step(windows, rul)
                if laps:
                    laps.end("step")
                total += terms
            del batches

    def parts(self, count: int) -> list[Tensor]:
        """Last rows of `count` full batches, shuffled epoch after epoch."""
        parts: list[Tensor] = []
        while len(parts) < count:
            batches = self.shuffled()
            parts += [batch for batch in batches if len(batch) == self.config.batch_size]
        return parts[:count]

    def shuffled(self) -> tuple[Tensor, ...]:
        training = self.engines.training
        order = torch.randperm(len(training), generator=self.state.order)
        return torch.split(training[order], self.config.batch_size)

    def validation(self) -> float:
        """Seconds of the pass that follows every epoch."""
        engines, model = self.engines, self.state.evaluated
        return self.timed(lambda: validate(model, engines.rows, engines.validation, self.config.window))

    def between_epochs(self) -> float:
        """Seconds for shuffling and for keeping the best weights."""
        self.state.best_rmse = float("inf")
        return self.timed(self.shuffled) + self.timed(lambda: self.state.observe(0.0), times=1)

    def timed(self, action: Callable[[], Any], times: int = VALIDATIONS) -> float:
        """Median seconds; where it is done several times, the first one does not count."""
        laps = _Laps(self.device)
        for _ in range(times + (times > 1)):
            laps.begin()
            action()
            laps.end("action")
        return statistics.median(laps.taken["action"][-times:])

    def trace(self, path: Path) -> None:
        """Some steps as torch.profiler sees them."""
        kinds = [torch.profiler.ProfilerActivity.CPU]
        if self.device.type == "cuda":
            kinds.append(torch.profiler.ProfilerActivity.CUDA)
        with torch.profiler.profile(activities=kinds, acc_events=True) as found:
            self.loop(TRACED, None)
            wait(self.device)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("ab").close()  # torch itself only logs a folder that refuses
            found.export_chrome_trace(str(path))


@contextmanager
def _inner_laps(state: RunState, device: torch.device) -> Iterator[_Laps]:
    """Within it, forward passes (of a step in several parts, several) and the optimiser are timed."""
    laps, model = _Laps(device), state.model

    def timed(function: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        def measured(x: Tensor) -> Any:
            laps.begin()
            answer = function(x)
            laps.end("forward")
            return answer

        return measured

    hooks = [
        state.optimizer.register_step_pre_hook(lambda *_: laps.begin()),
        state.optimizer.register_step_post_hook(lambda *_: laps.end("optimizer")),
    ]
    for name in ("encode", "decode"):
        setattr(model, name, timed(getattr(model, name)))
    try:
        yield laps
    finally:
        for name in ("encode", "decode"):
            delattr(model, name)
        for hook in hooks:
            hook.remove()
