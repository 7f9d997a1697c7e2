"""Several processes train the run that one trains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fitting import fit

RANK = """
import json, os, sys
import torch
from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import TrainingFleet
from amnl_tune.training.config import RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.fitting import fit
from amnl_tune.training.team import join_team, leave_team

torch.set_num_threads(1)
config = RunConfig.model_validate_json(sys.argv[1])
data = prepare(TrainingFleet("SIM1", "0" * 64, simulate("SIM1", engines=10).train), config)
team = join_team(cuda=False)
epochs = list(fit(config, data, execution=Execution(team=team)))
with open(f"{sys.argv[2]}/{team.rank}.json", "w") as file:
    curve = [(e.train_rul_loss, e.train_health_loss, e.validation_rmse) for e in epochs]
    weights = [float(p.detach().double().sum()) for p in epochs[-1].state.parameters]
    json.dump({"curve": curve, "weights": weights, "names": list(epochs[-1].state.model.state_dict())}, file)
leave_team()
"""


def together(config: RunConfig, folder: Path, processes: int) -> list[dict[str, list[float]]]:
    """What each rank saw."""
    script = folder / "rank.py"
    script.write_text(RANK)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    subprocess.run(
        [*command, str(script), config.model_dump_json(), str(folder)],
        check=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(processes)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{"loss": "normalized_batch"}, {"loss": "gaba", "gaba_warmup_steps": 2}, {"accumulation_steps": 3}],
    ids=["DistributedDataParallel", "gaba", "accumulation"],
)
def test_two_processes_train_the_run_of_one(
    tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path, settings: dict[str, object]
) -> None:
    """Same batches, batch statistics, loss weights and gradients; dropout's masks alone would differ."""
    config = tiny_config.replaced(dropout=0.0, attention_dropout=0.0, epochs=3, **settings)
    alone = list(fit(config, tiny_data))
    first, second = together(config, tmp_path, 2)
    assert first == second
    expected = [(e.train_rul_loss, e.train_health_loss, e.validation_rmse) for e in alone]
    for seen, wanted in zip(first["curve"], expected, strict=True):
        assert seen == pytest.approx(wanted, rel=1e-3)
    assert first["names"] == list(alone[-1].state.model.state_dict())
    sums = [float(p.detach().double().sum()) for p in alone[-1].state.parameters]
    assert first["weights"] == pytest.approx(sums, rel=1e-2, abs=2e-2)


@pytest.mark.slow
def test_dropout_draws_other_masks_on_every_process(tiny_config: RunConfig, tmp_path: Path) -> None:
    config = tiny_config.replaced(epochs=2)
    first, second = together(config, tmp_path, 2)
    assert first == second  # the losses are the whole batch's, the weights the same
    lonely = tmp_path / "alone"
    lonely.mkdir()
    (alone,) = together(config, lonely, 1)
    assert alone["curve"] != first["curve"]
