"""From trials to one score: what is promoted, what the test engines may decide, how often they are looked at."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import EpochRow, Origin, PromotionRow, RunRow, RunStatus, TestScoreRow
from amnl_tune.errors import StudyError
from amnl_tune.ledger.promotions import best_trials, latest_promotion, promoted_candidates
from amnl_tune.ledger.studies import find_study
from amnl_tune.promotion import choosing
from amnl_tune.promotion import kept_boosting as boosting_files
from amnl_tune.promotion.candidates import open_promotion, seeds_for
from amnl_tune.promotion.contamination import select_on_test
from amnl_tune.promotion.kept_boosting import kept_boosting, read_boosting
from amnl_tune.promotion.looks import contamination, find_scores, latest_scores, looks_of
from amnl_tune.promotion.scores import CandidateKind, TestScores
from amnl_tune.promotion.scoring import choice_of, ensure_scored, score_again
from amnl_tune.promotion.short_against_full import proxy_check
from amnl_tune.results.facts import summarize
from amnl_tune.rul.configuration import Normalization
from amnl_tune.rul.layouts import file_names
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.rul.simulator import write_fleet
from amnl_tune.rul.sources import FleetSource, TrainingFleet
from amnl_tune.search.opening import OpenedStudy, Workspace, open_study
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.search.workplace import Workplace
from amnl_tune.studies.sections import Incumbent, TrialTable
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.state import lr_factor

pytestmark = pytest.mark.slow

OLD = ("rivals", "choice", "against_boosting", "mean_validation_rmse")
OLDER = ("kind", "fit_seconds", "predict_seconds", "rmse_interval", "nasa_interval", "against_choice")
"""What records before boosting do not have."""

OpenTiny = Callable[[StudySpec], tuple[OpenedStudy, Workplace]]


def looks_at_test(ledger: Ledger, study: str) -> int:
    """Of everybody in the storage, at the engines that the study was scored on last."""
    looks = looks_of(find_study(ledger, study))
    return looks.total if looks else 0


def searched(spec: StudySpec, open_tiny: OpenTiny) -> Workplace:
    _, place = open_tiny(spec)
    work(place, threads=1)
    return place


def promoted(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts
) -> tuple[Workplace, TestScores]:
    place = searched(spec, open_tiny)
    number = open_promotion(find_study(place.ledger, spec.name))
    work(place, threads=1)
    return place, ensure_scored(
        Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=number
    )


def test_the_best_trials_and_the_published_defaults_are_promoted(spec: StudySpec, open_tiny: OpenTiny) -> None:
    place = searched(spec, open_tiny)
    ranked = best_trials(find_study(place.ledger, spec.name))
    assert [run.value for run in ranked] == sorted(run.value for run in ranked if run.value is not None)
    number = open_promotion(find_study(place.ledger, spec.name), top_k=2, seeds=[42, 123])
    assert open_promotion(find_study(place.ledger, spec.name), top_k=2, seeds=[42, 123]) == number
    candidates = promoted_candidates(find_study(place.ledger, spec.name), number)
    trials = {candidate.trial_number for candidate in candidates}
    assert trials == {ranked[0].trial_number, ranked[1].trial_number, 0}
    assert all([run.seed for run in candidate.runs] == [42, 123] for candidate in candidates)
    configs = [RunConfig.model_validate_json(run.config or "") for candidate in candidates for run in candidate.runs]
    assert {config.epochs for config in configs} == {4}
    assert open_promotion(find_study(place.ledger, spec.name), top_k=1) == number + 1


def test_one_look_and_no_second_unless_forced(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts
) -> None:
    place, scores = promoted(spec, open_tiny, source, artifacts)
    assert (scores.look, scores.forced, scores.dataset) == (1, False, "SIM1")
    assert len(scores.true) == len(scores.winner.predicted) == 10
    assert scores.incumbent is not None
    assert scores.incumbent.origin == Origin.PUBLISHED_DEFAULTS
    assert scores.winner.validation_rmse <= scores.incumbent.validation_rmse
    with pytest.raises(StudyError, match=r"scored once, but promotion 1 of study 'tiny' has its score.*--force"):
        score_again(
            Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=1, force=False
        )
    assert (
        ensure_scored(Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=1).look
        == 1
    )
    again = score_again(
        Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=1, force=True
    )
    assert (again.look, again.forced, again.winner) == (2, True, scores.winner)
    promotion = latest_promotion(find_study(place.ledger, spec.name))
    assert promotion is not None
    assert looks_at_test(place.ledger, spec.name) == 2
    with place.ledger.read() as session:
        assert [row.forced for row in session.scalars(select(TestScoreRow).order_by(TestScoreRow.look))] == [
            False,
            True,
        ]


def test_the_look_tells_intervals_health_and_the_worst_engines(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts
) -> None:
    place = searched(spec, open_tiny)
    number = open_promotion(find_study(place.ledger, spec.name), top_k=2, seeds=seeds_for(spec, 2), random=1)
    work(place, threads=1)
    scores = ensure_scored(
        Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=number
    )
    assert seeds_for(spec, 7) == (42, 123, 456, 789, 1024, 1025, 1026)
    assert {len(predicted) for predicted in scores.winner.predicted_by_seed.values()} == {10}
    assert scores.winner.predicted_by_seed.keys() == {"42", "123"}
    assert scores.winner.health is not None and set(scores.winner.health) <= {0, 1, 2}
    assert scores.comparison is not None
    assert scores.comparison.winner_rmse.value == pytest.approx(scores.winner.test_rmse)
    errors = dict(zip(scores.units, np.abs(np.array(scores.chosen.predicted) - scores.true), strict=True))
    assert [life["unit"] for life in scores.lives] == sorted(errors, key=lambda unit: -errors[unit])[:6]
    assert all(life["cycle"][0] == 1 and len(life["true"]) == len(life["predicted"]) for life in scores.lives)
    candidates = promoted_candidates(find_study(place.ledger, spec.name), number)
    assert len(candidates) == len({candidate.trial_number for candidate in candidates}) >= 3
    check = proxy_check(find_study(place.ledger, spec.name), number)
    assert [told["full"] for told in check.configurations] == [c.validation_rmse for c in candidates]
    assert check.regret is not None and check.regret >= 0

    before = scores.plain()  # as version 0.1 with schema 0002 entered it
    for score in (before["winner"], before["incumbent"]):
        for name in (*OLDER, "predicted_by_seed", "health"):
            del score[name]
    for name in (*OLD, "comparison", "lives", "scored_by"):
        del before[name]
    with place.ledger.write() as session:
        session.scalars(select(TestScoreRow)).one().scores = json.dumps(before)
    assert find_scores(place.ledger, 1).comparison is None  # type: ignore[union-attr]
    shutil.rmtree(artifacts.home / "artifacts" / spec.name / f"promotion-{number:03d}")
    whole = ensure_scored(
        Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=number
    )
    assert (whole.choice, whole.rivals, whole.against_boosting) == (CandidateKind.NETWORK, [], None)
    assert (whole.comparison, whole.winner.health) == (scores.comparison, scores.winner.health)
    assert read_boosting(artifacts, spec.name, number) is None, "boosting was no candidate of that choice"
    assert looks_at_test(place.ledger, spec.name) == 1


def test_a_choice_by_the_test_engines_is_shown_once_and_marks_the_study(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts
) -> None:
    place, scores = promoted(spec, open_tiny, source, artifacts)
    told: list[tuple[int, int]] = []
    claims = select_on_test(
        Workspace(place.ledger, source, artifacts),
        find_study(place.ledger, spec.name),
        number=1,
        execution=Execution(),
        epoch_done=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (4 * len(claims), 4 * len(claims))
    for claim in claims:
        assert claim["best_test_rmse"] <= claim["honest_test_rmse"] + 1e-6
        assert 1 <= claim["best_test_epoch"] <= 4
    promotion = latest_promotion(find_study(place.ledger, spec.name))
    assert promotion is not None
    marked = contamination(promotion)
    assert marked is not None and marked["claims"] == claims and "@" in marked["by"]
    assert latest_scores(find_study(place.ledger, spec.name)) == scores
    assert summarize(find_study(place.ledger, spec.name))["promotion"]["contaminated"] == marked


def test_a_promotion_is_scored_when_it_has_ended(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts
) -> None:
    place = searched(spec, open_tiny)
    number = open_promotion(find_study(place.ledger, spec.name))
    with pytest.raises(StudyError, match="scored when all its runs have ended"):
        ensure_scored(Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=number)
    assert latest_scores(find_study(place.ledger, spec.name)) is None


def test_nothing_to_promote(spec: StudySpec, open_tiny: OpenTiny) -> None:
    _, place = open_tiny(spec)
    with pytest.raises(StudyError, match="needs a complete trial, but study 'tiny' has none"):
        open_promotion(find_study(place.ledger, spec.name))


def test_under_one_horizon_a_promotion_goes_on_from_its_trial(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts
) -> None:
    trial = TrialTable(epochs=2, horizon=4, checkpoint_every=1)
    promotion = spec.promotion.model_copy(update={"seeds": (spec.seed,)})
    longer = spec.model_copy(update={"trial": trial, "promotion": promotion})
    place, _ = promoted(longer, open_tiny, source, artifacts)
    with place.ledger.read() as session:
        for run in session.scalars(select(RunRow).where(RunRow.promotion == 1)):
            epochs = session.scalars(select(EpochRow.number).where(EpochRow.run == run.id).order_by(EpochRow.number))
            assert (run.status, list(epochs)) == (RunStatus.COMPLETE, [3, 4])


@pytest.mark.slow
def test_a_promotion_may_end_before_its_schedule_does(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts
) -> None:
    trial = TrialTable(epochs=2, horizon=8, checkpoint_every=1)
    promotion = spec.promotion.model_copy(update={"seeds": (spec.seed,), "epochs": 4})
    longer = spec.model_copy(update={"trial": trial, "promotion": promotion})
    place, _ = promoted(longer, open_tiny, source, artifacts)
    with place.ledger.read() as session:
        for run in session.scalars(select(RunRow).where(RunRow.promotion == 1)):
            epochs = session.scalars(select(EpochRow).where(EpochRow.run == run.id).order_by(EpochRow.number)).all()
            assert (run.status, [epoch.number for epoch in epochs]) == (RunStatus.COMPLETE, [3, 4])
            config = RunConfig.model_validate_json(run.config or "")
            halfway = lr_factor(0.5, config.schedule, warmup=config.warmup_fraction, final=config.final_lr_fraction)
            assert epochs[-1].learning_rate == pytest.approx(config.learning_rate * halfway)


def results(ledger: Ledger) -> list[tuple[object, ...]]:
    with ledger.read() as session:
        runs = session.scalars(select(RunRow).order_by(RunRow.promotion, RunRow.slot))
        return [(run.promotion, run.slot, run.value, run.status, run.config) for run in runs]


def test_poisoned_test_files_change_nothing_before_the_look(
    spec: StudySpec, source: FleetSource, fleet_dir: Path, tmp_path: Path
) -> None:
    """Search, pruning, promotion, boosting and choice: with garbled test files, and without any test file at all."""
    poisoned, bare = tmp_path / "poisoned", tmp_path / "bare"
    for folder in (poisoned, bare):
        shutil.copytree(fleet_dir, folder)
    _, test, rul = (f"{name}.gz" for name in file_names("SIM1"))
    labels = gzip.decompress((poisoned / rul).read_bytes()).decode().split()
    (poisoned / rul).write_bytes(gzip.compress("\n".join(str(999 - int(float(y))) for y in labels).encode()))
    rows = gzip.decompress((poisoned / test).read_bytes()).decode().splitlines()
    garbled = [" ".join([*row.split()[:2], *reversed(row.split()[2:])]) for row in rows]
    (poisoned / test).write_bytes(gzip.compress("\n".join(garbled).encode()))
    for name in (test, rul):
        (bare / name).unlink()
    found = []
    for folder in (fleet_dir, poisoned, bare):
        home = tmp_path / f"home-{folder.name}"
        ledger, artifacts = Ledger(f"sqlite:///{home / 'a.db'}"), Artifacts(home)
        own = FleetSource((folder,))
        open_study(Workspace(ledger, own, artifacts), spec, device="cpu")
        url = ledger.url.render_as_string(hide_password=False)
        place = open_workplace(url, spec.name, own, artifacts, tensorboard=False)
        work(place, threads=1)
        number = open_promotion(find_study(ledger, spec.name))
        work(place, threads=1)
        choice = choice_of(Workspace(ledger, own, artifacts), find_study(ledger, spec.name), number=number)
        assert choice.boosting is not None
        kept = read_boosting(artifacts, spec.name, number)
        assert kept == choice.boosting
        validated = (choice.kind, choice.validation_rmse, choice.mean_validation_rmse)
        found.append((results(ledger), validated, kept.onnx, kept.names))
        ledger.close()
    assert found[0] == found[1] == found[2]
    assert found[0][1][1].keys() == set(CandidateKind)


def test_what_the_search_is_given_has_no_room_for_test_data() -> None:
    for kind in (TrainingFleet, PreparedData):
        assert not [name for name in kind.__dataclass_fields__ if "test" in name]


def test_the_scores_say_where_they_come_from(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts
) -> None:
    place, scores = promoted(spec, open_tiny, source, artifacts)
    assert scores.data_sha256 == source.test("SIM1").sha256
    with place.ledger.read() as session:
        row = session.scalars(select(TestScoreRow)).one()
    assert "@" in row.scored_by
    assert json.loads(row.scores)["winner"]["by_seed"].keys() == {"42"}


@pytest.mark.parametrize("kind", [CandidateKind.NETWORK, CandidateKind.BOOSTING, CandidateKind.MIX])
def test_the_validation_engines_choose_and_the_look_follows_them(
    kind: CandidateKind,
    spec: StudySpec,
    open_tiny: OpenTiny,
    source: FleetSource,
    artifacts: Artifacts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the test engines say: the validation figures are the only ones that are changed here."""
    place = searched(spec, open_tiny)
    number = open_promotion(find_study(place.ledger, spec.name))
    work(place, threads=1)
    figures = {CandidateKind.BOOSTING: 30.0, CandidateKind.MIX: 20.0} | {kind: 1.0}
    candidates = promoted_candidates(find_study(place.ledger, spec.name), number)
    if kind is CandidateKind.NETWORK:
        figures = {CandidateKind.BOOSTING: 1e3, CandidateKind.MIX: 1e3}
    given = iter([figures[CandidateKind.BOOSTING], figures[CandidateKind.MIX], 77.0])
    monkeypatch.setattr(choosing, "rmse", lambda predicted, true: next(given))
    scores = ensure_scored(
        Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=number
    )
    assert scores.choice is kind
    assert scores.chosen.kind is kind
    assert scores.winner.trial_number == candidates[0].trial_number
    boosting, mix, age = scores.rivals
    assert [score.kind for score in scores.rivals] == ["boosting", "mix", "age alone"]
    assert [score.validation_rmse for score in scores.rivals] == [*figures.values(), 77.0]
    assert all(score.trial_number is None and score.by_seed == {} for score in scores.rivals)
    mean = np.mean(list(scores.winner.predicted_by_seed.values()), axis=0)
    np.testing.assert_allclose(mix.predicted, (mean + np.array(boosting.predicted)) / 2, rtol=1e-6)
    assert scores.winner.fit_seconds is not None and scores.winner.fit_seconds > 0
    assert boosting.fit_seconds is not None and boosting.predict_seconds is not None
    assert mix.fit_seconds == pytest.approx(scores.winner.fit_seconds + boosting.fit_seconds)
    assert mix.predict_seconds is not None and mix.predict_seconds > boosting.predict_seconds
    assert age.fit_seconds is not None and age.health is not None
    errors = dict(zip(scores.units, np.abs(np.array(scores.chosen.predicted) - scores.true), strict=True))
    assert [life["unit"] for life in scores.lives] == sorted(errors, key=lambda unit: -errors[unit])[:6]
    last = [life["predicted"][-1] for life in scores.lives]
    by_unit = dict(zip(scores.units, scores.chosen.predicted, strict=True))
    assert last == pytest.approx([by_unit[life["unit"]] for life in scores.lives], abs=0.01)
    assert summarize(find_study(place.ledger, spec.name))["promotion"]["choice"]["kind"] == kind


