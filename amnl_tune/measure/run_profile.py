"""A study's run on this machine: where an epoch's time goes, what the device could do, what to change first."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from amnl_tune.host import physical_cores
from amnl_tune.measure.advice import Symptoms, first_change
from amnl_tune.measure.profile import EpochProfile, profile_epoch
from amnl_tune.measure.work import PASSES, forward_work
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.batches import choose_data_path
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.fit import Engines
from amnl_tune.training.probe import Probe, device_name, probe
from amnl_tune.training.timing import matmul_peak

PUBLISHED_SHARES = {"forward": 0.39, "backward": 0.44, "data": 0.09, "validation": 0.06, "other": 0.02}
"""Of an epoch on an RTX 5000 (amnl: Efficiency as published)."""

STEPS = {"cuda": 200}
SECONDS = 6.0
FEWEST_STEPS, MOST_STEPS = 4, 50


@dataclass(frozen=True)
class RunProfile:
    """What was measured, and on what.

    Attributes:
        dataset, batch_size: of the run. device: name of the product. precision: what it computed in.
        workers, threads, cores: processes of the study here, threads of each, cores of this machine.
        data_path: `resident` or `loader`.
        probe: seconds of a training step by precision, and which are unsound.
        epoch: the measurement.
        multiply_adds: of one window's forward pass.
        flops, peak_flops: FLOP/s of forward and backward passes in training, and of the quickest matrix product.
        advice: what to change first. saving: share of an epoch that it would save; None: only trying tells.
    """

    dataset: str
    batch_size: int
    device: str
    precision: str
    workers: int
    threads: int
    cores: int
    data_path: str
    probe: Probe
    epoch: EpochProfile
    multiply_adds: float
    flops: float
    peak_flops: float
    advice: str
    saving: float | None

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self) | {
            "seconds_an_epoch": self.epoch.phases.total,
            "shares": self.epoch.phases.shares(),
            "published_shares": PUBLISHED_SHARES,
            "utilization": self.flops / self.peak_flops,
        }


def profile_run(
    config: RunConfig,
    data: PreparedData,
    execution: Execution,
    *,
    workers: int,
    steps: int | None = None,
    trace: Path | None = None,
) -> RunProfile:
    """Profiles a run of `config` under this process's threads.

    Args:
        config: of the run. data: its engines. execution: where and how.
        workers: processes that the study runs here side by side.
        steps: to measure; None: enough for some seconds.
        trace: file for a Chrome trace.

    Raises:
        ConfigurationError: as `fit`. StorageError: the trace cannot be written.
    """
    device = execution.device
    engines = Engines.of(config, data, execution)
    found = probe(config, engines.batches, engines.training, execution)  # anew, even where `auto` remembers
    precision = Precision(found.precision) if execution.precision is Precision.AUTO else execution.precision
    enough = STEPS.get(device.type, max(FEWEST_STEPS, min(MOST_STEPS, int(SECONDS / found.seconds[Precision.FP32]))))
    steps = steps or enough
    epoch = profile_epoch(config, data, execution, precision=precision, steps=steps, trace=trace)
    work = forward_work(config)
    flops, peak = 2 * PASSES * work * epoch.samples_per_second, matmul_peak(device, precision)
    path = choose_data_path(execution.data_path, data.rows, device)
    threads, cores = torch.get_num_threads(), physical_cores()
    advice = first_change(
        Symptoms(
            shares=epoch.phases.shares(),
            seconds={name: seconds for name, seconds in found.seconds.items() if name not in found.unsound},
            precision=str(precision),
            data_path=path,
            utilization=flops / peak,
            workers=workers,
            threads=threads,
            cores=cores,
            batch_size=config.batch_size,
            validation_subset=config.validation_subset,
            on_gpu=device.type == "cuda",
            no_graph=epoch.no_graph,
        )
    )
    return RunProfile(
        dataset=data.dataset,
        batch_size=config.batch_size,
        device=device_name(device),
        precision=str(precision),
        workers=workers,
        threads=threads,
        cores=cores,
        data_path=str(path),
        probe=found,
        epoch=epoch,
        multiply_adds=work,
        flops=flops,
        peak_flops=peak,
        advice=advice.text,
        saving=advice.saving,
    )


def shares_frame(profile: RunProfile) -> pd.DataFrame:
    """One row a phase: phase, seconds (of an epoch), share, published."""
    phases = profile.epoch.phases
    frame = pd.DataFrame(
        {"phase": list(PUBLISHED_SHARES), "seconds": [vars(phases)[name] for name in PUBLISHED_SHARES]}
    )
    return frame.assign(share=frame["seconds"] / phases.total, published=list(PUBLISHED_SHARES.values()))
