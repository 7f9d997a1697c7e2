"""The benchmark as a whole: the published table measured on this machine, data paths, inference.

Early stopping's row comes from recorded curves of full runs that were trained without it, not from another training.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

import pandas as pd
import torch

from amnl_tune.database.engine import Ledger
from amnl_tune.host import physical_cores
from amnl_tune.measure.bench.arms import ACCUMULATION, Arena, contest, fp16_obstacle
from amnl_tune.measure.bench.parts import (
    DataPathCost,
    InferenceSpeed,
    TrainingMemory,
    measure_data_paths,
    measure_inference,
    measure_memory,
)
from amnl_tune.measure.bench.table import Stopped, TrainingRow, published_table
from amnl_tune.measure.load import Load, Watch
from amnl_tune.measure.plan.run_lengths import full_curves
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.fit import Engines, fit
from amnl_tune.training.probe import Probe, device_name, probe
from amnl_tune.training.state import epochs_until_stopped

BOUT = 2.0
"""Seconds that the steps of a bout take by default, in float32."""
MOST_STEPS = 200
MOST_WINDOWS = 512


@dataclass(frozen=True)
class Benchmark:
    """What was measured, and on what.

    Attributes:
        dataset, batch_size, windows, parameters: of the run; windows an epoch.
        device: name of the product. threads, cores: of this process and this machine.
        rounds, steps: bouts of each arm, batches of a bout.
        probe: seconds of our step by precision; `probe.precision` is what the fast arms compute in.
        training, data_paths, inference, memory: the four tables.
        load: of this machine meanwhile.
    """

    dataset: str
    batch_size: int
    windows: int
    parameters: int
    device: str
    threads: int
    cores: int
    torch: str
    rounds: int
    steps: int
    probe: Probe
    training: list[TrainingRow]
    data_paths: list[DataPathCost]
    inference: list[InferenceSpeed]
    load: Load
    memory: list[TrainingMemory]

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self) | {"load": self.load.plain()}


def measure(
    config: RunConfig,
    data: PreparedData,
    execution: Execution,
    *,
    workers: int,
    rounds: int,
    steps: int | None = None,
    full: RunConfig | None = None,
    recorded: Stopped | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Benchmark:
    """Runs the benchmark in this process, under its threads.

    Args:
        config: of the run. data: its engines. execution: on which device.
        workers: processes of the published recipe's DataLoader.
        rounds: bouts of each arm. steps: batches of a bout, rounded up to whole accumulated steps; None: some seconds.
        full: a run to be really trained until early stopping ends it; None: that row is of `recorded` runs.
        recorded: what early stopping does to full runs that were recorded; None: without `full` that row stays open.
        say: hears what is being done.

    Raises:
        ConfigurationError: as `fit`.
    """
    watch = Watch()
    say("Probing precisions")
    engines = Engines.of(config, data, execution)
    found = probe(config, engines.batches, engines.training, execution)
    arena = Arena(config, data, execution, Precision(found.precision), workers)
    say("Memory")
    memory = measure_memory(arena)
    say("Inference")
    model, last = arena.start(Precision.FP32).model, arena.training[:MOST_WINDOWS].to(arena.device)
    windows = arena.rows.to(arena.device).windows(last, config.window)
    inference = measure_inference(model, windows, arena.precision, rounds=rounds)  # peaks are not yet training's
    say("Data paths")
    paths = measure_data_paths(arena, rounds=rounds)
    wanted = steps or min(MOST_STEPS, max(1, int(BOUT / found.seconds[Precision.FP32])))
    whole = -(-wanted // ACCUMULATION) * ACCUMULATION
    say(f"Training: {rounds} rounds of {whole} steps an arm")
    obstacle = fp16_obstacle(arena)
    outcomes = contest(arena, rounds=rounds, steps=whole, fp16=obstacle is None)
    if full:
        say(f"Training up to {full.epochs} epochs, until early stopping")
        *_, end = fit(full, data, execution=replace(execution, precision=arena.precision))
        recorded = Stopped(after=end.number, epochs=full.epochs)
    return Benchmark(
        dataset=data.dataset,
        batch_size=config.batch_size,
        windows=len(engines.training),
        parameters=sum(p.numel() for p in model.parameters()),
        device=device_name(execution.device),
        threads=torch.get_num_threads(),
        cores=physical_cores(),
        torch=torch.__version__,
        rounds=rounds,
        steps=whole,
        probe=found,
        training=published_table(outcomes, config.batch_size, arena.steps_an_epoch, recorded, fp16_obstacle=obstacle),
        data_paths=paths,
        inference=inference,
        load=watch.ended(),
        memory=memory,
    )


def training_frame(rows: list[TrainingRow]) -> pd.DataFrame:
    """One row an arm, by the names of TrainingRow."""
    return pd.DataFrame([asdict(row) for row in rows])


def inference_frame(rows: list[InferenceSpeed]) -> pd.DataFrame:
    """One row a batch size, by the names of InferenceSpeed."""
    return pd.DataFrame([asdict(row) for row in rows])


def stopped_of_record(ledger: Ledger, study: str, *, patience: int, min_delta: float) -> Stopped | None:
    """Of the study's complete full runs, over all its promotions; None where there is none without early stopping."""
    curves = full_curves(ledger, [study])
    whole = [curve for config, curve in curves if config.patience is None and len(curve) == config.epochs]
    if not whole:
        return None
    after = [epochs_until_stopped(curve, patience=patience, min_delta=min_delta) for curve in whole]
    same = sum(min(curve[:end]) == min(curve) for curve, end in zip(whole, after, strict=True))
    return Stopped(fmean(after), fmean(map(len, whole)), len(whole), same)
