"""What we compare with: the published recipe, written straightforwardly and well, and a strong variant of it.

Nothing here is shared with `training.step`: only the network, its loss and the learning-rate schedule are the same.
Notation: B batch, T window, F features (17), M training windows.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler, TensorDataset

from amnl_tune.errors import StorageError
from amnl_tune.rul.losses import DualTaskLoss
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import EngineRows
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.precision import autocast, grad_scaler
from amnl_tune.training.state import lr_factor

PREFETCH = 2
PATIENCE = 120
"""Seconds for a batch."""
SHARED = Path("/dev/shm")
Loader = DataLoader[tuple[Tensor, ...]]


@dataclass(frozen=True)
class Recipe:
    """A straightforward loop's choices.

    Attributes:
        precision: of its forward passes, by autocast; fp16 with a GradScaler.
        fused: the optimiser is torch's fused one rather than its default.
        item_each_step: reads the loss after every step, as progress bars do.
        accumulation: batches that one optimiser step takes.
    """

    precision: Precision = Precision.FP32
    fused: bool = False
    item_each_step: bool = True
    accumulation: int = 1


class WindowDataset(Dataset[tuple[Tensor, Tensor]]):
    """One window and its label at a time, cut from the rows when asked for."""

    def __init__(self, rows: EngineRows, last: Tensor, window: int) -> None:
        self.rows, self.features, self.rul = rows, rows.features, rows.rul
        self.last, self.window = last.tolist(), window
        self.plain = rows.step == 1 and bool((last - rows.first[last] >= window - 1).all())

    def __len__(self) -> int:
        return len(self.last)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        end = self.last[index]
        if not self.plain:
            return self.rows.windows(torch.tensor([end]), self.window)[0], self.rul[end]
        return self.features[end - self.window + 1 : end + 1], self.rul[end]


class EpochOrder(Sampler[int]):
    """The order of an epoch's windows, the same for everybody: epoch and seed decide it."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed, self.epoch = count, seed, 0

    def draw(self) -> Tensor:
        """(M,) the next epoch's permutation."""
        self.epoch += 1
        return torch.randperm(self.count, generator=torch.Generator().manual_seed(self.seed + self.epoch))

    def __iter__(self) -> Iterator[int]:
        yield from self.draw().tolist()

    def __len__(self) -> int:
        return self.count


def sample_loader(
    rows: EngineRows, last: Tensor, config: RunConfig, *, order: EpochOrder, workers: int, pinned: bool
) -> Loader:
    """A DataLoader that fetches sample by sample: worker processes, kept over the epochs, two batches ahead.

    Raises:
        StorageError: /dev/shm, where its batches travel, has no room for them; it would wait for ever.
    """
    needed = workers * PREFETCH * config.batch_size * (config.window * rows.features.shape[1] + 1) * 4
    if needed and SHARED.exists() and (free := shutil.disk_usage(SHARED).free) < needed:
        raise StorageError(
            f"{SHARED} must have room for the batches of a DataLoader's processes, {needed:,} bytes, but {free:,} are "
            "free; start the container with --shm-size=1g"
        )
    return DataLoader(
        WindowDataset(rows, last, config.window),
        batch_size=config.batch_size,
        sampler=order,
        drop_last=True,
        num_workers=workers,
        pin_memory=pinned,
        prefetch_factor=PREFETCH if workers else None,
        persistent_workers=workers > 0,
        timeout=PATIENCE if workers else 0,
        generator=torch.Generator(),
    )


def tensor_loader(rows: EngineRows, last: Tensor, config: RunConfig, *, order: EpochOrder, pinned: bool) -> Loader:
    """A DataLoader over materialised windows (M, T, F), fetched a batch at once."""
    return DataLoader(
        TensorDataset(rows.windows(last, config.window), rows.rul[last]),
        sampler=BatchSampler(order, config.batch_size, drop_last=True),
        batch_size=None,
        pin_memory=pinned,
        generator=torch.Generator(),
    )


def epochs_of(loader: Loader) -> Iterator[Sequence[Tensor]]:
    """Batches, epoch after epoch, for ever."""
    while True:
        yield from loader


class EagerLoop:
    """A training loop as tutorials have it; `start` is a network that it makes its own.

    Args:
        config: of the run. start: the untrained network, on the device.
        steps_an_epoch: for the learning-rate schedule.
        recipe: what it does otherwise.
    """

    def __init__(self, config: RunConfig, start: AMNL, steps_an_epoch: int, recipe: Recipe) -> None:
        self.config, self.recipe, self.model = config, recipe, start.train()
        self.device = next(start.parameters()).device
        self.criterion = DualTaskLoss(config).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            weight_decay=config.weight_decay,
            fused=True if recipe.fused else None,
        )
        self.scheduler = LambdaLR(self.optimizer, self._factor(steps_an_epoch))
        self.scaler = grad_scaler(recipe.precision, self.device)
        self.ema = (
            AveragedModel(
                self.model,
                multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay),  # type: ignore[no-untyped-call]
                use_buffers=True,
            )
            if config.ema_decay
            else None
        )
        self.shared = self.model.backbone() if self.criterion.balances_gradients else []
        self.batches = 0

    def __call__(self, windows: Tensor, rul: Tensor) -> Tensor | float:
        """(B, T, F), (B,) -> the batch's raw RUL term in cycles^2."""
        windows = windows.to(self.device, non_blocking=True)
        rul = rul.to(self.device, non_blocking=True)
        if self.batches % self.recipe.accumulation == 0:
            self.optimizer.zero_grad()
        with autocast(self.recipe.precision, self.device):
            predicted = self.model(windows)
        terms = self.criterion(predicted, rul, self.shared)
        self.scaler.scale(terms.total / self.recipe.accumulation).backward()
        self.batches += 1
        if self.batches % self.recipe.accumulation == 0:
            self._update()
        return float(terms.rul.item()) if self.recipe.item_each_step else terms.rul

    def _update(self) -> None:
        self.scaler.unscale_(self.optimizer)
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        if self.ema:
            self.ema.update_parameters(self.model)

    def _factor(self, steps_an_epoch: int) -> Callable[[int], float]:
        """The published schedule over optimiser steps done."""
        config = self.config
        updates = config.schedule_epochs * steps_an_epoch / self.recipe.accumulation

        def factor(done: int) -> float:
            progress = min(1.0, (done + 1) / updates)
            return lr_factor(progress, config.schedule, warmup=config.warmup_fraction, final=config.final_lr_fraction)

        return factor
