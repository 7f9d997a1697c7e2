"""How a process ended, in words, and what it said last."""

import subprocess
import sys
from pathlib import Path

import pytest

from amnl_tune.launch.ending import last_line, words


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (7, "exit code 7"),
        (-9, "killed by SIGKILL: no memory was left, or somebody killed it"),
        (-7, "killed by SIGBUS: shared memory (/dev/shm) or a disk is full"),
        (-11, "killed by SIGSEGV"),
        (-99, "killed by signal 99"),
    ],
)
def test_words(code: int, told: str) -> None:
    assert words(code) == told


def test_a_real_process_and_its_signal() -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGBUS)"
    assert words(subprocess.run([sys.executable, "-c", program], check=False, timeout=300).returncode).startswith(
        "killed by SIGBUS"
    )


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (b"", ""),
        (b"one\ntwo\n\n   \n", "two"),
        (b"Usage: amnl-tune worker\n\xe2\x95\xad\xe2\x94\x80 Error \xe2\x94\x80\xe2\x95\xae\n"
         b"\xe2\x94\x82 no such option \xe2\x94\x82\n\xe2\x95\xb0\xe2\x94\x80\xe2\x95\xaf\n", "no such option"),
        (b"\xff\xfe broken\n", "\ufffd\ufffd broken"),
        (b"x\n" * 100_000 + b"the end", "the end"),
    ],
)  # fmt: skip
def test_the_last_line_that_says_something(tmp_path: Path, log: bytes, told: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(log)
    assert last_line(path) == told


def test_what_an_earlier_process_said_is_not_this_ones(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("the first one's reason\n")
    assert last_line(path, since=path.stat().st_size) == ""
    assert last_line(tmp_path / "none") == ""
