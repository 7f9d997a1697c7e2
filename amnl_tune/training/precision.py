"""In which precision a run computes. Weights, optimiser state, loss and both heads stay in float32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from amnl_tune.errors import ConfigurationError
from amnl_tune.training.config import Precision

DTYPES = {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16, Precision.FP16_PURE: torch.float16}


def supported(device: torch.device) -> tuple[Precision, ...]:
    """The precisions that a run on `device` can have; float32 first, then those that `auto` tries, fp16_pure last."""
    if device.type == "cuda":
        return Precision.FP32, Precision.TF32, Precision.BF16, Precision.FP16, Precision.FP16_PURE
    if device.type == "cpu":
        return Precision.FP32, Precision.BF16
    return (Precision.FP32,)


def require_supported(precision: Precision, device: torch.device) -> None:
    """
    Raises:
        ConfigurationError: `device` has no such precision.
    """
    if precision is not Precision.AUTO and precision not in supported(device):
        known = ", ".join(("auto", *supported(device)))
        raise ConfigurationError(
            f"`precision` must be one that the device has, but got {precision} on {device.type}; use one of: {known}"
        )


def autocast(precision: Precision, device: torch.device, *, cache: bool = True) -> torch.autocast:
    """What the forward pass runs under.

    Args:
        precision: resolved, not `auto`.
        device: of the run.
        cache: keep cast weights for the whole block; a CUDA graph must not.
    """
    dtype = DTYPES.get(precision)
    return torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None, cache_enabled=cache)


def grad_scaler(precision: Precision, device: torch.device) -> torch.amp.GradScaler:
    """`fp16`'s; for any other precision one that does nothing."""
    return torch.amp.GradScaler(device.type, enabled=precision is Precision.FP16)


def float32_mode(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """Runs a block with TF32 in float32's products on CUDA for `tf32`, and without it for any other precision."""
    return _tf32(device, allowed=precision is Precision.TF32)


@contextmanager
def _tf32(device: torch.device, *, allowed: bool) -> Iterator[None]:
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
