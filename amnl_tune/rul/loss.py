"""The dual-task loss in its published combinations, and GABA/GRACE.

Notation: y true RUL (capped, cycles), e = predicted - y, w sample weight, sg() stop-gradient, L_r and L_h the raw RUL
and health terms, a = task_weight.

    normalized_batch  a L_r/sg(L_r) + (1-a) L_h/sg(L_h)         its value is the constant 1: log the raw terms
    normalized_ema    the same, divided by a bias-corrected EMA of each term
    fixed             a L_r + (1-a) L_h
    rul_only          L_r
    gaba              g L_r + (1-g) L_h,  g = |grad L_h| / (|grad L_r| + |grad L_h|) over the backbone,
                      averaged and floored; w = 1
    grace             gaba with w(y) = 1 + clip(1 - y/125, 0, 1)

Source: amnl, Loss. `gaba` ignores `sample_weight`, `grace` implies `linear`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amnl_tune.rul.configuration import RUL_CAP, Loss, LossConfig, RulReduction, SampleWeight
from amnl_tune.rul.network import Prediction

__all__ = ["DualTaskLoss", "LossTerms", "health_class"]

TINY = 1e-12


class LossTerms(NamedTuple):
    """`total` is what is minimised; `rul` (cycles^2) and `health` (nats) are the raw terms, detached."""

    total: Tensor
    rul: Tensor
    health: Tensor


def health_class(rul: Tensor, thresholds: tuple[float, float]) -> Tensor:
    """(B,) cycles -> (B,) class: 0 healthy (above both thresholds), 1 degrading, 2 critical (at or below the first)."""
    low, high = thresholds
    return (rul <= high).long() + (rul <= low).long()


class DualTaskLoss(nn.Module):
    """Keeps the running averages of `normalized_ema` and GABA as buffers, so that a checkpoint carries them."""

    averages: Tensor
    steps: Tensor

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("averages", torch.zeros(2))
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, predicted: Prediction, rul: Tensor, shared: Sequence[Tensor] = ()) -> LossTerms:
        """
        Args:
            predicted: the network's output for a batch of B windows.
            rul: (B,) capped labels in cycles.
            shared: backbone parameters; needed by `gaba` and `grace`, and only in training.
        """
        rul_term = self._rul_term(predicted.rul, rul)
        health_term = F.cross_entropy(predicted.health, health_class(rul, self.config.health_thresholds))
        total = self._combined(rul_term, health_term, shared)
        return LossTerms(total, rul_term.detach(), health_term.detach())

    def _rul_term(self, predicted: Tensor, rul: Tensor) -> Tensor:
        weighted = self.config.sample_weight is SampleWeight.LINEAR and self.config.loss is not Loss.GABA
        if not (weighted or self.config.loss is Loss.GRACE):
            return F.mse_loss(predicted, rul)
        weight = 1 + (1 - rul / RUL_CAP).clamp(0, 1)
        squares = weight * (predicted - rul).square()
        return (
            squares.sum() / weight.sum() if self.config.rul_reduction is RulReduction.WEIGHTED_MEAN else squares.mean()
        )

    def _combined(self, rul: Tensor, health: Tensor, shared: Sequence[Tensor]) -> Tensor:
        share = self.config.task_weight
        match self.config.loss:
            case Loss.NORMALIZED_BATCH:
                return share * rul / (rul.detach() + TINY) + (1 - share) * health / (health.detach() + TINY)
            case Loss.NORMALIZED_EMA:
                scale = self._averaged(torch.stack((rul, health)).detach()) + TINY
                return share * rul / scale[0] + (1 - share) * health / scale[1]
            case Loss.FIXED:
                return share * rul + (1 - share) * health
            case Loss.RUL_ONLY:
                return rul
            case Loss.GABA | Loss.GRACE:
                balance = self._gradient_balance(rul, health, shared)
                return balance * rul + (1 - balance) * health

    def _averaged(self, values: Tensor) -> Tensor:
        """Bias-corrected EMA (as Adam's moments); evaluation reads it without moving it."""
        decay = self.config.loss_ema_decay
        if self.training:
            self.averages.lerp_(values, 1 - decay)
            self.steps.add_(1)
        return self.averages / (1 - decay ** self.steps.clamp(min=1))

    def _gradient_balance(self, rul: Tensor, health: Tensor, shared: Sequence[Tensor]) -> Tensor:
        """GABA's weight of the RUL term, detached; 0.5 while warming up and outside training."""
        if not self.training or not shared:
            return rul.new_tensor(0.5)
        norms = torch.stack([_gradient_norm(term, shared) for term in (rul, health)])
        wanted = norms.flip(0) / norms.sum().clamp(min=TINY)
        floor = self.config.gaba_floor
        balance = self._averaged(wanted)[0].clamp(floor, 1 - floor)
        return torch.where(self.steps <= self.config.gaba_warmup_steps, balance.new_tensor(0.5), balance)


def _gradient_norm(term: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    gradients = torch.autograd.grad(term, list(parameters), retain_graph=True)
    return torch.nn.utils.get_total_norm(gradients)
