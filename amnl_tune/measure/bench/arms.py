"""Training steps side by side: the published table, cumulatively, a strong baseline, and ours.

Every arm starts from the same weights and sees the same windows in the same order; arms take turns in short bouts, so
that whatever else the machine does meets them all. Notation: B batch, M training windows.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice

import torch
from torch import Tensor

from amnl_tune.measure.baselines import EagerLoop, EpochOrder, Recipe, epochs_of, sample_loader, tensor_loader
from amnl_tune.rul.preparation import EngineRows, PreparedData
from amnl_tune.training.batches import ResidentBatches
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.execution import Execution, freed_memory_kept
from amnl_tune.training.precision import float32_mode, supported
from amnl_tune.training.probe import FreshRun
from amnl_tune.training.state import RunState, own_rng
from amnl_tune.training.timing import Lap, median_wall, take_turns


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

    def mean_rul(self) -> float:
        """Of the training labels, in cycles."""
        return float(self.data.rows.rul[self.training].mean())

    def start(self, precision: Precision, *, seed: int | None = None) -> RunState:
        """A fresh run; with another `seed` the same weights, but other dropout."""

        def fresh(config: RunConfig) -> RunState:
            return RunState.start(
                config, mean_rul=self.mean_rul(), data_sha256="", device=self.device, precision=precision
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


@dataclass
class _Arm:
    """Somebody who trains, bout by bout: `train` takes batches and gives the sum of their raw RUL terms."""

    name: str
    family: str
    precision: Precision
    batches: Iterator[Sequence[Tensor]]
    train: Callable[[Iterable[Sequence[Tensor]]], Tensor | float]
    updates: int = 1
    loss: float = math.nan
    steps: int = 0
    diverged_within: int | None = None

    def bout(self, steps: int) -> None:
        """Takes so many batches; remembers their mean loss, and when it was no longer finite."""
        self.loss, self.steps = float(self.train(islice(self.batches, steps))) / steps, self.steps + steps
        if self.diverged_within is None and not math.isfinite(self.loss):
            self.diverged_within = self.steps

    def outcome(self, laps: Sequence[Lap], steps: int) -> Outcome:
        """Of bouts of `steps` batches."""
        middle, walls = median_wall(laps), [one.wall for one in laps]
        return Outcome(
            name=self.name,
            family=self.family,
            precision=str(self.precision),
            seconds=middle / steps,
            spread=(max(walls) - min(walls)) / 2 / middle,
            loss=self.loss,
            updates=self.updates,
            diverged_within=self.diverged_within,
        )


def mixed_precision(device: torch.device) -> Precision | None:
    """The published recipe's, fp16 with a GradScaler, or what the device has in its place; None: nothing."""
    return next((p for p in (Precision.FP16, Precision.BF16) if p in supported(device)), None)


def fp16_obstacle(arena: Arena) -> str | None:
    """Why the published recipe's loop is not timed in pure float16 here, tried on a few windows; None: it is."""
    last = arena.training[:FEW]
    windows, rul = arena.rows.windows(last, arena.config.window), arena.rows.rul[last]
    try:
        loops = {
            precision: partial(
                EagerLoop(arena.config, arena.start(Precision.FP32).model, 1000, Recipe(precision=precision)),
                windows,
                rul,
            )
            for precision in (Precision.FP32, Precision.FP16_PURE)
        }
        taken = take_turns(loops, arena.device, rounds=1)
    except (RuntimeError, NotImplementedError) as error:
        return f"not measured: this device does not train in float16 ({str(error).splitlines()[0]})"
    times = median_wall(taken[Precision.FP16_PURE]) / median_wall(taken[Precision.FP32])
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
        arm.bout(WARM_UP.get(arena.device.type, 1))
    bouts = {arm.name: partial(arm.bout, steps) for arm in arms}
    taken = take_turns(bouts, arena.device, rounds=rounds, warm_up=0)
    return [arm.outcome(taken[arm.name], steps) for arm in arms]


def _arms(arena: Arena, *, fp16: bool) -> list[_Arm]:
    mixed = mixed_precision(arena.device)
    half, pinned = mixed or Precision.FP32, arena.device.type == "cuda"
    common = arena.data.rows, arena.training, arena.config

    def by_sample(name: str, recipe: Recipe, seed: int | None = None) -> _Arm:
        loader = sample_loader(*common, order=arena.order(), workers=arena.workers, pinned=pinned)
        return _eager(arena, name, recipe, epochs_of(loader), seed=seed)

    cumulative = [
        by_sample("published recipe", Recipe()),
        by_sample("the same again, other dropout", Recipe(), arena.config.seed + 1),
    ]
    if mixed:
        cumulative.append(by_sample("+ mixed precision", Recipe(precision=half)))
    if fp16:
        cumulative.append(by_sample(PURE_FP16, Recipe(precision=Precision.FP16_PURE)))
    loading, accumulating = Recipe(precision=half), Recipe(precision=half, accumulation=ACCUMULATION)
    cumulative.append(_eager(arena, "+ data loading", loading, _gathered(arena)))
    name = f"+ one optimiser step on {ACCUMULATION} batches"
    cumulative.append(_eager(arena, name, accumulating, _gathered(arena)))
    # materialised windows, the best precision here, the fused optimiser, no waiting for the loss
    strong = Recipe(precision=arena.precision, fused=True, item_each_step=False)
    batches = epochs_of(tensor_loader(*common, order=arena.order(), pinned=pinned))
    return [*cumulative, _eager(arena, "strong baseline", strong, batches, family="strong"), _ours(arena)]


def _eager(
    arena: Arena,
    name: str,
    recipe: Recipe,
    batches: Iterator[Sequence[Tensor]],
    *,
    family: str = "published",
    seed: int | None = None,
) -> _Arm:
    state = arena.start(recipe.precision, seed=seed)
    loop = EagerLoop(arena.config, state.model, arena.steps_an_epoch, recipe)

    def train(parts: Iterable[Sequence[Tensor]]) -> Tensor | float:
        total: Tensor | float = 0.0
        with own_rng(state.rng, arena.device), float32_mode(recipe.precision, arena.device):
            for windows, rul in parts:
                total = total + loop(windows, rul)
        return total

    return _Arm(name, family, recipe.precision, batches, train, updates=recipe.accumulation)


def _ours(arena: Arena) -> _Arm:
    """In the memory of a worker."""
    run = FreshRun(arena.config, arena.execution, arena.precision, mean_rul=arena.mean_rul())

    def train(parts: Iterable[Sequence[Tensor]]) -> Tensor:
        with freed_memory_kept():
            return run.train(parts, arena.steps_an_epoch)[0]

    return _Arm("amnl-tune", "ours", arena.precision, _gathered(arena), train)


def _gathered(arena: Arena) -> Iterator[Sequence[Tensor]]:
    """Batches from rows on the device, epoch after epoch."""
    batches = ResidentBatches(arena.rows.to(arena.device), arena.config.window)
    order, training = arena.order(), arena.training
    while True:
        parts = torch.split(training[order.draw()], arena.config.batch_size)
        yield from batches(parts[: arena.steps_an_epoch])
