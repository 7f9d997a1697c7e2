"""A run's state on disk: written atomically, read without unpickling anything but tensors and plain values."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from amnl_tune.errors import CheckpointError, ConfigurationError
from amnl_tune.files import write_content
from amnl_tune.training.config import RunConfig
from amnl_tune.training.state import RunState

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]

FORMAT = 1
PARTS = ("model", "loss", "optimizer")
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
        if state.ema:
            state.ema.model.load_state_dict(self.payload["ema"])
        for name in COUNTERS:
            setattr(state, name, self.payload[name])
        state.rng, state.best_weights = self.payload["rng"], self.payload["best_weights"]
        state.order.set_state(self.payload["order"].cpu())
        state.last = json.loads(self.payload["last"])


def save_checkpoint(path: Path, state: RunState) -> None:
    """Writes atomically: a reader finds the previous checkpoint or this one, whole.

    Raises:
        StorageError: the folder is read-only or full; the previous checkpoint is still there.
    """
    payload: dict[str, Any] = {part: getattr(state, part).state_dict() for part in PARTS}
    payload |= {name: getattr(state, name) for name in COUNTERS}
    payload |= {
        "format": FORMAT,
        "config": state.config.model_dump_json(),
        "data_sha256": state.data_sha256,
        "ema": state.ema.model.state_dict() if state.ema else {},
        "rng": state.rng,
        "order": state.order.get_state(),
        "best_weights": state.best_weights,
        "last": json.dumps(state.last),
    }
    buffer = io.BytesIO()
    torch.save(payload, buffer)
    write_content(path, buffer.getvalue())


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> Checkpoint | None:
    """The checkpoint at `path`, None if there is none. Tensors and plain values only are ever unpickled.

    Raises:
        CheckpointError: the file is damaged or of another format.
    """
    try:
        payload = torch.load(path, map_location=device, weights_only=True)
        if payload["format"] != FORMAT:
            raise CheckpointError(
                f"A checkpoint must be of format {FORMAT}, but {path} is of {payload['format']}; remove it"
            )
        return Checkpoint(RunConfig.model_validate_json(payload["config"]), payload["epoch"], payload)
    except FileNotFoundError:
        return None
    except CheckpointError:
        raise
    except Exception as error:  # a truncated or foreign file fails inside torch in many ways
        raise CheckpointError(f"A checkpoint must be whole, but {path} cannot be read ({error}); remove it") from error
