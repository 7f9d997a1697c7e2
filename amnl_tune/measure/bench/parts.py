"""What a batch costs without any training, predictions a second, and the memory of a training step."""

import gc
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from amnl_tune.measure.baselines import sample_loader, tensor_loader
from amnl_tune.measure.bench.arms import Arena
from amnl_tune.rul.networks.amnl import Prediction
from amnl_tune.training.batches import ResidentBatches
from amnl_tune.training.config import Precision
from amnl_tune.training.evaluation import Predictor
from amnl_tune.training.execution import freed_memory_kept
from amnl_tune.training.precision import float32_mode, supported
from amnl_tune.training.probe import FreshRun
from amnl_tune.training.timing import (
    lap,
    median_wall,
    peak_memory,
    reset_peak_memory,
    resident_memory,
    take_turns,
    wait,
)


@dataclass(frozen=True)
class DataPathCost:
    """`microseconds` a sample over whole epochs, the way to the device included; `ratio`: times as quick as the
    published recipe's DataLoader.
    """

    name: str
    microseconds: float
    ratio: float


def measure_data_paths(arena: Arena, *, rounds: int) -> list[DataPathCost]:
    """One epoch of each a round, in turn; worker processes start before the first."""
    paths = {name: partial(_moved, epoch, arena.device) for name, epoch in _paths(arena).items()}
    samples = arena.steps_an_epoch * arena.config.batch_size
    taken = take_turns(paths, arena.device, rounds=rounds)
    cost = {name: 1e6 * median_wall(laps) / samples for name, laps in taken.items()}
    published = next(iter(cost.values()))
    return [DataPathCost(name, each, published / each) for name, each in cost.items()]


def _paths(arena: Arena) -> dict[str, Callable[[], Iterable[Sequence[Tensor]]]]:
    rows, training, config = arena.rows, arena.training, arena.config
    pinned, order = arena.device.type == "cuda", arena.order()
    samples = sample_loader(rows, training, config, order=order, workers=arena.workers, pinned=pinned)
    tensors = tensor_loader(rows, training, config, order=order, pinned=pinned)
    resident = ResidentBatches(rows.to(arena.device), config.window)

    def gathered() -> Iterable[Sequence[Tensor]]:
        return resident(torch.split(training[order.draw()], config.batch_size)[: arena.steps_an_epoch])

    return {
        f"DataLoader, sample by sample, {arena.workers} workers": lambda: samples,
        "DataLoader over materialised windows": lambda: tensors,
        "amnl-tune: gathered from resident rows": gathered,
    }


def _moved(epoch: Callable[[], Iterable[Sequence[Tensor]]], device: torch.device) -> None:
    for windows, rul in epoch():
        windows.to(device, non_blocking=True)
        rul.to(device, non_blocking=True)


SIZES = tuple(2**power for power in range(10))
"""Batch sizes: 1 to 512."""

LEAST = 0.05
"""Seconds that a timing takes at least: of one small batch alone it would be the clock's."""

Predict = Callable[[Tensor], Prediction]


@dataclass(frozen=True)
class InferenceSpeed:
    """Of one batch size.

    Attributes:
        plain, ours: windows a second, medians. ratio: ours / plain.
        plain_memory, ours_memory: bytes at most, as `gauges.peak_memory`.
        difference: the largest between both predictions, in cycles.
    """

    batch_size: int
    plain: float
    ours: float
    ratio: float
    plain_memory: int
    ours_memory: int
    difference: float


def measure_inference(
    model: nn.Module, windows: Tensor, precision: Precision, *, rounds: int, sizes: tuple[int, ...] = SIZES
) -> list[InferenceSpeed]:
    """Both ways on every batch size that there are windows for.

    Args:
        model: the network, on its device; left in evaluation mode.
        windows: (B, T, F) on the device, as many as the largest batch.
        precision: of ours.
        rounds: timings of each.
        sizes: rising, so that peaks belong to them.
    """
    model.eval()
    plain, ours = _plain(model), Predictor(model, windows.device, precision)
    return [_speed(plain, ours, windows[:size], rounds) for size in sizes if size <= len(windows)]


def _plain(model: nn.Module) -> Predict:
    """The loop of a tutorial: eager, float32."""

    def predict(windows: Tensor) -> Prediction:
        with torch.no_grad(), float32_mode(Precision.FP32, windows.device):
            answer: Prediction = model(windows)
        return answer

    return predict


def _speed(plain: Predict, ours: Predict, windows: Tensor, rounds: int) -> InferenceSpeed:
    device = windows.device
    memory: dict[Predict, int] = {}
    arms: dict[Predict, Callable[[], None]] = {}
    calls: dict[Predict, int] = {}
    for predict in (plain, ours):
        reset_peak_memory(device)
        predict(windows)  # graphs and buffers are made now
        once = lap(partial(_several, predict, windows, 1), device).wall
        calls[predict] = max(1, math.ceil(LEAST / once))
        arms[predict] = partial(_several, predict, windows, calls[predict])
        memory[predict] = peak_memory(device)
    taken = take_turns(arms, device, rounds=rounds, warm_up=0)
    speed = {predict: len(windows) * calls[predict] / median_wall(laps) for predict, laps in taken.items()}
    return InferenceSpeed(
        batch_size=len(windows),
        plain=speed[plain],
        ours=speed[ours],
        ratio=speed[ours] / speed[plain],
        plain_memory=memory[plain],
        ours_memory=memory[ours],
        difference=float((plain(windows).rul - ours(windows).rul).abs().max()),
    )


def _several(predict: Predict, windows: Tensor, calls: int) -> None:
    """Ours in the memory of a worker."""
    with freed_memory_kept() if isinstance(predict, Predictor) else nullcontext():
        for _ in range(calls):
            predict(windows)


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
    FreshRun(arena.config, arena.execution, precision).train([(windows, rul)] * STEPS)
    wait(device)
    return max(0, peak_memory(device) - before)
