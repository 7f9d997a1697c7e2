"""What becomes of a range test's curve: a trial, and bounds that shut out nothing but divergence."""

import json
from dataclasses import replace

import pytest

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import StudyRow
from amnl_tune.ledger.range_tests import RangeTest
from amnl_tune.ledger.studies import Opening, find_study
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.lr_prior import prior_from
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec
from amnl_tune.training.config import RangeTestCurve, Suggestion

FULL = """
[data]
dataset = "FD001"
[budget]
trials = 4
[incumbent]
batch_size = 64
[space.learning_rate]
type = "float"
low = 1e-5
high = 1.0
log = true
[space.batch_size]
type = "categorical"
choices = [64, 128]
"""
PUBLISHED_RATES = (1e-3, 3e-3)


def swept(suggested: float | None, last: float) -> RangeTest:
    """A sweep that ended at the rate `last`."""
    return RangeTest("", RangeTestCurve((1e-7, last), (2.0, 9.0)), dict.fromkeys(Suggestion, suggested), 1.0, False)


@pytest.mark.parametrize("suggested", [1e-6, 2.8e-4, 1.7e-3, 0.5])
@pytest.mark.parametrize("last", [1e-5, 1e-3, 0.05, 1.0])
def test_no_suggestion_shuts_out_the_published_rates_or_the_lower_bound(suggested: float, last: float) -> None:
    spec = parse_study_spec(FULL)
    prior = prior_from(swept(suggested, last), spec)
    assert prior.interval is not None
    low, high = prior.interval
    assert low == 1e-5
    assert low < PUBLISHED_RATES[0] < PUBLISHED_RATES[1] < high
    assert prior.suggested is not None
    assert low <= prior.suggested <= high


def test_what_diverges_is_cut_off_and_nothing_else() -> None:
    spec = parse_study_spec(FULL)
    assert prior_from(swept(1.7e-3, 0.05), spec).interval == (1e-5, 0.05)
    assert prior_from(swept(1.7e-3, 1.0), spec).interval == (1e-5, 1.0)
    assert prior_from(swept(2e-2, 0.05), spec).interval == (1e-5, 0.2)  # never nearer than ten times the suggestion
    assert prior_from(swept(None, 0.05), spec).interval is None
    assert prior_from(swept(3.0, 1.0), spec).suggested == 1.0  # a trial is inside the space


@pytest.mark.parametrize(
    ("batch_size", "batches"), [(16, 100), (64, 100), (163, 100), (256, 64), (512, 50), (4096, 50)]
)
def test_large_batches_make_short_sweeps(batch_size: int, batches: int) -> None:
    options = parse_study_spec(FULL).lr_range_test
    assert options.iterations(batch_size) == batches
    assert options.model_copy(update={"num_iter": 200}).iterations(batch_size) == 200


FORMER = {"start_lr": 1e-6, "num_iter": 100, "suggestion": "minimum/10"}


def test_a_study_begun_with_former_defaults_goes_on_with_them(
    sqlite_ledger: Ledger, source: FleetSource, artifacts: Artifacts, tiny_study: str
) -> None:
    bare = tiny_study.replace("num_iter = 60\nend_lr = 10.0\n", "end_lr = 10.0\n")
    assert bare != tiny_study
    spec = parse_study_spec(bare, name="tiny")
    begun = _as_stored(spec, FORMER)
    first = open_study(Workspace(sqlite_ledger, source, artifacts), begun, device="cpu")
    again = open_study(Workspace(sqlite_ledger, source, artifacts), spec, device="cpu")
    assert again.opening is Opening.CONTINUED
    assert again.study.spec.fingerprint() == begun.fingerprint() != spec.fingerprint()
    assert (again.study.prior, again.study.spec.lr_range_test) == (first.study.prior, begun.lr_range_test)
    assert find_study(sqlite_ledger, "tiny").spec == begun
    with sqlite_ledger.write() as session:  # as another version has settled it: the stored prior is the study's
        row = session.get_one(StudyRow, "tiny")
        row.prior_low, row.prior_high = 1e-3, 2e-3
    kept = open_study(Workspace(sqlite_ledger, source, artifacts), spec, device="cpu").study.prior
    assert kept == replace(first.study.prior, interval=(1e-3, 2e-3))


def test_what_a_file_says_itself_is_still_frozen(tiny_study: str) -> None:
    begun = _as_stored(parse_study_spec(tiny_study), FORMER)
    said = parse_study_spec(tiny_study.replace("num_iter = 60", "num_iter = 100\nstart_lr = 1e-5"))
    continued = said.continuing(begun)
    assert continued.lr_range_test.start_lr == 1e-5
    assert continued.changed_keys(begun.frozen_content()) == ["lr_range_test.start_lr was 1e-06, is 1e-05"]
    ours = parse_study_spec(tiny_study)
    assert ours.continuing(ours) == ours


def _as_stored(spec: StudySpec, options: dict[str, object]) -> StudySpec:
    document = json.loads(spec.to_json())
    document["lr_range_test"] |= options
    return StudySpec.from_json(json.dumps(document))
