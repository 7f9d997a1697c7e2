"""Where a run's batches come from: gathered on the device, or fetched by a DataLoader.

Notation: B batch, T window, F channels of a row, M training windows. Both ways give the same batches in the same order.
"""

import multiprocessing
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from amnl_tune.rul.preparation import EngineRows
from amnl_tune.training.config import DataPath
from amnl_tune.training.pipes import loader_context

Batch = tuple[Tensor, Tensor]
"""Windows (B, T, F) and their labels (B,), on the run's device."""

PREFETCH = 2
PATIENCE = 120
"""Seconds for a batch that a loader's process gathers in milliseconds."""
SHARE_FOR_ROWS = 0.5
"""Of the device's free memory: what the rows may take; the rest is the network's."""


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


class LoaderError(RuntimeError):
    """A loader's process has died, or is stuck: another attempt may do better."""


class LoaderBatches:
    """A DataLoader over batches: worker processes, pinned memory, two batches ahead, kept over the epochs.

    Args:
        rows: on the host. window: cycles of a window.
        device: where batches go.
        workers: processes; 0: this one.
    """

    def __init__(self, rows: EngineRows, window: int, device: torch.device, workers: int) -> None:
        self.device, self.workers = device, workers
        self.order = _Order()
        self.loader: DataLoader[_Parcel] = DataLoader(
            _Gathered(rows, window),
            sampler=self.order,
            batch_size=None,
            num_workers=workers,
            multiprocessing_context=loader_context() if workers else None,
            collate_fn=_as_it_is,
            pin_memory=device.type == "cuda",
            prefetch_factor=PREFETCH if workers else None,
            persistent_workers=workers > 0,
            timeout=PATIENCE if workers else 0,
            generator=torch.Generator(),  # its base seed would be drawn from the run's dropout otherwise
        )

    def __call__(self, parts: Sequence[Tensor]) -> Iterator[Batch]:
        """Raises LoaderError, with the reason, instead of waiting for a process that will say nothing more."""
        self.order.parts = parts
        fetched = self._fetched()
        while (parcel := next(fetched, None)) is not None:
            windows, rul = parcel.tensors
            yield windows.to(self.device, non_blocking=True), rul.to(self.device, non_blocking=True)

    def _fetched(self) -> Iterator["_Parcel"]:
        processes: list[BaseProcess] = []
        try:
            fetched = iter(self.loader)
            processes = multiprocessing.active_children()
            yield from fetched
        except (RuntimeError, OSError) as error:
            if not self.workers:
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            codes = [process.exitcode for process in processes]
            signals = {signal.Signals(-code).name for code in codes if code and code < 0}
            reason += f" ({', '.join(sorted(signals))})" if signals else ""
            raise LoaderError(
                f"Each batch must come from one of {self.workers} loader processes within {PATIENCE} s, but: {reason}; "
                "free memory and room in /dev/shm, or set `hardware.loader_workers = 0` or "
                '`hardware.data_path = "resident"`'
            ) from error


@dataclass(frozen=True)
class _Parcel:
    """A batch on its way from a loader's process, through its pipe.

    Tensors would travel in shared memory. Where /dev/shm is too small, as in many containers, their sender only prints
    an error, and the receiver waits for ever.
    """

    windows: NDArray[np.float32]
    rul: NDArray[np.float32]

    @property
    def tensors(self) -> Batch:
        """On the host, around the same memory."""
        return torch.from_numpy(self.windows), torch.from_numpy(self.rul)

    def pin_memory(self, device: object = None) -> "_Pinned":
        """What the DataLoader's own thread calls, where batches go to a CUDA device."""
        windows, rul = self.tensors
        return _Pinned((windows.pin_memory(), rul.pin_memory()))


@dataclass(frozen=True)
class _Pinned:
    """A batch in pinned memory."""

    tensors: Batch


def _as_it_is(parcel: Any) -> Any:
    """The DataLoader's own way would make tensors of arrays in the process that sends them."""
    return parcel


class _Order(Sampler[NDArray[np.int64]]):
    """An epoch's batches of indices, set before each pass."""

    def __init__(self) -> None:
        self.parts: Sequence[Tensor] = ()

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return (part.numpy() for part in self.parts)

    def __len__(self) -> int:
        return len(self.parts)


class _Gathered(Dataset[_Parcel]):
    """Batches by their (b,) last rows."""

    def __init__(self, rows: EngineRows, window: int) -> None:
        self.rows = rows
        self.window = window

    def __getitem__(self, last: NDArray[np.int64]) -> _Parcel:
        rows = torch.from_numpy(last)
        return _Parcel(self.rows.windows(rows, self.window).numpy(), self.rows.rul[rows].numpy())


def choose_data_path(wanted: DataPath, rows: EngineRows, device: torch.device) -> DataPath:
    """`auto` resolved: resident, unless the rows would take more than half of a CUDA device's free memory."""
    if wanted is not DataPath.AUTO:
        return wanted
    if device.type != "cuda":
        return DataPath.RESIDENT
    free, _ = torch.cuda.mem_get_info(device)
    size = sum(tensor.nbytes for tensor in rows.tensors.values())
    return DataPath.RESIDENT if size <= SHARE_FOR_ROWS * free else DataPath.LOADER
