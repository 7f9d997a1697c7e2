"""Databases, folders and names as strangers have them: one line with the remedy, and nothing made or lost."""

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import make_url
from typer.testing import CliRunner

from amnl_tune.cli.app import app
from amnl_tune.dashboard.metrics import exposition
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import Origin, RunRow, RunStatus
from amnl_tune.database.optuna_storage import borrowed_storage
from amnl_tune.database.schema import upgrade
from amnl_tune.database.urls import parse_url
from amnl_tune.errors import StorageAwayError, StorageError
from amnl_tune.ledger.studies import freeze, study_names
from amnl_tune.search.trials import create_optuna_study
from amnl_tune.settings import Settings, sqlite_url
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec

NewStorage = Callable[[str], str]


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    return line.removeprefix("Error: ")


def told(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def spec(tiny_study: str) -> StudySpec:
    return parse_study_spec(tiny_study, name="tiny")


def opened(storage: str, spec: StudySpec) -> None:
    upgrade(storage)
    ledger = Ledger(storage)
    freeze(ledger, spec, "ab" * 32)
    with borrowed_storage(ledger) as optuna_storage:
        create_optuna_study(optuna_storage, spec, new=True)
    ledger.close()


def as_owner(storage: str, *statements: str) -> None:
    with psycopg.connect(storage, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def role(postgres_server: str) -> Iterator[str]:
    """One that may log in, and nothing else."""
    name = f"app{os.getpid()}"
    as_owner(postgres_server, f"create role {name} login")
    yield name
    as_owner(postgres_server, f"drop role if exists {name}")


def by(role: str, storage: str) -> str:
    return make_url(storage).set(username=role).render_as_string(hide_password=False)


def test_a_role_without_privileges(new_storage: NewStorage, role: str, spec: StudySpec) -> None:
    empty = new_storage("postgresql")
    message = refused("db", "upgrade", "--storage", by(role, empty))
    assert "permission denied for schema public; let the database's owner grant it: CREATE on the schema" in message
    storage = new_storage("postgresql")
    opened(storage, spec)
    as_owner(storage, f"grant select on all tables in schema public to {role}")
    for words in (("study", "stop", "tiny"), ("study", "extend", "tiny", "--trials", "9")):
        message = refused(*words, "--storage", by(role, storage))
        assert "permission denied for table amnl_studies" in message
        assert "SELECT, INSERT, UPDATE, DELETE on its tables" in message
    assert "tiny" in told("study", "list", "--storage", by(role, storage))
    as_owner(storage, f"drop owned by {role}")


def test_a_role_that_finds_no_schema(new_storage: NewStorage) -> None:
    storage = new_storage("postgresql")
    as_owner(storage, "drop schema public")
    for words in (("db", "upgrade"), ("study", "list"), ("db", "status")):
        message = refused(*words, "--storage", storage)
        assert "search_path" in message
        assert "there is none; make a schema (`create schema amnl`)" in message


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_tables_that_were_dropped(kind: str, new_storage: NewStorage, spec: StudySpec) -> None:
    storage = new_storage(kind)
    opened(storage, spec)
    ledger = Ledger(storage)
    with ledger.write() as session:
        session.execute(sa.text("drop table amnl_workers"))
    ledger.close()
    assert "its tables were dropped" in refused("workers", "tiny", "--storage", storage)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("statement", "told_of"),
    [
        ("drop table trial_params", "must have all its tables, but trial_params was dropped"),
        ("drop table amnl_epochs", "must have all its tables, but amnl_epochs was dropped"),
        ("drop table amnl_schema_version", "must come with amnl_schema_version, but"),
        ("delete from amnl_schema_version", "must come with amnl_schema_version, but"),
    ],
)
def test_nothing_empty_takes_the_place_of_what_was_dropped(
    kind: str, statement: str, told_of: str, new_storage: NewStorage
) -> None:
    storage = new_storage(kind)
    upgrade(storage)
    ledger = Ledger(storage)
    with ledger.write() as session:
        session.execute(sa.text(statement))
    with ledger.read() as session:
        before = sorted(sa.inspect(session.connection()).get_table_names())
    for words in (("db", "upgrade"), ("db", "status"), ("doctor",)):
        message = refused(*words, "--storage", storage)
        assert told_of in message
        assert "bring a backup into a new database with `amnl-tune db restore FILE --storage URL`" in message
    with ledger.read() as session:
        assert sorted(sa.inspect(session.connection()).get_table_names()) == before
    ledger.close()


def test_a_server_that_only_reads(new_storage: NewStorage, spec: StudySpec) -> None:
    storage = new_storage("postgresql")
    opened(storage, spec)
    name = make_url(storage).database
    as_owner(storage, f"alter database {name} set default_transaction_read_only = on")
    message = refused("study", "stop", "tiny", "--storage", storage)
    assert "read-only transaction; name the primary server instead of a standby" in message


def test_a_statement_that_is_cancelled_and_a_session_that_is_ended(new_storage: NewStorage) -> None:
    storage = new_storage("postgresql")
    upgrade(storage)
    ledger = Ledger(storage)
    with (
        pytest.raises(StorageAwayError, match="somebody or a statement_timeout cancelled it"),
        ledger.write() as session,
    ):
        session.execute(sa.text("set local statement_timeout = 10"))
        session.execute(sa.text("select pg_sleep(60)"))
    ended = pytest.raises(StorageAwayError, match=r"terminating connection.*start the server")
    with ended, ledger.write() as session:
        pid = session.scalar(sa.text("select pg_backend_pid()"))
        as_owner(storage, f"select pg_terminate_backend({pid}, 30000)")
        session.execute(sa.text("select 1"))
    assert study_names(ledger) == []
    ledger.close()


def test_a_server_without_a_connection_left(new_storage: NewStorage, role: str) -> None:
    storage = new_storage("postgresql")
    as_owner(storage, f"alter role {role} connection limit 1")
    with psycopg.connect(by(role, storage)):
        message = refused("study", "list", "--storage", by(role, storage))
    assert "too many connections for role" in message
    assert "whether it has a connection left (max_connections; fewer workers)" in message


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_texts_that_a_database_cannot_keep(encoding: str, postgres_server: str) -> None:
    name = f"{encoding.lower()}{os.getpid()}"
    as_owner(postgres_server, f"create database {name} encoding '{encoding}' locale 'C' template template0")
    storage = make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    message = refused("db", "upgrade", "--storage", storage)
    assert "encoding must be UTF8, but" in message
    assert f"has {encoding}; make one with `create database amnl encoding 'UTF8' template template0`" in message
    with psycopg.connect(storage) as connection:
        assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    "tables",
    [
        [
            "create table alembic_version (version_num varchar(32))",
            "insert into alembic_version values ('bd07f7e963c5')",
        ],
        ["create table experiments (id integer)", "create table alembic_version (version_num varchar(32))"],
        ["create table trials (id integer)"],
        ["create view studies as select 1 as id"],
    ],
)
def test_a_database_of_another_program(kind: str, tables: list[str], new_storage: NewStorage) -> None:
    """MLflow's, one with tables besides, and one whose table is called like one of Optuna's."""
    storage = new_storage(kind)
    engine = sa.create_engine(make_url(storage).set(drivername="sqlite" if kind == "sqlite" else "postgresql+psycopg"))
    with engine.begin() as connection:
        for statement in tables:
            connection.execute(sa.text(statement))
        before = _names(connection)
    for words in (("db", "upgrade"), ("db", "status"), ("study", "list"), ("doctor",)):
        message = refused(*words, "--storage", storage)
        assert "must have a database of its own, but" in message
        assert f"tables of another program ({', '.join(before)}); make an empty one" in message
    with engine.begin() as connection:
        assert _names(connection) == before
    engine.dispose()


