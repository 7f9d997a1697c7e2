"""How a process ended, in words, and the last thing that it said."""

import signal
from pathlib import Path

TAIL = 64 * 1024
"""Bytes of a log's end that are looked at for a last line."""

SIGNALS = {
    signal.SIGKILL: "no memory was left, or somebody killed it",
    signal.SIGBUS: "shared memory (/dev/shm) or a disk is full",
    signal.SIGILL: "a library was built for another processor",
}


def words(code: int) -> str:
    """`exit code 7`; `killed by SIGKILL: no memory was left, or somebody killed it`.

    Args:
        code: as `subprocess` has it, negative for a signal.
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        number = signal.Signals(-code)
    except ValueError:
        return f"killed by signal {-code}"
    reason = SIGNALS.get(number)
    return f"killed by {number.name}" + (f": {reason}" if reason else "")


def said(lines: str) -> str:
    """The last line that says something, less a box drawn around it; empty if there is none."""
    for line in reversed(lines.splitlines()):
        text = line.strip(" \t│|╭╮╰╯─")
        if any(character.isalnum() for character in text):
            return text
    return ""


def last_line(log: Path, since: int = 0) -> str:
    """What a process said last in its log, of what was written after byte `since`; empty if nothing."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(since, end - TAIL))
            return said(file.read().decode(errors="replace"))
    except OSError:
        return ""
