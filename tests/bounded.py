"""Waits of tests, each with an end: what does not come is a failure that tells what was seen, not a suite that hangs."""

import subprocess
import threading
import time
from collections.abc import Callable
from typing import AnyStr

__all__ = ["SECONDS", "ended", "join", "line_of", "until"]

SECONDS = 300.0
"""For what takes moments: a bound on a busy machine, no expectation."""
OUTPUT_SECONDS = 10.0
"""For the output of a killed process: its children may hold the pipe."""


def ended(process: "subprocess.Popen[AnyStr]", seconds: float = SECONDS) -> int:
    """Exit code of a process that is to end by itself; one that does not is killed, and fails the test."""
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise AssertionError(
            f"{process.args!r} has not ended in {seconds:.0f} s; it said: {_killed(process)}"
        ) from None


def line_of(process: "subprocess.Popen[str]", seconds: float = SECONDS) -> str:
    """The next line on a process's standard output; empty where that has ended."""
    assert process.stdout
    pipe, lines = process.stdout, list[str]()
    reader = threading.Thread(target=lambda: lines.append(pipe.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    if reader.is_alive():
        process.kill()
        reader.join(OUTPUT_SECONDS)
        raise AssertionError(f"{process.args!r} has said no line in {seconds:.0f} s; {''.join(lines)!r} when killed")
    return lines[0]


def join(*threads: threading.Thread, seconds: float = SECONDS) -> None:
    """Waits until all threads have ended."""
    over = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, over - time.monotonic()))
    left = [thread.name for thread in threads if thread.is_alive()]
    assert not left, f"not ended in {seconds:.0f} s: {', '.join(left)}"


def until(holds: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Waits until something holds."""
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over, f"not in {seconds:.0f} s: {what}"
        time.sleep(0.02)


def _killed(process: "subprocess.Popen[AnyStr]") -> str:
    process.kill()
    try:
        out, err = process.communicate(timeout=OUTPUT_SECONDS)
    except (subprocess.TimeoutExpired, ValueError) as error:
        return f"nothing that can be read ({type(error).__name__})"
    return f"{out!r} {err!r}"
