"""Training steps side by side: the published table, cumulatively, a strong baseline, and ours.

Every arm starts from the same weights and sees the same windows in the same order; arms take turns in short bouts, so
that whatever else the machine does meets them all. Notation: B batch, M training windows.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from amnl_tune.measure.baselines import EagerLoop, EpochOrder, Recipe, epochs_of, sample_loader, tensor_loader
from amnl_tune.rul.preparation import EngineRows, PreparedData
from amnl_tune.training.batches import Batches, ResidentBatches
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.execution import Execution, freed_memory_kept
from amnl_tune.training.precision import float32_mode, supported
from amnl_tune.training.state import RngState, RunState, own_rng
from amnl_tune.training.step import make_step
from amnl_tune.training.timing import wait


@dataclass(frozen=True)
class Arena:
    """What all arms have in common.

    Attributes:
        config, data: of the run. execution: device and data path. precision: the probe's answer.
        workers: processes of the published recipe's DataLoader.
    """

    config: RunConfig
    data: PreparedData
    execution: Execution
    precision: Precision
    workers: int

    @property
    def device(self) -> torch.device:
        """Where all arms train."""
        return self.execution.device

    @property
    def training(self) -> Tensor:
        """(M,) last rows of the training windows."""
        return self.data.training_windows(self.config, self.config.stride)

    @cached_property
    def rows(self) -> EngineRows:
        """What the network sees, on the host."""
        return self.data.rows.seen_by(self.config)

    @property
    def steps_an_epoch(self) -> int:
        """Full batches: the last partial one is left out by every arm."""
        return len(self.training) // self.config.batch_size

    def order(self) -> EpochOrder:
        """From the first epoch."""
        return EpochOrder(len(self.training), self.config.seed)

    def start(self, precision: Precision, *, seed: int | None = None) -> RunState:
        """A fresh run; with another `seed` the same weights, but other dropout."""
        mean = float(self.data.rows.rul[self.training].mean())

        def fresh(config: RunConfig) -> RunState:
            return RunState.start(
                config, mean_rul=mean, data_sha256=self.data.sha256, device=self.device, precision=precision
            )

        state = fresh(self.config)
        if seed is not None:
            state.rng = fresh(self.config.replaced(seed=seed)).rng
        return state


ACCUMULATION = 4
"""Batches of one optimiser step, as published."""

PURE_FP16 = "pure fp16"
FEW, HOPELESS = 8, 4.0
"""Windows on which float16 is tried; it is not timed in full if it takes that many times as long as float32 on them."""

WARM_UP = {"cuda": 8}
"""Untimed batches of every arm, 1 elsewhere: on CUDA the graph is captured in them."""


@dataclass(frozen=True)
class Outcome:
    """One arm's figures.

    Attributes:
        name, family: `published`, `strong` or `ours`. precision: what it computed in.
        seconds: of a training step on one batch, the fetching included: the median of the bouts' means.
        spread: of the bouts around it, as a share: half the distance of the extremes.
        loss: mean raw RUL term (cycles^2) over the last bout's batches, the same ones for every arm; may be NaN.
        updates: batches of one optimiser step.
        diverged_within: so many steps the loss was no longer finite; None: it is.
    """

    name: str
    family: str
    precision: str
    seconds: float
    spread: float
    loss: float
    updates: int = 1
    diverged_within: int | None = None


class _Arm:
    """Somebody who trains, bout by bout."""

    def __init__(
        self,
        name: str,
        family: str,
        *,
        precision: Precision,
        batches: Iterator[Sequence[Tensor]],
        train: Callable[[Tensor, Tensor], Tensor | float],
        rng: RngState,
        updates: int = 1,
    ) -> None:
        self.name, self.family, self.precision, self.updates = name, family, precision, updates
        self.batches, self.train, self.rng = batches, train, rng
        self.seconds: list[float] = []
        self.loss, self.steps = math.nan, 0
        self.diverged_within: int | None = None

    def bout(self, steps: int, device: torch.device) -> None:
        """Takes `steps` batches, ours in the memory of a worker; remembers seconds a batch, and the mean loss."""
        total: Tensor | float = 0.0
        heap = freed_memory_kept() if self.family == "ours" else nullcontext()
        with heap, own_rng(self.rng, device), float32_mode(self.precision, device):
            wait(device)
            started = time.perf_counter()
            for _ in range(steps):
                windows, rul = next(self.batches)
                total = total + self.train(windows, rul)
            wait(device)
            self.seconds.append((time.perf_counter() - started) / steps)
        self.loss, self.steps = float(total) / steps, self.steps + steps
        if self.diverged_within is None and not math.isfinite(self.loss):
            self.diverged_within = self.steps

    def outcome(self) -> Outcome:
        """Without the warm-up."""
        times = self.seconds[1:]
        middle = statistics.median(times)
        spread = (max(times) - min(times)) / 2 / middle
        return Outcome(
            self.name,
            self.family,
            str(self.precision),
            middle,
            spread,
            self.loss,
            self.updates,
            self.diverged_within,
        )


def mixed_precision(device: torch.device) -> Precision | None:
    """The published recipe's, fp16 with a GradScaler, or what the device has in its place; None: nothing."""
    return next((p for p in (Precision.FP16, Precision.BF16) if p in supported(device)), None)


