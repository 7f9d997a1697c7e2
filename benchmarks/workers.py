"""Workers of one thread each on as many cores, and what surrounds their trials.

    python -m benchmarks.workers                                   # the full network on FD001
    python -m benchmarks.workers --study studies/quickstart.toml --json workers.json

Prints, for the study's published defaults: training windows a second of W one-thread workers at once against W times
that of one alone, and against one worker with W threads, in turn, medians; seconds that a trial in a running worker
takes around its training; epochs that the LR range test costs a trial.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from amnl_tune.artifacts import Artifacts
from amnl_tune.cli.options import quiet_libraries
from amnl_tune.host import physical_cores
from amnl_tune.measure.plan.overhead import measure_overheads
from amnl_tune.measure.plan.rehearsal import Rehearsal, Station
from amnl_tune.rul.preparation import cached_prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import load_study_spec
from amnl_tune.training.execution import resolve_device

FD001 = Path(__file__).parents[1] / "studies" / "fd001.toml"


def main() -> None:
    """Prints and, on request, writes the figures."""
    quiet_libraries()
    arguments = _arguments()
    spec, workers = load_study_spec(arguments.study), arguments.workers
    device = resolve_device(spec.hardware.device)
    with tempfile.TemporaryDirectory() as folder:
        facts = _together(spec, workers, Path(folder), device, arguments.rounds) | _around(spec, Path(folder), device)
    print(f"{spec.name} on {device}, {workers} workers, {physical_cores()} cores")
    print(f"{workers} workers x 1 thread: {facts['ratio_to_one_worker']:.2f} times one worker of 1 thread")
    print(f"{workers} workers x 1 thread: {facts['ratio_to_threads']:.2f} times one worker of {workers} threads")
    print(f"a trial in a running worker: {1e3 * facts['seconds_around_a_trial']:.0f} ms around its epochs")
    print(f"LR range test: {facts['range_test_epochs_a_trial']:.3f} epochs a trial")
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--study", type=Path, default=FD001, help="study file")
    parser.add_argument("--workers", type=int, default=physical_cores(), help="side by side")
    parser.add_argument("--rounds", type=int, default=5, help="timings of each; the median counts")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def _source() -> FleetSource:
    return FleetSource((Path(os.environ["AMNL_TUNE_DATA"]),))


def _station(spec: StudySpec, home: Path, device: str, threads: int) -> Station:
    hardware = spec.hardware.model_copy(update={"threads_per_worker": threads})
    return Station(spec.model_copy(update={"hardware": hardware}), _source().directories, home, device)


def _together(spec: StudySpec, workers: int, home: Path, device: str, rounds: int) -> dict[str, Any]:
    config = spec.run_config(spec.incumbent_parameters())
    steps: dict[str, list[float]] = {"alone": [], "together": [], "threads": []}
    with (
        Rehearsal(_station(spec, home, device, 1), workers) as single,
        Rehearsal(_station(spec, home, device, workers), 1) as wide,
    ):
        for _ in range(rounds):
            steps["alone"].append(single.time(config, 1).step)
            steps["together"].append(single.time(config, workers).step)
            steps["threads"].append(wide.time(config, 1).step)
    step = {name: statistics.median(times) for name, times in steps.items()}
    return {
        "seconds_a_step": step,
        "ratio_to_one_worker": workers * step["alone"] / step["together"],
        "ratio_to_threads": workers * step["threads"] / step["together"],
    }


def _around(spec: StudySpec, home: Path, device: str) -> dict[str, float]:
    config = spec.run_config(spec.incumbent_parameters())
    source, prepared = _source(), Artifacts(home).prepared
    data = cached_prepare(source.training(spec.data.dataset), config, prepared)
    overheads = measure_overheads(spec, data, source, prepared, device=device, threads=1)
    windows = len(data.training_windows(config, config.stride))
    swept = (
        spec.lr_range_test.num_iter * config.batch_size * config.accumulation_steps if spec.lr_range_test.enabled else 0
    )
    return {
        "seconds_around_a_trial": overheads.run,
        "seconds_between_epochs": overheads.epoch,
        "range_test_epochs_a_trial": swept / windows / spec.budget.trials,
    }


if __name__ == "__main__":
    main()