def _names(connection: sa.Connection) -> list[str]:
    found = sa.inspect(connection)
    return sorted([*found.get_table_names(), *found.get_view_names()])


def test_optuna_s_own_database_is_taken_in(new_storage: NewStorage) -> None:
    import optuna

    storage = new_storage("sqlite")
    optuna.create_study(storage=storage, study_name="theirs")
    upgrade(storage)
    assert "studies          none" in told("db", "status", "--storage", storage)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@db:port/amnl",
        "postgresql://me:secret@db:99999/amnl",
        "postgresql://me:secret@db/amnl?colour=red",
        "postgresql://me:secret@/amnl?host=db&port=abc",
        "postgresql://me:secret@/amnl?host=db&host=db2&port=1&port=2&port=3",
        "postgresql://me:secret%00@db/amnl",
        "sqlite:///a.db?mode=ro",
        "sqlite:///file:a.db?mode=ro&uri=true",
        "sqlite://host/a.db",
        "sqlite:///~nobody_here/a.db",
    ],
)
def test_urls_with_a_mistake(url: str) -> None:
    with pytest.raises(StorageError, match=r"`--storage`|An SQLite URL must be") as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path, spec: StudySpec) -> None:
    file = tmp_path / "x.db"
    file.write_text("not a database at all " * 100)
    assert "file is not a database; move the file away" in refused("db", "upgrade", "--storage", sqlite_url(file))
    file.unlink()
    opened(sqlite_url(file), spec)
    content = bytearray(file.read_bytes())
    content[4096:] = b"\x13" * (len(content) - 4096)
    file.write_bytes(content)
    message = refused("study", "list", "--storage", sqlite_url(file))
    assert "malformed; bring a backup into a new database with `amnl-tune db restore FILE --storage URL`" in message


