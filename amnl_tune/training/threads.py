"""Threads of a block that trains: a small network's kernels are too short to be shared out.

Two threads that meet after every kernel each wait for the other; beside other processes one of them is seldom on a core
when the other is ready. On one thread a narrow network takes half the CPU time, and its figures depend on no machine's
number of cores.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["own_threads", "sweep_threads"]

SMALL = 500_000
"""Parameters up to which a network's step is no quicker on several threads."""


def sweep_threads(model: nn.Module) -> int:
    """Of an LR range test: one for a small network, else as many as the process has."""
    small = sum(parameter.numel() for parameter in model.parameters()) <= SMALL
    return 1 if small else torch.get_num_threads()


@contextmanager
def own_threads(count: int) -> Iterator[None]:
    """Runs a block on `count` threads of torch; afterwards there are as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
