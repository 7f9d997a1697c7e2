"""Which precision is best here: a micro-benchmark of the real training step, remembered for host, device and shape."""

import json
import logging
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from amnl_tune.files import canonical_hash
from amnl_tune.training.batches import Batches
from amnl_tune.training.config import ADDED_LATER, Precision, RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.precision import float32_mode, supported
from amnl_tune.training.state import RunState, own_rng
from amnl_tune.training.step import make_step
from amnl_tune.training.timing import wait

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
SHAPE = (
    "window", "batch_size", "accumulation_steps", "conv_channels", "hidden_size", "num_layers", "num_heads", "fc_sizes",
    "pooling", "loss", "ema_decay", *sorted(ADDED_LATER),
)  # fmt: skip


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
        logger.info("precision: %s; milliseconds a step: %s", known.precision, _milliseconds(known))
        _remember(known, place)
    return Precision(known.precision)


def probe(config: RunConfig, batches: Batches, training: Tensor, execution: Execution) -> Probe:
    """Times the real step in every precision of the device, in turn, and compares its numbers with float32's.

    Args:
        config: of the run. batches: gathers its windows.
        training: (M,) last rows of its training windows, on the host.
        execution: on which device.
    """
    ((windows, rul),) = batches([training[: config.batch_size]])
    candidates = [precision for precision in supported(execution.device) if precision is not Precision.FP16_PURE]
    bouts = [_Bout(config, precision, execution, windows, rul) for precision in candidates]
    warm = {bout.precision: bout.warm_up() for bout in bouts}
    bouts = [bout for bout in bouts if warm[bout.precision] < HOPELESS * warm[Precision.FP32]]
    taken: dict[Precision, list[float]] = {bout.precision: [] for bout in bouts}
    started = time.monotonic()
    for done in range(ROUNDS):
        if done >= FEWEST_ROUNDS and time.monotonic() - started > LONG:
            break
        for bout in bouts:
            taken[bout.precision].append(bout.step())
    seconds = {precision: statistics.median(times) for precision, times in taken.items()}
    rivals = [p for p in seconds if seconds[p] * MARGIN < seconds[Precision.FP32]]
    unsound = _unsound(config, rivals, execution, windows, rul)
    best = min((p for p in rivals if p not in unsound), key=lambda p: seconds[p], default=Precision.FP32)
    return Probe(
        {str(p): value for p, value in seconds.items()}, {str(p): why for p, why in unsound.items()}, str(best)
    )


def device_name(device: torch.device) -> str:
    """Of the product: "NVIDIA H200", or the processor's architecture."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()


class _Bout:
    """One precision's runs of the step on one batch."""

    def __init__(
        self, config: RunConfig, precision: Precision, execution: Execution, windows: Tensor, rul: Tensor
    ) -> None:
        self.precision, self.device = precision, execution.device
        self.state = RunState.start(
            config, mean_rul=float(rul.mean()), data_sha256="", device=self.device, precision=precision
        )
        self.state.model.train()
        self.train = make_step(self.state, execution)
        self.batch = windows, rul

    def warm_up(self) -> float:
        """Seconds of the last untimed step."""
        return [self.step() for _ in range(WARM_UP.get(self.device.type, 1))][-1]

    def step(self) -> float:
        """Seconds of one step."""
        wait(self.device)
        started = time.perf_counter()
        self.run()
        wait(self.device)
        return time.perf_counter() - started

    def run(self) -> Tensor:
        """(2,) raw terms."""
        with own_rng(self.state.rng, self.device), float32_mode(self.precision, self.device):
            self.state.begin_step(1000)
            return self.train(*self.batch).clone()

    def gradient(self) -> tuple[Tensor, Tensor]:
        """(2,) raw terms and (P,) the gradient of the first step that a GradScaler lets pass."""
        for _ in range(SETTLING):
            terms = self.run()
            gradient = torch.cat([p.grad.flatten() for p in self.state.parameters if p.grad is not None])
            if gradient.isfinite().all():
                break
        return terms, gradient


def _unsound(
    config: RunConfig, rivals: list[Precision], execution: Execution, windows: Tensor, rul: Tensor
) -> dict[Precision, str]:
    """Those whose numbers are not float32's, without dropout, whose draws depend on the precision."""
    plain = config.replaced(dropout=0.0, attention_dropout=0.0, clip=0.0)
    eager = Execution(device=execution.device, cuda_graph=False)
    found = {
        precision: _Bout(plain, precision, eager, windows, rul).gradient() for precision in {*rivals, Precision.FP32}
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


def _key(config: RunConfig, execution: Execution) -> str:
    """Of everything that the answer depends on."""
    shape = {name: value for name, value in config.identity().items() if name in SHAPE}
    here = {
        "host": platform.node(),
        "device": device_name(execution.device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cuda_graph": execution.cuda_graph,
    }
    return canonical_hash(here | shape)[:32]


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


def _milliseconds(found: Probe) -> str:
    return ", ".join(f"{name} {seconds * 1e3:.1f}" for name, seconds in found.seconds.items())