def test_a_file_that_somebody_keeps_locked(tmp_path: Path, spec: StudySpec, monkeypatch: pytest.MonkeyPatch) -> None:
    from amnl_tune.database import engine

    monkeypatch.setattr(engine, "SQLITE_TIMEOUT", 0.2)
    file = tmp_path / "x.db"
    opened(sqlite_url(file), spec)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("begin exclusive")
        message = refused("study", "stop", "tiny", "--storage", sqlite_url(file))
    assert "database is locked; another process has kept it locked" in message


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write anywhere."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_that_can_only_be_read(spec: StudySpec) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        opened(sqlite_url(place / "x.db"), spec)
        (place / "x.db").chmod(0o444)
        place.chmod(0o555)
        with nobody():
            assert "tiny" in told("study", "list", "--storage", sqlite_url(place / "x.db"))
            message = refused("study", "stop", "tiny", "--storage", sqlite_url(place / "x.db"))
            elsewhere = refused("db", "upgrade", "--storage", sqlite_url(place / "y.db"))
        place.chmod(0o755)
        assert "readonly database; make the file and its folder writable" in message
        assert "storage's folder must be writable, but" in elsewhere


def test_a_file_that_is_taken_away_while_it_is_in_use(tmp_path: Path, spec: StudySpec) -> None:
    file = tmp_path / "x.db"
    opened(sqlite_url(file), spec)
    ledger = Ledger(sqlite_url(file))
    assert study_names(ledger) == ["tiny"]
    moved = file.rename(tmp_path / "moved.db")
    with pytest.raises(StorageError, match=r"must stay where it is while it is in use, but .*x\.db: No such file"):
        study_names(ledger)
    fresh = Ledger(sqlite_url(file))
    with pytest.raises(StorageError, match="unable to open database file; it was moved, deleted or replaced"):
        study_names(fresh)
    assert not file.exists(), "no empty database appears"
    file.write_bytes(moved.read_bytes())
    with pytest.raises(StorageError, match="another file has taken its place; put the file back"):
        study_names(ledger)
    file.unlink()
    moved.rename(file)
    assert study_names(ledger) == ["tiny"]
    for one in (ledger, fresh):
        one.close()


