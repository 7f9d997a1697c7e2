"""Which precision is best here: a micro-benchmark of the real training step, remembered for host, device and shape."""

import json
import logging
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from amnl_tune.files import canonical_hash
from amnl_tune.rul.configuration import InputConfig
from amnl_tune.training.batches import Batch, Batches
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.precision import float32_mode, supported
from amnl_tune.training.state import RunState, own_rng
from amnl_tune.training.step import make_step
from amnl_tune.training.timing import median_wall, take_turns

logger = logging.getLogger(__name__)

ROUNDS = 5
FEWEST_ROUNDS, LONG = 3, 5.0
"""After that many rounds a probe ends that has taken that many seconds."""
WARM_UP = {"cuda": 5}
"""Untimed steps, 1 elsewhere: on CUDA the graph is captured in them."""
HOPELESS = 2.0
"""A precision whose warm-up is that many times as slow as float32's is not timed further."""
MARGIN = 1.05
"""How much quicker than float32 a precision must be: less is noise."""
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 0.01, 0.1
"""Relative difference from float32 of a step's raw terms, and of its gradient as a vector."""
SETTLING = 20
"""Steps that a GradScaler gets to find a scale at which nothing overflows."""
STEP_SETTINGS = (
    "batch_size", "accumulation_steps", "conv_channels", "hidden_size", "num_layers", "num_heads", "fc_sizes",
    "pooling", "loss", "ema_decay", *sorted(InputConfig.model_fields),
)  # fmt: skip
"""Settings that decide how long a training step takes."""


@dataclass(frozen=True)
class Probe:
    """What was measured.

    Attributes:
        seconds: median of a training step, by precision, interleaved with the others'.
        unsound: precisions whose loss or gradient is not float32's, with the reason.
        precision: the quickest sound one; float32 unless another is quicker by 5%.
    """

    seconds: dict[str, float]
    unsound: dict[str, str]
    precision: str


def best_precision(config: RunConfig, batches: Batches, training: Tensor, execution: Execution) -> Precision:
    """`auto`'s answer for a run; as `probe`, from memory where it has been asked before."""
    if supported(execution.device) == (Precision.FP32,):
        return Precision.FP32
    place = execution.probes / f"{_key(config, execution)}.json" if execution.probes else None
    known = _remembered(place)
    if known is None:
        known = probe(config, batches, training, execution)
        shown = ", ".join(f"{name} {seconds * 1e3:.1f}" for name, seconds in known.seconds.items())
        logger.info("precision: %s; milliseconds a step: %s", known.precision, shown)
        _remember(known, place)
    return Precision(known.precision)


def probe(config: RunConfig, batches: Batches, training: Tensor, execution: Execution) -> Probe:
    """Times the real step in every precision of the device, in turn, and compares its numbers with float32's.

    Args:
        config: of the run. batches: gathers its windows.
        training: (M,) last rows of its training windows, on the host.
        execution: on which device.
    """
    (batch,) = batches([training[: config.batch_size]])
    mean = float(batch[1].mean())
    candidates = [precision for precision in supported(execution.device) if precision is not Precision.FP16_PURE]
    runs = {precision: FreshRun(config, execution, precision, mean_rul=mean) for precision in candidates}
    arms = {precision: partial(run.train, [batch]) for precision, run in runs.items()}
    untimed = WARM_UP.get(execution.device.type, 1) - 1
    first = take_turns(arms, execution.device, rounds=1, warm_up=untimed)
    warm = {precision: median_wall(laps) for precision, laps in first.items()}
    arms = {precision: arm for precision, arm in arms.items() if warm[precision] < HOPELESS * warm[Precision.FP32]}
    taken = take_turns(arms, execution.device, rounds=ROUNDS, warm_up=0, fewest=FEWEST_ROUNDS, seconds=LONG)
    seconds = {precision: median_wall(laps) for precision, laps in taken.items()}
    rivals = [p for p in seconds if seconds[p] * MARGIN < seconds[Precision.FP32]]
    unsound = _unsound(config, rivals, execution, batch)
    best = min((p for p in rivals if p not in unsound), key=lambda p: seconds[p], default=Precision.FP32)
    return Probe(
        {str(p): value for p, value in seconds.items()}, {str(p): why for p, why in unsound.items()}, str(best)
    )


