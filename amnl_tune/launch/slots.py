"""Which part of this machine each local worker gets: GPUs, whole or in fractions, or threads of the CPU.

A worker sees its GPUs alone (CUDA_VISIBLE_DEVICES), so that its own `cuda:0` is the right one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

from amnl_tune.bounds import MOST_GPUS
from amnl_tune.errors import ConfigurationError

CUDA_VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Slot:
    """One worker's part of this machine.

    Attributes:
        gpus: as CUDA_VISIBLE_DEVICES names them; empty: the CPU.
        share: of each of its GPUs, at most 1.
    """

    gpus: tuple[str, ...] = ()
    share: float = 1.0

    @property
    def accelerators(self) -> float:
        """Devices that the worker occupies: 0.25 of a GPU, 2 GPUs, 1 CPU."""
        return self.share * max(1, len(self.gpus))

    @property
    def environment(self) -> dict[str, str]:
        """The worker's own."""
        return {CUDA_VISIBLE_DEVICES: ",".join(self.gpus)} if self.gpus else {}


def visible_gpus(environ: Mapping[str, str], present: int) -> tuple[str, ...]:
    """This process's GPUs, in the words of CUDA_VISIBLE_DEVICES: numbers, or names such as GPU-5b1f or MIG-0c3e.

    Args:
        environ: of this process.
        present: GPUs that the driver shows this process, of the visible ones.
    """
    named = environ.get(CUDA_VISIBLE_DEVICES)
    if named is None:
        return tuple(str(number) for number in range(present))
    return tuple(name.strip() for name in named.split(",") if name.strip())[:present]


def chosen_gpus(device: str, gpus: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the visible GPUs that `--device` admits: all for `auto` and `cuda`, one for `cuda:1`, none for `cpu`.

    Raises:
        ConfigurationError: a CUDA device that is not there.
    """
    if not device.startswith(("auto", "cuda")):
        return ()
    number = device.removeprefix("cuda:")
    admitted = gpus[int(number) :][:1] if number.isdecimal() else gpus
    if device.startswith("cuda") and not admitted:
        raise ConfigurationError(
            f"`--device` must be there, but got {device!r} where {len(gpus)} GPUs are visible; use --device cpu"
        )
    return admitted


def check_share(per_worker: float) -> None:
    """Raises ConfigurationError unless `--gpus-per-worker` is a fraction of one GPU or a number of whole ones."""
    if not 0 < per_worker <= MOST_GPUS or (per_worker > 1 and per_worker != int(per_worker)):
        raise ConfigurationError(
            f"`--gpus-per-worker` must be a fraction up to 1 or a whole number, but got {per_worker:g}; "
            "use 0.25 for four workers on a GPU, 2 for two GPUs a worker"
        )


def gpu_slots(workers: int, per_worker: float, gpus: tuple[str, ...]) -> tuple[Slot, ...]:
    """One slot a worker; fractions are spread over all GPUs before any of them gets a second worker.

    Raises:
        ConfigurationError: more workers than the GPUs hold, or a share that is none.
    """
    check_share(per_worker)
    at_once = floor(1 / per_worker + 1e-9) if per_worker < 1 else 1
    each = max(1, int(per_worker))
    groups = [gpus[start : start + each] for start in range(0, len(gpus) - each + 1, each)]
    room = len(groups) * at_once
    if workers > room:
        raise ConfigurationError(
            f"Workers must fit the GPUs of this machine, but {workers} with {per_worker:g} GPUs each do not fit "
            f"{len(gpus)} ({', '.join(gpus) or 'none visible'}); {_remedy(workers, room, len(gpus))}"
        )
    return tuple(Slot(groups[index % len(groups)], min(1.0, per_worker)) for index in range(workers))


def cpu_slots(workers: int) -> tuple[Slot, ...]:
    """Slots that differ in nothing: the threads are what divides a CPU."""
    return (Slot(),) * workers


def overload(workers: int, threads: int, cores: int) -> str | None:
    """A warning where workers have more threads than there are cores: each epoch gets slower, not the search faster."""
    if workers * threads <= cores:
        return None
    return (
        f"Warning: {workers} workers of {threads} threads are more than this machine's {cores} cores, and slow each "
        f"other down; --workers {max(1, cores // threads)} would keep all of them busy"
    )


def _remedy(workers: int, room: int, gpus: int) -> str:
    if not gpus:
        return "use --device cpu without --gpus-per-worker"
    fraction = floor(100 / ceil(workers / gpus)) / 100
    share = f"--gpus-per-worker {fraction:g}" if fraction else "fewer workers"
    return f"use --workers {room}, or {share}" if room else f"use {share}"