@pytest.mark.parametrize("name", ["a?b", "100%41", "a#b", "with space", "a{b}c", "a::b", "ü&=;+"])
def test_folders_with_any_name(name: str, tmp_path: Path, tiny_study: str, fleet_dir: Path) -> None:
    """The study is there where it was put, for every command; and nowhere else."""
    home, file = tmp_path / "deep" / name, tmp_path / "tiny.toml"
    file.write_text(tiny_study)
    places = ("--home", home)
    assert told("db", "upgrade", *places).strip().endswith("is up to date")
    opened(Settings.resolve({}, home=home).storage, parse_study_spec(tiny_study, name="tiny"))
    assert "tiny" in told("study", "list", *places)
    copy = tmp_path / "deep" / f"{name}.copy"
    told("db", "backup", "--out", copy, *places)
    other = tmp_path / "deep" / f"{name} again"
    told("db", "restore", copy, "--home", other)
    assert "tiny" in told("study", "list", "--home", other)
    assert json.loads(told("doctor", "--json", *places))[0]["severity"] == "ok"
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == sorted([name, copy.name, other.name])
    assert (home / "amnl_tune.db").is_file()


def test_a_home_that_a_shell_did_not_resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    variables = {"AMNL_TUNE_HOME": "~/home", "AMNL_TUNE_DATA": "~/data"}
    found = Settings.resolve(variables)
    assert (found.home, found.data_dirs) == (tmp_path / "home", (tmp_path / "data", tmp_path / "home" / "data"))
    monkeypatch.setenv("AMNL_TUNE_STORAGE", "sqlite:///~/x.db")
    told("db", "upgrade")
    assert (tmp_path / "x.db").is_file()
    assert not (tmp_path / "~").exists()
    assert "write it out" in refused("study", "list", "--home", "~nobody_here/x")


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "/x", "a\\b", "", "x" * 101, "a\n"])
def test_names_that_would_be_paths(name: str, tmp_path: Path, spec: StudySpec) -> None:
    storage = sqlite_url(tmp_path / "x.db")
    opened(storage, spec)
    before = sorted(tmp_path.rglob("*"))
    for command in ("report", "export", "promote", "launch", "worker", "doctor", "workers", "compare"):
        message = refused(command, "--storage", storage, "--home", tmp_path / "h" / "h", "--", name)
        assert "A study's name must be at most 100 letters, digits" in message
    assert sorted(tmp_path.rglob("*")) == before


