"""Backups: of a moment while workers write, whole or not there, and brought back into either kind of database."""

import resource
import signal
import sqlite3
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from bounded import join
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import report_epoch, settle
from sqlalchemy import select, text

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.backup import back_up, restore
from amnl_tune.database.engine import Ledger, make_file
from amnl_tune.database.inspection import database_status
from amnl_tune.database.models import EpochRow, RunRow, RunStatus
from amnl_tune.database.schema import head_revision, require_schema, upgrade
from amnl_tune.database.tables import VERSION_TABLE, table_names
from amnl_tune.errors import StorageError, StorageKind
from amnl_tune.ledger.leases import Budget, claim
from amnl_tune.ledger.studies import find_study, freeze
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.studies.spec import StudySpec

NewStorage = Callable[[str], str]
BUDGET = Budget(10_000, 9, None, (), seed=1)


def rows(storage: str) -> dict[str, list[tuple[Any, ...]]]:
    """All of them, of every table, in one order."""
    ledger, found = Ledger(storage), sa.MetaData()
    with ledger.read() as session:
        found.reflect(session.connection())
        content = {
            table.name: sorted((tuple(row) for row in session.execute(sa.select(table))), key=repr)
            for table in found.sorted_tables
        }
    ledger.close()
    return content


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def filled(storage: str, spec: StudySpec, runs: int = 3) -> None:
    """A study whose runs have an epoch each."""
    upgrade(storage)
    ledger = Ledger(storage)
    freeze(ledger, spec, "ab" * 32)
    for number in range(runs):
        write_one(ledger, spec.name, number)
    ledger.close()


def write_one(ledger: Ledger, study: str, number: int) -> None:
    claimed = claim(find_study(ledger, study), f"w{number}", BUDGET, ttl=60)
    assert claimed is not None
    settle(ledger, claimed[0], trial_number=number)
    report_epoch(ledger, claimed[0], study=study)


def carry_on(storage: str, spec: StudySpec, source: FleetSource, home: Path) -> list[RunRow]:
    """One worker works until nothing is left."""
    place = open_workplace(storage, spec.name, source, Artifacts(home), tensorboard=False)
    work(place, threads=1)
    with place.ledger.read() as session:
        found = list(session.scalars(select(RunRow).order_by(RunRow.slot)))
    place.storage.remove_session()
    place.storage.engine.dispose()
    place.ledger.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_study_survives_the_way_there_and_back(
    kind: str, new_storage: NewStorage, spec: StudySpec, source: FleetSource, tmp_path: Path
) -> None:
    """A real study, from one database into a file, into the other kind, into a file again; then it is extended."""
    first, other = new_storage(kind), new_storage("postgresql" if kind == "sqlite" else "sqlite")
    ledger, home = Ledger(first), tmp_path / "home"
    two = spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": 2})})
    open_study(Workspace(ledger, source, Artifacts(home)), two, device="cpu")
    carry_on(first, two, source, home)
    before = rows(first)
    made = back_up(first, tmp_path / "a.db")
    assert rows(url(tmp_path / "a.db")) == before
    assert made.rows == {name: len(content) for name, content in before.items()}
    assert set(made.rows) == table_names()
    assert made.rows["trials"] == 2
    restored = restore(tmp_path / "a.db", other)
    assert restored.rows == made.rows
    assert rows(other) == before
    back_up(other, tmp_path / "b.db")
    assert rows(url(tmp_path / "b.db")) == before
    moved = Ledger(other)
    open_study(Workspace(moved, source, Artifacts(home)), spec, device="cpu")
    runs = carry_on(other, spec, source, home)
    assert [run.status for run in runs] == [RunStatus.COMPLETE] * 4
    assert [run.trial_number for run in runs] == [0, 1, 2, 3]
    assert len({run.id for run in runs}) == 4
    assert rows(first) == before
    for opened in (ledger, moved):
        opened.close()


