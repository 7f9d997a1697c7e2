"""A study's plan: every machine's row, the budget's verdict, the prediction that `--actual` is held against."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from amnl_tune.host import physical_cores
from amnl_tune.measure.load import Load, Watch
from amnl_tune.measure.plan.demand import Demand, demand_of
from amnl_tune.measure.plan.estimate import (
    Estimate,
    Limit,
    Machine,
    Phase,
    binding,
    estimate,
    limits_of,
    money,
    share_within,
)
from amnl_tune.measure.plan.machines import Machines
from amnl_tune.measure.plan.pace import Interval, MeasuredPace
from amnl_tune.measure.plan.run_lengths import Records
from amnl_tune.measure.plan.timing import measure_paces, waited
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.execution import Execution
from amnl_tune.training.timing import free_memory

HERE = "this machine"
WORKERS = (1, 2, 4, 8)


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
        currency: of all prices.
        trial_lengths, full_lengths: how the epochs of trials and of promoted runs are known; empty: without doubt.
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
    currency: str = ""
    trial_lengths: str = ""
    full_lengths: str = ""

    @property
    def idle_wall(self) -> Interval | None:
        """Seconds that this machine would take if others left it alone; None: as planned, or unknown."""
        if self.load is None or not self.load.busy or not self.load.delay:
            return None
        return self.own.wall.times(1 / self.load.delay)

    @property
    def own(self) -> Row:
        """This machine's, with the study file's workers."""
        return next(row for row in self.rows if row.machine == HERE and row.workers == self.workers)

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
    currency: str,
    load: Load | None = None,
    memory: Memory | None = None,
) -> Plan:
    """The plan of a study on machines, this one (named `HERE`) with the study file's workers among them.

    Args:
        currency: of the machines' prices.
        load: of this machine while it was measured. memory: of its device, in training.
    """
    found = [estimate(demand, machine) for machine in machines]
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
        currency=currency,
        trial_lengths=demand.trial_lengths.source,
        full_lengths=demand.full_lengths.source,
    )


def plan_here(
    spec: StudySpec,
    data: PreparedData,
    execution: Execution,
    *,
    published: Machines,
    presets: Sequence[str],
    records: Records,
) -> Plan:
    """Times this machine and does the sum, for it and for published machines.

    Args:
        spec: of the study. data: its engines. execution: where and how it trains.
        published: the price table. presets: scenarios of it in the place of its GPUs.
        records: of runs that tell how long others will be.

    Raises:
        ConfigurationError: as `fit`, or an unknown preset.
    """
    dataset, device = spec.data.dataset, execution.device
    others = [published.machine(name, dataset) for name in presets] or published.machines(dataset, WORKERS)
    demand = demand_of(spec, data, records)
    wanted = sorted({*WORKERS, spec.hardware.workers})
    cores = max(1, physical_cores() // (spec.hardware.threads_per_worker or 1))
    free, watch = free_memory(device), Watch()
    paces = measure_paces(spec, demand, data, execution, sorted({min(count, cores) for count in wanted}))
    load = watch.ended(waited(paces, min(spec.hardware.workers, cores)), on_gpu=device.type != "cpu")
    gpus = torch.cuda.device_count() if device == torch.device("cuda") else 0
    ddp = {count: speed for count, speed in published.ddp.items() if count <= gpus}
    mine = here(paces, workers=wanted, cores=cores, price_per_hour=spec.hardware.price_per_hour, ddp=ddp)
    memory = Memory(
        measured=max(timing.memory for pace in paces.values() for timing in pace.timings.values()),
        device=device.type,
        free=free,
        published={name: gigabytes * 1e9 for name, gigabytes in published.memory.items()},
    )
    return make_plan(spec, demand, [*mine, *others], currency=published.currency, load=load, memory=memory)


def here(
    paces: Mapping[int, MeasuredPace],
    *,
    workers: Sequence[int],
    cores: int,
    price_per_hour: float | None,
    ddp: Mapping[int, float] | None = None,
) -> list[Machine]:
    """This machine with several numbers of workers.

    Args:
        paces: as measured, by the number of workers side by side.
        workers: asked for.
        cores: that workers have to share; more of them work no quicker.
        price_per_hour: of an accelerator here.
        ddp: how many times as fast a run is on so many of this machine's GPUs; None: it has one, or none.
    """

    def pace(side_by_side: int) -> MeasuredPace:
        return paces[min((measured for measured in paces if measured >= side_by_side), default=max(paces))]

    found = []
    for count in workers:
        at_once = min(count, cores)
        notes = [] if at_once == count else [f"no quicker than {at_once}: that is how many cores there are"]
        if pace(at_once).sharing > 1:
            notes.append(f"{pace(at_once).sharing} on one GPU; how they hold each other up is not measured")
        together = (ddp or {}).get(count)
        machine = Machine(HERE, count, at_once, pace, price_per_hour=price_per_hour, ddp=together)
        found.append(replace(machine, note="; ".join(notes)))
    return found


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
