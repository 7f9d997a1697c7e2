"""Artifacts that are not what was written: one line, whatever is wrong with them."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.models import Origin, RunRow, RunStatus
from amnl_tune.errors import StorageError
from amnl_tune.ledger.promotions import Candidate
from amnl_tune.promotion.kept_boosting import read_boosting, write_boosting
from amnl_tune.promotion.networks import answers_of
from amnl_tune.rul.networks.amnl import AMNL
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.boosting import Boosting
from amnl_tune.training.config import RunConfig


@pytest.fixture
def run(tiny_config: RunConfig) -> RunRow:
    """A promoted run that has ended."""
    return RunRow(
        study="tiny", promotion=1, slot=0, origin=Origin.LR_RANGE_TEST, trial_number=1, seed=42, status=RunStatus.COMPLETE,
        config=tiny_config.model_dump_json(), value=1.0, epochs=5,
    )  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\xff" * 8 + b"{}", save({"other": torch.zeros(1)})])
def test_weights_that_are_none(content: bytes, run: RunRow, tiny_data: PreparedData, tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.store.write(artifacts.weights(run), content)
    with pytest.raises(StorageError, match=r"must be its own, but tiny/.* is damaged or of another network") as caught:
        answers_of(
            Candidate(1, Origin.LR_RANGE_TEST, (run,)), artifacts, tiny_data.rows, tiny_data.validation_windows()
        )
    assert "\n" not in str(caught.value)


def test_weights_of_which_some_are_no_numbers(
    run: RunRow, tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path
) -> None:
    """Their health is of no class, read off the RUL too."""
    artifacts, model = Artifacts(tmp_path), AMNL(tiny_config)
    with torch.no_grad():
        model.shared[0].weight[0, 0] = torch.nan
    artifacts.store.write(artifacts.weights(run), save(model.state_dict()))
    run.config = tiny_config.replaced(loss="rul_only").model_dump_json()
    last = tiny_data.validation_windows()
    answers = answers_of(Candidate(1, Origin.LR_RANGE_TEST, (run,)), artifacts, tiny_data.rows, last)
    assert answers.rul.isnan().all()
    assert answers.health.isnan().all()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", b'{"names": 3, "fitted_on": "x"}'])
def test_boosting_with_something_else_beside_it(content: bytes, tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    write_boosting(artifacts, "tiny", 1, Boosting(b"", ("age",), 1.0), fitted_on="x")
    artifacts.store.write(f"{artifacts.boosting('tiny', 1)}.json", content)
    with pytest.raises(StorageError, match=r"must be as it was written, but tiny/promotion-001/boosting.onnx.json"):
        read_boosting(artifacts, "tiny", 1)


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    (tmp_path / "artifacts").mkdir()
    os.mkfifo(tmp_path / "artifacts" / "a")
    with pytest.raises(StorageError, match="it is a link, a pipe or a device"):
        artifacts.store.read("a")
