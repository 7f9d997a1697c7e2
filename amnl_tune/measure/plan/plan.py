"""A study's plan: every machine's row, the budget's verdict, the prediction that `--actual` is held against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from amnl_tune.measure.load import Load
from amnl_tune.measure.plan.demand import Demand
from amnl_tune.measure.plan.estimate import (
    Estimate,
    Limit,
    Machine,
    Phase,
    Runs,
    binding,
    estimate,
    limits_of,
    money,
    share_within,
)
from amnl_tune.measure.plan.lengths import promoted_lengths, trial_lengths
from amnl_tune.measure.plan.machines import Machines
from amnl_tune.measure.plan.pace import Interval, Pace, PublishedPace
from amnl_tune.studies.spec import StudySpec

HERE = "this machine"
WORKERS = (1, 2, 4, 8)
MOST_TRIALS = 2000
"""Simulated trials in all, so that a plan of a large study is a matter of seconds too."""
REPEATS = (8, 40)


@dataclass(frozen=True)
class Row:
    """A study on a machine, as its budget lets it be.

    Attributes:
        machine: its name. workers: asked for. at_once: really side by side. note: what the reader should know.
        epochs: of trials and promoted runs. wall: seconds. accelerator_hours: busy ones. cost: in the price's currency.
        search, promotion: the phases by themselves. range_test: seconds.
        ddp_wall, ddp_cost: with every promoted run on all GPUs; None: not applicable. ddp_speedup: of a run, published.
        ends_by: what ends the search: `trials`, or a limit of `[budget]`.
    """

    machine: str
    workers: int
    at_once: int
    note: str
    epochs: Interval
    wall: Interval
    accelerator_hours: Interval
    cost: Interval | None
    range_test: Interval
    search: Phase
    promotion: Phase
    ddp_wall: Interval | None
    ddp_cost: Interval | None
    ddp_speedup: float | None
    ends_by: str


@dataclass(frozen=True)
class Memory:
    """Bytes that a run takes of its device.

    Attributes:
        measured: here, in the precision that a run has here: the largest of the shapes that were timed. On a CPU a
            whole worker process. device: `cpu`, `cuda`. free: of the device, before anything was trained.
        published: by precision; the full network at batch 256 on an RTX 5000.
    """

    measured: float
    device: str
    free: float
    published: dict[str, float]


@dataclass(frozen=True)
class Plan:
    """Of a study.

    Attributes:
        workers: the study file's; its row on this machine is compared with the budget.
        limits: of the budget, with what all trials would need; ends_by: the one that ends the search.
        load: of this machine while it was measured.
        memory: of the device, in training.
    """

    study: str
    dataset: str
    workers: int
    trials: int
    rows: tuple[Row, ...]
    limits: tuple[Limit, ...]
    ends_by: str
    load: Load | None = None
    memory: Memory | None = None

    @property
    def idle_wall(self) -> Interval | None:
        """Seconds that this machine would take if others left it alone; None: as planned, or unknown."""
        if self.load is None or not self.load.busy or not self.load.delay:
            return None
        return self.own.wall.times(1 / self.load.delay)

    @property
    def own(self) -> Row:
        """This machine's, with the study file's workers."""
        return self.row(self.workers)

    def row(self, workers: int) -> Row:
        """This machine's, with so many workers or the nearest number."""
        mine = [row for row in self.rows if row.machine == HERE]
        return min(mine, key=lambda row: abs(row.workers - workers))

    @property
    def share(self) -> float:
        """Of the search, that the budget is expected to admit."""
        return binding(self.limits).share

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable; intervals are [low, expected, high]."""
        idle = self.idle_wall
        return asdict(self) | {
            "load": self.load.plain() if self.load else None,
            "idle_wall": list(idle) if idle else None,
        }


def make_plan(
    spec: StudySpec,
    demand: Demand,
    machines: Sequence[Machine],
    *,
    load: Load | None = None,
    memory: Memory | None = None,
) -> Plan:
    """The plan of a study on machines, this one (named `HERE`) with the study file's workers among them.

    Args:
        load: of this machine while it was measured. memory: of its device, in training.
    """
    least, most = REPEATS
    repeats = max(least, min(most, MOST_TRIALS // demand.trials))
    count = demand.promotions[1] * demand.seeds
    incumbent = spec.run_config(spec.incumbent_parameters())
    full = spec.promotion_config(incumbent, spec.promotion.seeds[0])
    runs = Runs.of(
        demand,
        trial_lengths(spec, repeats=repeats, at_once=spec.hardware.workers),
        promoted_lengths(spec, full, runs=count, repeats=repeats),
        seed=spec.seed,
    )
    found = [estimate(demand, runs, machine) for machine in machines]
    own = next(e for e in found if e.machine.name == HERE and e.machine.workers == spec.hardware.workers)
    limits = limits_of(spec, own.search, own.machine.price_per_hour)
    return Plan(
        study=demand.study,
        dataset=demand.dataset,
        workers=spec.hardware.workers,
        trials=demand.trials,
        rows=tuple(_row(spec, one) for one in found),
        limits=limits,
        ends_by=binding(limits).resource,
        load=load,
        memory=memory,
    )


def here(
    paces: Mapping[int, Pace],
    *,
    workers: Sequence[int],
    cores: int,
    price_per_hour: float | None,
    ddp: Mapping[int, float] | None = None,
) -> list[Machine]:
    """This machine with several numbers of workers.

    Args:
        paces: as measured, by the number of processes side by side.
        workers: asked for.
        cores: that workers have to share; more of them work no quicker.
        price_per_hour: of an accelerator here.
        ddp: how many times as fast a run is on so many of this machine's GPUs; None: it has one, or none.
    """

    def pace(side_by_side: int) -> Pace:
        larger = [measured for measured in paces if measured >= side_by_side]
        return paces[min(larger) if larger else max(paces)]

    found = []
    for count in sorted(set(workers)):
        at_once = min(count, cores)
        note = "" if at_once == count else f"no quicker than {at_once}: that is how many cores there are"
        together = (ddp or {}).get(count)
        found.append(Machine(HERE, count, at_once, pace, price_per_hour=price_per_hour, ddp=together, note=note))
    return found


def published(machines: Machines, dataset: str) -> list[Machine]:
    """The published GPUs, a worker on each of 1, 2, 4 and 8."""
    found = []
    for name, gpu in machines.gpus.items():
        pace = _always(PublishedPace(machines.seconds_a_window(gpu.minutes, dataset)))
        for count in WORKERS:
            ddp = machines.ddp.get(count)
            found.append(Machine(name, count, count, pace, price_per_hour=gpu.price_per_hour, ddp=ddp))
    return found


def _always(pace: Pace) -> Callable[[int], Pace]:
    """However many work side by side, each has a GPU of its own."""
    return lambda _: pace


def scenario(machines: Machines, name: str, dataset: str) -> Machine:
    """A published scenario: its GPUs train one run at a time. Raises ConfigurationError for an unknown one."""
    chosen = machines.scenario(name)
    return Machine(
        name=name,
        workers=1,
        at_once=1,
        pace=_always(PublishedPace(machines.seconds_a_window(chosen.minutes, dataset))),
        accelerators=chosen.count,
        price_per_hour=machines.gpus[chosen.gpu].price_per_hour,
        note=f"{chosen.count} x {chosen.gpu}: {chosen.options}",
    )


def _row(spec: StudySpec, one: Estimate) -> Row:
    price = one.machine.price_per_hour
    limits = limits_of(spec, one.search, price)
    search = one.search.shortened(share_within(limits))
    whole = one.range_test.plus(search).plus(one.promotion)
    by_ddp = one.range_test.plus(search).plus(one.promotion_by_ddp) if one.promotion_by_ddp else None
    return Row(
        machine=one.machine.name,
        workers=one.machine.workers,
        at_once=one.machine.at_once,
        note=one.machine.note,
        epochs=whole.epochs,
        wall=whole.wall,
        accelerator_hours=whole.busy.times(1 / 3600),
        cost=money(whole, price),
        range_test=one.range_test.wall,
        search=search,
        promotion=one.promotion,
        ddp_wall=by_ddp.wall if by_ddp else None,
        ddp_cost=money(by_ddp, price) if by_ddp else None,
        ddp_speedup=one.machine.ddp if by_ddp else None,
        ends_by=binding(limits).resource,
    )
