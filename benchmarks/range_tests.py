"""What the LR range test suggests, beside the rates that did best: the table of studies/README.md.

    python -m benchmarks.range_tests                 # narrow networks and the full one: minutes of one core
    python -m benchmarks.range_tests --narrow        # narrow networks alone: half a minute

AMNL_TUNE_DATA names the folder of the C-MAPSS files. Each sweep is a study's own, on one thread, with two seeds; times
are CPU seconds, so that what else runs here does not count.
"""

import argparse
import math
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.settings import Settings
from amnl_tune.studies.study_file import load_study_spec
from amnl_tune.training.config import RangeTestOptions, Suggestion
from amnl_tune.training.lr_range import lr_range_test, suggestions

STUDIES = Path(__file__).parents[1] / "studies"
SEEDS = (42, 43)


@dataclass(frozen=True)
class Arm:
    """A study's network at a batch size, and the rate that did best, or from where to where."""

    study: str
    batch_size: int
    best: tuple[float, ...]


PUBLISHED = (1e-3, 3e-3)
FULL = (Arm("fd001", 64, PUBLISHED), Arm("fd001", 256, PUBLISHED))
NARROW = (
    Arm("narrow_fd001", 64, (1.4e-3,)),
    Arm("narrow_fd002", 64, (1.4e-3,)),
    Arm("narrow_fd003", 64, (1.4e-3,)),
    Arm("narrow_fd004", 64, (3.3e-3,)),
    Arm("narrow_fd001_window", 64, (2.0e-3,)),
    Arm("narrow_fd002_window", 64, (1.1e-3,)),
    Arm("narrow_fd003_window", 64, (1.4e-2,)),
    Arm("narrow_fd004_window", 64, (9.4e-3,)),
)
"""With the answers of studies/README.md."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--narrow", action="store_true", help="without the full network")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rules = " | ".join(f"`{rule}`" for rule in Suggestion)
    print(f"| study | batch | did best | {rules} | diverged at | batches | CPU s |\n|{'---|' * (len(Suggestion) + 6)}")
    factors: dict[Suggestion, list[float]] = {rule: [] for rule in Suggestion}
    for arm in NARROW if arguments.narrow else FULL + NARROW:
        print(_row(arm, factors), flush=True)
    off = ", ".join(f"`{rule}` {math.exp(statistics.fmean(found)):.1f}" for rule, found in factors.items())
    print(f"\nOff the rate that did best by a factor of, geometric mean: {off}")


def _row(arm: Arm, factors: dict[Suggestion, list[float]]) -> str:
    """Of one study; what differs by seed stands side by side. Logarithms of how far off a rule is go into `factors`."""
    spec = load_study_spec(STUDIES / f"{arm.study}.toml")
    config = spec.run_config(spec.incumbent_parameters() | {"batch_size": arm.batch_size})
    data = prepare(FleetSource(Settings.resolve(os.environ).data_dirs).training(config.dataset), config)
    given = spec.lr_range_test
    options = RangeTestOptions(given.start_lr, given.end_lr, given.iterations(arm.batch_size))
    found: dict[Suggestion, list[float | None]] = {rule: [] for rule in Suggestion}
    ends, batches, seconds = [], [], []
    for seed in SEEDS:
        began = time.process_time()
        curve = lr_range_test(config.replaced(seed=seed), data, options)
        seconds.append(f"{time.process_time() - began:.0f}")
        batches.append(str(len(curve.lr)))
        ends.append(curve.diverged_at(options.end_lr))
        for rule, rate in suggestions(curve.lr, curve.loss).items():
            found[rule].append(rate)
            if rate is not None:
                factors[rule].append(abs(math.log(rate) - statistics.fmean(math.log(best) for best in arm.best)))
    best = " to ".join(f"{rate:.1e}" for rate in arm.best)
    rates = (*found.values(), ends)
    told = [", ".join("-" if rate is None else f"{rate:.1e}" for rate in column) for column in rates]
    cells = (f"`{arm.study}`", str(arm.batch_size), best, *told, ", ".join(batches), ", ".join(seconds))
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
