"""Checkpoints that outlive their run: where they lie, how training goes on from them, when they are deleted."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

import amnl_tune
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, RunRow
from amnl_tune.errors import CheckpointError, ConfigurationError, StudyError
from amnl_tune.health.doctor import Treated, examine
from amnl_tune.ledger.studies import find_study
from amnl_tune.promotion.candidates import open_promotion
from amnl_tune.search.opening import OpenedStudy
from amnl_tune.search.worker import work
from amnl_tune.search.workplace import Workplace
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fit import fit

OpenTiny = Callable[[StudySpec], tuple[OpenedStudy, Workplace]]


def promoted_run(ledger: Ledger) -> tuple[RunRow, list[float | None]]:
    """The only one, and its curve."""
    with ledger.read() as session:
        run = session.scalars(select(RunRow).where(RunRow.promotion == 1)).one()
        curve = select(EpochRow.validation_rmse).where(EpochRow.run == run.id).order_by(EpochRow.number)
        return run, list(session.scalars(curve))


@pytest.mark.slow
def test_checkpoints_that_are_kept_lie_there_and_training_goes_on_from_them(
    spec: StudySpec, open_tiny: OpenTiny, fleet_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second epoch, and the last of promoted runs; `doctor` counts them, and deletes what is no longer asked for."""
    keeping = spec.model_copy(
        update={
            "trial": spec.trial.model_copy(update={"keep_every": 2}),
            "promotion": spec.promotion.model_copy(update={"keep_every": 2, "seeds": (5,), "incumbents": ()}),
        }
    )
    assert keeping.fingerprint() == spec.fingerprint()
    _, place = open_tiny(keeping)
    work(place, threads=1)
    open_promotion(find_study(place.ledger, keeping.name))
    work(place, threads=1)
    kept = sorted(str(file.relative_to(tmp_path / "artifacts")) for file in tmp_path.rglob("*.pt"))
    promoted = [f"tiny/promotion-001-run-00/{name}.pt" for name in ("epoch-00002", "epoch-00004", "last")]
    assert kept == promoted + [f"tiny/trial-{number:05d}/epoch-00002.pt" for number in range(4)]

    monkeypatch.setenv("AMNL_TUNE_DATA", str(fleet_dir))
    run, recorded = promoted_run(place.ledger)
    assert run.trial_number is not None
    last = amnl_tune.load_checkpoint("tiny", run.trial_number, seed=5)
    assert (last.epoch, last.config) == (4, RunConfig.model_validate_json(run.config or ""))
    assert last.payload["optimizer"]["state"]
    data = amnl_tune.study_data("tiny")
    half = amnl_tune.load_checkpoint("tiny", run.trial_number, seed=5, epoch=2)
    again = [epoch.validation_rmse for epoch in fit(half.config, data, resume=half)]
    assert again == recorded[2:], "bit for bit the run's own"
    longer = last.extended(6)
    assert [epoch.number for epoch in fit(longer.config, data, resume=longer)] == [5, 6]
    with pytest.raises(ConfigurationError, match="more epochs than it has done, but got 4 after 4"):
        last.extended(4)
    with pytest.raises(CheckpointError, match=r"no tiny/trial-00000/epoch-00003.pt in .* .kept there: epoch-00002.pt"):
        amnl_tune.load_checkpoint("tiny", 0, epoch=3)
    with pytest.raises(StudyError, match=r"must be a promoted run that the study has, but 'tiny' has . seed 5; name"):
        amnl_tune.load_checkpoint("tiny", 99, seed=5)

    def looked(study: str | None = None, *, fix: bool = False) -> list[Treated]:
        url = place.ledger.url.render_as_string(hide_password=False)
        return [one for one in examine(url, place.artifacts, study, fix=fix) if one.finding.check == "checkpoints"]

    assert [one.done for one in looked(fix=True)] == [None, None]
    assert "7 are kept of runs that may have ended" in looked()[1].finding.what
    open_tiny(spec.model_copy(update={"promotion": keeping.promotion.model_copy(update={"keep_every": None})}))
    assert "no longer ask for them" in looked("tiny")[1].finding.what
    assert str(looked("tiny", fix=True)[1].done).startswith("deleted checkpoints of tiny/promotion-001-run-00")
    assert [file.name for file in tmp_path.rglob("*.pt")] == ["last.pt"]
    assert (tmp_path / "artifacts" / "tiny" / "promotion-001-run-00" / "model.safetensors").exists()


@pytest.mark.slow
def test_nothing_is_kept_where_nothing_is_asked_for(spec: StudySpec, open_tiny: OpenTiny, tmp_path: Path) -> None:
    sparing = spec.model_copy(update={"promotion": spec.promotion.model_copy(update={"keep_last": False})})
    _, place = open_tiny(sparing)
    work(place, threads=1)
    open_promotion(find_study(place.ledger, sparing.name))
    work(place, threads=1)
    assert not list(tmp_path.rglob("*.pt"))
