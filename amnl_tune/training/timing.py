"""How anything here is timed: arms take turns, the device is waited for, medians count; peak memory beside it."""

import math
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import psutil
import torch

from amnl_tune.training.config import Precision
from amnl_tune.training.precision import DTYPES, float32_mode

SIZES = {"cuda": 8192}
"""Of the square matrices, 1024 elsewhere: large enough to reach the peak, small enough for a second."""
TRIES = 8
PROCESS = Path("/proc/self")
Arm = TypeVar("Arm", bound=Hashable)


def wait(device: torch.device) -> None:
    """Until the device has done everything that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Lap(NamedTuple):
    """Seconds of one call: by the clock, and of this process's CPU time over all its threads."""

    wall: float
    cpu: float


def lap(action: Callable[[], object], device: torch.device) -> Lap:
    """Times one call, from an idle device to an idle device."""
    wait(device)
    started, used = time.perf_counter(), time.process_time()
    action()
    wait(device)
    return Lap(time.perf_counter() - started, time.process_time() - used)


def take_turns(
    arms: Mapping[Arm, Callable[[], object]],
    device: torch.device,
    *,
    rounds: int,
    warm_up: int = 1,
    fewest: int = 0,
    seconds: float = math.inf,
) -> dict[Arm, list[Lap]]:
    """One lap of every arm a round, so that whatever else the machine does meets them all.

    Args:
        arms: what to time, by name. device: on which it computes.
        rounds: at most; each begins with another arm. warm_up: untimed calls of every arm before the first.
        fewest, seconds: no further round begins after so many that have taken so long together.
    """
    for arm in arms.values():
        for _ in range(warm_up):
            arm()
    taken: dict[Arm, list[Lap]] = {name: [] for name in arms}
    order, started = list(arms), time.perf_counter()
    for done in range(rounds):
        if done >= max(1, fewest) and time.perf_counter() - started > seconds:
            break
        for name in order:
            taken[name].append(lap(arms[name], device))
        order = order[1:] + order[:1]
    return taken


def median_wall(laps: Iterable[Lap]) -> float:
    """Seconds by the clock."""
    return statistics.median(one.wall for one in laps)


class Stopwatch:
    """Each part ends where the next begins, so that together they are the whole time.

    Attributes:
        taken: seconds by part, in the order in which they were measured.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.taken: defaultdict[str, list[float]] = defaultdict(list)
        self.begin()

    def begin(self) -> None:
        """Waits for the device, and starts a part."""
        wait(self.device)
        self.last = time.perf_counter()

    def end(self, name: str) -> None:
        """The part since the last call was `name`."""
        before = self.last
        self.begin()
        self.taken[name].append(self.last - before)


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
    with torch.inference_mode(), float32_mode(precision, device):
        taken = take_turns({"product": lambda: torch.mm(factor, factor, out=product)}, device, rounds=TRIES)
    return 2.0 * size**3 / min(one.wall for one in taken["product"])
