"""A run's state as bytes, and back: only tensors and plain values are ever unpickled."""

import io
import json
from dataclasses import dataclass, replace
from typing import Any

import torch

from amnl_tune.errors import CheckpointError, ConfigurationError
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.state import RunState

FORMAT = 3
PARTS = ("model", "loss", "optimizer", "scaler")
COUNTERS = ("epoch", "step", "best_rmse", "best_epoch", "reference", "stale")


@dataclass(frozen=True)
class Checkpoint:
    """A run's state as read from disk.

    Attributes:
        config: of the run that wrote it.
        epoch: epochs done.
        payload: tensors and plain values only.
    """

    config: RunConfig
    epoch: int
    payload: dict[str, Any]

    @property
    def precision(self) -> Precision:
        """What the run computes in."""
        return Precision(self.payload["precision"])

    @property
    def curve(self) -> list[dict[str, Any]]:
        """Plain values of every epoch up to here."""
        return list(json.loads(self.payload["curve"]))

    def extended(self, epochs: int) -> "Checkpoint":
        """The same state as that of a run of so many epochs, without early stopping; `fit` goes on with its `config`.

        The learning rate is from here on that of a schedule over all `epochs`.

        Raises:
            ConfigurationError: they are not more than it has done.
        """
        if epochs <= self.epoch:
            raise ConfigurationError(
                f"A run that goes on must have more epochs than it has done, but got {epochs} after {self.epoch}"
            )
        return replace(self, config=self.config.replaced(epochs=epochs, horizon=None, patience=None))

    def continues_as(self, config: RunConfig, data_sha256: str) -> bool:
        """Whether a run of `config` on these data can go on from here."""
        return not self._differing(config, data_sha256)

    def _differing(self, config: RunConfig, data_sha256: str) -> list[str]:
        """Settings that differ. Under one `horizon`, `epochs` and `patience` may: so a promotion goes on."""
        free = {"epochs", "patience"} if self.config.horizon and self.config.horizon == config.horizon else set()
        then = self.config.model_dump(exclude=free) | {"data_sha256": self.payload["data_sha256"]}
        now = config.model_dump(exclude=free) | {"data_sha256": data_sha256}
        return [f"{key} ({then[key]!r} then, {now[key]!r} now)" for key in then if then[key] != now[key]]

    def restore(self, state: RunState) -> None:
        """Puts a freshly started state where the run that wrote this was.

        Raises:
            ConfigurationError: `state` belongs to another configuration, or to other data.
        """
        differing = self._differing(state.config, state.data_sha256)
        if differing:
            raise ConfigurationError(
                f"A checkpoint must be resumed with its own configuration, but these differ: {', '.join(differing)}"
            )
        for part in PARTS:
            getattr(state, part).load_state_dict(self.payload[part])
        for group in state.optimizer.param_groups:  # a CUDA graph's are tensors
            group.update(lr=float(group["lr"]), capturable=False)
        if state.ema:
            state.ema.model.load_state_dict(self.payload["ema"])
        for name in COUNTERS:
            setattr(state, name, self.payload[name])
        state.rng, state.best_weights = self.payload["rng"], self.payload["best_weights"]
        state.order.set_state(self.payload["order"].cpu())
        state.curve = self.curve


def snapshot(state: RunState) -> dict[str, Any]:
    """What a checkpoint holds of `state`: references to tensors that the next epoch changes."""
    payload: dict[str, Any] = {part: getattr(state, part).state_dict() for part in PARTS}
    payload |= {name: getattr(state, name) for name in COUNTERS}
    return payload | {
        "format": FORMAT,
        "config": state.config.model_dump_json(),
        "data_sha256": state.data_sha256,
        "precision": str(state.precision),
        "ema": state.ema.model.state_dict() if state.ema else {},
        "rng": state.rng,
        "order": state.order.get_state(),
        "best_weights": state.best_weights,
        "curve": json.dumps(state.curve),
    }


def serialized(payload: dict[str, Any]) -> bytes:
    """A checkpoint file's content."""
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    return buffer.getvalue()


def load_checkpoint(content: bytes, place: str, device: torch.device | str = "cpu") -> Checkpoint:
    """The checkpoint whose file content this is.

    Args:
        content: as `serialized` made it.
        place: where it was found, for the message.
        device: where its tensors go.

    Raises:
        CheckpointError: it is damaged or of another format.
    """
    try:
        payload = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        if payload["format"] != FORMAT:
            raise CheckpointError(
                f"A checkpoint must be of format {FORMAT}, but {place} is of {payload['format']}; remove it"
            )
        return Checkpoint(RunConfig.model_validate_json(payload["config"]), payload["epoch"], payload)
    except CheckpointError:
        raise
    except Exception as error:  # a truncated or foreign file fails inside torch in many ways
        raise CheckpointError(f"A checkpoint must be whole, but {place} cannot be read ({error}); remove it") from error