def poison(storage: str, name: str, spec: str) -> None:
    ledger = Ledger(storage)
    with ledger.write() as session:
        row = session.execute(sa.text("select * from amnl_studies where name = 'tiny'")).mappings().one()
        values = dict(row) | {"name": name, "spec": spec}
        columns = ", ".join(values)
        session.execute(
            sa.text(f"insert into amnl_studies ({columns}) values ({', '.join(f':{key}' for key in values)})"), values
        )
    ledger.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_studies_that_this_version_cannot_read_spoil_no_other(
    kind: str, new_storage: NewStorage, spec: StudySpec, tmp_path: Path
) -> None:
    storage = new_storage(kind)
    opened(storage, spec)
    content = json.loads(spec.to_json())
    unreadable = {
        "../x": json.dumps(content | {"name": "../x"}),
        "newer": json.dumps(content | {"name": "newer", "colour": "red"}),
        "broken": "{",
        "deep": "[" * 5000,
        "taken": json.dumps(content),
    }
    for name, stored in unreadable.items():
        poison(storage, name, stored)
    result = CliRunner().invoke(app, ["study", "list", "--json", "--storage", storage])
    assert result.exit_code == 0, result.output
    assert [study["study"] for study in json.loads(result.stdout)] == ["tiny"]
    lines = result.stderr.strip().splitlines()
    assert len(lines) == len(unreadable)
    for name, line in zip(unreadable, lines, strict=True):
        assert line.startswith("Left out: ")
        assert repr(name) in line
    findings = json.loads(told("doctor", "--json", "--storage", storage, "--home", tmp_path, code=1))
    assert len([one for one in findings if one["check"] == "studies" and one["severity"] == "error"]) == 5
    ledger = Ledger(storage)
    metrics = exposition(ledger).decode()
    ledger.close()
    assert "amnl_tune_studies_unreadable 5.0" in metrics
    assert 'amnl_tune_trials{state="waiting",study="tiny"} 0.0' in metrics
    assert "newer" not in metrics
    for command in (["study", "show"], ["report"], ["worker"], ["promote"], ["export"]):
        message = refused(*command, "newer", "--storage", storage, "--home", tmp_path)
        assert "stored study file of 'newer' must be readable by this version, but colour: " in message
    assert "it is of 'tiny'" in refused("study", "show", "taken", "--storage", storage)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("update amnl_studies set warm_start = '{' where name = 'odd'", "warm start of study 'odd'"),
        ("update amnl_range_tests set curve = '[]'", "range test abc"),
        ("update amnl_range_tests set suggestions = '[]'", "range test abc"),
    ],
)
def test_rows_that_this_version_cannot_read_spoil_no_other_study(
    statement: str, what: str, new_storage: NewStorage, spec: StudySpec
) -> None:
    storage = new_storage("sqlite")
    opened(storage, spec)
    opened(storage, spec.model_copy(update={"name": "odd"}))
    ledger = Ledger(storage)
    with ledger.write() as session:
        session.execute(sa.text("update amnl_studies set range_test_key = 'abc' where name = 'odd'"))
        session.execute(sa.text("insert into amnl_range_tests values "
                                "('abc', 'SIM1', '0', '{}', '{}', '{\"lr\": [], \"loss\": []}', '{}', 1.0, 0.0)"))  # fmt: skip
        session.execute(sa.text(statement))
    ledger.close()
    result = CliRunner().invoke(app, ["study", "list", "--json", "--storage", storage])
    assert result.exit_code == 0, result.output
    assert [study["study"] for study in json.loads(result.stdout)] == ["tiny"]
    assert result.stderr.startswith("Left out: The stored ")
    assert what in result.stderr
    assert what in refused("study", "show", "odd", "--storage", storage)


def test_a_word_that_this_version_does_not_know(new_storage: NewStorage, spec: StudySpec) -> None:
    storage = new_storage("sqlite")
    opened(storage, spec)
    opened(storage, spec.model_copy(update={"name": "odd"}))
    ledger = Ledger(storage)
    with ledger.write() as session:
        session.add(RunRow(study="odd", slot=0, origin=Origin.SAMPLER, seed=1, epochs=3, status=RunStatus.WAITING))
        session.flush()
        session.execute(sa.text("update amnl_runs set status = 'paused'"))
    ledger.close()
    told_of_one = "'paused' instead of waiting, running, complete, pruned, fail"
    result = CliRunner().invoke(app, ["study", "list", "--json", "--storage", storage])
    assert [study["study"] for study in json.loads(result.stdout)] == ["tiny"]
    assert told_of_one in result.stderr
    assert told_of_one in refused("study", "show", "odd", "--storage", storage)


@pytest.mark.parametrize(
    "url", ["postgresql://me:s3cr3tpw@h/d", "https://h/x?token=s3cr3tpw", "s3://KEY:s3cr3tpw@bucket/x"]
)
def test_a_url_where_a_path_belongs_makes_no_folder(
    url: str, new_storage: NewStorage, spec: StudySpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = new_storage("sqlite")
    opened(storage, spec)
    monkeypatch.chdir(tmp_path)
    for words in (
        ("db", "backup", "--out", url, "--storage", storage),
        ("report", "tiny", "--out", url, "--storage", storage),
        ("study", "list", "--home", url),
        ("data", "info", "--data-dir", url),
    ):
        message = refused(*words)
        assert "must be named by its path" in message
        assert "s3cr3tpw" not in message
    assert not list(tmp_path.glob("*:"))
