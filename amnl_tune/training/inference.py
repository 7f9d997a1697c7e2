"""Predicting in bulk, in the quickest precision whose answers are float32's.

What else was tried on CPU (benchmarks/inference.py has it as arms) does not pay: folding batch norm into the
convolutions, tracing with `torch.jit.freeze`. The LSTM takes the time. Notation: B batch, T window.
"""

import statistics
import time

import torch
from torch import Tensor, nn

from amnl_tune.rul.network import Prediction
from amnl_tune.training.gauges import wait
from amnl_tune.training.precision import Precision, autocast, float32_mode, require_supported, supported

__all__ = ["TOLERANCE", "Predictor"]

TOLERANCE = 0.5
"""Cycles by which the RUL of `auto`'s choice may differ from float32's: labels are whole cycles."""
ROUNDS = 3
MARGIN = 1.05
"""How much quicker than float32 a precision must be: less is noise."""


class Predictor(nn.Module):
    """(B, T, 17) windows on `device` -> Prediction, without gradients.

    Args:
        model: as trained; moved to `device` and put into evaluation mode.
        device: where it predicts.
        precision: `auto` is settled on the first windows: every precision of the device is timed on them, and the
            quickest is taken whose RUL is float32's within TOLERANCE cycles.

    Raises:
        ConfigurationError: a precision that the device lacks.
    """

    def __init__(self, model: nn.Module, device: torch.device, precision: Precision = Precision.FP32) -> None:
        super().__init__()
        require_supported(precision, device)
        self.model = model.to(device).eval()
        self.device, self.precision = device, precision
        self.eval()

    @torch.inference_mode()
    def forward(self, windows: Tensor) -> Prediction:
        """Settles `precision` if it is still open."""
        if self.precision is Precision.AUTO:
            self.precision = self._quickest(windows)
        return self._predicted(windows, self.precision)

    def _predicted(self, windows: Tensor, precision: Precision) -> Prediction:
        with autocast(precision, self.device), float32_mode(precision, self.device):
            answer: Prediction = self.model(windows)
        return answer

    def _quickest(self, windows: Tensor) -> Precision:
        true = self._predicted(windows, Precision.FP32).rul
        sound = [
            precision
            for precision in supported(self.device)
            if float((self._predicted(windows, precision).rul - true).abs().max()) <= TOLERANCE
        ]
        rounds = [{precision: self._seconds(windows, precision) for precision in sound} for _ in range(ROUNDS)]
        median = {precision: statistics.median(taken[precision] for taken in rounds) for precision in sound}
        quicker = [precision for precision in sound if median[precision] * MARGIN < median[Precision.FP32]]
        return min(quicker, key=lambda precision: median[precision], default=Precision.FP32)

    def _seconds(self, windows: Tensor, precision: Precision) -> float:
        wait(self.device)
        started = time.perf_counter()
        self._predicted(windows, precision)
        wait(self.device)
        return time.perf_counter() - started
