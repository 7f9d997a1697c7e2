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

from amnl_tune.rul.configuration import Loss, LossConfig, RulReduction, SampleWeight
from amnl_tune.rul.layouts import RUL_CAP
from amnl_tune.rul.networks.amnl import Prediction

TINY = 1e-12


class LossTerms(NamedTuple):
    """`total` is what is minimised; `rul` (cycles^2) and `health` (nats) are the raw terms, detached."""

    total: Tensor
    rul: Tensor
    health: Tensor


UNKNOWN = -1
"""In the place of a health class."""


def health_class(rul: Tensor, thresholds: tuple[float, float]) -> Tensor:
    """(B,) cycles -> (B,) class: 0 healthy (above both thresholds), 1 degrading, 2 critical (at or below the first);
    UNKNOWN where they are not finite: NaN is below no threshold, which must not make an engine healthy."""
    low, high = thresholds
    return torch.where(rul.isfinite(), (rul <= high).long() + (rul <= low).long(), UNKNOWN)


def likeliest_class(probability: Tensor) -> Tensor:
    """(B, 3) probabilities -> (B,) class; UNKNOWN where one is not finite: argmax would take NaN for the largest."""
    return torch.where(probability.isfinite().all(dim=1), probability.argmax(dim=1), UNKNOWN)


class DualTaskLoss(nn.Module):
    """`weights(...) . (L_r, L_h)`: every combination is a sum of the raw terms with detached weights.

    A raw term is a sum over samples (`sums`) divided by something that the labels alone decide (`denominators`), so a
    batch may be cut into parts, on one device or several, and its terms, weights and gradients are still the batch's.

    The running averages of `normalized_ema` and GABA are buffers, so that a checkpoint carries them.
    """

    averages: Tensor
    steps: Tensor
    shares: Tensor

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        share = 1.0 if config.loss is Loss.RUL_ONLY else config.task_weight
        self.register_buffer("shares", torch.tensor((share, 1 - share)), persistent=False)
        self.register_buffer("averages", torch.zeros(2))
        self.register_buffer("steps", torch.zeros(()))

    @property
    def balances_gradients(self) -> bool:
        """The weights depend on each task's gradient over the backbone: GABA, GRACE."""
        return self.config.loss in {Loss.GABA, Loss.GRACE}

    @property
    def is_fixed(self) -> bool:
        """The weights are always `shares` (2,), whatever the batch."""
        return self.config.loss in {Loss.FIXED, Loss.RUL_ONLY}

    def forward(self, predicted: Prediction, rul: Tensor, shared: Sequence[Tensor] = ()) -> LossTerms:
        """The loss of a whole batch.

        Args:
            predicted: the network's output for a batch of B windows.
            rul: (B,) capped labels in cycles.
            shared: backbone parameters; needed by `gaba` and `grace`, and only in training.
        """
        terms = self.sums(predicted, rul) / self.denominators(rul)
        norms = None
        if self.balances_gradients and self.training and shared:
            norms = torch.stack([_gradient_norm(term, shared) for term in terms])
        total = (self.weights(terms.detach(), norms) * terms).sum()
        return LossTerms(total, *terms.detach())

    def sums(self, predicted: Prediction, rul: Tensor) -> Tensor:
        """(2,) sums over B samples: (weighted) squared errors in cycles^2, and cross entropies in nats."""
        squares = (predicted.rul - rul).square()
        weight = self._sample_weight(rul)
        classes = health_class(rul, self.config.health_thresholds)
        return torch.stack(
            (
                (squares if weight is None else weight * squares).sum(),
                F.cross_entropy(predicted.health, classes, reduction="sum"),
            )
        )

    def denominators(self, rul: Tensor) -> Tensor:
        """(2,) what `sums` of the same labels is divided by; of several parts, the sum."""
        count = rul.new_full((), len(rul))
        weight = self._sample_weight(rul)
        by_weight = weight is not None and self.config.rul_reduction is RulReduction.WEIGHTED_MEAN
        return torch.stack((weight.sum() if weight is not None and by_weight else count, count))

    def weights(self, terms: Tensor, norms: Tensor | None = None) -> Tensor:
        """(2,) detached weights of the raw terms; in training it moves the running averages one step.

        Args:
            terms: (2,) raw terms of the whole batch, detached.
            norms: (2,) gradient norms of the raw terms over the backbone; None where there is no gradient to balance.
        """
        match self.config.loss:
            case Loss.NORMALIZED_BATCH:
                return self.shares / (terms + TINY)
            case Loss.NORMALIZED_EMA:
                return self.shares / (self._averaged(terms) + TINY)
            case Loss.FIXED | Loss.RUL_ONLY:
                return self.shares
            case Loss.GABA | Loss.GRACE:
                balance = terms.new_full((), 0.5) if norms is None else self._gradient_balance(norms)
                return torch.stack((balance, 1 - balance))

    def _sample_weight(self, rul: Tensor) -> Tensor | None:
        """(B,) or None, where every sample weighs 1."""
        linear = self.config.sample_weight is SampleWeight.LINEAR and self.config.loss is not Loss.GABA
        if not (linear or self.config.loss is Loss.GRACE):
            return None
        return 1 + (1 - rul / RUL_CAP).clamp(0, 1)

    def _averaged(self, values: Tensor) -> Tensor:
        """Bias-corrected EMA (as Adam's moments); evaluation reads it without moving it."""
        decay = self.config.loss_ema_decay
        if self.training:
            self.averages.lerp_(values, 1 - decay)
            self.steps.add_(1)
        return self.averages / (1 - decay ** self.steps.clamp(min=1))

    def _gradient_balance(self, norms: Tensor) -> Tensor:
        """GABA's weight of the RUL term; 0.5 while warming up."""
        wanted = (norms.flip(0) / norms.sum().clamp(min=TINY)).nan_to_num(0.5)  # a GradScaler's step that overflows
        floor = self.config.gaba_floor
        balance = self._averaged(wanted)[0].clamp(floor, 1 - floor)
        return torch.where(self.steps <= self.config.gaba_warmup_steps, balance.new_full((), 0.5), balance)


def _gradient_norm(term: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    gradients = torch.autograd.grad(term, list(parameters), retain_graph=True)
    return torch.nn.utils.get_total_norm(gradients)
