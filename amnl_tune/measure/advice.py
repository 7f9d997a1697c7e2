"""What to change first, from a profile's figures: rules, each with what it would save."""

from typing import NamedTuple

from amnl_tune.training.config import DataPath

MOST_DATA, MOST_VALIDATION = 0.10, 0.06
"""Shares of an epoch; the published run spends 9% and 6% there."""
IDLE = 0.3
"""Of the measured peak: below, the device waits for small kernels rather than computes."""
NOTICEABLE = 0.05
OVERSUBSCRIBED = 0.5
"""Share of the time that more threads than cores cost at least (performance: 2 to 2.9 times as slow)."""


class Symptoms(NamedTuple):
    """What the rules look at.

    Attributes:
        shares: of an epoch, by phase. seconds: of a step, by precision that was tried and is sound.
        precision: the one used. data_path: `resident` or `loader`. utilization: achieved FLOP/s / measured peak.
        workers, threads, cores: processes, threads of each, cores of this machine.
        batch_size, validation_subset: of the configuration.
        on_gpu: whether the device is one. no_graph: why the step is no CUDA graph.
    """

    shares: dict[str, float]
    seconds: dict[str, float]
    precision: str
    data_path: DataPath
    utilization: float
    workers: int
    threads: int
    cores: int
    batch_size: int
    validation_subset: float
    on_gpu: bool
    no_graph: str | None


class Advice(NamedTuple):
    """`saving`: share of the epoch that it would save; None where only trying tells."""

    text: str
    saving: float | None


def first_change(seen: Symptoms) -> Advice:
    """The change that would save most; what cannot be estimated comes last."""
    known = [advice for advice in (_threads(seen), _precision(seen), _data(seen), _validation(seen)) if advice]
    if known:
        return max(known, key=lambda advice: advice.saving or 0.0)
    return _idle(seen) or Advice(
        f"Nothing stands out: the training step takes {_step_share(seen):.0%} of an epoch and reaches "
        f"{seen.utilization:.0%} of the measured peak; a smaller network or fewer windows (stride) are what is left.",
        None,
    )


def _step_share(seen: Symptoms) -> float:
    return seen.shares["forward"] + seen.shares["backward"]


def _threads(seen: Symptoms) -> Advice | None:
    if seen.on_gpu or seen.workers * seen.threads <= seen.cores:
        return None
    fitting = max(1, seen.cores // seen.workers)
    remedy = f"hardware.threads_per_worker = {fitting}" + (
        "" if seen.workers <= seen.cores else f", hardware.workers = {seen.cores}"
    )
    return Advice(
        f"Set {remedy}: {seen.workers} workers of {seen.threads} threads are more than this machine's "
        f"{seen.cores} cores.",
        OVERSUBSCRIBED,
    )


def _precision(seen: Symptoms) -> Advice | None:
    if seen.precision not in seen.seconds:
        return None
    best = min(seen.seconds, key=lambda name: seen.seconds[name])
    ratio = seen.seconds[seen.precision] / seen.seconds[best]
    saving = (1 - 1 / ratio) * _step_share(seen)
    if saving < NOTICEABLE:
        return None
    return Advice(
        f'Set hardware.precision = "auto": {best} makes a training step {ratio:.1f} times as quick as '
        f"{seen.precision} here, with the same loss and gradient.",
        saving,
    )


def _data(seen: Symptoms) -> Advice | None:
    share = seen.shares["data"]
    if share <= MOST_DATA or seen.data_path is not DataPath.LOADER:
        return None
    return Advice(
        f'Set hardware.data_path = "resident" (or "auto"): the loader takes {share:.0%} of an epoch; rows that live on '
        "the device are gathered there.",
        share,
    )


def _validation(seen: Symptoms) -> Advice | None:
    share = seen.shares["validation"]
    if share <= MOST_VALIDATION:
        return None
    kept = MOST_VALIDATION * (1 - share) / (share * (1 - MOST_VALIDATION))
    subset = max(0.01, int(100 * kept * seen.validation_subset) / 100)
    return Advice(
        f"Set fixed.validation_subset = {subset:g}: validation takes {share:.0%} of an epoch, {MOST_VALIDATION:.0%} "
        "would do.",
        share - MOST_VALIDATION,
    )


def _idle(seen: Symptoms) -> Advice | None:
    if seen.utilization >= IDLE:
        return None
    reached = f"a step of {seen.batch_size} windows reaches {seen.utilization:.0%} of the measured peak"
    if seen.on_gpu and seen.no_graph:
        return Advice(f"Let the step be a CUDA graph ({seen.no_graph}): {reached}.", None)
    if seen.on_gpu or seen.threads == 1:
        workers = "" if seen.threads == 1 and not seen.on_gpu else ", or run more workers on this device"
        return Advice(f"Try a larger batch_size{workers}: {reached}.", None)
    return Advice(f"Run more workers of one thread each (--workers {seen.cores} --threads 1): {reached}.", None)
