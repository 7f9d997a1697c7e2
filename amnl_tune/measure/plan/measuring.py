"""This machine's paces for a study: a few shapes, each with several numbers of workers side by side, in seconds."""

import time
from collections.abc import Mapping, Sequence
from statistics import fmean

import torch

from amnl_tune.artifacts import Artifacts
from amnl_tune.host import threads_for
from amnl_tune.measure.load import delay
from amnl_tune.measure.plan.calibration import Timing
from amnl_tune.measure.plan.demand import Demand, Job, representative, shape_of
from amnl_tune.measure.plan.overhead import measure_overheads
from amnl_tune.measure.plan.pace import MeasuredPace, Overheads
from amnl_tune.measure.plan.rehearsal import Rehearsal, Station
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.rul.sources import FleetSource

SHAPES = 6
"""At most, for each number of workers: the others lie on the line through these."""
FEWEST, SECONDS = 2, 5.0
"""After so many shapes, no further one is begun that many seconds after the first."""
LONG_EPOCH = 10.0
"""Seconds from which what surrounds an epoch is lost in it: not worth a rehearsal of its own."""


def delay_of(paces: Mapping[int, MeasuredPace], station: Station) -> float | None:
    """By how many times a study's steps are slower here than on an idle machine: wall time / CPU time; None: on a GPU.

    Where processes have several threads, those wait for each other too: then a thread that only computes tells.
    """
    if station.device != "cpu":
        return None
    most = max(paces)
    if min(station.spec.hardware.threads_per_worker or threads_for(most), threads_for(most)) > 1:
        return delay()
    return fmean(timing.step / max(timing.cpu, 1e-9) for timing in paces[most].timings.values())


def counts_to_measure(wanted: Sequence[int], cores: int) -> list[int]:
    """Numbers of workers that there are cores for; of larger ones, as many as there are cores."""
    return sorted({min(count, cores) for count in wanted})


def measure_paces(
    station: Station, demand: Demand, data: PreparedData, source: FleetSource, counts: Sequence[int]
) -> dict[int, MeasuredPace]:
    """By the number of workers side by side.

    Raises:
        AmnlTuneError: training fails here. StudyError: a process died of it.
    """
    jobs = demand.jobs
    with Rehearsal(station, max(counts)) as rehearsal:
        timings = {count: _timed(rehearsal, demand, jobs, count) for count in counts}
    start = rehearsal.start_seconds
    quick = timings[min(counts)]
    overheads = Overheads(start=start)
    if MeasuredPace(quick, overheads).epoch(demand.incumbent).expected < LONG_EPOCH:
        overheads = _overheads(station, data, source, start)
    return {count: MeasuredPace(measured, overheads) for count, measured in timings.items()}


def _timed(rehearsal: Rehearsal, demand: Demand, jobs: dict[str, Job], count: int) -> list[tuple[Job, Timing]]:
    measured: list[tuple[Job, Timing]] = []
    began = time.monotonic()
    for config in representative(demand, SHAPES):
        if len(measured) >= FEWEST and time.monotonic() - began > SECONDS:
            break
        measured.append((jobs[shape_of(config)], rehearsal.time(config, count)))
    return measured


def _overheads(station: Station, data: PreparedData, source: FleetSource, start: float) -> Overheads:
    before = torch.get_num_threads()
    try:
        around = measure_overheads(
            station.spec,
            data,
            source,
            Artifacts(station.home).prepared,
            device=station.device,
            threads=threads_for(station.spec.hardware.workers),
        )
    finally:
        torch.set_num_threads(before)
    return Overheads(start=start + around.start, run=around.run, epoch=around.epoch)
