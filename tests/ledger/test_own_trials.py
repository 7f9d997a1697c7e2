"""Trials that somebody's plain Optuna put into a study of ours: they steer nothing, and they are named."""

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from typer.testing import CliRunner

from amnl_tune.artifacts import Artifacts
from amnl_tune.cli.app import app
from amnl_tune.dashboard.notes import study_note
from amnl_tune.database.engine import Ledger
from amnl_tune.database.optuna_storage import borrowed_storage
from amnl_tune.health.doctor import examine
from amnl_tune.ledger.own_trials import foreign_trials
from amnl_tune.ledger.studies import find_study
from amnl_tune.results.facts import summarize
from amnl_tune.results.frames import importance_frame, trials_frame
from amnl_tune.results.report import report_page
from amnl_tune.search.opening import OpenedStudy
from amnl_tune.search.worker import work
from amnl_tune.search.workplace import Workplace
from amnl_tune.studies.names import numbered
from amnl_tune.studies.sections import SamplerTable
from amnl_tune.studies.spec import StudySpec

OpenTiny = Callable[[StudySpec], tuple[OpenedStudy, Workplace]]


def optimize_plainly(ledger: Ledger, study: str, trials: int) -> None:
    """As somebody would who knows Optuna alone: with the best values there are, far from what helps."""
    with borrowed_storage(ledger) as storage:
        page = optuna.load_study(study_name=study, storage=storage, sampler=optuna.samplers.RandomSampler(seed=1))

        def objective(trial: optuna.Trial) -> float:
            trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
            trial.suggest_categorical("batch_size", [16, 32])
            trial.suggest_categorical("hidden_size", [2, 4])
            return -100.0 - trial.number

        page.optimize(objective, n_trials=trials)
        page.ask()


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["TPESampler", "GPSampler"])
def test_foreign_trials_do_not_steer_the_sampler(spec: StudySpec, open_tiny: OpenTiny, sampler: str) -> None:
    options = {"n_startup_trials": 1}
    spec = spec.model_copy(update={"sampler": SamplerTable.model_validate({"name": sampler, **options})})
    _, undisturbed = open_tiny(spec.model_copy(update={"name": "undisturbed"}))
    _, place = open_tiny(spec)
    optimize_plainly(place.ledger, "tiny", 8)
    work(undisturbed, threads=1)
    work(place, threads=1)
    searched = ["slot", *spec.space.names, "value"]
    found, expected = (trials_frame(find_study(place.ledger, name))[searched] for name in ("tiny", "undisturbed"))
    assert found.equals(expected)
    assert importance_frame(find_study(place.ledger, "tiny")).equals(
        importance_frame(find_study(place.ledger, "undisturbed"))
    )
    told: list[dict[str, Any]] = [summarize(find_study(place.ledger, name)) for name in ("tiny", "undisturbed")]
    assert [facts["foreign_trials"] for facts in told] == [list(range(9)), []]
    assert [best["parameters"] for best in told[0]["best_trials"]] == [
        best["parameters"] for best in told[1]["best_trials"]
    ]


def test_foreign_trials_are_named(spec: StudySpec, open_tiny: OpenTiny, artifacts: Artifacts) -> None:
    _, place = open_tiny(spec)
    ledger, url = place.ledger, place.ledger.url.render_as_string(hide_password=False)

    def finding() -> Any:
        (found,) = [found for found in examine(url, artifacts) if found.finding.check == "foreign trials"]
        return found.plain()

    assert finding()["severity"] == "ok"
    assert "Not made by amnl-tune" not in CliRunner().invoke(app, ["study", "show", "tiny"]).output
    optimize_plainly(ledger, "tiny", 6)
    with borrowed_storage(ledger) as storage:
        optuna.create_study(storage=storage, study_name="theirs").optimize(lambda trial: 1.0, n_trials=1)
    assert foreign_trials(ledger) == {"tiny": list(range(7))}
    assert finding()["severity"] == "warning"
    assert (
        "study 'tiny' must be amnl-tune's, but 0, 1, 2, 3, 4, ... (7 in all) came from elsewhere" in finding()["what"]
    )
    shown = " ".join(CliRunner().invoke(app, ["study", "show", "tiny"]).output.split())
    assert (
        "Not made by amnl-tune, kept from the sampler, and in none of these figures: trials 0, 1, 2, 3, 4, ..." in shown
    )
    assert numbered([3, 4]) == "3, 4"
    assert "Not made by amnl-tune" in report_page(find_study(ledger, "tiny"))
    assert "Not made by amnl\\-tune" in study_note(ledger, "tiny", optuna_id=1)
