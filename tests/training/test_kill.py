"""A real process, killed with SIGKILL in the middle of an epoch, and another that goes on from its checkpoint."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bounded import ended, until

PROGRAM = """
import json, sys
from pathlib import Path
import torch
from amnl_tune.files import write_content
from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import TrainingFleet
from amnl_tune.training.checkpoint import load_checkpoint, serialized, snapshot
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fit import fit

folder, pause = Path(sys.argv[1]), float(sys.argv[2])
torch.set_num_threads(1)
config = RunConfig(dataset="SIM1", conv_channels=(8, 8), hidden_size=4, num_heads=2, fc_sizes=(16, 8), window=20,
                   stride=8, batch_size=32, epochs=6, patience=None)
data = prepare(TrainingFleet("SIM1", "0" * 64, simulate("SIM1", engines=10).train), config)
path = folder / "checkpoint.pt"
resume = load_checkpoint(path.read_bytes(), str(path)) if path.exists() else None
for epoch in fit(config, data, resume=resume):
    write_content(path, serialized(snapshot(epoch.state)))
    with (folder / "curve.jsonl").open("a") as file:
        values = [epoch.number, epoch.train_rul_loss.hex(), epoch.validation_rmse.hex()]
        file.write(json.dumps(values + ([epoch.final.rmse.hex()] if epoch.final else [])) + "\\n")
    if pause and epoch.number == 3:
        import time; time.sleep(pause)
"""


def start(folder: Path, pause: float = 0.0) -> "subprocess.Popen[bytes]":
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), str(pause)])


def lines(folder: Path) -> list[list[object]]:
    path = folder / "curve.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.slow
def test_killed_and_resumed_is_bit_for_bit_the_undisturbed_run(tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    whole = start(undisturbed)
    victim = start(killed, pause=600.0)
    until(lambda: len(lines(killed)) >= 3 or victim.poll() is not None, "three epochs")
    victim.send_signal(signal.SIGKILL)
    assert ended(victim) == -signal.SIGKILL
    assert ended(whole) == 0
    assert ended(start(killed)) == 0
    assert len(lines(undisturbed)) == 6
    assert lines(killed) == lines(undisturbed)
