"""Measuring instruments of a device: waiting for it, its peak memory, its matrix-product peak."""

import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from amnl_tune.training.config import Precision
from amnl_tune.training.precision import DTYPES, float32_mode

SIZES = {"cuda": 8192}
"""Of the square matrices, 1024 elsewhere: large enough to reach the peak, small enough for a second."""
TRIES = 8
PROCESS = Path("/proc/self")


def wait(device: torch.device) -> None:
    """Until the device has done everything that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def reset_peak_memory(device: torch.device) -> None:
    """Lets `peak_memory` begin at what is in use now; on a CPU only Linux can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):  # another system, or a container that forbids it: the peak since the start then
        (PROCESS / "clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int:
    """Bytes: of tensors on a CUDA device; on any other, resident ones of this whole process, libraries included."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        for line in (PROCESS / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def resident_memory(device: torch.device) -> int:
    """Bytes in use now, as `peak_memory` counts them."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return int(psutil.Process().memory_info().rss)


def free_memory(device: torch.device) -> int:
    """Bytes that are not taken: of a CUDA device; of this host for any other, what can be had without swapping."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available)


def matmul_peak(device: torch.device, precision: Precision) -> float:
    """FLOP/s of the quickest of a few large square matrix products: what a network can at best reach here.

    Args:
        device: where. precision: not `auto`.
    """
    size = SIZES.get(device.type, 1024)
    dtype = DTYPES.get(precision, torch.float32)
    factor = torch.full((size, size), 0.5, device=device, dtype=dtype)
    product = torch.empty_like(factor)
    quickest = float("inf")
    with torch.inference_mode(), float32_mode(precision, device):
        for _ in range(TRIES):
            wait(device)
            started = time.perf_counter()
            torch.mm(factor, factor, out=product)
            wait(device)
            quickest = min(quickest, time.perf_counter() - started)
    return 2.0 * size**3 / quickest
