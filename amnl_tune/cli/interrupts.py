"""Ctrl-C and SIGTERM as KeyboardInterrupt, and none of them lost."""

import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

__all__ = ["as_interrupt", "keep_interrupts"]

AGAIN = 0.05
"""Seconds until an interrupt that Python swallowed is sent again: out of the code that swallowed it."""


def as_interrupt(number: int, frame: FrameType | None) -> None:
    """A signal handler for what ends a command as Ctrl-C does."""
    raise KeyboardInterrupt


def keep_interrupts() -> None:
    """An interrupt that comes within a destructor or a weak reference's callback comes again outside of it.

    Python cannot raise through such code: it prints "Exception ignored in ..." and goes on: Ctrl-C did nothing.
    """
    others = sys.unraisablehook

    def keep(unraisable: Any) -> None:
        wanted = _handled_signal() if issubclass(unraisable.exc_type, KeyboardInterrupt) else None
        if wanted is None:
            others(unraisable)
            return
        again = threading.Timer(AGAIN, _send, [wanted])
        again.daemon = True
        with suppress(RuntimeError):  # the interpreter is ending: so is what was to be interrupted
            again.start()

    sys.unraisablehook = keep


def _handled_signal() -> signal.Signals | None:
    """The one that this process answers: a shell starts what runs in the background with SIGINT ignored."""
    return next((it for it in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(it))), None)


def _send(number: signal.Signals) -> None:
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, number)  # to the main thread: it wakes where it waits
