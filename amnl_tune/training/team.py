"""Several processes that train one run together, launched by torchrun: each takes its share of every batch.

Losses, batch statistics and gradients are the whole batch's, so a run is the same on one process and on several, up to
rounding and dropout. Rank 0 alone reports and writes; the others follow it (`search.following`).
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["SynchronizedBatchNorm", "Team", "is_in_team", "join_team", "leave_team"]

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
