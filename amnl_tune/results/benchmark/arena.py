"""What all arms of the benchmark have in common."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from amnl_tune.results.benchmark.baselines import EpochOrder
from amnl_tune.rul.preparation import EngineRows, PreparedData
from amnl_tune.training.config import RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.precision import Precision
from amnl_tune.training.state import RunState

__all__ = ["Arena"]


@dataclass(frozen=True)
class Arena:
    """What all arms have in common.

    Attributes:
        config, data: of the run. execution: device and data path. precision: the probe's answer.
        workers: processes of the published recipe's DataLoader.
    """

    config: RunConfig
    data: PreparedData
    execution: Execution
    precision: Precision
    workers: int

    @property
    def device(self) -> torch.device:
        """Where all arms train."""
        return self.execution.device

    @property
    def training(self) -> Tensor:
        """(M,) last rows of the training windows."""
        return self.data.training_windows(self.config, self.config.stride)

    @cached_property
    def rows(self) -> EngineRows:
        """What the network sees, on the host."""
        return self.data.rows.seen_by(self.config)

    @property
    def steps_an_epoch(self) -> int:
        """Full batches: the last partial one is left out by every arm."""
        return len(self.training) // self.config.batch_size

    def order(self) -> EpochOrder:
        """From the first epoch."""
        return EpochOrder(len(self.training), self.config.seed)

    def start(self, precision: Precision, *, seed: int | None = None) -> RunState:
        """A fresh run; with another `seed` the same weights, but other dropout."""
        mean = float(self.data.rows.rul[self.training].mean())

        def fresh(config: RunConfig) -> RunState:
            return RunState.start(
                config, mean_rul=mean, data_sha256=self.data.sha256, device=self.device, precision=precision
            )

        state = fresh(self.config)
        if seed is not None:
            state.rng = fresh(self.config.replaced(seed=seed)).rng
        return state
