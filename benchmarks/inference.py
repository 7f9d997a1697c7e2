"""Ways to predict windows in bulk with the full network, in turn, as multiples of a plain eager FP32 loop.

    python -m benchmarks.inference                  # batches of 256 on the CPU
    python -m benchmarks.inference --device cuda --batch 1024 --json inference.json

Random weights and windows: only time is measured. `auto` keeps to float32's RUL by TOLERANCE cycles.
"""

import argparse
import copy
import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from amnl_tune.rul.history import channel_names
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.training.config import Precision, RunConfig, published_defaults
from amnl_tune.training.evaluation import Predictor
from amnl_tune.training.execution import freed_memory_kept
from amnl_tune.training.state import RunState
from amnl_tune.training.timing import median_wall, take_turns

Predict = Callable[[Tensor], Any]


def main() -> None:
    """Prints and, on request, writes the table."""
    arguments = _arguments()
    torch.manual_seed(1)
    device = torch.device(arguments.device)
    config = RunConfig.build(published_defaults("FD001"))
    start = RunState.start(config, mean_rul=80.0, data_sha256="", device=device, precision=Precision.FP32)
    model = start.model.eval()
    windows = torch.randn(arguments.batch, config.window, len(channel_names(config)), device=device)
    arms = _arms(model, windows)
    calls = {name: partial(_several, predict, windows, arguments.calls) for name, predict in arms.items()}
    taken = take_turns(calls, device, rounds=arguments.rounds)  # the warm-up compiles
    seconds = {name: median_wall(laps) / arguments.calls for name, laps in taken.items()}
    rows = [
        {
            "way": name,
            "windows_per_second": arguments.batch / seconds[name],
            "ratio": seconds["plain loop"] / seconds[name],
        }
        for name in arms
    ]
    print(f"batches of {arguments.batch} on {device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for row in rows:
        print("{way:<38}{windows_per_second:>12,.0f} windows/s{ratio:>8.2f}x".format(**row))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=256, help="windows a call")
    parser.add_argument("--calls", type=int, default=5, help="calls a timing")
    parser.add_argument("--rounds", type=int, default=7, help="timings of each way; the median counts")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def _arms(model: AMNL, windows: Tensor) -> dict[str, Predict]:
    """`plain loop` first."""
    device, fused = windows.device, _fused(model)
    with torch.no_grad():
        traced = torch.jit.freeze(torch.jit.trace(copy.deepcopy(model), windows, check_trace=False))
    auto = Predictor(model, device, Precision.AUTO)
    auto(windows)
    return {
        "plain loop": _without_gradients(model),
        "batch norm in the convolutions": _without_gradients(fused),
        "torch.jit.trace and freeze": _without_gradients(traced),
        "torch.compile": _without_gradients(torch.compile(copy.deepcopy(model))),
        f"amnl-tune, auto: {auto.precision}": auto,
    }


def _without_gradients(model: Predict) -> Predict:
    def predict(windows: Tensor) -> Any:
        with torch.no_grad():
            return model(windows)

    return predict


def _fused(model: AMNL) -> AMNL:
    """Batch norm folded into the convolution before it."""
    fused = copy.deepcopy(model)
    layers = list(fused.convolutions)
    for place, (first, second) in enumerate(pairwise(layers)):
        if isinstance(first, nn.Conv1d) and isinstance(second, nn.BatchNorm1d):
            fused.convolutions[place] = fuse_conv_bn_eval(first, second)
            fused.convolutions[place + 1] = nn.Identity()
    return fused


def _several(predict: Predict, windows: Tensor, calls: int) -> None:
    with freed_memory_kept() if isinstance(predict, Predictor) else nullcontext():
        for _ in range(calls):
            predict(windows)


if __name__ == "__main__":
    main()
