"""What a training step takes of its device's memory, by precision: a fresh run of ours each time."""

import gc
from dataclasses import dataclass

import torch

from amnl_tune.results.benchmark.arena import Arena
from amnl_tune.training.gauges import peak_memory, reset_peak_memory, resident_memory, wait
from amnl_tune.training.graph import make_step
from amnl_tune.training.precision import Precision, float32_mode, supported
from amnl_tune.training.rng import own_rng

__all__ = ["PUBLISHED_MEMORY", "TrainingMemory", "measure_memory"]

PUBLISHED_MEMORY = {Precision.FP32: 3.2e9, Precision.FP16: 2.1e9}
"""Bytes on an RTX 5000: the full network, batch 256 (amnl: Efficiency as published)."""
STEPS = 3
"""The second makes the optimiser's state, on CUDA a graph is captured by then."""


@dataclass(frozen=True)
class TrainingMemory:
    """One precision's.

    Attributes:
        bytes: at the peak of a step, beyond what was in use before: weights, optimiser, gradients, activations.
        published: the same in the publication; None: not there.
    """

    precision: str
    bytes: int
    published: float | None


def measure_memory(arena: Arena) -> list[TrainingMemory]:
    """Of a few steps in every precision that training has here; pure float16 takes what float16 takes."""
    wanted = [precision for precision in supported(arena.device) if precision is not Precision.FP16_PURE]
    return [
        TrainingMemory(str(precision), _bytes(arena, precision), PUBLISHED_MEMORY.get(precision))
        for precision in wanted
    ]


def _bytes(arena: Arena, precision: Precision) -> int:
    device = arena.device
    last = arena.training[: arena.config.batch_size]
    windows = arena.rows.windows(last, arena.config.window).to(device)
    rul = arena.rows.rul[last].to(device)
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    reset_peak_memory(device)
    before = resident_memory(device)
    state = arena.start(precision)
    state.model.train()
    step = make_step(state, arena.execution)
    with own_rng(state.rng, device), float32_mode(precision, device):
        for _ in range(STEPS):
            state.begin_step(1000)
            step(windows, rul)
    wait(device)
    return max(0, peak_memory(device) - before)
