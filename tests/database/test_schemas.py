"""Databases of every released schema: upgraded, read, and their studies carried on. `schemas/make.py` makes them."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import Base, EpochRow, RunRow, RunStatus, StudyRow, TallyRow
from amnl_tune.database.optuna_storage import borrowed_storage
from amnl_tune.database.schema import migrations, require_schema, upgrade
from amnl_tune.database.tables import VERSION_TABLE
from amnl_tune.errors import StorageError, StorageKind
from amnl_tune.ledger.leases import DIVERGED_RMSE, FINISHED
from amnl_tune.ledger.standing import bin_of
from amnl_tune.ledger.studies import find_study
from amnl_tune.results.facts import summarize
from amnl_tune.results.frames import epochs_frame, history_frame, importance_frame, trials_frame
from amnl_tune.results.report import write_report
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.policy import competes_when_complete
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.studies.spec import StudySpec

SCHEMAS = Path(__file__).parent / "schemas"
DUMPS = sorted(SCHEMAS.glob("*.sql"))


@dataclass(frozen=True)
class Old:
    """A database as a release left it, not yet upgraded."""

    revision: str
    storage: str
    rows: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, new_storage: Callable[[str], str]) -> Old:
    revision, kind = request.param.stem.split("_")
    storage, statements = new_storage(kind), request.param.read_text()
    if kind == "sqlite":
        connection = sqlite3.connect(str(make_url(storage).database))
        connection.executescript(statements)
        connection.close()
    else:
        with psycopg.connect(storage) as server:
            server.execute(statements)
    return Old(revision, storage, content(storage))


@pytest.fixture
def upgraded(old: Old) -> Iterator[Ledger]:
    upgrade(old.storage)
    ledger = Ledger(old.storage)
    yield ledger
    ledger.close()


def content(storage: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in one order."""
    ledger, found = Ledger(storage), sa.MetaData()
    with ledger.engine.connect() as connection:
        found.reflect(connection)
        rows = {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in found.sorted_tables
        }
    ledger.close()
    return rows


def test_every_schema_but_the_newest_has_a_database_of_each_kind() -> None:
    revisions = [script.revision for script in ScriptDirectory(str(migrations())).walk_revisions()]
    assert {path.stem for path in DUMPS} == {
        f"{old}_{kind}" for old in revisions[1:] for kind in ("sqlite", "postgresql")
    }


def test_an_old_schema_is_refused_until_it_is_upgraded(old: Old) -> None:
    assert old.rows[VERSION_TABLE] == [(old.revision,)]
    with pytest.raises(
        StorageError, match=f"schema must be .*, but it is {old.revision}; run `amnl-tune db upgrade`"
    ) as caught:
        require_schema(old.storage)
    assert caught.value.kind is StorageKind.OUTDATED


def test_an_upgraded_database_has_the_models_schema(old: Old, upgraded: Ledger) -> None:
    require_schema(old.storage)
    with upgraded.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or name in Base.metadata.tables},
        )
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgrade_keeps_every_row(old: Old, upgraded: Ledger) -> None:
    new, found = content(old.storage), sa.MetaData()
    for name, before in old.rows.items():
        if name == VERSION_TABLE:
            continue
        assert len(new[name]) == len(before) > 0 or not before, name
    found.reflect(upgraded.engine)
    width = {name: len(rows[0]) for name, rows in old.rows.items() if rows}
    for name in set(width) - {VERSION_TABLE}:  # new columns come after the old ones
        assert sorted((row[: width[name]] for row in new[name]), key=repr) == old.rows[name], name


