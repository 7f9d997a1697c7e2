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
