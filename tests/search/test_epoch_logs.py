"""Promoted runs in a real MLflow database, read back."""

import dataclasses
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from amnl_tune.database.models import EPOCH_FIGURES
from amnl_tune.errors import ConfigurationError
from amnl_tune.ledger.epochs import COLUMNS
from amnl_tune.ledger.promotions import promoted_candidates
from amnl_tune.ledger.studies import find_study
from amnl_tune.promotion.candidates import open_promotion
from amnl_tune.results.frames import epochs_frame
from amnl_tune.search.epoch_logs import mlflow_log, require_mlflow
from amnl_tune.search.opening import OpenedStudy
from amnl_tune.search.worker import work
from amnl_tune.search.workplace import Workplace
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fit import EpochResult

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow's and its libraries' own

OpenTiny = Callable[[StudySpec], tuple[OpenedStudy, Workplace]]


def test_promoted_runs_are_logged_once_and_resumed_ones_go_on(
    spec: StudySpec, open_tiny: OpenTiny, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    _, place = open_tiny(spec)
    place = replace(place, mlflow=uri)
    work(place, threads=1)
    client = MlflowClient(tracking_uri=uri)
    assert client.get_experiment_by_name("tiny") is None  # trials are not logged
    open_promotion(find_study(place.ledger, spec.name))
    work(place, threads=1)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    candidates = promoted_candidates(find_study(place.ledger, "tiny"), 1)
    runs = {run.data.tags["amnl_tune.trial"]: run for run in client.search_runs([experiment.experiment_id])}
    assert runs.keys() == {str(candidate.trial_number) for candidate in candidates}
    for candidate in candidates:
        logged = runs[str(candidate.trial_number)]
        assert logged.info.status == "FINISHED"
        assert logged.data.metrics["final_rmse"] == pytest.approx(candidate.validation_rmse)
        assert logged.data.params["epochs"] == "4"
        history = client.get_metric_history(logged.info.run_id, "learning_rate")
        assert [point.step for point in history] == [1, 2, 3, 4]

    run = candidates[0].runs[0]
    config = RunConfig.model_validate_json(run.config or "")
    row = dict.fromkeys(("train_rul_loss", "train_health_loss", "validation_rmse", "best_validation_rmse"), 1.0)
    again = [row | {"number": number, "learning_rate": 0.1} for number in (3, 4, 5)]
    with mlflow_log(uri, run, config, data_sha256="0", before=again):
        pass
    history = client.get_metric_history(runs[str(run.trial_number)].info.run_id, "learning_rate")
    assert [point.step for point in history] == [1, 2, 3, 4, 5]

    with (
        caplog.at_level(logging.WARNING),
        mlflow_log("gopher://nowhere", run, config, data_sha256="0", before=again),
    ):
        pass
    assert len([told for told in caplog.records if "goes on without it" in told.message]) == 1


def test_every_figure_of_an_epoch_goes_everywhere(spec: StudySpec, open_tiny: OpenTiny) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fields = {field.name for field in dataclasses.fields(EpochResult)}
    assert {*EPOCH_FIGURES, "number", "samples", "seconds"} == fields & {*COLUMNS}
    _, place = open_tiny(spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": 1})}))
    place = replace(place, tensorboard=True)
    work(place, threads=1)
    frame = epochs_frame(place.study)
    assert list(frame.columns) == [
        "trial", "origin", "seed", "status", "number", "validation_rmse", "best_validation_rmse", "train_rul_loss",
        "train_health_loss", "learning_rate", "seconds",
    ]  # fmt: skip
    assert frame.notna().all().all()
    events = EventAccumulator(str(place.artifacts.home / "tensorboard" / "tiny" / "trial-00000"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {*EPOCH_FIGURES.values(), "samples_per_second"}
    for name, tag in EPOCH_FIGURES.items():
        assert [point.value for point in events.Scalars(tag)] == pytest.approx(list(frame[name]))


def test_a_missing_extra_is_said_before_anything_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    require_mlflow(None)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setattr("amnl_tune.search.epoch_logs.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install -e \"\.\[mlflow\]\""):
        require_mlflow("http://tracking:5000")
