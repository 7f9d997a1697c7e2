"""One arena a session: its database is struck down and brought back by the tests."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.arena import Arena, Database


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="amnl-chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the server has a user of its own where the tests run as root
        opened = Database(Path(folder))
        yield opened
        opened.close()


@pytest.fixture
def arena(database: Database, tmp_path: Path) -> Iterator[Arena]:
    made = Arena(tmp_path, (Path(__file__).parent / "chaos.toml").read_text(), database)
    yield made
    made.close()
