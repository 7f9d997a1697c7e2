"""One decision for workers x threads x cores; who is alive, whatever the clock does; facts that may be missing."""

import getpass
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from bounded import ended, line_of, until

from amnl_tune import host
from amnl_tune.host import host_name, is_alive, is_earlier_boot, physical_cores, process_started, signature, threads_for


@pytest.mark.parametrize(
    ("workers", "wanted", "threads"), [(1, None, 8), (3, None, 2), (9, None, 1), (0, None, 8), (2, 3, 3), (2, 6, 4)]
)
def test_threads_and_workers_together_never_exceed_the_cores(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, workers: int, wanted: int | None, threads: int
) -> None:
    monkeypatch.setattr(host, "physical_cores", lambda: 8)
    with caplog.at_level(logging.WARNING):
        assert threads_for(workers, wanted) == threads
    told = "must fit this machine's 8 cores, but got 2 workers of 6 threads; each has 4"
    assert (told in caplog.text) is (wanted == 6)


SAYS_ITS_START = (
    "import sys; from amnl_tune.host import process_started; print(process_started(), flush=True); sys.stdin.read()"
)


@pytest.fixture
def other() -> Iterator[tuple["subprocess.Popen[str]", float]]:
    """A real process, and what it says of its start."""
    process = subprocess.Popen(
        [sys.executable, "-c", SAYS_ITS_START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    with process:
        yield process, float(line_of(process))
        process.kill()


def test_a_clock_that_is_set_kills_nobody(
    other: tuple["subprocess.Popen[str]", float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock, and with it the time of the boot that psutil reckons from, steps by two seconds, or by a year."""
    process, started = other
    before = psutil.Process(process.pid).create_time()
    for step in (2.0, -2.0, 365 * 86400.0):
        with monkeypatch.context() as patched:
            boot = psutil.boot_time() + step
            patched.setattr(psutil._pslinux, "boot_time", partial(float, boot))
            patched.setattr(time, "time", partial(float, time.time() + step))
            assert abs(psutil.Process(process.pid).create_time() - before) > 1.0, "the fault would show"
            assert is_alive(process.pid, started)
    assert is_alive(os.getpid(), process_started())


def test_the_ended_and_the_reused(other: tuple["subprocess.Popen[str]", float]) -> None:
    process, started = other
    assert not is_alive(process.pid, started - 0.01), "a tick apart, another process has the number"
    assert not is_alive(process.pid, started + 3600.0)
    assert is_alive(process.pid, 0.0), "its start could not be told then"
    process.kill()
    state = Path(f"/proc/{process.pid}/stat")
    until(lambda: state.read_text().rpartition(")")[2].split()[0] == "Z", "a zombie")
    assert not is_alive(process.pid, started), "nobody has fetched its exit code yet"
    ended(process)
    assert not is_alive(process.pid, started)


@pytest.mark.parametrize("psutil_knows", [True, False])
def test_without_proc_a_process_is_told_by_psutil_or_by_its_existence(
    psutil_knows: bool,
    other: tuple["subprocess.Popen[str]", float],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    process, _ = other
    monkeypatch.setattr(host, "PROCESSES", tmp_path)
    if not psutil_knows:
        monkeypatch.setattr(psutil, "Process", lambda pid: (_ for _ in ()).throw(FileNotFoundError("/proc/stat")))
    started = host._looked_at(process.pid)
    assert (started is not None) is psutil_knows
    assert "/" not in host_name()
    assert is_alive(process.pid, started.started + 0.5 if started else 0.0)
    assert is_alive(process.pid, 1.0) is not psutil_knows
    assert process_started() > 1e9 if psutil_knows else process_started() == 0.0
    process.kill()
    ended(process)
    assert not is_alive(process.pid, started.started if started else 0.0)


def test_processes_that_are_hidden_from_us_are_there(
    other: tuple["subprocess.Popen[str]", float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """/proc mounted with hidepid shows us our own processes alone."""
    process, started = other
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    monkeypatch.setattr(host, "PROCESSES", tmp_path)
    assert is_alive(process.pid, started)
    process.kill()
    ended(process)
    assert not is_alive(process.pid, started)


def test_a_boot_is_part_of_a_hosts_name() -> None:
    name, namespace, boot = host_name().split("/")
    assert not is_earlier_boot(host_name())
    assert is_earlier_boot(f"{name}/{namespace}/00000000")
    assert not is_earlier_boot(f"{name}/1/{boot}")
    assert not is_earlier_boot(f"other/{namespace}/{boot}")


def test_no_fact_about_host_and_user_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", missing)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(psutil, "cpu_count", missing)
    assert signature() == f"uid-12345@{host_name().split('/')[0]}"
    assert physical_cores() >= 1
    monkeypatch.setattr(host.socket, "gethostname", lambda: (_ for _ in ()).throw(OSError("no name")))
    assert signature() == "uid-12345@unknown"
