"""What a network answers on windows, and how well; in bulk in the quickest precision whose answers are float32's.

What else was tried on CPU (benchmarks/inference.py has it as arms) does not pay: folding batch norm into the
convolutions, tracing with `torch.jit.freeze`. The LSTM takes the time. Notation: B batch, T window.
"""

import math
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from amnl_tune.rul.configuration import InputConfig
from amnl_tune.rul.metrics import nasa_score, rmse
from amnl_tune.rul.networks.amnl import Prediction
from amnl_tune.rul.preparation import EngineRows, PreparedData
from amnl_tune.training.config import Precision
from amnl_tune.training.precision import autocast, float32_mode, require_supported, supported
from amnl_tune.training.timing import median_wall, take_turns

EVALUATION_BATCH = 1024


@dataclass(frozen=True)
class FullValidation:
    """The pass at the end of a run, over every validation engine.

    Attributes:
        rmse: on the truncated engines, in cycles; what `EpochResult.validation_rmse` is on all engines.
        nasa_score: on the truncated engines, divided by the truncations per engine: comparable to one pass over them.
        rmse_all_windows: on every full window.
    """

    rmse: float
    nasa_score: float
    rmse_all_windows: float

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable; null where a figure is not finite."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


@torch.inference_mode()
def predict_windows(model: nn.Module, rows: EngineRows, last: Tensor, window: int) -> Prediction:
    """(M,) last rows -> Prediction over M windows, in evaluation mode; the model's mode is put back.

    Rows and indices are on one device; if that is not the model's, windows are moved batch by batch.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    batches = [model(rows.windows(part, window).to(device)) for part in torch.split(last, EVALUATION_BATCH)]
    model.train(was_training)
    return Prediction(torch.cat([batch.rul for batch in batches]), torch.cat([batch.health for batch in batches]))


def validate(model: nn.Module, rows: EngineRows, last: Tensor, window: int) -> float:
    """RMSE in cycles over the windows ending at `last`; NaN if any prediction is."""
    predicted = predict_windows(model, rows, last, window).rul
    return rmse(predicted.cpu().numpy(), rows.rul[last].cpu().numpy())


def validate_fully(model: nn.Module, data: PreparedData, rows: EngineRows, seen: InputConfig) -> FullValidation:
    """Truncated engines and all windows. `rows` are `data.rows` as the network sees them, on the model's device."""
    device, window = rows.features.device, seen.window
    cut, every = data.validation_windows().to(device), data.all_validation_windows(seen).to(device)
    predicted = predict_windows(model, rows, cut, window).rul.cpu().numpy()
    true = rows.rul[cut].cpu().numpy()
    return FullValidation(
        rmse=rmse(predicted, true),
        nasa_score=nasa_score(predicted, true) / data.truncations.shape[1],
        rmse_all_windows=validate(model, rows, every, window) if len(every) else float("nan"),
    )


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
        arms = {precision: partial(self._predicted, windows, precision) for precision in sound}
        median = {name: median_wall(laps) for name, laps in take_turns(arms, self.device, rounds=ROUNDS).items()}
        quicker = [precision for precision in sound if median[precision] * MARGIN < median[Precision.FP32]]
        return min(quicker, key=lambda precision: median[precision], default=Precision.FP32)
