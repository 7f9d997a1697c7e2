"""What a promotion's trained networks answer, from their kept weights."""

import time
from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.models import RunRow
from amnl_tune.documents import brief
from amnl_tune.errors import StorageError
from amnl_tune.ledger.promotions import Candidate
from amnl_tune.ledger.stored import stored_config
from amnl_tune.rul.losses import UNKNOWN, health_class
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import EngineRows
from amnl_tune.training.config import RunConfig
from amnl_tune.training.evaluation import predict_windows


@dataclass(frozen=True)
class SeedAnswers:
    """One configuration's answers on M windows, by its S seeds.

    Attributes:
        rul: (S, M) cycles.
        health: (S, M, 3) probabilities; without a trained health head, the class of the seed's own RUL.
        seconds: of one seed's pass over the windows, its channels included; mean over the seeds.
    """

    rul: Tensor
    health: Tensor
    seconds: float


def run_config(run: RunRow) -> RunConfig:
    """A planned run's configuration."""
    return stored_config(run)


def answers_of(candidate: Candidate, artifacts: Artifacts, rows: EngineRows, last: Tensor) -> SeedAnswers:
    """Of the complete runs, in their order.

    Args:
        candidate: with one complete run at least. artifacts: holds the weights.
        rows: prepared rows of the engines, on the host. last: (M,) last rows of the windows.

    Raises:
        StorageError: weights are not there.
    """
    rul, health, seconds = [], [], 0.0
    for run in candidate.complete:
        config = run_config(run)
        model = _loaded(AMNL(config), artifacts, run)
        started = time.perf_counter()
        answer = predict_windows(model, rows.seen_by(config), last, config.window)
        seconds += time.perf_counter() - started
        rul.append(answer.rul)
        health.append(answer.health.softmax(dim=1) if config.health_is_trained else _read_off(answer.rul, config))
    return SeedAnswers(torch.stack(rul), torch.stack(health), seconds / len(rul))


def _loaded(model: AMNL, artifacts: Artifacts, run: RunRow) -> AMNL:
    """Raises StorageError on what is no weights, or those of another network."""
    content = artifacts.read_weights(run)
    try:
        model.load_state_dict(load(content))
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise StorageError(
            f"A promoted run's weights must be its own, but {artifacts.weights(run)} is damaged or of another network "
            f"({brief(str(error))}); put it back from a backup, or promote with another seed"
        ) from error
    return model


def _read_off(rul: Tensor, config: RunConfig) -> Tensor:
    """(M, 3): all on the class of the RUL; NaN where that is unknown."""
    classes = health_class(rul, config.health_thresholds)
    certain = torch.nn.functional.one_hot(classes.clamp(min=0), 3).float()
    return torch.where(classes[:, None] == UNKNOWN, torch.nan, certain)