@pytest.mark.slow
def test_a_backup_is_of_one_moment_while_workers_write(storage: str, spec: StudySpec, tmp_path: Path) -> None:
    """Each claim, its trial number and its epoch come in order: no backup has a later one without the earlier."""
    filled(storage, spec, runs=20)
    stop, failures = threading.Event(), []

    def keep_writing() -> None:
        ledger, number = Ledger(storage), 20
        try:
            while not stop.is_set():
                write_one(ledger, spec.name, number)
                number += 1
        except Exception as error:
            failures.append(error)
        finally:
            ledger.close()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for number in range(3):
            back_up(storage, tmp_path / f"{number}.db")
    finally:
        stop.set()
        join(writer)
    assert not failures
    counts = []
    for number in range(3):
        copy = Ledger(url(tmp_path / f"{number}.db"))
        with copy.read() as session:
            runs = session.scalars(select(RunRow).order_by(RunRow.slot)).all()
            epochs = set(session.scalars(select(EpochRow.run)))
        copy.close()
        assert [run.slot for run in runs] == list(range(len(runs)))
        assert all(run.trial_number == run.slot for run in runs[:-1])
        assert {run.id for run in runs[:-1]} <= epochs == {run.id for run in runs if run.epochs_done == 1}
        counts.append(len(runs))
    assert counts == sorted(counts)
    assert counts[0] >= 20
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()


def test_numbers_go_on_after_the_restored_ones(spec: StudySpec, new_storage: NewStorage, tmp_path: Path) -> None:
    source, target = new_storage("sqlite"), new_storage("postgresql")
    filled(source, spec)
    back_up(source, tmp_path / "a.db")
    restore(tmp_path / "a.db", target)
    ledger = Ledger(target)
    write_one(ledger, spec.name, 3)
    with ledger.read() as session:
        assert session.scalars(select(RunRow.id).order_by(RunRow.id)).all() == [1, 2, 3, 4]
    ledger.close()


@pytest.mark.slow
def test_an_older_schema_is_kept_as_it_is_until_upgraded(
    new_storage: NewStorage, spec: StudySpec, tmp_path: Path
) -> None:
    """The backup that one makes before an upgrade."""
    for kind in ("sqlite", "postgresql"):
        old, again = new_storage(kind), new_storage("postgresql")
        upgrade(old, revision="0001")
        ledger = Ledger(old)
        with ledger.write() as session:
            session.execute(
                text(
                    "insert into amnl_studies (name, spec, fingerprint, dataset, data_sha256, created_at) "
                    "values ('s', :spec, 'f', 'SIM1', 'ab', 1.5)"
                ),
                {"spec": spec.to_json()},
            )
        ledger.close()
        assert back_up(old, tmp_path / f"{kind}.db").revision == "0001"
        restore(tmp_path / f"{kind}.db", again)
        assert rows(again) == rows(old)
        upgrade(again)
        status = database_status(again)
        assert (status.schema, status.studies, status.problem) == (head_revision(), ("s",), None)


def test_what_a_backup_refuses(storage: str, spec: StudySpec, tmp_path: Path) -> None:
    out = tmp_path / "a.db"
    with pytest.raises(StorageError, match=r"but there is no|must hold studies of amnl-tune"):
        back_up(storage, out)
    filled(storage, spec)
    out.write_text("mine")
    with pytest.raises(StorageError, match=r"must not replace a file, but .*a\.db exists; choose another --out"):
        back_up(storage, out)
    assert out.read_text() == "mine"
    with pytest.raises(StorageError, match="must be writable, but"):
        back_up(storage, Path("/proc/nowhere/a.db"))
    ledger = Ledger(storage)
    with ledger.write() as session:
        session.execute(text(f"update {VERSION_TABLE} set version_num = '9999'"))
    ledger.close()
    with pytest.raises(StorageError, match="must not be newer than amnl-tune, but its schema 9999 is unknown"):
        back_up(storage, tmp_path / "b.db")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "b.db"))]


