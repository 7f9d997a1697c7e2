"""A run's own random numbers: dropout draws from torch's global generators, so they are lent to one run at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["RngState", "fresh_rng", "own_rng"]

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
