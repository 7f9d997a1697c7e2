"""From demand, lengths and pace to wall time, accelerator hours and money, and which limit ends the search first.

Plain arithmetic on what was measured.
"""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean

import numpy as np

from amnl_tune.measure.plan.demand import Demand, Job
from amnl_tune.measure.plan.lengths import Lengths
from amnl_tune.measure.plan.pace import Interval, Pace
from amnl_tune.studies.spec import StudySpec

TAIL = 0.05
"""Share of the draws of configurations that lies beyond each end of an interval."""


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
        return Phase(*(_by_ends(quantity, shares) for quantity in (self.epochs, self.wall, self.busy)))


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


@dataclass(frozen=True)
class Runs:
    """A study's runs, made once and the same for all machines.

    Attributes:
        trials, promoted: epochs. drawn: for each repetition the jobs of its trials; full: and of its promoted runs.
    """

    trials: Lengths
    promoted: Lengths
    drawn: tuple[tuple[Job, ...], ...]
    full: tuple[tuple[Job, ...], ...]

    @classmethod
    def of(cls, demand: Demand, trials: Lengths, promoted: Lengths, *, seed: int) -> "Runs":
        """Trials and winners drawn uniformly: which configurations will be good is what the study is to find out."""
        source = random.Random(f"runs {seed}")
        known = 2 if demand.range_test else 1
        first = (demand.incumbent,) * min(known, demand.trials)
        drawn = [
            (*first, *source.choices(demand.drawn, k=demand.trials - len(first))) for _ in range(len(trials.simulated))
        ]
        top, both = demand.promotions
        full = []
        for _ in range(len(promoted.simulated)):
            chosen = [*source.choices(demand.promoted, k=top), *[demand.promoted_incumbent] * (both - top)]
            full.append(tuple(job for job in chosen for _ in range(demand.seeds)))
        return cls(trials, promoted, tuple(drawn), tuple(full))


def estimate(demand: Demand, runs: Runs, machine: Machine) -> Estimate:
    """What the study takes on `machine`, if no budget but that of trials ends it."""
    workers = min(machine.at_once, demand.trials)
    sweep = machine.pace(1).sweep(demand.incumbent, demand.range_test)
    range_test = Phase(Interval.sure(0.0), sweep, Interval.sure(0.0))
    search = _phase(runs.drawn, runs.trials, machine.pace(workers), workers, machine.accelerators)
    nothing = Interval.sure(0.0)
    promotion, ddp = Phase(nothing, nothing, nothing), None
    if demand.promotions[1]:
        top, count = (configurations * demand.seeds for configurations in demand.promotions)
        at_once = min(machine.at_once, count)

        def full(side_by_side: int) -> Phase:
            pace = machine.pace(side_by_side)
            return _phase(runs.full, runs.promoted, pace, side_by_side, machine.accelerators, least=top)

        promotion = full(at_once)
        ddp = _by_ddp(full(1), machine) if machine.ddp else None
    return Estimate(machine, range_test, search, promotion, ddp)


def makespan(seconds: Sequence[float], workers: int) -> float:
    """When the last of these runs ends, if each worker takes the next one as soon as it is free."""
    free = [0.0] * min(workers, max(1, len(seconds)))
    for taken in seconds:
        heapq.heapreplace(free, free[0] + taken)
    return max(free)


def _phase(
    drawn: Sequence[Sequence[Job]],
    lengths: Lengths,
    pace: Pace,
    workers: int,
    accelerators: int,
    *,
    least: int | None = None,
) -> Phase:
    """Over all repetitions: the mean of what was simulated, and the tails of the least and of the most.

    `least`: so many runs are needed at the least, and none is pruned; None: all, and one that ends early was pruned and
    had no full validation pass.
    """
    taken: tuple[list[float], ...] = ([], [], [])
    busy: tuple[list[float], ...] = ([], [], [])
    around = pace.overheads
    known = {job.shape: (pace.epoch(job), pace.deciding(job), pace.full_pass(job)) for jobs in drawn for job in jobs}
    for jobs, simulated in zip(drawn, lengths.simulated, strict=True):
        for end, epochs in enumerate((lengths.fewest, simulated, lengths.most)):
            decided: set[str] = set()
            walls, at_work = [], 0.0
            needed = least if end == 0 else None
            for job, number, most in islice(zip(jobs, epochs, lengths.most, strict=True), needed):
                epoch, deciding, full_pass = known[job.shape]
                work = number * epoch[end]
                walls.append(
                    work
                    + around.run
                    + number * around.epoch
                    + (0.0 if job.shape in decided else deciding)
                    + (0.0 if least is None and number < most else full_pass)
                )
                at_work += work
                decided.add(job.shape)
            taken[end].append(makespan(walls, workers))
            busy[end].append(at_work)
    total = Interval.around(
        sum(lengths.fewest[:least]), fmean(sum(used) for used in lengths.simulated), float(sum(lengths.most))
    )
    return Phase(total, _of_draws(taken).plus(Interval.sure(around.start)), _of_draws(busy).times(accelerators))


def _of_draws(draws: Sequence[Sequence[float]]) -> Interval:
    low, expected, high = draws
    return Interval.around(float(np.quantile(low, TAIL)), fmean(expected), float(np.quantile(high, 1 - TAIL)))


def _by_ddp(alone: Phase, machine: Machine) -> Phase:
    """Each run on all GPUs: quicker by the published factor, and every GPU is busy meanwhile."""
    assert machine.ddp is not None
    wall = alone.wall.times(1 / machine.ddp)
    return Phase(alone.epochs, wall, alone.busy.times(machine.workers / machine.ddp))


def _by_ends(quantity: Interval, shares: Interval) -> Interval:
    low, expected, high = (value * share for value, share in zip(quantity, shares, strict=True))
    return Interval.around(low, expected, high)


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