def test_what_a_restoration_refuses(storage: str, spec: StudySpec, new_storage: NewStorage, tmp_path: Path) -> None:
    filled(storage, spec)
    good, bad = tmp_path / "good.db", tmp_path / "bad.db"
    back_up(storage, good)
    before = rows(storage)
    with pytest.raises(StorageError, match=r"into an empty database, but .* has rows \(amnl_.*amnl_runs 3.*--storage"):
        restore(good, storage)
    assert rows(storage) == before
    fresh = new_storage("sqlite")
    with pytest.raises(StorageError, match=r"must be a file, but there is no .*bad\.db"):
        restore(bad, fresh)
    bad.write_bytes(good.read_bytes()[:9000])
    with pytest.raises(StorageError, match="must be a whole SQLite file"):
        restore(bad, fresh)
    bad.write_text("not a database at all " * 100)
    with pytest.raises(StorageError, match=r"must be a whole SQLite file, but .*file is not a database"):
        restore(bad, fresh)
    bad.unlink()
    sqlite3.connect(bad).close()
    with pytest.raises(StorageError, match="must hold studies of amnl-tune, but it has no table"):
        restore(bad, fresh)
    newer = tmp_path / "newer.db"
    newer.write_bytes(good.read_bytes())
    with sqlite3.connect(newer) as connection:
        connection.execute(f"update {VERSION_TABLE} set version_num = '9999'")
    connection.close()
    with pytest.raises(StorageError, match=r"newer\.db must not be newer than amnl-tune, but its schema 9999"):
        restore(newer, fresh)
    older = new_storage("sqlite")
    upgrade(older, revision="0001")
    with pytest.raises(StorageError, match=r"of its own schema 0003, but .* has 0001"):
        restore(good, older)


def test_a_backup_of_another_optuna_is_refused(spec: StudySpec, new_storage: NewStorage, tmp_path: Path) -> None:
    source, target = new_storage("sqlite"), new_storage("postgresql")
    filled(source, spec)
    ledger = Ledger(source)
    with ledger.write() as session:
        session.execute(text("update alembic_version set version_num = 'v3.0.0.a'"))
    ledger.close()
    back_up(source, tmp_path / "a.db")
    with pytest.raises(StorageError, match=r"Optuna's is v3\.0\.0\.a there and v.* here; use the version"):
        restore(tmp_path / "a.db", target)


def test_a_restoration_that_fails_half_way_leaves_nothing(
    spec: StudySpec, new_storage: NewStorage, tmp_path: Path
) -> None:
    """Rows that refer to none: SQLite lets them be, PostgreSQL does not. Mended, the same command works."""
    source, target = new_storage("sqlite"), new_storage("postgresql")
    filled(source, spec)
    back_up(source, tmp_path / "a.db")
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("update amnl_epochs set run = 999 where run = 2")
    connection.close()
    with pytest.raises(
        StorageError, match=r"rows must refer to rows that it has, but .* restore it into an SQLite file"
    ):
        restore(tmp_path / "a.db", target)
    assert database_status(target).studies == ()
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("update amnl_epochs set run = 2 where run = 999")
    connection.close()
    restore(tmp_path / "a.db", target)
    assert rows(target) == rows(source)


