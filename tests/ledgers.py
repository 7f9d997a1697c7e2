"""Ledgers on both databases, and a study on a tiny fleet."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bounded import ended

from amnl_tune.artifacts import Artifacts, ArtifactStore
from amnl_tune.database.engine import Ledger
from amnl_tune.database.schema import upgrade
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import OpenedStudy, Workspace, open_study
from amnl_tune.search.worker import open_workplace
from amnl_tune.search.workplace import Workplace
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, new_storage: Callable[[str], str]) -> str:
    """URL of an empty database of either kind."""
    return new_storage(request.param)


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
        study = open_study(Workspace(sqlite_ledger, source, artifacts), spec, device="cpu")
        url = sqlite_ledger.url.render_as_string(hide_password=False)
        place = open_workplace(url, spec.name, source, artifacts, tensorboard=False)
        return study, place

    return opened


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Endpoint of an S3 server on this machine."""
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(url, timeout=60).close()
                break
            except OSError:
                assert process.poll() is None, "the server has ended"
                assert time.monotonic() < until, "no server in five minutes"
                time.sleep(0.1)
        urllib.request.urlopen(urllib.request.Request(f"{url}/amnl", method="PUT"), timeout=120).close()
        yield url
    finally:
        process.kill()
        ended(process)


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a bucket that this process may use."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return "s3://amnl"


@pytest.fixture(params=["folder", "file", pytest.param("s3", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "folder":
        return ArtifactStore(str(tmp_path / "artifacts"))
    if request.param == "file":
        return ArtifactStore(f"file://{tmp_path / 'artifacts'}")
    return ArtifactStore(f"{request.getfixturevalue('s3_bucket')}/{tmp_path.name}")