def fp16_obstacle(arena: Arena) -> str | None:
    """Why the published recipe's loop is not timed in pure float16 here, tried on a few windows; None: it is."""
    last = arena.training[:FEW]
    windows, rul = arena.rows.windows(last, arena.config.window), arena.rows.rul[last]
    seconds = {}
    try:
        for precision in (Precision.FP32, Precision.FP16_PURE):
            loop = EagerLoop(arena.config, arena.start(Precision.FP32).model, 1000, Recipe(precision=precision))
            loop(windows, rul)
            wait(arena.device)
            started = time.perf_counter()
            loop(windows, rul)
            wait(arena.device)
            seconds[precision] = time.perf_counter() - started
    except (RuntimeError, NotImplementedError) as error:
        return f"not measured: this device does not train in float16 ({str(error).splitlines()[0]})"
    times = seconds[Precision.FP16_PURE] / seconds[Precision.FP32]
    if times < HOPELESS:
        return None
    return f"not measured in full: {FEW} windows take {times:.0f} times as long as in float32 on this device"


def contest(arena: Arena, *, rounds: int, steps: int, fp16: bool = False) -> list[Outcome]:
    """Every arm's figures, the published recipe's first.

    Args:
        arena: what they have in common.
        rounds: bouts of each arm. steps: batches of a bout. fp16: pure float16 too.
    """
    arms = _arms(arena, fp16=fp16)
    for arm in arms:
        arm.bout(WARM_UP.get(arena.device.type, 1), arena.device)
    for round_ in range(rounds):
        first = round_ % len(arms)
        for arm in arms[first:] + arms[:first]:
            arm.bout(steps, arena.device)
    return [arm.outcome() for arm in arms]


def _arms(arena: Arena, *, fp16: bool) -> list[_Arm]:
    mixed = mixed_precision(arena.device)
    half = mixed or Precision.FP32
    cumulative = [_published(arena, "published recipe", Recipe())]
    cumulative.append(_published(arena, "the same again, other dropout", Recipe(), seed=arena.config.seed + 1))
    if mixed:
        cumulative.append(_published(arena, "+ mixed precision", Recipe(precision=half)))
    if fp16:
        cumulative.append(_published(arena, PURE_FP16, Recipe(precision=Precision.FP16_PURE)))
    cumulative.append(_resident(arena, "+ data loading", Recipe(precision=half)))
    accumulating = Recipe(precision=half, accumulation=ACCUMULATION)
    cumulative.append(_resident(arena, f"+ one optimiser step on {ACCUMULATION} batches", accumulating))
    return [*cumulative, _strong(arena), _ours(arena)]


def _published(arena: Arena, name: str, recipe: Recipe, *, seed: int | None = None) -> _Arm:
    loader = sample_loader(
        arena.data.rows,
        arena.training,
        arena.config,
        order=arena.order(),
        workers=arena.workers,
        pinned=arena.device.type == "cuda",
    )
    return _eager(arena, name, "published", recipe, epochs_of(loader), seed=seed)


def _resident(arena: Arena, name: str, recipe: Recipe) -> _Arm:
    return _eager(arena, name, "published", recipe, _gathered(arena))


def _strong(arena: Arena) -> _Arm:
    """Materialised windows, the best precision here, the fused optimiser, no waiting for the loss."""
    pinned = arena.device.type == "cuda"
    loader = tensor_loader(arena.data.rows, arena.training, arena.config, order=arena.order(), pinned=pinned)
    recipe = Recipe(precision=arena.precision, fused=True, item_each_step=False)
    return _eager(arena, "strong baseline", "strong", recipe, epochs_of(loader))


def _eager(
    arena: Arena,
    name: str,
    family: str,
    recipe: Recipe,
    batches: Iterator[Sequence[Tensor]],
    *,
    seed: int | None = None,
) -> _Arm:
    state = arena.start(recipe.precision, seed=seed)
    loop = EagerLoop(arena.config, state.model, arena.steps_an_epoch, recipe)
    return _Arm(
        name,
        family,
        precision=recipe.precision,
        batches=batches,
        train=loop,
        rng=state.rng,
        updates=recipe.accumulation,
    )


def _ours(arena: Arena) -> _Arm:
    state = arena.start(arena.precision)
    state.model.train()
    step = make_step(state, arena.execution)

    def train(windows: Tensor, rul: Tensor) -> Tensor:
        state.begin_step(arena.steps_an_epoch)
        return step(windows, rul)[0]

    return _Arm("amnl-tune", "ours", precision=arena.precision, batches=_gathered(arena), train=train, rng=state.rng)


def _gathered(arena: Arena) -> Iterator[Sequence[Tensor]]:
    """Batches from rows on the device, epoch after epoch."""
    batches: Batches = ResidentBatches(arena.rows.to(arena.device), arena.config.window)
    order, training = arena.order(), arena.training
    while True:
        parts = torch.split(training[order.draw()], arena.config.batch_size)
        yield from batches(parts[: arena.steps_an_epoch])
