"""From a few timed shapes, or from published figures, to how long any of a study's runs takes.

A quantity that is not known exactly is an interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple, Protocol

import numpy as np

from amnl_tune.measure.plan.calibration import Timing
from amnl_tune.measure.plan.demand import Job


class Interval(NamedTuple):
    """What it is at least, what is expected, and what it is at most."""

    low: float
    expected: float
    high: float

    @classmethod
    def sure(cls, value: float) -> "Interval":
        """Without doubt."""
        return cls(value, value, value)

    @classmethod
    def around(cls, low: float, expected: float, high: float) -> "Interval":
        """Ends that came from elsewhere than the middle are moved out to hold it."""
        return cls(min(low, expected), expected, max(high, expected))

    def plus(self, other: "Interval") -> "Interval":
        """The sum of two that are low, or high, together."""
        return Interval(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: float) -> "Interval":
        """In other units; `factor` is not negative."""
        return Interval(self.low * factor, self.expected * factor, self.high * factor)

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside."""
        return self.low <= value <= self.high


PUBLISHED_WORK = 100_900_000.0
"""Multiply-adds of the published network's forward pass of a window (performance: limits)."""
FEWEST_OF_SWEEP = 0.5
"""Of a range test's iterations: it ends once the loss has diverged, seldom before the middle of the rates."""


@dataclass(frozen=True)
class Overheads:
    """Seconds around the training: of a worker's start, of each run's start and end, between two epochs."""

    start: float = 0.0
    run: float = 0.0
    epoch: float = 0.0


class Pace(Protocol):
    """How long things take on a machine where a certain number of runs are at work side by side; seconds."""

    @property
    def overheads(self) -> Overheads:
        """Around the training."""

    def epoch(self, job: Job) -> Interval:
        """Busy seconds of an epoch with its validation."""

    def deciding(self, job: Job) -> float:
        """To find the precision of a shape, once."""

    def full_pass(self, job: Job) -> float:
        """Over all validation windows, at the end of a run that is not pruned."""

    def sweep(self, job: Job, iterations: int) -> Interval:
        """An LR range test."""


class MeasuredPace:
    """This machine's.

    Args:
        measured: timings of some shapes, each with its job.
        overheads: of this machine.
    """

    def __init__(self, measured: Sequence[tuple[Job, Timing]], overheads: Overheads) -> None:
        self.timings = {job.shape: timing for job, timing in measured}
        self.overheads = overheads
        self._step = straight_line([(job.step_work, timing.step) for job, timing in measured])
        self._forward = straight_line([(job.forward_work, timing.forward) for job, timing in measured])
        self._spread = fmean(timing.spread for timing in self.timings.values())
        self._probing = fmean(timing.probing / timing.step for timing in self.timings.values())

    def epoch(self, job: Job) -> Interval:
        step, doubt = self._of_step(job)
        seconds = job.steps * step + job.validated * self._of_window(job)
        return Interval(seconds * max(0.0, 1 - doubt), seconds, seconds * (1 + doubt))

    def deciding(self, job: Job) -> float:
        known = self.timings.get(job.shape)
        return known.probing if known else self._probing * self._of_step(job)[0]

    def full_pass(self, job: Job) -> float:
        return job.at_end * self._of_window(job)

    def sweep(self, job: Job, iterations: int) -> Interval:
        seconds = iterations * self._of_step(job)[0]
        return Interval(FEWEST_OF_SWEEP * seconds, seconds, seconds)

    def _of_step(self, job: Job) -> tuple[float, float]:
        """Seconds, and the share by which they are uncertain."""
        known = self.timings.get(job.shape)
        if known:
            return known.step, known.spread
        (offset, slope), error = self._step
        return offset + slope * job.step_work, self._spread + error

    def _of_window(self, job: Job) -> float:
        known = self.timings.get(job.shape)
        if known:
            return known.forward
        (offset, slope), _ = self._forward
        return offset + slope * job.forward_work


class PublishedPace:
    """A published GPU's, with the published code.

    The figures are of the full network alone. How a smaller one would have fared they do not say: at best in proportion
    to its multiply-adds, at worst no quicker at all; expected is the geometric mean of the two.

    Args:
        seconds_a_window: of the published network in training.
    """

    overheads = Overheads()

    def __init__(self, seconds_a_window: float) -> None:
        self.seconds_a_window = seconds_a_window

    def epoch(self, job: Job) -> Interval:
        size = job.forward_work / PUBLISHED_WORK
        return Interval(min(size, 1.0), size**0.5, max(size, 1.0)).times(job.windows * self.seconds_a_window)

    def deciding(self, job: Job) -> float:
        return 0.0

    def full_pass(self, job: Job) -> float:
        return 0.0

    def sweep(self, job: Job, iterations: int) -> Interval:
        seconds = self.epoch(job).times(iterations / job.steps)
        return Interval(FEWEST_OF_SWEEP * seconds.low, seconds.expected, seconds.high)


def straight_line(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], float]:
    """(offset, slope) of positive seconds over work, both at least 0, and the root mean square of relative errors.

    Relative errors count, so that a quick shape matters as much as a slow one.
    """
    work, seconds = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    scaled = np.stack([1 / seconds, work / seconds], axis=1)
    both, *_ = np.linalg.lstsq(scaled, np.ones(len(points)), rcond=None)
    slope = float(scaled[:, 1].sum() / (scaled[:, 1] ** 2).sum())
    offset = float(scaled[:, 0].sum() / (scaled[:, 0] ** 2).sum())
    lines = [(0.0, slope), (offset, 0.0)]
    if len(set(work)) > 1 and (both >= 0).all():
        lines = [(float(both[0]), float(both[1]))]
    errors = {line: float(np.sqrt(np.mean((scaled @ np.array(line) - 1) ** 2))) for line in lines}
    best = min(lines, key=lambda line: errors[line])
    return best, errors[best]
