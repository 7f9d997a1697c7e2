"""What history channels are worth, and what they cost: on training engines alone, no test engine is opened.

    python -m benchmarks.history                     # cost: memory, time
    python -m benchmarks.history --worth FD001 FD003 # worth: validation RMSE with each set of channels

AMNL_TUNE_DATA names the folder of the C-MAPSS files. `--worth` trains two splits of every variant: some minutes a data
set.
"""

import argparse
import os
import statistics
import time
from typing import Any

import torch

from amnl_tune.rul.history import channel_names
from amnl_tune.rul.preparation import PreparedData, prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.settings import Settings
from amnl_tune.training.config import RunConfig, published_defaults
from amnl_tune.training.fit import fit

NARROW: dict[str, Any] = {
    "conv_channels": [16, 32, 16], "hidden_size": 32, "num_layers": 1, "num_heads": 4, "fc_sizes": [64, 32, 16],
    "loss": "rul_only", "dropout": 0.0, "attention_dropout": 0.0, "learning_rate": 2e-3, "batch_size": 64,
    "schedule": "cosine", "epochs": 12, "patience": None, "validation_truncations": 50,
}  # fmt: skip
"""Nothing in it was searched."""

HISTORY: dict[str, Any] = {"age": True, "deviation": 20, "ewma": [0.1, 0.03], "pad_short": True}
NONE: dict[str, Any] = {"age": False, "deviation": 0, "ewma": [], "pad_short": False}
COSTS: dict[str, dict[str, Any]] = {
    "the window alone": {},
    "history: 60 channels": HISTORY,
    "history, steps of 5 cycles": HISTORY | {"pool": 5},
}
WORTH: dict[str, dict[str, Any]] = {
    "none": NONE,
    "all": {},
    "age alone": NONE | {"age": True, "pad_short": True},
    "age and deviation": {"ewma": []},
    "deviation and ewma": {"age": False},
    "a third rate, 0.3": {"ewma": [0.3, 0.1, 0.03]},
    "steps of 5 cycles": {"pool": 5},
    "without settings": {"drop_settings": True},
    "full windows only": {"pad_short": False},
    "dropout 0.1": {"dropout": 0.1},
}
SPLITS = (42, 1)
ROUNDS = 7
BATCH = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worth", nargs="+", metavar="DATASET", default=[])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    source = FleetSource(Settings.resolve(os.environ).data_dirs)
    if not arguments.worth:
        _cost(source)
    for dataset in arguments.worth:
        _worth(source, dataset)


def _cost(source: FleetSource) -> None:
    data = prepare(source.training("FD001"), RunConfig(dataset="FD001"))
    print(f"FD001, batches of {BATCH} windows of 30 steps, one thread; medians of {ROUNDS} interleaved rounds")
    print(f"{'':28} channels  rows MiB  as windows MiB  made in ms  us a window")
    configs = {name: RunConfig.build({"dataset": "FD001"} | values) for name, values in COSTS.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in configs}
    for _ in range(ROUNDS):
        for name, config in configs.items():
            taken[name].append(_timed(data, config))
    for name, config in configs.items():
        seen = data.rows.seen_by(config)
        size = sum(tensor.nbytes for tensor in seen.tensors.values()) / 2**20
        whole = len(data.training_windows(config)) * config.window * len(channel_names(config)) * 4 / 2**20
        made, each = (statistics.median(one) for one in zip(*taken[name], strict=True))
        print(
            f"{name:28} {len(channel_names(config)):8} {size:9.1f} {whole:15.0f} {made * 1e3:11.1f} {each * 1e6:12.2f}"
        )


def _timed(data: PreparedData, config: RunConfig) -> tuple[float, float]:
    """Seconds to make the channels of all rows, and to gather a window."""
    started = time.perf_counter()
    seen = data.rows.seen_by(config)
    made = time.perf_counter() - started
    last = data.training_windows(config)
    parts = torch.split(last[torch.randperm(len(last))], BATCH)
    started = time.perf_counter()
    for part in parts:
        seen.windows(part, config.window)
    return made, (time.perf_counter() - started) / len(last)


def _worth(source: FleetSource, dataset: str) -> None:
    fleet = source.training(dataset)
    stride = 4 if len(fleet.frame) < 40_000 else 8
    print(f"{dataset}: validation RMSE in cycles, the best of {NARROW['epochs']} epochs, mean of {len(SPLITS)} splits")
    for name, values in WORTH.items():
        best = []
        for split in SPLITS:
            settings = published_defaults(dataset) | NARROW | HISTORY | {"stride": stride, "split_seed": split}
            config = RunConfig.build(settings | values)
            best.append(min(epoch.validation_rmse for epoch in fit(config, prepare(fleet, config))))
        print(
            f"  {name:20} {statistics.fmean(best):6.2f}   ({', '.join(f'{value:.2f}' for value in best)})", flush=True
        )


if __name__ == "__main__":
    main()
