"""Best configurations of other studies come first, each once, and say where they come from."""

import json
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from sqlalchemy import select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.models import Origin, RunRow
from amnl_tune.database.optuna_storage import borrowed_storage
from amnl_tune.errors import StudyError
from amnl_tune.ledger.promotions import best_trials
from amnl_tune.ledger.studies import find_study
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import OpenedStudy, Workspace, open_study
from amnl_tune.search.worker import work
from amnl_tune.search.workplace import Workplace
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec
from amnl_tune.training.config import RunConfig

OpenTiny = Callable[[StudySpec], tuple[OpenedStudy, Workplace]]


@pytest.mark.slow
def test_the_best_of_another_study_is_evaluated_first_and_once(
    spec: StudySpec, open_tiny: OpenTiny, tiny_study: str, fleet_dir: Path, tmp_path: Path
) -> None:
    _, place = open_tiny(spec)
    work(place, threads=1)
    ledger, best = place.ledger, best_trials(find_study(place.ledger, "tiny"))
    best_values = RunConfig.model_validate_json(best[0].config or "").plain()
    text = tiny_study.replace("trials = 4", "trials = 5") + '\n[warm_start]\nfrom = ["tiny"]\ntop = 3\n'
    narrow = text.replace("choices = [16, 32]", "choices = [32, 64]")
    warm = parse_study_spec(narrow, name="warm")
    _, second = open_tiny(warm)
    settled = json.loads(find_study(ledger, "warm").row.warm_start or "")
    work(second, threads=1)
    with ledger.read() as session:
        runs = list(session.scalars(select(RunRow).where(RunRow.study == "warm").order_by(RunRow.slot)))
    assert [run.origin for run in runs[:2]] == [Origin.PUBLISHED_DEFAULTS, Origin.LR_RANGE_TEST]
    warmed = [run for run in runs if run.origin is Origin.WARM_START]
    assert [run.slot for run in warmed] == list(range(2, 2 + len(settled)))
    assert 1 <= len(settled) <= 3
    assert len({json.dumps(start["parameters"], sort_keys=True) for start in settled}) == len(settled)
    for run, start in zip(warmed, settled, strict=True):
        config = RunConfig.model_validate_json(run.config or "").plain()
        assert {name: config[name] for name in start["parameters"]} == start["parameters"]
    if settled[0]["origin"].startswith(f"tiny trial {best[0].trial_number}"):
        assert settled[0]["parameters"]["learning_rate"] == best_values["learning_rate"]
    with borrowed_storage(ledger) as storage:
        trials = optuna.load_study(study_name="warm", storage=storage).trials
    noted = [trial.user_attrs["warm_start"] for trial in trials if "warm_start" in trial.user_attrs]
    assert noted == [start["origin"] for start in settled]
    assert all(note.startswith("tiny trial ") for note in noted)
    assert len(runs) == 5

    source, artifacts = FleetSource((fleet_dir,)), Artifacts(tmp_path)
    for wrong, message in (
        ('from = ["nope"]', r"there is no 'nope' \(tiny, warm\)"),
        ('from = ["empty"]', "'empty' has none"),
    ):
        if "empty" in wrong:
            open_tiny(spec.model_copy(update={"name": "empty"}))
        other = parse_study_spec(tiny_study + f"\n[warm_start]\n{wrong}\n", name="other")
        with pytest.raises(StudyError, match=message):
            open_study(Workspace(ledger, source, artifacts), other, device="cpu")


def test_without_a_warm_start_nothing_of_it_is_frozen(tiny_study: str) -> None:
    plain = parse_study_spec(tiny_study, name="tiny")
    assert "warm_start" not in plain.frozen_content()
    warm = parse_study_spec(tiny_study + '\n[warm_start]\nfrom = ["fd001"]\n', name="tiny")
    assert warm.frozen_content()["warm_start"] == {"from": ["fd001"], "top": 1}
    assert StudySpec.from_json(warm.to_json()) == warm
    assert warm.fingerprint() != plain.fingerprint()
