"""Interrupts that Python swallows."""

import signal
import subprocess
import sys

import pytest

SWALLOWING = """
import os, signal, sys, time
from amnl_tune.cli.streams import as_interrupt, keep_interrupts

class Dying:
    def __del__(self) -> None:
        os.kill(os.getpid(), {number})  # comes while Python runs a destructor
        for _ in range(1000):
            pass

signal.signal(signal.SIGTERM, as_interrupt)
if {ignored}:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if {kept}:
    keep_interrupts()
try:
    Dying()
    time.sleep(20 if {kept} else 0.3)
    print("went on")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    ("number", "ignored", "kept"),
    [
        (signal.SIGINT, False, True),
        (signal.SIGTERM, False, True),
        (signal.SIGTERM, True, True),
        (signal.SIGINT, False, False),
    ],
)
def test_an_interrupt_within_a_destructor_is_not_lost(number: signal.Signals, ignored: bool, kept: bool) -> None:
    """Without it, Python says "Exception ignored in ..." and goes on: the last case proves that this asks something."""
    program = SWALLOWING.format(number=int(number), ignored=ignored, kept=kept)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == ("interrupted\n" if kept else "went on\n")
    assert ("Exception ignored" in done.stderr) is not kept


def test_other_exceptions_there_are_told_as_before() -> None:
    program = """
from amnl_tune.cli.streams import keep_interrupts
class Dying:
    def __del__(self): raise ValueError("a bug")
keep_interrupts()
Dying()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "ValueError: a bug" in done.stderr