def test_boosting_is_fitted_once_a_promotion_and_anew_on_other_engines(
    spec: StudySpec,
    open_tiny: OpenTiny,
    source: FleetSource,
    artifacts: Artifacts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, scores = promoted(spec, open_tiny, source, artifacts)
    fitted = []
    fit = boosting_files.fit_boosting
    monkeypatch.setattr(boosting_files, "fit_boosting", lambda data: fitted.append(data) or fit(data))
    again = score_again(
        Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=1, force=True
    )
    assert fitted == []
    assert again.rivals == scores.rivals
    kept = read_boosting(artifacts, spec.name, 1)
    assert kept is not None and scores.rivals[0].fit_seconds == kept.fit_seconds
    fewer = replace(place.data, training_units=place.data.training_units[:-1])
    other = kept_boosting(artifacts, spec.name, 1, fewer)
    assert len(fitted) == 1
    assert other.onnx != kept.onnx
    assert read_boosting(artifacts, spec.name, 2) is None


def test_without_boosting_a_promotion_is_what_it_was(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts
) -> None:
    full = spec.promotion.model_copy(update={"incumbents": (Incumbent.PUBLISHED,)})
    plain = spec.model_copy(update={"promotion": full})
    place, scores = promoted(plain, open_tiny, source, artifacts)
    assert (scores.choice, scores.rivals, scores.against_boosting) == (CandidateKind.NETWORK, [], None)
    assert scores.comparison is not None
    assert read_boosting(artifacts, spec.name, 1) is None
    row = json.loads(json.dumps(scores.plain()))
    for name in OLD:  # a record of before boosting, of a study that would now have it
        del row[name]
    with place.ledger.write() as session:
        session.scalars(select(TestScoreRow)).one().scores = json.dumps(row)
    told = ensure_scored(Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=1)
    assert (told.choice, told.rivals, told.look) == (CandidateKind.NETWORK, [], 1)
    assert read_boosting(artifacts, spec.name, 1) is None, "no refit"
    assert looks_at_test(place.ledger, spec.name) == 1


def test_looks_are_counted_by_the_test_data_whatever_the_study_is_called(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts, tmp_path: Path
) -> None:
    place, _ = promoted(spec, open_tiny, source, artifacts)
    renamed = spec.model_copy(update={"name": "renamed"})
    opened = open_study(Workspace(place.ledger, source, artifacts), renamed, device="cpu")
    assert looks_of(opened.study) is None
    assert looks_at_test(place.ledger, "renamed") == 0
    promoted(renamed, open_tiny, source, artifacts)
    first, second = looks_of(find_study(place.ledger, spec.name)), looks_of(find_study(place.ledger, "renamed"))
    assert first is not None and second is not None
    assert (first.number, first.total, second.number, second.total) == (1, 2, 2, 2)
    assert first.by_study == second.by_study == {"tiny": 1, "renamed": 1}
    scores = score_again(
        Workspace(place.ledger, source, artifacts), find_study(place.ledger, spec.name), number=1, force=True
    )
    assert scores.forced
    told = looks_of(find_study(place.ledger, spec.name))
    assert told is not None
    assert (told.number, told.total, told.by_study) == (3, 3, {"tiny": 2, "renamed": 1})
    assert looks_at_test(place.ledger, "renamed") == 3
    facts = summarize(find_study(place.ledger, "renamed"))["promotion"]
    assert (facts["looks_at_test"], facts["looks"], facts["forced"]) == (
        3,
        looks_of(find_study(place.ledger, "renamed")).plain(),
        False,
    )

    folder = tmp_path / "other"
    write_fleet("SIM1", folder, seed=2, engines=10)
    other = FleetSource((folder,))
    elsewhere = spec.model_copy(update={"name": "elsewhere"})
    open_study(Workspace(place.ledger, other, artifacts), elsewhere, device="cpu")
    url = place.ledger.url.render_as_string(hide_password=False)
    own = open_workplace(url, "elsewhere", other, artifacts, tensorboard=False)
    work(own, threads=1)
    number = open_promotion(find_study(place.ledger, elsewhere.name))
    work(own, threads=1)
    ensure_scored(Workspace(place.ledger, other, artifacts), find_study(place.ledger, elsewhere.name), number=number)
    assert looks_of(find_study(place.ledger, "elsewhere")).plain() == {
        "number": 1,
        "total": 1,
        "by_study": {"elsewhere": 1},
        "after_every_epoch": [],
    }

    with place.ledger.write() as session:  # as `promote renamed --test-selection` enters it
        session.execute(
            update(PromotionRow)
            .where(PromotionRow.study == "renamed")
            .values(contaminated_by="somebody@somewhere", contaminated_at=database_time(session))
        )
    after = [looks_of(find_study(place.ledger, name)).after_every_epoch for name in (spec.name, "renamed", "elsewhere")]
    assert after == [["renamed"], [], []]  # its own is told as contamination; other engines are not concerned


def test_boosting_is_no_straw_man(
    spec: StudySpec, open_tiny: OpenTiny, source: FleetSource, artifacts: Artifacts, caplog: pytest.LogCaptureFixture
) -> None:
    """On sensors that are not scaled by condition its statistics say little: then there is none, and it is said."""
    data = spec.data.model_copy(update={"normalization": Normalization.GLOBAL})
    _, scores = promoted(spec.model_copy(update={"data": data}), open_tiny, source, artifacts)
    assert (scores.choice, scores.rivals) == (CandidateKind.NETWORK, [])
    assert "gradient boosting is left out" in caplog.text
