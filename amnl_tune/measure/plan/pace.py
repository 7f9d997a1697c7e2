"""From a few timed shapes, or from published figures, to how long any of a study's runs takes.

A quantity that is not known exactly is an interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

import numpy as np

from amnl_tune.measure.plan.demand import Job

PUBLISHED_WORK = 100_900_000.0
"""Multiply-adds of the published network's forward pass of a window (performance: limits)."""


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
        return Interval(*(mine + its for mine, its in zip(self, other, strict=True)))

    def times(self, factor: float) -> "Interval":
        """In other units; `factor` is not negative."""
        return Interval(self.low * factor, self.expected * factor, self.high * factor)

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside."""
        return self.low <= value <= self.high


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


class MeasuredPace:
    """This machine's, with so many workers at work side by side.

    Args:
        measured: timings of some shapes, each with its job.
        start: seconds of a worker's start.
        sharing: workers on one GPU; how they hold each other up is not measured: at best not at all, at worst each
            waits for all others; expected is the geometric mean of the two.
        threads: of each worker.
    """

    def __init__(
        self, measured: Sequence[tuple[Job, Timing]], start: float = 0.0, *, sharing: int = 1, threads: int = 1
    ) -> None:
        self.timings = {job.shape: timing for job, timing in measured}
        self.start, self.sharing, self.threads = start, sharing, threads
        self._step = straight_line([(job.step_work, timing.step) for job, timing in measured])
        self._forward = straight_line([(job.forward_work, timing.forward) for job, timing in measured])
        self._spread = fmean(timing.spread for timing in self.timings.values())
        self._probing = fmean(timing.probing / timing.step for timing in self.timings.values())

    def step(self, job: Job) -> Interval:
        """Seconds of a training step."""
        known = self.timings.get(job.shape)
        (offset, slope), error = self._step
        seconds = known.step if known else offset + slope * job.step_work
        doubt = known.spread if known else self._spread + error
        return Interval(
            seconds * max(0.0, 1 - doubt), seconds * self.sharing**0.5, seconds * (1 + doubt) * self.sharing
        )

    def window(self, job: Job) -> float:
        """Seconds of a window in validation."""
        known = self.timings.get(job.shape)
        (offset, slope), _ = self._forward
        return known.forward if known else offset + slope * job.forward_work

    def probing(self, job: Job) -> float:
        """Seconds to find the precision of a shape, once."""
        known = self.timings.get(job.shape)
        return known.probing if known else self._probing * self.step(job).expected


class PublishedPace:
    """A published GPU's, with the published code; validation is in its steps.

    The figures are of the full network alone. How a smaller one would have fared they do not say: at best in proportion
    to its multiply-adds, at worst no quicker at all; expected is the geometric mean of the two.

    Args:
        seconds_a_window: of the published network in training.
    """

    start = 0.0

    def __init__(self, seconds_a_window: float) -> None:
        self.seconds_a_window = seconds_a_window

    def step(self, job: Job) -> Interval:
        """Seconds of a training step."""
        size = job.forward_work / PUBLISHED_WORK
        return Interval(min(size, 1.0), math.sqrt(size), max(size, 1.0)).times(
            job.windows / job.steps * self.seconds_a_window
        )

    def window(self, job: Job) -> float:
        """Not published."""
        return 0.0

    def probing(self, job: Job) -> float:
        """The publication decided by hand."""
        return 0.0


Pace = MeasuredPace | PublishedPace


def epoch_of(pace: Pace, job: Job) -> Interval:
    """Busy seconds of an epoch with its validation."""
    return pace.step(job).times(job.steps).plus(Interval.sure(job.validated * pace.window(job)))


def straight_line(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], float]:
    """(offset, slope) of positive seconds over work, both at least 0, and the root mean square of relative errors.

    Relative errors count, so that a quick shape matters as much as a slow one.
    """
    work, seconds = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    scaled = np.stack([1 / seconds, work / seconds], axis=1)
    both, *_ = np.linalg.lstsq(scaled, np.ones(len(points)), rcond=None)
    offset, slope = scaled.sum(axis=0) / (scaled**2).sum(axis=0)
    lines = [(0.0, float(slope)), (float(offset), 0.0)]
    if len(set(work)) > 1 and (both >= 0).all():
        lines = [(float(both[0]), float(both[1]))]
    errors = {line: float(np.sqrt(np.mean((scaled @ np.array(line) - 1) ** 2))) for line in lines}
    best = min(lines, key=lambda line: errors[line])
    return best, errors[best]