def test_a_full_disk_leaves_no_backup(storage: str, spec: StudySpec, tmp_path: Path) -> None:
    """A file size limit of the process is the disk that is full."""
    filled(storage, spec)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limit[1]))
    try:
        with pytest.raises(StorageError, match=r"disk is full|disk I/O error|File too large"):
            back_up(storage, tmp_path / "deep" / "a.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert list((tmp_path / "deep").iterdir()) == []


def test_the_state_of_a_storage(storage: str, spec: StudySpec) -> None:
    filled(storage, spec)
    found = database_status(storage)
    assert found.problem is None
    assert (found.schema, found.studies) == (head_revision(), ("tiny",))
    assert found.optuna_made_by == optuna.__version__
    sizes = {table.name: table for table in found.tables}
    assert set(sizes) == table_names()
    assert (sizes["amnl_runs"].rows, sizes["amnl_epochs"].rows) == (3, 3)
    if found.kind == "sqlite":
        assert found.connections is None
        assert found.file is not None
        assert (found.file.integrity, found.file.bytes > 100_000) == ("ok", True)
    else:
        assert found.file is None
        assert found.connections is not None
        assert 0 < found.connections.used < found.connections.available < found.connections.maximum
        assert all(table.bytes for table in found.tables)
        held = [Ledger(storage) for _ in range(3)]
        opened = [ledger.engine.connect() for ledger in held]
        more = database_status(storage).connections
        for connection, ledger in zip(opened, held, strict=True):
            connection.close()
            ledger.close()
        assert more is not None
        assert more.used >= found.connections.used + 3


def test_a_storage_that_this_version_cannot_work_on(storage: str, tmp_path: Path) -> None:
    ledger = Ledger(storage)
    make_file(ledger.url)
    assert "must hold amnl-tune's tables, but it holds none; run `amnl-tune db upgrade`" in str(
        database_status(storage).problem
    )
    upgrade(storage, revision="0001")
    assert "schema must be 0003, but it is 0001; run `amnl-tune db upgrade`" in str(database_status(storage).problem)
    upgrade(storage)
    assert database_status(storage).problem is None
    with ledger.write() as session:
        session.execute(text("update alembic_version set version_num = 'v3.0.0.a'"))
    assert "but it is v3.0.0.a; install the version of Optuna" in str(database_status(storage).problem)
    with ledger.write() as session:
        session.execute(text(f"update {VERSION_TABLE} set version_num = '9999'"))
    assert "must not be newer than amnl-tune, but its schema 9999" in str(database_status(storage).problem)
    ledger.close()


def test_a_worker_that_could_wait_is_told_the_kind_and_not_the_words(storage: str) -> None:
    ledger = Ledger(storage)
    make_file(ledger.url)
    kinds = []
    for version in (None, "0001", "9999"):
        if version:
            upgrade(storage)
            with ledger.write() as session:
                session.execute(text(f"update {VERSION_TABLE} set version_num = '{version}'"))
        with pytest.raises(StorageError) as caught:
            require_schema(storage)
        problem = database_status(storage).problem
        assert problem is not None
        assert problem.kind is caught.value.kind
        kinds.append(problem.kind)
        if version:
            with ledger.write() as session:
                session.execute(text(f"update {VERSION_TABLE} set version_num = '{head_revision()}'"))
    ledger.close()
    assert kinds == [StorageKind.EMPTY, StorageKind.OUTDATED, StorageKind.NEWER]


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20),
       head=st.booleans(), kept=st.sampled_from([1.0, 1.0, 1.0, 0.5, 0.0]))  # fmt: skip
def test_a_damaged_backup_is_restored_or_refused_in_one_line(
    damage: list[tuple[float, int]], head: bool, kept: float, good_backup: Path
) -> None:
    content = bytearray(good_backup.read_bytes())
    for where, byte in damage:
        content[int(where * (4096 if head else len(content)))] = byte
    file, target = good_backup.with_name("damaged.db"), good_backup.with_name(f"{uuid.uuid4().hex}.db")
    file.write_bytes(content[: int(kept * len(content))])
    try:
        restore(file, f"sqlite:///{target}")
    except StorageError as error:
        assert "\n" not in str(error)


@pytest.fixture(scope="module")
def good_backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    upgrade(f"sqlite:///{folder}/a.db")
    back_up(f"sqlite:///{folder}/a.db", folder / "b.db")
    return folder / "b.db"


def test_a_damaged_file_is_told(tmp_path: Path, spec: StudySpec) -> None:
    file = tmp_path / "damaged.db"
    filled(url(file), spec)
    with sqlite3.connect(file) as connection:
        page = connection.execute("select rootpage from sqlite_master where name = 'ix_amnl_runs_status'").fetchone()[0]
        size = connection.execute("pragma page_size").fetchone()[0]
    connection.close()
    content = bytearray(file.read_bytes())
    content[(page - 1) * size : page * size] = b"\x0a" + bytes(size - 1)
    file.write_bytes(content)
    found = database_status(url(file))
    assert "must be whole, but: " in str(found.problem)
