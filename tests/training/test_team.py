"""Several processes train the run that one trains."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fit import fit

pytestmark = pytest.mark.slow

RANK = """
import json, sys
import torch
from amnl_tune.rul.preparation import prepare
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import TrainingFleet
from amnl_tune.training.config import RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.fit import fit
from amnl_tune.training.execution import join_team, leave_team

torch.set_num_threads(1)
team = join_team(cuda=False)
found = {}
for name, text in json.loads(sys.argv[1]).items():
    config = RunConfig.model_validate_json(text)
    data = prepare(TrainingFleet("SIM1", "0" * 64, simulate("SIM1", engines=10).train), config)
    epochs = list(fit(config, data, execution=Execution(team=team)))
    found[name] = {
        "curve": [(e.train_rul_loss, e.train_health_loss, e.validation_rmse) for e in epochs],
        "weights": [float(p.detach().double().sum()) for p in epochs[-1].state.parameters],
        "names": list(epochs[-1].state.model.state_dict()),
    }
with open(f"{sys.argv[2]}/{team.rank}.json", "w") as file:
    json.dump(found, file)
leave_team()
"""

WITHOUT_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0, "epochs": 3}
SETTINGS: dict[str, dict[str, Any]] = {
    "DistributedDataParallel": WITHOUT_DROPOUT,
    "gaba": {**WITHOUT_DROPOUT, "loss": "gaba", "gaba_warmup_steps": 2},
    "accumulation": {**WITHOUT_DROPOUT, "accumulation_steps": 3},
    "dropout": {"epochs": 2},
}


@pytest.fixture(scope="module")
def seen(tiny_config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each of two processes found, by name of settings."""
    folder = tmp_path_factory.mktemp("team")
    script = folder / "rank.py"
    script.write_text(RANK)
    configs = {name: tiny_config.replaced(**settings).model_dump_json() for name, settings in SETTINGS.items()}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    subprocess.run(
        [*command, json.dumps(configs), str(folder)],
        check=True,
        capture_output=True,
        timeout=400,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    first, second = (json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1))
    return first, second


@pytest.mark.parametrize("name", ["DistributedDataParallel", "gaba", "accumulation"])
def test_two_processes_train_the_run_of_one(
    seen: tuple[dict[str, Any], dict[str, Any]], tiny_config: RunConfig, tiny_data: PreparedData, name: str
) -> None:
    """Same batches, batch statistics, loss weights and gradients."""
    first, second = (rank[name] for rank in seen)
    assert first == second
    alone = list(fit(tiny_config.replaced(**SETTINGS[name]), tiny_data))
    expected = [(e.train_rul_loss, e.train_health_loss, e.validation_rmse) for e in alone]
    for found, wanted in zip(first["curve"], expected, strict=True):
        assert found == pytest.approx(wanted, rel=1e-3)
    assert first["names"] == list(alone[-1].state.model.state_dict())
    sums = [float(p.detach().double().sum()) for p in alone[-1].state.parameters]
    assert first["weights"] == pytest.approx(sums, rel=1e-2, abs=2e-2)


def test_dropout_draws_other_masks_on_every_process(
    seen: tuple[dict[str, Any], dict[str, Any]], tiny_config: RunConfig, tiny_data: PreparedData
) -> None:
    first, second = (rank["dropout"] for rank in seen)
    assert first == second  # the losses are the whole batch's, the weights the same
    alone = fit(tiny_config.replaced(**SETTINGS["dropout"]), tiny_data)
    assert [epoch.train_rul_loss for epoch in alone] != [row[0] for row in first["curve"]]
