"""How a run is carried out, as opposed to what it is: nothing here decides its result but the precision.

A team is several processes that train one run together, launched by torchrun: each takes its share of every batch.
Losses, batch statistics and gradients are the whole batch's, so a run is the same on one process and on several, up to
rounding and dropout. Rank 0 alone reports and writes; the others follow it (`search.together`).

glibc gives large blocks back to the kernel, and the next training step faults them in again page by page: on the full
network some 100,000 faults a step, a sixth of its time on two CPU cores (`amnl-tune bench` has it in its last row). A
process that trains keeps them: its resident memory stays at its peak.

Two threads that meet after every kernel each wait for the other; beside other processes one of them is seldom on a core
when the other is ready. On one thread a narrow network takes half the CPU time, and its figures depend on no machine's
number of cores.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from amnl_tune.errors import StudyError
from amnl_tune.training.config import DataPath, Precision

PATIENCE = timedelta(days=1)
"""For the others' next word: between two runs a team may wait for hours."""


@dataclass(frozen=True)
class Team:
    """This process's place in it; by default alone.

    Attributes:
        rank: 0 leads. size: processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_alone(self) -> bool:
        """No one to talk to."""
        return self.size == 1

    @property
    def leads(self) -> bool:
        """Reports and writes."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all processes, the same on each; no gradient flows through it."""
        if self.is_alone:
            return value
        total = value.detach().clone()
        dist.all_reduce(total)
        return total

    def tell(self, value: Any) -> Any:
        """Rank 0's `value`, on every process; plain values and tensors."""
        if self.is_alone:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch."""
        return batch if self.is_alone else batch.tensor_split(self.size)[self.rank]


def join_team(*, cuda: bool) -> Team:
    """Meets the other processes that torchrun has started; gloo between CPUs, NCCL between CUDA devices."""
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=PATIENCE)
    return Team(dist.get_rank(), dist.get_world_size())


def leave_team() -> None:
    """For good; whoever still waits for this process fails."""
    if dist.is_initialized():
        dist.destroy_process_group()


def is_in_team() -> bool:
    """Joined, and not left."""
    return dist.is_initialized()


class SynchronizedBatchNorm(nn.BatchNorm1d):
    """Batch statistics over all processes, on any backend: torch's SyncBatchNorm knows only CUDA.

    Same parameters and buffers as `nn.BatchNorm1d`, so its state dict is one's.
    """

    @classmethod
    def convert(cls, model: nn.Module) -> None:
        """Puts one in the place of every `nn.BatchNorm1d`, around the same tensors."""
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.__class__ = cls

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        if not self.training:
            return super().forward(input)
        x = input.float()
        count = dist_sum(x.new_full((1,), x.shape[0] * x.shape[2]))
        mean = dist_sum(x.sum(dim=(0, 2))) / count
        centred = x - mean[:, None]
        variance = dist_sum(centred.square().sum(dim=(0, 2))) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        normal = centred * (variance + self.eps).rsqrt()[:, None]
        return (normal * self.weight[:, None] + self.bias[:, None]).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def dist_sum(value: Tensor) -> Tensor:
    """The sum over all processes; its gradient is the sum of their gradients."""
    total: Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]
    return total


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


@dataclass(frozen=True)
class Execution:
    """Device, precision and data path of runs in this process.

    Attributes:
        device: where they train.
        precision: `auto` asks the probe; a resumed run keeps its own.
        probes: folder in which answers of the probe are remembered; None: each process asks for itself.
        data_path: where windows are gathered.
        loader_workers: processes of a DataLoader; only for `loader`.
        cuda_graph: capture the training step on a CUDA device; where that cannot be, the reason is logged.
        team: processes that train one run together.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: Precision = Precision.FP32
    probes: Path | None = None
    data_path: DataPath = DataPath.AUTO
    loader_workers: int = 0
    cuda_graph: bool = True
    team: Team = field(default_factory=Team)


TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Parameters of mallopt(3)."""
KEEPING = {MMAP_MAX: 0, TRIM_THRESHOLD: -1, TOP_PAD: 64 << 20}
USUAL = {MMAP_MAX: 65536, TRIM_THRESHOLD: 64 << 20, TOP_PAD: 128 << 10}
"""Where glibc's own thresholds, which grow with what is freed, end."""


def keep_freed_memory() -> bool:
    """Whether this process now keeps what it frees; False where the C library cannot be told."""
    return _told(KEEPING)


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """`keep_freed_memory` for a block, and the C library's own way after it."""
    keep_freed_memory()
    try:
        yield
    finally:
        _told(USUAL)


def _told(settings: dict[int, int]) -> bool:
    tell = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return tell is not None and all(tell(parameter, value) == 1 for parameter, value in settings.items())


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


def require_devices(count: int, device: str) -> None:
    """
    Raises:
        StudyError: fewer CUDA devices, or one in particular, where a run is to be trained on `count` of them.
    """
    resolved = resolve_device(device)
    if resolved.startswith("cuda") and (resolved != "cuda" or torch.cuda.device_count() < count):
        raise StudyError(
            f"`--gpus` must be at most the CUDA devices here, but got --gpus {count} with --device {device} for "
            f"{torch.cuda.device_count()} of them; lower it, or use --device cuda"
        )


def resolve_device(device: str) -> str:
    """`auto` is the first CUDA device where there is one.

    Raises:
        StudyError: a CUDA device that is not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise StudyError(f"`--device` must be there, but torch finds no CUDA device for {device!r}; use --device cpu")
    return device
