"""A study with any number of finished trials, in our tables and in Optuna's, without training them."""

from collections.abc import Iterator
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from sqlalchemy import Connection, create_engine, insert, text

from amnl_tune.database.engine import connect_options
from amnl_tune.database.models import AttemptRow, EpochRow, Outcome, RunRow
from amnl_tune.database.urls import parse_url
from amnl_tune.ledger.standing import TALLIED_WHEN_COMPLETE, bin_of
from amnl_tune.studies.spec import StudySpec

__all__ = ["fill"]

TRIAL = text(
    "insert into trials (trial_id, number, study_id, state, datetime_start, datetime_complete) "
    "values (:id, :slot, :study_id, 'COMPLETE', current_timestamp, current_timestamp)"
)
TRIAL_VALUE = text(
    "insert into trial_values (trial_id, objective, value, value_type) values (:id, 0, :value, 'FINITE')"
)
TRIAL_SLOT = text("insert into trial_user_attributes (trial_id, key, value_json) values (:id, 'slot', :slot)")
INTERMEDIATE_VALUE = text(
    "insert into trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) "
    "values (:run, :number, :reported, 'FINITE')"
)
PARAMETER = text(
    "insert into trial_params (trial_id, param_name, param_value, distribution_json) "
    "values (:run, :name, :value, :distribution)"
)


def fill(storage: str, study: str, *, trials: int, epochs: int, spec: StudySpec | None = None) -> None:
    """Gives a study without trials this many complete ones, with whole curves.

    Args:
        storage: URL of a database that has the study on both sides.
        study: its name.
        trials: how many.
        epochs: of each.
        spec: the study's own; its trials then have parameters, drawn at random, and an attempt each. None: neither.
    """
    url = parse_url(storage)
    engine = create_engine(url, **connect_options(url))
    with engine.connect() as connection:
        with connection.begin():
            runs = _insert(connection, study, trials, epochs)
            if spec is not None:
                _draw(connection, spec, runs)
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum analyze")
    engine.dispose()


def _insert(connection: Connection, study: str, trials: int, epochs: int) -> list[dict[str, Any]]:
    query = text("select study_id from studies where study_name = :name")
    study_id = connection.execute(query, {"name": study}).scalar_one()
    first = 1_000_000 * study_id  # keys far from those that the database hands out itself
    runs = [
        {
            "id": first + slot, "study_id": study_id, "study": study, "promotion": 0, "slot": slot, "origin": "sampler",
            "trial_number": slot, "trial_id": first + slot, "bracket": 0, "seed": 1, "status": "complete", "fence": 1,
            "failures": 0, "epochs": epochs, "epochs_done": epochs, "busy_seconds": 10.0, "value": _value(slot, epochs),
            "started_at": 10.0 * slot, "finished_at": 10.0 * slot + 10.0,
        }
        for slot in range(trials)
    ]  # fmt: skip
    curves = [epoch for run in runs for epoch in _curve(run)]
    connection.execute(TRIAL, runs)
    connection.execute(TRIAL_SLOT, runs)
    connection.execute(TRIAL_VALUE, runs)
    connection.execute(INTERMEDIATE_VALUE, curves)
    connection.execute(insert(RunRow), [{k: v for k, v in run.items() if k != "study_id"} for run in runs])
    connection.execute(insert(EpochRow), curves)
    for run in runs:
        connection.execute(text(TALLIED_WHEN_COMPLETE), {"run": run["id"]})
    return runs


def _draw(connection: Connection, spec: StudySpec, runs: list[dict[str, Any]]) -> None:
    """Parameters by Optuna's random sampler, as they are stored on both sides; and who trained it."""
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(sampler=sampler)
    parameters, attempts = [], []
    for run in runs:
        trial = study.ask()
        config = spec.run_config(spec.space.ask(trial, spec.settled()))
        connection.execute(
            text("update amnl_runs set config = :config where id = :id"),
            {"config": config.model_dump_json(), "id": run["id"]},
        )
        parameters += [
            {
                "run": run["id"], "name": name, "value": kind.to_internal_repr(trial.params[name]),
                "distribution": distribution_to_json(kind),
            }
            for name, kind in trial.distributions.items()
        ]  # fmt: skip
        attempts.append(
            {
                "run": run["id"], "fence": 1, "worker": f"w{run['slot'] % 4}", "started_at": run["started_at"],
                "ended_at": run["finished_at"], "epochs_before": 0, "epochs_after": run["epochs"],
                "outcome": Outcome.FINISHED,
            }
        )  # fmt: skip
    connection.execute(PARAMETER, parameters)
    connection.execute(insert(AttemptRow), attempts)


def _curve(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number in range(1, run["epochs"] + 1):
        value = _value(run["slot"], number)
        yield {
            "run": run["id"], "number": number, "study": run["study"], "bracket": 0, "bin": bin_of(value),
            "reported": value, "pruned": False, "learning_rate": 1e-3, "validation_rmse": value,
            "best_validation_rmse": value, "samples": 10, "seconds": 0.5, "recorded_at": 0.0,
        }  # fmt: skip


def _value(slot: int, number: int) -> float:
    """Cycles: falling curves, in an order that has nothing to do with the trials' own."""
    return 12.0 + 10.0 / number + (slot * 7919) % 10007 / 1000.0