def device_name(device: torch.device) -> str:
    """Of the product: "NVIDIA H200", or the processor's architecture."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()


class FreshRun:
    """A run's own training steps, on batches that the caller chooses; the caller's random numbers stay as they are.

    Args:
        config: of the run. execution: on which device. precision: not `auto`.
        mean_rul: of the training labels, in cycles; it decides losses, not durations.
    """

    def __init__(
        self, config: RunConfig, execution: Execution, precision: Precision, *, mean_rul: float = 60.0
    ) -> None:
        self.device = execution.device
        self.state = RunState.start(config, mean_rul=mean_rul, data_sha256="", device=self.device, precision=precision)
        self.state.model.train()
        self.step = make_step(self.state, execution)

    def train(self, batches: Iterable[Sequence[Tensor]], steps_an_epoch: int = 1000) -> Tensor:
        """A step on each of the (windows, RUL); (2,) sum of the raw terms."""
        total = torch.zeros(2, device=self.device)
        with own_rng(self.state.rng, self.device), float32_mode(self.state.precision, self.device):
            for windows, rul in batches:
                self.state.begin_step(steps_an_epoch)
                total += self.step(windows, rul)
        return total


def _first_step(run: FreshRun, batch: Batch) -> tuple[Tensor, Tensor]:
    """(2,) raw terms and (P,) the gradient of the first step that a GradScaler lets pass."""
    for _ in range(SETTLING):
        terms = run.train([batch])
        gradient = torch.cat([p.grad.flatten() for p in run.state.parameters if p.grad is not None])
        if gradient.isfinite().all():
            break
    return terms, gradient


def _unsound(
    config: RunConfig, rivals: Sequence[Precision], execution: Execution, batch: Batch
) -> dict[Precision, str]:
    """Those whose numbers are not float32's, without dropout, whose draws depend on the precision."""
    plain = config.replaced(dropout=0.0, attention_dropout=0.0, clip=0.0)
    eager = Execution(device=execution.device, cuda_graph=False)
    found = {
        p: _first_step(FreshRun(plain, eager, p, mean_rul=float(batch[1].mean())), batch)
        for p in {*rivals, Precision.FP32}
    }
    true_terms, true_gradient = found[Precision.FP32]
    unsound = {}
    for precision in rivals:
        terms, gradient = found[precision]
        loss_error = float(((terms - true_terms).abs() / true_terms.abs().clamp(min=1e-12)).max())
        gradient_error = float((gradient - true_gradient).norm() / true_gradient.norm())
        if not (loss_error <= LOSS_TOLERANCE and gradient_error <= GRADIENT_TOLERANCE):
            unsound[precision] = f"loss off by {loss_error:.1%}, gradient by {gradient_error:.1%}"
    return unsound


def step_settings(config: RunConfig) -> dict[str, Any]:
    """Those of a configuration; equal ones take equally long."""
    return {name: value for name, value in config.identity().items() if name in STEP_SETTINGS}


def _key(config: RunConfig, execution: Execution) -> str:
    """Of everything that the answer depends on."""
    here = {
        "host": platform.node(),
        "device": device_name(execution.device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cuda_graph": execution.cuda_graph,
    }
    return canonical_hash(here | step_settings(config))[:32]


def _remembered(place: Path | None) -> Probe | None:
    try:
        return Probe(**json.loads(place.read_text())) if place else None
    except (OSError, ValueError, TypeError):  # never asked, or cut short: ask again
        return None


def _remember(found: Probe, place: Path | None) -> None:
    """For the next run of this shape; what cannot be written is asked again."""
    if place is None:
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(asdict(found), indent=1))
    except OSError as error:
        logger.warning("what the precision probe has found cannot be remembered: %s", error)
