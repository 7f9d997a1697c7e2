"""Everything one run is made of between two epochs, in one value."""

import copy
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from amnl_tune.rul.loss import DualTaskLoss
from amnl_tune.rul.network import AMNL
from amnl_tune.training.config import RunConfig
from amnl_tune.training.ema import WeightEma
from amnl_tune.training.precision import Precision, grad_scaler
from amnl_tune.training.rng import RngState, fresh_rng
from amnl_tune.training.schedule import lr_factor

__all__ = ["RunState", "epochs_until_stopped"]


def epochs_until_stopped(curve: Sequence[float], *, patience: int, min_delta: float) -> int:
    """After which epoch early stopping ends a run with these validation RMSEs; their number where it does not."""
    reference, stale = math.inf, 0
    for number, rmse in enumerate(curve, start=1):
        reference, stale = _after(rmse, reference, stale, min_delta)
        if stale >= patience:
            return number
    return len(curve)


def _after(rmse: float, reference: float, stale: int, min_delta: float) -> tuple[float, int]:
    """Reference and stale epochs once an epoch's RMSE is known."""
    return (rmse, 0) if rmse < reference - min_delta else (reference, stale + 1)


@dataclass
class RunState:
    """A run between two epochs.

    Attributes:
        config: what decides the run. data_sha256: of the data that it learns from.
        model, ema, loss, optimizer: as they are after `epoch` epochs; `ema` is None for `ema_decay = 0`.
        precision: what it computes in. scaler: of `fp16`'s gradients.
        rng: torch's RNG state (dropout), the run's own: the caller's is left alone.
        order: generator that shuffles the training windows.
        epoch: epochs done. step: optimiser steps done. learning_rate: of the last one.
        best_rmse, best_epoch, best_weights: the best validated epoch and the weights evaluated there.
        stale: epochs since the validation RMSE fell more than `min_delta` below `reference`.
        curve: plain values of every `EpochResult` so far: whoever resumes the run can report what was not yet heard.
        parameters: the model's. shared: those that both tasks share, where the loss looks at their gradients.
    """

    config: RunConfig
    data_sha256: str
    model: AMNL
    ema: WeightEma | None
    loss: DualTaskLoss
    optimizer: torch.optim.AdamW
    rng: RngState
    order: torch.Generator
    precision: Precision
    scaler: torch.amp.GradScaler
    epoch: int = 0
    step: int = 0
    learning_rate: float = 0.0
    best_rmse: float = float("inf")
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    reference: float = float("inf")
    stale: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parameters = list(self.model.parameters())
        self.shared = self.model.backbone() if self.loss.balances_gradients else []

    @classmethod
    def start(
        cls,
        config: RunConfig,
        *,
        mean_rul: float,
        data_sha256: str,
        device: torch.device,
        precision: Precision = Precision.FP32,
    ) -> "RunState":
        """The state before the first epoch, decided by `config.seed` alone; the caller's RNG is left as it was.

        Args:
            config: of the run.
            mean_rul: of the training labels, in cycles; the untrained network's answer.
            data_sha256: of the data set's file.
            device: where the run trains.
            precision: what it computes in, not `auto`.
        """
        with fresh_rng(config.seed, device) as rng:
            model = AMNL(config)
            model.start_at(mean_rul)
            model.to(device)
        return cls(
            config=config,
            data_sha256=data_sha256,
            model=model,
            ema=WeightEma(model, config.ema_decay) if config.ema_decay else None,
            loss=DualTaskLoss(config).to(device),
            optimizer=torch.optim.AdamW(
                model.parameters(),
                lr=config.learning_rate,
                betas=(config.beta1, config.beta2),
                weight_decay=config.weight_decay,
                fused=True,
            ),
            rng=rng,
            order=torch.Generator().manual_seed(random.Random(f"order {config.seed}").getrandbits(63)),
            precision=precision,
            scaler=grad_scaler(precision, device),
        )

    def begin_step(self, steps_an_epoch: int) -> None:
        """Counts an optimiser step, and sets its learning rate and the EMA's pull."""
        self.step += 1
        progress = min(1.0, self.step / (self.config.schedule_epochs * steps_an_epoch))
        self.learning_rate = self.config.learning_rate * lr_factor(
            progress, self.config.schedule, warmup=self.config.warmup_fraction, final=self.config.final_lr_fraction
        )
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(self.learning_rate)
            else:
                group["lr"] = self.learning_rate
        if self.ema:
            self.ema.aim(self.step)

    def make_capturable(self) -> None:
        """Keeps on the device what a step reads and the host changes: for a CUDA graph."""
        device = self.parameters[0].device
        for group in self.optimizer.param_groups:
            group["capturable"] = True
            group["lr"] = torch.tensor(float(group["lr"]), device=device)
        if self.ema:
            self.ema.pull = torch.tensor(1.0, device=device)

    @property
    def evaluated(self) -> AMNL:
        """The network that is validated and exported: the EMA's, or the model itself."""
        return self.ema.model if self.ema else self.model  # type: ignore[return-value]

    def best_model(self) -> AMNL:
        """A network of its own with the best epoch's weights, in evaluation mode."""
        model = copy.deepcopy(self.evaluated)
        model.load_state_dict(self.best_weights or self.evaluated.state_dict())
        return model.eval()

    def observe(self, validation_rmse: float) -> bool:
        """Takes note of an epoch's validation RMSE; True if it is the best so far."""
        self.reference, self.stale = _after(validation_rmse, self.reference, self.stale, self.config.min_delta)
        if not validation_rmse < self.best_rmse:
            return False
        self.best_rmse, self.best_epoch = validation_rmse, self.epoch
        self.best_weights = {name: value.detach().clone() for name, value in self.evaluated.state_dict().items()}
        return True

    @property
    def out_of_patience(self) -> bool:
        """Early stopping's verdict."""
        return self.config.patience is not None and self.stale >= self.config.patience
