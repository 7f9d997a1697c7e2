"""Predictions a second by batch size: a plain loop against ours, in turn."""

import math
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amnl_tune.rul.network import Prediction
from amnl_tune.training.gauges import peak_memory, reset_peak_memory, wait
from amnl_tune.training.heap import freed_memory_kept
from amnl_tune.training.inference import Predictor
from amnl_tune.training.precision import Precision, float32_mode

__all__ = ["SIZES", "InferenceSpeed", "measure_inference"]

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
    memory, calls = {}, {}
    for predict in (plain, ours):
        reset_peak_memory(device)
        predict(windows)  # graphs and buffers are made now
        calls[predict] = max(1, math.ceil(LEAST / _seconds(predict, windows, 1)))
        memory[predict] = peak_memory(device)
    taken: dict[Predict, list[float]] = {plain: [], ours: []}
    for _ in range(rounds):
        for predict, times in taken.items():
            times.append(_seconds(predict, windows, calls[predict]))
    speed = {predict: len(windows) / statistics.median(times) for predict, times in taken.items()}
    return InferenceSpeed(
        batch_size=len(windows),
        plain=speed[plain],
        ours=speed[ours],
        ratio=speed[ours] / speed[plain],
        plain_memory=memory[plain],
        ours_memory=memory[ours],
        difference=float((plain(windows).rul - ours(windows).rul).abs().max()),
    )


def _seconds(predict: Predict, windows: Tensor, calls: int) -> float:
    """Of a call."""
    with freed_memory_kept() if isinstance(predict, Predictor) else nullcontext():
        wait(windows.device)
        started = time.perf_counter()
        for _ in range(calls):
            predict(windows)
        wait(windows.device)
        return (time.perf_counter() - started) / calls
