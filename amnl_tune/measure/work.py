"""How much arithmetic a network asks for, counted on its layers: times of different shapes are compared by it.

Notation: T window, C a convolution's channels, H hidden size, D = 2 H.
"""

from itertools import pairwise

from amnl_tune.rul.configuration import HEALTH_CLASSES, Loss, NetworkConfig, Pooling
from amnl_tune.rul.history import channel_names
from amnl_tune.rul.networks.amnl import HEALTH_HEAD, RUL_HEAD
from amnl_tune.training.config import RunConfig

BALANCED = (Loss.GABA, Loss.GRACE)
"""Losses that ask for each task's gradients by itself: one more backward pass."""
PASSES, BALANCED_PASSES = 3, 5
"""A training step in forward passes: a backward pass costs two."""


def forward_work(config: NetworkConfig) -> float:
    """Multiply-adds of one window's forward pass; 100.9 million for the published network of 30 cycles."""
    cycles, width = config.window, 2 * config.hidden_size
    convolutions = 3 * _products(len(channel_names(config)), *config.conv_channels)
    inputs = [config.conv_channels[-1], *[width] * (config.num_layers - 1)]
    lstm = sum(2 * 4 * config.hidden_size * (size + config.hidden_size) for size in inputs)
    attention = 4 * width**2 + 2 * cycles * width
    pooled = 2 * width if config.pooling is Pooling.LAST_MEAN else width
    last = config.fc_sizes[-1]
    heads = _products(last, *RUL_HEAD, 1) + _products(last, *HEALTH_HEAD, len(HEALTH_CLASSES))
    return float(cycles * (convolutions + lstm + attention) + _products(pooled, *config.fc_sizes) + heads)


def step_work(config: RunConfig) -> float:
    """Multiply-adds of a training step."""
    passes = BALANCED_PASSES if config.loss in BALANCED else PASSES
    return passes * config.batch_size * forward_work(config)


def _products(*sizes: int) -> int:
    return sum(before * after for before, after in pairwise(sizes))
