"""The weight EMA that is evaluated instead of the weights."""

import copy

import torch
from torch import Tensor, nn

__all__ = ["WeightEma"]


class WeightEma:
    """Exponential moving average of a model's parameters and float buffers, one update a step.

    The decay is min(decay, (1 + t)/(10 + t)) at step t, as in TensorFlow's `ExponentialMovingAverage` with
    `num_updates`: at the published 0.999 a plain average still consists of the random start after the few hundred
    steps of a short trial.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Moves towards `model`; `step` counts optimiser steps from 1."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        own: list[Tensor] = list(self.model.parameters())
        other: list[Tensor] = list(model.parameters())
        for mine, its in zip(self.model.buffers(), model.buffers(), strict=True):
            if mine.is_floating_point():
                own.append(mine)
                other.append(its)
            else:
                mine.copy_(its)
        torch._foreach_lerp_(own, other, weight)