@pytest.mark.parametrize(
    "old", [dump for dump in DUMPS if dump.stem < "0002"], indirect=True, ids=lambda dump: dump.stem
)
def test_new_columns_of_old_epochs_say_what_the_new_version_would_have(upgraded: Ledger) -> None:
    with upgraded.read() as session:
        epochs = session.execute(sa.select(RunRow, EpochRow).join(EpochRow, EpochRow.run == RunRow.id)).all()
    assert len(epochs) > 40
    for run, epoch in epochs:
        assert epoch.study == run.study
        assert epoch.bracket == (0 if run.is_trial else None)
        assert epoch.bin == bin_of(epoch.reported)
        diverged = epoch.validation_rmse is None
        assert epoch.reported == (DIVERGED_RMSE if diverged else epoch.best_validation_rmse)
        assert epoch.pruned == (run.status is RunStatus.PRUNED and epoch.number == run.epochs_done)
    for run in {run.id: run for run, _ in epochs}.values():
        assert run.busy_seconds == pytest.approx(sum(epoch.seconds for r, epoch in epochs if r.id == run.id))
    with upgraded.read() as session:
        (study,) = session.scalars(sa.select(StudyRow).where(StudyRow.name == "tiny"))
        tallies = {(row.number, row.bin): row.trials for row in session.scalars(sa.select(TallyRow))}
    finished = {run.id: run.busy_seconds for run, _ in epochs if run.is_trial and run.status in FINISHED}
    assert study.busy_seconds == pytest.approx(sum(finished.values()))
    assert not competes_when_complete(StudySpec.from_json(study.spec))
    assert tallies == Counter((epoch.number, epoch.bin) for run, epoch in epochs if run.is_trial)


def test_what_an_old_study_found_can_still_be_read(upgraded: Ledger, tmp_path: Path) -> None:
    facts = summarize(find_study(upgraded, "tiny"))
    assert facts["trials"]["complete"] >= 2
    assert facts["trials"]["pruned"] >= 2
    assert facts["trials"]["waiting"] == 1
    assert facts["promotion"]["scored"]
    assert facts["promotion"]["winner"]["test_rmse"] > 0
    trials, epochs = trials_frame(find_study(upgraded, "tiny")), epochs_frame(find_study(upgraded, "tiny"))
    assert len(trials) == sum(facts["trials"][status] for status in ("complete", "pruned", "waiting"))
    assert len(epochs) == facts["epochs"] == trials["epochs_done"].sum()
    assert len(epochs_frame(find_study(upgraded, "tiny"), promotion=1)) == 8
    assert len(history_frame(trials)) == len(trials) - 1
    assert set(importance_frame(find_study(upgraded, "tiny"))["setting"]) <= {
        "learning_rate",
        "batch_size",
        "hidden_size",
    }
    write_report(find_study(upgraded, "tiny"), tmp_path / "report.html")
    with borrowed_storage(upgraded) as storage:
        told = optuna.load_study(study_name="tiny", storage=storage).get_trials()
    assert [trial.number for trial in told] == sorted(trials["trial"])
    assert told[-1].state is optuna.trial.TrialState.RUNNING


def test_a_trial_that_the_old_version_left_open_is_carried_on(old: Old, upgraded: Ledger, tmp_path: Path) -> None:
    """Its checkpoint is on a machine that is gone: it starts over, under its number, and its curve stays one curve."""
    place = open_workplace(
        old.storage,
        "tiny",
        FleetSource((SCHEMAS / "fleet",)),
        Artifacts(tmp_path),
        tensorboard=False,
    )
    with upgraded.read() as session:
        (left,) = session.scalars(sa.select(RunRow).where(RunRow.status == RunStatus.WAITING))
    work(place, threads=1)
    place.storage.remove_session()
    place.storage.engine.dispose()
    place.ledger.close()
    with upgraded.read() as session:
        run = session.get_one(RunRow, left.id)
        curve = list(
            session.scalars(sa.select(EpochRow.number).where(EpochRow.run == run.id).order_by(EpochRow.number))
        )
    assert run.status in {RunStatus.COMPLETE, RunStatus.PRUNED}
    assert (run.trial_number, run.slot, run.fence) == (left.trial_number, left.slot, left.fence + 1)
    assert curve == list(range(1, run.epochs_done + 1))
    facts = summarize(find_study(upgraded, "tiny"))
    assert (facts["trials"]["waiting"], facts["trials"]["running"], facts["search_finished"]) == (0, 0, True)
