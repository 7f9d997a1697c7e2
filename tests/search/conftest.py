"""Ledgers on both databases, and a study on a tiny fleet."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.schema import upgrade
from amnl_tune.search.opening import OpenedStudy, open_study
from amnl_tune.search.runner import Workplace
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.study_file import parse_study_spec
from amnl_tune.search.worker import open_workplace


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'contract.db'}"
        return
    server = make_url(request.getfixturevalue("postgres_server"))
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    yield server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def ledger(storage: str) -> Iterator[Ledger]:
    upgrade(storage)
    opened = Ledger(storage)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_ledger(tmp_path: Path) -> Iterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'amnl_tune.db'}"
    upgrade(url)
    opened = Ledger(url)
    yield opened
    opened.close()


@pytest.fixture
def spec(tiny_study: str) -> StudySpec:
    return parse_study_spec(tiny_study, name="tiny")


@pytest.fixture
def source(fleet_dir: Path, tmp_path: Path) -> FleetSource:
    return FleetSource((fleet_dir, tmp_path / "data"))


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path)


@pytest.fixture
def open_tiny(
    sqlite_ledger: Ledger, source: FleetSource, artifacts: Artifacts
) -> Callable[[StudySpec], tuple[OpenedStudy, Workplace]]:
    """Opens a study and a worker's place in it."""

    def opened(spec: StudySpec) -> tuple[OpenedStudy, Workplace]:
        study = open_study(sqlite_ledger, spec, source, artifacts, device="cpu")
        url = sqlite_ledger.url.render_as_string(hide_password=False)
        place = open_workplace(url, spec.name, source, artifacts, tensorboard=False)
        return study, place

    return opened
