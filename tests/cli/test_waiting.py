"""How threads wait for each other in what the command starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="OpenMP of torch's wheels tells its settings on Linux")
@pytest.mark.parametrize(("given", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
@pytest.mark.parametrize(
    "program", [["-m", "amnl_tune", "predict", "nowhere", "x"], ["-c", "from amnl_tune import export"]]
)
def test_openmp_is_told_how_to_wait_before_it_is_loaded(
    program: list[str], given: str | None, policy: str, tmp_path: Path
) -> None:
    known = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    wanted = {"OMP_WAIT_POLICY": given} if given else {}
    done = subprocess.run(
        [sys.executable, *program],
        env=known | wanted | {"OMP_DISPLAY_ENV": "TRUE", "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert f"OMP_WAIT_POLICY = '{policy}'" in done.stderr, done.stderr
