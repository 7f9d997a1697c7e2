"""Workers as real processes of this machine, launched by the command and by the class behind it."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from bounded import until

from amnl_tune.errors import StorageError, StudyError
from amnl_tune.launch.local import LocalWorkers
from amnl_tune.launch.slots import Slot

pytestmark = pytest.mark.slow


def crashing(folder: Path) -> dict[str, str]:
    """An environment in which Python dies at its start, and says so."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os\nwith open(__file__ + '.starts', 'a') as starts: starts.write('x')\n"
        "os.write(2, b'no such library: libfoo\\n')\nos._exit(7)\n"
    )
    return {"PYTHONPATH": str(folder)}


def test_a_killed_worker_is_started_again_and_the_study_is_what_it_would_have_been(
    prepared: Any, undisturbed: Any
) -> None:
    launched = prepared.start("--workers", "2", "--threads", "1", "--json")
    prepared.wait_for_epochs(6)
    os.kill(prepared.workers()[0].pid, signal.SIGKILL)
    out, err = prepared.outcome(launched)
    assert launched.returncode == 0, err
    assert "search: 0 of 4 done" in err
    assert "search: trial" in err
    facts = json.loads(out)
    assert (facts["search_finished"], facts["trials"]["complete"]) == (True, 4)
    prepared.assert_done()
    assert prepared.curves() == undisturbed
    assert sum(run.failures for run in prepared.runs()) == 1
    assert len(list((prepared.home / "logs" / "tiny").glob("worker-*.log"))) == 2


def test_asked_to_end_the_workers_are_asked_once_and_the_next_launch_goes_on(prepared: Any, undisturbed: Any) -> None:
    launched = prepared.start("--workers", "2", "--threads", "1")
    prepared.wait_for_epochs(6)
    pids = [worker.pid for worker in prepared.workers()]
    launched.send_signal(signal.SIGTERM)
    out, err = prepared.outcome(launched)
    assert launched.returncode == 2, out + err
    assert err.strip().splitlines()[-1].startswith("Interrupted: everything up to here is kept")
    assert "Traceback" not in err
    assert prepared.workers() == []
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert sum(run.failures for run in prepared.runs()) == 0
    launched = prepared.start("--workers", "2", "--threads", "1")
    out, err = prepared.outcome(launched)
    assert launched.returncode == 0, err
    assert "Best trials" in out
    prepared.assert_done()
    assert prepared.curves() == undisturbed


def test_a_worker_that_is_asked_to_leave_is_not_started_again(prepared: Any) -> None:
    launched = prepared.start("--workers", "1", "--threads", "1")
    prepared.wait_for_epochs(3)
    os.kill(prepared.workers()[0].pid, signal.SIGTERM)
    _, err = prepared.outcome(launched)
    assert launched.returncode == 2
    assert err.strip().splitlines()[-1] == (
        "Error: Workers stay until a study is done, but they were asked to leave study 'tiny' before; "
        "launch it again to go on"
    )


def test_each_worker_is_told_its_devices_and_threads(prepared: Any) -> None:
    workers = LocalWorkers(
        study="tiny",
        count=2,
        threads=3,
        environment=os.environ | prepared.environment,
        logs=prepared.home / "logs",
        options=("--no-tensorboard", "--device", "cpu"),
        slots=(Slot(("3",)), Slot(("GPU-5b1f",))),
    )
    with workers:
        prepared.wait_until(lambda: len(prepared.workers()) == 2)
        given = [Path(f"/proc/{worker.pid}/environ").read_text().split("\0") for worker in prepared.workers()]
    devices = {entry for environment in given for entry in environment if entry.startswith("CUDA_VISIBLE")}
    assert devices == {"CUDA_VISIBLE_DEVICES=3", "CUDA_VISIBLE_DEVICES=GPU-5b1f"}
    assert all("OMP_NUM_THREADS=3" in environment for environment in given)
    assert prepared.workers() == []


def test_workers_that_keep_crashing_are_given_up(tmp_path: Path) -> None:
    broken = crashing(tmp_path / "broken")
    workers = LocalWorkers("tiny", 1, 1, os.environ | broken, tmp_path)
    with (
        workers,
        pytest.raises(
            StudyError,
            match=r"must not crash more than 5 times, .* \(exit code 7; its last line: no such library: libfoo\); see",
        ),
    ):
        until(lambda: not workers.poll(), "an end")
    assert (tmp_path / "broken" / "sitecustomize.py.starts").read_text() == "x" * 6


def test_a_users_mistake_ends_the_launch_with_the_workers_own_words(prepared: Any) -> None:
    workers = LocalWorkers("tinyy", 1, 1, os.environ | prepared.environment, prepared.home)
    with workers, pytest.raises(StorageError, match=r"^A study must exist, but there is no 'tinyy'"):
        until(lambda: not workers.poll(), "an end")
