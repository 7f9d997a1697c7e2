"""What it costs to get a batch, without any training."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from amnl_tune.results.benchmark.arena import Arena
from amnl_tune.results.benchmark.baselines import sample_loader, tensor_loader
from amnl_tune.training.batches import ResidentBatches
from amnl_tune.training.gauges import wait

__all__ = ["DataPathCost", "measure_data_paths"]


@dataclass(frozen=True)
class DataPathCost:
    """`microseconds` a sample over whole epochs, the way to the device included; `ratio`: times as quick as the
    published recipe's DataLoader.
    """

    name: str
    microseconds: float
    ratio: float


def measure_data_paths(arena: Arena, *, rounds: int) -> list[DataPathCost]:
    """One epoch of each a round, in turn; the first round does not count: worker processes start in it."""
    paths = _paths(arena)
    samples = arena.steps_an_epoch * arena.config.batch_size
    taken: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds + 1):
        for name, epoch in paths.items():
            taken[name].append(_seconds(epoch, arena.device))
    cost = {name: 1e6 * statistics.median(times[1:]) / samples for name, times in taken.items()}
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


def _seconds(epoch: Callable[[], Iterable[Sequence[Tensor]]], device: torch.device) -> float:
    wait(device)
    started = time.perf_counter()
    for windows, rul in epoch():
        windows.to(device, non_blocking=True)
        rul.to(device, non_blocking=True)
    wait(device)
    return time.perf_counter() - started
