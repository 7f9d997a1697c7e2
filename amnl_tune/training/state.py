"""Everything one run is made of between two epochs, in one value: weights, EMA, optimiser, schedule, random numbers.

Dropout draws from torch's global generators, so they are lent to one run at a time. The learning rate is a pure
function of progress: no scheduler object, so nothing to restore. Source: amnl, Recipe. Full run of 100 epochs: warm-up
1-5, base to 60, cosine 60-80, very low 80-100.
"""

import copy
import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from amnl_tune.rul.losses import DualTaskLoss
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.training.config import Precision, RunConfig, Schedule
from amnl_tune.training.precision import grad_scaler

RngState = dict[str, Tensor]
"""State of the CPU generator and, for a run on a CUDA device, of that device's, by device type."""


@contextmanager
def own_rng(own: RngState, device: torch.device) -> Iterator[None]:
    """Runs a block under `own`, which is moved on in place; the caller's random numbers are left as they were."""
    outside = _state(device)
    _set(own, device)
    try:
        yield
    finally:
        own.update(_state(device))
        _set(outside, device)


@contextmanager
def fresh_rng(seed: int, device: torch.device) -> Iterator[RngState]:
    """Runs a block under generators seeded with `seed`; yields their state, filled in when the block ends."""
    outside = _state(device)
    own: RngState = {}
    torch.manual_seed(seed)
    try:
        yield own
    finally:
        own.update(_state(device))
        _set(outside, device)


def _state(device: torch.device) -> RngState:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _set(states: RngState, device: torch.device) -> None:
    torch.set_rng_state(states["cpu"].cpu())
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)


class WeightEma:
    """Exponential moving average of a model's parameters and float buffers, one update a step.

    The decay is min(decay, (1 + t)/(10 + t)) at step t, as in TensorFlow's `ExponentialMovingAverage` with
    `num_updates`: at the published 0.999 a plain average still consists of the random start after the few hundred
    steps of a short trial.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.pull: float | Tensor = 1.0
        self._averaged, self._counters = _tensors(self.model)
        self._source, self._source_counters = _tensors(model)

    def aim(self, step: int) -> None:
        """Sets how far the next update goes; `step` counts optimiser steps from 1."""
        pull = 1 - min(self.decay, (1 + step) / (10 + step))
        if isinstance(self.pull, Tensor):
            self.pull.fill_(pull)
        else:
            self.pull = pull

    @torch.no_grad()
    def update(self) -> None:
        """Moves towards the model that it was made from."""
        if isinstance(self.pull, Tensor):  # `_foreach_lerp_` takes its weight from the host only
            way = torch._foreach_sub(self._source, self._averaged)
            torch._foreach_mul_(way, self.pull)
            torch._foreach_add_(self._averaged, way)
        else:
            torch._foreach_lerp_(self._averaged, self._source, self.pull)
        torch._foreach_copy_(self._counters, self._source_counters)


def _tensors(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """A model's float parameters and buffers, and its other buffers (batch norm's counters)."""
    tensors = [*model.parameters(), *model.buffers()]
    return [t for t in tensors if t.is_floating_point()], [t for t in tensors if not t.is_floating_point()]


COSINE_FROM, COSINE_TO = 0.6, 0.8


def lr_factor(progress: float, schedule: Schedule, *, warmup: float, final: float) -> float:
    """What the base learning rate is multiplied by.

    Args:
        progress: share of the horizon that lies behind, in [0, 1], counted in optimiser steps.
        schedule: its shape.
        warmup: share of the horizon with a rising rate.
        final: the lowest factor, reached at the end of the cosine.
    """
    if progress < warmup:
        return progress / warmup
    match schedule:
        case Schedule.FOUR_PHASE:
            return _cosine((progress - COSINE_FROM) / (COSINE_TO - COSINE_FROM), final)
        case Schedule.COSINE:
            return _cosine((progress - warmup) / (1 - warmup), final)
        case Schedule.CONSTANT:
            return 1.0


def _cosine(phase: float, final: float) -> float:
    """1 before the phase, `final` after it, half a cosine within."""
    return final + (1 - final) * (1 + math.cos(math.pi * min(max(phase, 0.0), 1.0))) / 2


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
