"""From demand and pace to wall time, accelerator hours and money, and which limit ends the search first.

Plain arithmetic on what was measured.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from amnl_tune.measure.plan.demand import Demand, Job
from amnl_tune.measure.plan.pace import Interval, Pace, epoch_of
from amnl_tune.measure.plan.run_lengths import Lengths, Z
from amnl_tune.studies.spec import StudySpec

FEWEST_OF_SWEEP = 0.5
"""Of a range test's iterations: it ends once the loss has diverged, seldom before the middle of the rates."""


@dataclass(frozen=True)
class Machine:
    """Where a study might run.

    Attributes:
        name: of the kind of machine. workers: that it is asked to have.
        at_once: that really work side by side: no more than cores. pace: of one of as many.
        accelerators: that each run occupies. price_per_hour: of each; None: unknown.
        ddp: how many times as fast one promoted run is on all workers' GPUs together; None: it is not tried.
        note: what the reader should know.
    """

    name: str
    workers: int
    at_once: int
    pace: Callable[[int], Pace]
    accelerators: int = 1
    price_per_hour: float | None = None
    ddp: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Phase:
    """Epochs over all runs, wall seconds, busy seconds over all accelerators."""

    epochs: Interval
    wall: Interval
    busy: Interval

    def plus(self, other: "Phase") -> "Phase":
        """One after the other."""
        return Phase(self.epochs.plus(other.epochs), self.wall.plus(other.wall), self.busy.plus(other.busy))

    def shortened(self, shares: Interval) -> "Phase":
        """Only a part of it: what a budget leaves of the least, the expected and the most."""
        return Phase(
            *(
                Interval.around(*(value * share for value, share in zip(quantity, shares, strict=True)))
                for quantity in (self.epochs, self.wall, self.busy)
            )
        )


@dataclass(frozen=True)
class Estimate:
    """Of a study on a machine, before its budget is looked at.

    Attributes:
        range_test: on one accelerator, before the workers start.
        search, promotion: with the start of their workers.
        promotion_by_ddp: with each run on all GPUs, one after the other; None: not tried.
    """

    machine: Machine
    range_test: Phase
    search: Phase
    promotion: Phase
    promotion_by_ddp: Phase | None


def estimate(demand: Demand, machine: Machine) -> Estimate:
    """What the study takes on `machine`, if no budget but that of trials ends it."""
    workers = min(machine.at_once, demand.trials)
    sweep = machine.pace(1).step(demand.incumbent).times(demand.range_test)
    nothing = Interval.sure(0.0)
    range_test = Phase(nothing, sweep._replace(low=FEWEST_OF_SWEEP * sweep.low), nothing)
    first = [demand.incumbent] * min(2 if demand.range_test else 1, demand.trials)
    search = _phase(demand.trial_lengths, first, demand.drawn, machine, workers)
    promotion, ddp = Phase(nothing, nothing, nothing), None
    if demand.promotions[1]:
        both = demand.promotions[1] > demand.promotions[0]
        known = [demand.promoted_incumbent] * (demand.seeds if both else 0)

        def full(side_by_side: int) -> Phase:
            return _phase(demand.full_lengths, known, demand.promoted, machine, side_by_side, pruned=False)

        promotion = full(min(machine.at_once, demand.promotions[1] * demand.seeds))
        if machine.ddp:  # quicker by the published factor, and every GPU is busy meanwhile
            alone = full(1)
            busy = alone.busy.times(machine.workers / machine.ddp)
            ddp = Phase(alone.epochs, alone.wall.times(1 / machine.ddp), busy)
    return Estimate(machine, range_test, search, promotion, ddp)


def makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last of these runs ends, if each worker takes the next one as soon as it is free."""
    free = [0.0] * min(workers, max(1, len(seconds)))
    for taken in seconds:
        heapq.heapreplace(free, free[0] + taken)
    return max(free)


def _phase(
    lengths: Lengths, known: Sequence[Job], drawn: Sequence[Job], machine: Machine, workers: int, *, pruned: bool = True
) -> Phase:
    """Runs of `known` jobs first, then of the mean of the `drawn` ones, which is uncertain where there are few runs.

    One that is pruned has no full validation pass; how many are is as uncertain as their lengths.
    """
    pace, others = machine.pace(workers), max(1, len(lengths.most) - len(known))
    epochs = np.array([epoch_of(pace, job) for job in drawn])
    doubt = Z * epochs[:, 1].std() / math.sqrt(others)
    typical = np.maximum(epochs.mean(axis=0) + doubt * np.array([-1, 0, 1]), epochs.min(axis=0))
    seconds = [*(epoch_of(pace, job) for job in known), *[Interval(*map(float, typical))] * others]
    at_end = fmean(job.at_end * pace.window(job) for job in drawn)
    shapes = {job.shape: job for job in [*known, *drawn][: len(lengths.most)]}
    deciding = fmean(pace.probing(job) for job in shapes.values()) * len(shapes) / workers if shapes else 0.0
    walls, busy = [], []
    for end, of_runs in enumerate((lengths.fewest, lengths.expected, lengths.most)):
        work = [epoch[end] * number for epoch, number in zip(seconds, of_runs, strict=False)]
        shares = [number / most if pruned else 1.0 for number, most in zip(of_runs, lengths.most, strict=False)]
        runs = [train + share * at_end for train, share in zip(work, shares, strict=True)]
        walls.append(makespan(runs, workers) + deciding + pace.start)
        busy.append(sum(work))
    total = Interval.around(sum(lengths.fewest), sum(lengths.expected), sum(lengths.most))
    return Phase(total, Interval.around(*walls), Interval.around(*busy).times(machine.accelerators))


def money(phase: Phase, price_per_hour: float | None) -> Interval | None:
    """Money for the busy hours of a phase, as `budget.cost` counts them."""
    return None if price_per_hour is None else phase.busy.times(price_per_hour / 3600)


HOUR = 3600.0


@dataclass(frozen=True)
class Limit:
    """One resource of the search.

    Attributes:
        resource: the key in `[budget]`. limit: its value; wall_time in seconds.
        needed: by all the trials.
    """

    resource: str
    limit: float
    needed: Interval

    @property
    def share(self) -> float:
        """Of the search, that it admits; at most 1."""
        return _share(self.limit, self.needed.expected)

    def left(self, share: float) -> float:
        """What remains of it, if other limits end the search after a `share` of it."""
        return max(0.0, self.limit - share * self.needed.expected)


def limits_of(spec: StudySpec, search: Phase, price_per_hour: float | None) -> tuple[Limit, ...]:
    """Those that the file sets, `trials` first."""
    budget = spec.budget
    needs = [
        ("trials", float(budget.trials), Interval.sure(budget.trials)),
        ("epochs", budget.epochs, search.epochs),
        ("wall_time", budget.wall_time, search.wall),
        ("accelerator_hours", budget.accelerator_hours, search.busy.times(1 / HOUR)),
    ]
    if price_per_hour is not None:
        needs.append(("cost", budget.cost, search.busy.times(price_per_hour / HOUR)))
    return tuple(Limit(name, float(limit), needed) for name, limit, needed in needs if limit is not None)


def binding(limits: Sequence[Limit]) -> Limit:
    """The one that ends the search: the first of those that admit the smallest share of it."""
    return min(limits, key=lambda limit: limit.share)


def share_within(limits: Sequence[Limit]) -> Interval:
    """Of the search at its least, as expected, and at its most, that all limits together admit."""
    shares = [[_share(limit.limit, limit.needed[end]) for limit in limits] for end in range(3)]
    return Interval(*(min(of_end) for of_end in shares))


def _share(limit: float, needed: float) -> float:
    return min(1.0, limit / needed) if needed > 0 else 1.0
