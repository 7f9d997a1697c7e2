"""Batches from a loader's processes: without shared memory, and never waited for in vain."""

import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import torch

from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training import batches
from amnl_tune.training.batches import LoaderBatches, LoaderError
from amnl_tune.training.config import RunConfig

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")

EPOCH = """
import torch
from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import TrainingFleet
from amnl_tune.training.batches import LoaderBatches
from amnl_tune.training.config import RunConfig

config = RunConfig(dataset="SIM1", window=30, stride=1, batch_size=512)
data = prepare(TrainingFleet("SIM1", "0" * 64, simulate("SIM1", engines=10).train), config)
parts = torch.split(data.training_windows(config, config.stride), config.batch_size)
loaded = LoaderBatches(data.rows, config.window, torch.device("cpu"), 2)
for part, (windows, rul) in zip(parts, loaded(parts), strict=True):
    assert torch.equal(windows, data.rows.windows(part, config.window))
    assert torch.equal(rul, data.rows.rul[part])
print("all", len(parts))
"""


def test_batches_need_no_shared_memory() -> None:
    """/dev/shm of a container may be smaller than a batch, here 1 MB: what is sent through it is lost, and waited for."""
    small = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/dev/shm"]
    shielded = [shutil.which("unshare") or "unshare", "--mount", "sh", "-c", '"$@" && exec "$PYTHON" -c "$EPOCH"', "sh"]
    if subprocess.run([*shielded[:2], *small], capture_output=True, check=False, timeout=300).returncode:
        pytest.skip("no small /dev/shm can be mounted here")
    environment = os.environ | {"PYTHON": sys.executable, "EPOCH": EPOCH}
    told = subprocess.run(
        [*shielded, *small], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert (told.returncode, told.stdout.split()[:1]) == (0, ["all"]), told.stderr


@pytest.fixture
def endless(tiny_config: RunConfig, tiny_data: PreparedData) -> Iterator[LoaderBatches]:
    loaded = LoaderBatches(tiny_data.rows, tiny_config.window, CPU, 2)
    yield loaded
    for process in multiprocessing.active_children():
        os.kill(process.pid or 0, signal.SIGCONT)
    del loaded
    gc.collect()  # its processes end with it; one that is killed before would be told of in whatever runs then


@pytest.mark.parametrize(
    ("wanted", "reason", "pause"),
    [
        (signal.SIGKILL, "SIGKILL", 0.0),
        (signal.SIGBUS, "SIGBUS", 0.0),
        (signal.SIGSTOP, "timed out after", 0.0),
        (signal.SIGSTOP, "timed out after", 1.0),
    ],
)
def test_a_process_that_says_nothing_more_is_told_with_its_reason(
    wanted: signal.Signals,
    reason: str,
    pause: float,
    endless: LoaderBatches,
    tiny_config: RunConfig,
    tiny_data: PreparedData,
) -> None:
    """After a pause a process is in the middle of a batch: two are more than a pipe holds."""
    windows = tiny_data.training_windows(tiny_config, tiny_config.stride)[:32]
    endless.loader.timeout = 5
    with pytest.raises(LoaderError, match=rf"one of 2 loader processes within .*{reason}.*; free memory and room"):
        for batch, _ in endless([windows] * 10_000):
            assert 2**15 < batch.nbytes < 2**16
            time.sleep(pause)
            for process in multiprocessing.active_children():
                os.kill(process.pid or 0, wanted)


def test_what_is_refused_in_this_process_keeps_its_own_words(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    with pytest.raises(IndexError):
        list(LoaderBatches(tiny_data.rows, tiny_config.window, CPU, 0)([torch.tensor([10**9])]))
    assert batches.PATIENCE < 1800, "the watchdog would be sooner"
