"""Workers of one thread each on as many cores, against one worker alone and one with all threads.

    python -m benchmarks.workers                                   # the full network on FD001
    python -m benchmarks.workers --study studies/quickstart.toml --json workers.json

Prints, for the study's published defaults: training windows a second of W one-thread workers at once against W times
that of one alone, and against one worker with W threads, in turn, medians; epochs that the LR range test costs a trial.
"""

import argparse
import json
import os
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from amnl_tune.artifacts import Artifacts
from amnl_tune.cli.options import quiet_libraries
from amnl_tune.host import physical_cores
from amnl_tune.measure.plan.timing import calibrate
from amnl_tune.rul.preparation import PreparedData, cached_prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import execution_of
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import load_study_spec
from amnl_tune.training.execution import keep_freed_memory, own_threads, resolve_device

FD001 = Path(__file__).parents[1] / "studies" / "fd001.toml"


def main() -> None:
    """Prints and, on request, writes the figures."""
    quiet_libraries()
    arguments = _arguments()
    spec, workers = load_study_spec(arguments.study), arguments.workers
    device = resolve_device(spec.hardware.device)
    with tempfile.TemporaryDirectory() as folder:
        steps = _steps(spec, workers, Path(folder), arguments.rounds)
        facts = steps | {"range_test_epochs_a_trial": _swept(spec, Path(folder))}
    print(f"{spec.name} on {device}, {workers} workers, {physical_cores()} cores")
    print(f"{workers} workers x 1 thread: {facts['ratio_to_one_worker']:.2f} times one worker of 1 thread")
    print(f"{workers} workers x 1 thread: {facts['ratio_to_threads']:.2f} times one worker of {workers} threads")
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


def _data(spec: StudySpec, home: Path) -> PreparedData:
    source = FleetSource((Path(os.environ["AMNL_TUNE_DATA"]),))
    config = spec.run_config(spec.incumbent_parameters())
    return cached_prepare(source.training(spec.data.dataset), config, Artifacts(home).prepared)


def _step(spec: StudySpec, home: Path, threads: int) -> float:
    """Seconds, in a process of a pool."""
    keep_freed_memory()  # as a worker does
    with own_threads(threads):
        config = spec.run_config(spec.incumbent_parameters())
        return calibrate(config, _data(spec, home), execution_of(spec.hardware, home=home)).step


def _steps(spec: StudySpec, workers: int, home: Path, rounds: int) -> dict[str, Any]:
    arms = {"alone": (1, 1), "together": (workers, 1), "threads": (1, workers)}
    taken: dict[str, list[float]] = {name: [] for name in arms}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for _ in range(rounds + 1):  # in the first one processes start
            for name, (processes, threads) in arms.items():
                answers = [pool.submit(_step, spec, home, threads) for _ in range(processes)]
                taken[name].append(statistics.fmean(answer.result() for answer in answers))
    step = {name: statistics.median(times[1:]) for name, times in taken.items()}
    return {
        "seconds_a_step": step,
        "ratio_to_one_worker": workers * step["alone"] / step["together"],
        "ratio_to_threads": workers * step["threads"] / step["together"],
    }


def _swept(spec: StudySpec, home: Path) -> float:
    """Epochs of the LR range test, for each trial."""
    if not spec.lr_range_test.enabled:
        return 0.0
    config = spec.run_config(spec.incumbent_parameters())
    windows = len(_data(spec, home).training_windows(config, config.stride))
    return spec.lr_range_test.iterations(config.batch_size) * config.batch_size / windows / spec.budget.trials


if __name__ == "__main__":
    main()
