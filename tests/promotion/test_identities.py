"""What is known by what it is: a hash keeps its value, and a setting that a later version adds changes nothing begun."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import func, select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import AttemptRow, EpochRow, PromotionRow, RunRow, StudyRow, TestScoreRow
from amnl_tune.errors import StudyError
from amnl_tune.files import COMPACT, canonical_hash
from amnl_tune.ledger.studies import Opening, find_study, freeze
from amnl_tune.promotion.candidates import open_promotion
from amnl_tune.promotion.scoring import ensure_scored
from amnl_tune.rul.preparation import PreparedData, cached_prepare
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import FleetSource, TrainingFleet
from amnl_tune.search.lr_prior import _key
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.checkpoint import Checkpoint
from amnl_tune.training.config import FIRST_SETTINGS, RangeTestOptions, RunConfig

DATA = cast("PreparedData", SimpleNamespace(sha256="ab" * 32))


def test_every_hash_that_is_kept_somewhere_has_the_value_that_it_had(tmp_path: Path) -> None:
    """Recorded when there were six functions for it."""
    fingerprint = RunConfig().fingerprint()
    assert fingerprint == "6040e03b4d1a308d7320050520166651429b25ded062eaff18cdd9e63794b347"
    range_tests = [
        (RunConfig(), RangeTestOptions(), "bbcd15c1e8eb27eddcd50f95546bfb636d8b2a510f21e149c8fd4c1e959cee01"),
        (
            RunConfig(age=True, ewma=(0.1,)),
            RangeTestOptions(1e-6),
            "ea44e3455cd014977d938cccc98323cc0fb1ee475d2f94b502271187a3ccd785",
        ),
    ]
    for config, options, key in range_tests:
        assert _key(config, DATA, options) == key
    promotion = [(3, fingerprint), (None, fingerprint)]
    assert canonical_hash(promotion) == "f37cd2bdc1b680d9d57d495aa0440d5d1c35a198a61d91f124909877db506321"
    fitted_on = ["ab" * 32, [1, 2], {"b": [1.5], "a": [2.0]}]
    kept = "a5d3ad4dda9166d8c766ee8f6f36cab37dc9fa2cdcda0d48a8dbf9ed77bcf0e2"
    assert canonical_hash(fitted_on, sort_keys=False) == kept
    assert canonical_hash({"b": 1, "a": 2}) == canonical_hash({"a": 2, "b": 1})
    assert canonical_hash({"a": 2}) != canonical_hash({"a": 2}, separators=COMPACT)

    fleet = TrainingFleet("SIM1", "0" * 64, simulate("SIM1", engines=5).train)
    cached_prepare(fleet, RunConfig(dataset="SIM1"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["SIM1-cbf93bbbe38a907f4cc68fdd.safetensors"]


class LaterConfig(RunConfig):
    """As a later version has it."""

    momentum_of_later_versions: float = 0.0


def test_a_setting_that_is_added_changes_no_key_while_it_is_left_alone() -> None:
    assert RunConfig.model_fields.keys() > FIRST_SETTINGS
    assert LaterConfig().fingerprint() == RunConfig().fingerprint()
    assert LaterConfig(window=50).identity() == RunConfig(window=50).identity()
    assert LaterConfig(momentum_of_later_versions=0.5).fingerprint() != RunConfig().fingerprint()
    assert _key(LaterConfig(), DATA, RangeTestOptions()) == _key(RunConfig(), DATA, RangeTestOptions())


def _without(text: str, *path: str) -> str:
    """A stored document as an earlier version wrote it, which had not this key."""
    document: dict[str, Any] = json.loads(text)
    table = document
    for name in path[:-1]:
        table = table[name]
    table.pop(path[-1])
    return json.dumps(document)


def _counts(ledger: Ledger) -> list[int]:
    tables = (RunRow, AttemptRow, EpochRow, PromotionRow, TestScoreRow)
    with ledger.read() as session:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


@pytest.mark.slow
def test_a_finished_study_of_an_earlier_version_is_finished(
    sqlite_ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts
) -> None:
    """That version knew neither `min_delta` nor `spread`, so both have their defaults; its fingerprints differ."""

    def whole_line() -> tuple[Opening, int, int]:
        workspace = Workspace(sqlite_ledger, source, artifacts)
        opened = open_study(workspace, spec, device="cpu")
        url = sqlite_ledger.url.render_as_string(hide_password=False)
        place = open_workplace(url, spec.name, source, artifacts, tensorboard=False)
        work(place, threads=1)
        number = open_promotion(opened.study)
        work(place, threads=1)
        return opened.opening, number, ensure_scored(workspace, opened.study, number=number).look

    opening, *results = whole_line()
    assert opening is Opening.CREATED
    with sqlite_ledger.write() as session:
        row = session.get_one(StudyRow, spec.name)
        row.spec, row.fingerprint = _without(row.spec, "lr_range_test", "spread"), "0" * 64
        for run in session.scalars(select(RunRow)):
            run.config = _without(run.config or "", "min_delta")
        for promotion in session.scalars(select(PromotionRow)):
            promotion.fingerprint = "0" * 64
    before = _counts(sqlite_ledger)
    opening, *again = whole_line()
    assert (opening, again) == (Opening.CONTINUED, results)
    assert _counts(sqlite_ledger) == before, "nothing was claimed, trained, planned or scored"
    assert find_study(sqlite_ledger, spec.name).row.fingerprint == "0" * 64, "shown as it was stored"

    other = spec.model_copy(update={"lr_range_test": spec.lr_range_test.model_copy(update={"spread": 3.0})})
    with pytest.raises(StudyError, match=r"lr_range_test.spread was .*, is 3.0; undo the change"):
        freeze(sqlite_ledger, other, find_study(sqlite_ledger, spec.name).row.data_sha256)
    assert open_promotion(find_study(sqlite_ledger, spec.name), seeds=[5]) == 2


def test_a_checkpoint_of_an_earlier_version_is_its_run_s_own(tiny_config: RunConfig) -> None:
    stored = _without(tiny_config.model_dump_json(), "min_delta")
    checkpoint = Checkpoint(RunConfig.model_validate_json(stored), 1, {"data_sha256": "0"})
    assert checkpoint.continues_as(tiny_config, "0")
    assert not checkpoint.continues_as(tiny_config.replaced(min_delta=0.5), "0")
