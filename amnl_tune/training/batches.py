"""Where a run's batches come from: gathered on the device, or fetched by a DataLoader.

Notation: B batch, T window, F channels of a row, M training windows. Both ways give the same batches in the same order.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from amnl_tune.rul.preparation import EngineRows

__all__ = ["Batch", "Batches", "DataPath", "LoaderBatches", "ResidentBatches", "choose_data_path"]

Batch = tuple[Tensor, Tensor]
"""Windows (B, T, F) and their labels (B,), on the run's device."""

PREFETCH = 2
SHARE_FOR_ROWS = 0.5
"""Of the device's free memory: what the rows may take; the rest is the network's."""


class DataPath(StrEnum):
    """`resident`: rows live on the device, windows are gathered there. `loader`: a DataLoader's worker processes gather
    them on the host. `auto`: resident, if the rows fit.
    """

    AUTO = "auto"
    RESIDENT = "resident"
    LOADER = "loader"


class Batches(Protocol):
    """Turns (b,) last rows, batch after batch, into batches."""

    def __call__(self, parts: Sequence[Tensor]) -> Iterable[Batch]:
        """`parts` are index tensors on the host."""


class ResidentBatches:
    """Gathers by index from rows on the device."""

    def __init__(self, rows: EngineRows, window: int) -> None:
        self.rows = rows
        self.window = window

    def __call__(self, parts: Sequence[Tensor]) -> Iterator[Batch]:
        device = self.rows.features.device
        every = torch.cat(list(parts)).to(device)
        for last in torch.split(every, [len(part) for part in parts]):
            yield self.rows.windows(last, self.window), self.rows.rul[last]


class LoaderBatches:
    """A DataLoader over batches: worker processes, pinned memory, two batches ahead, kept over the epochs.

    Args:
        rows: on the host. window: cycles of a window.
        device: where batches go.
        workers: processes; 0: this one.
    """

    def __init__(self, rows: EngineRows, window: int, device: torch.device, workers: int) -> None:
        self.device = device
        self.order = _Order()
        self.loader: DataLoader[Batch] = DataLoader(
            _Gathered(rows, window),
            sampler=self.order,
            batch_size=None,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            prefetch_factor=PREFETCH if workers else None,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # its base seed would be drawn from the run's dropout otherwise
        )

    def __call__(self, parts: Sequence[Tensor]) -> Iterator[Batch]:
        self.order.parts = parts
        for windows, rul in self.loader:
            yield windows.to(self.device, non_blocking=True), rul.to(self.device, non_blocking=True)


class _Order(Sampler[Tensor]):
    """An epoch's batches of indices, set before each pass."""

    def __init__(self) -> None:
        self.parts: Sequence[Tensor] = ()

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)


class _Gathered(Dataset[Batch]):
    """Batches by their (b,) last rows."""

    def __init__(self, rows: EngineRows, window: int) -> None:
        self.rows = rows
        self.window = window

    def __getitem__(self, last: Tensor) -> Batch:
        return self.rows.windows(last, self.window), self.rows.rul[last]


def choose_data_path(wanted: DataPath, rows: EngineRows, device: torch.device) -> DataPath:
    """`auto` resolved: resident, unless the rows would take more than half of a CUDA device's free memory."""
    if wanted is not DataPath.AUTO:
        return wanted
    if device.type != "cuda":
        return DataPath.RESIDENT
    free, _ = torch.cuda.mem_get_info(device)
    size = sum(tensor.nbytes for tensor in rows.tensors.values())
    return DataPath.RESIDENT if size <= SHARE_FOR_ROWS * free else DataPath.LOADER
