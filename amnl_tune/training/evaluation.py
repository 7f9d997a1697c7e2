"""What a network answers on windows, and how well."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from amnl_tune.rul.configuration import InputConfig
from amnl_tune.rul.metrics import nasa_score, rmse
from amnl_tune.rul.network import Prediction
from amnl_tune.rul.preparation import EngineRows, PreparedData

__all__ = ["FullValidation", "predict_windows", "validate", "validate_fully"]

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
