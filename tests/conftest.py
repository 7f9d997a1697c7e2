"""What every test stands on: a clean environment, and the real files where there are any."""

import os
from pathlib import Path

import pytest

# Read before the environment of each test is cleaned; absolute, since tests may change the working directory.
_REAL_DATA = Path(os.environ["AMNL_TUNE_DATA"]).absolute() if os.environ.get("AMNL_TUNE_DATA") else None


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's reaches a test, and no test writes into the checkout."""
    for name in [name for name in os.environ if name.startswith("AMNL_TUNE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AMNL_TUNE_HOME", str(tmp_path))


@pytest.fixture(scope="session")
def cmapss_dir() -> Path:
    """The folder of the real C-MAPSS files; tests that use it are marked `realdata`."""
    if _REAL_DATA is None:
        pytest.skip("AMNL_TUNE_DATA is not set: no real C-MAPSS files")
    return _REAL_DATA
