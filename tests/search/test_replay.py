"""A trial again from its record: bit for bit, or with the reason why not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sqlalchemy import select, update
from typer.testing import CliRunner

from amnl_tune.cli.app import app
from amnl_tune.database.models import EpochRow, RunRow, RunStatus, WorkerRow
from amnl_tune.errors import StudyError
from amnl_tune.ledger.studies import find_study
from amnl_tune.promotion.candidates import open_promotion
from amnl_tune.search.opening import OpenedStudy
from amnl_tune.search.replay import recorded_run, replay
from amnl_tune.search.worker import work
from amnl_tune.search.workplace import Workplace
from amnl_tune.studies.sections import PrunerTable
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import Precision

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def test_every_epoch_is_the_same_and_a_changed_one_is_found(
    spec: StudySpec,
    open_tiny: Callable[[StudySpec], tuple[OpenedStudy, Workplace]],
    fleet_dir: Path,
    tmp_path: Path,
) -> None:
    pruner = PrunerTable.model_validate({"name": "ThresholdPruner", "upper": 0.1})  # cuts every trial
    budget = spec.budget.model_copy(update={"trials": 2})
    _, place = open_tiny(spec.model_copy(update={"budget": budget}))
    work(place, threads=1)
    ledger = place.ledger
    promotion = open_promotion(find_study(ledger, spec.name), top_k=1, seeds=[5])
    work(place, threads=1)
    record = recorded_run(find_study(ledger, "tiny"), 1)
    assert record.precision is Precision.FP32
    told: list[int] = []
    same = replay(record, place.data, device=CPU, epoch_done=told.append)
    assert (same.equal, same.epochs, same.differences, told) == (True, 3, (), [1, 2, 3])
    full = recorded_run(find_study(ledger, "tiny"), 0, seed=5)
    assert (full.run.promotion, replay(full, place.data, device=CPU).epochs) == (promotion, 4)
    assert replay(full, place.data, device=CPU).equal

    _, cut = open_tiny(spec.model_copy(update={"name": "cut", "pruner": pruner, "budget": budget}))
    work(cut, threads=1)
    pruned = recorded_run(find_study(ledger, "cut"), 0)
    assert pruned.run.status is RunStatus.PRUNED
    outcome = replay(pruned, cut.data, device=CPU)
    assert (outcome.equal, outcome.epochs) == (True, pruned.run.epochs_done)

    with ledger.write() as session:
        row = session.scalars(select(EpochRow).where(EpochRow.run == record.run.id, EpochRow.number == 2)).one()
        row.validation_rmse = (row.validation_rmse or 0.0) * (1 + 2**-50)
        session.execute(update(WorkerRow).where(WorkerRow.study == "tiny").values(torch_version="1.0"))
    other = replay(recorded_run(find_study(ledger, "tiny"), 1), place.data, device=CPU)
    assert [(deviation.epoch, deviation.name) for deviation in other.deviations] == [(2, "validation_rmse")]
    assert f"torch: 1.0, here {torch.__version__}" in other.differences

    options = ["--storage", ledger.url.render_as_string(), "--data-dir", str(fleet_dir), "--home", str(tmp_path)]
    equal = CliRunner().invoke(app, ["replay", "tiny", "0", *options])
    assert (equal.exit_code, "bit for bit equal over 3 epochs" in equal.stdout) == (0, True), equal.output
    differs = CliRunner().invoke(app, ["replay", "tiny", "1", *options])
    assert differs.exit_code == 2
    assert "torch: 1.0" in differs.stdout
    assert "1 figures of trial 1 of 'tiny' differ, from epoch 2 on" in differs.stderr
    facts = json.loads(CliRunner().invoke(app, ["replay", "tiny", "1", "--json", *options]).stdout)
    assert (facts["equal"], facts["deviations"][0]["epoch"]) == (False, 2)

    with ledger.write() as session:  # as schema 0002 left it
        session.execute(update(RunRow).values(result=None))
    assert recorded_run(find_study(ledger, "tiny"), 0).precision is None
    with pytest.raises(
        StudyError, match=r"^Trial \d+ must be a trial that the study has, but 'tiny' has 0, 1; name one"
    ):
        recorded_run(find_study(ledger, "tiny"), 9)
    with pytest.raises(StudyError, match="but 'tiny' has 0 seed 5"):
        recorded_run(find_study(ledger, "tiny"), 0, seed=9)
