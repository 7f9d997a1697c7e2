"""Ctrl-C, SIGTERM and the standard streams of a command.

None of the first two is lost: they are KeyboardInterrupt. The streams may be ASCII alone, full, or closed by who reads,
and there is no traceback.
"""

import codecs
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

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


UNKNOWN = "amnl_tune.unknown"
"""Name of what becomes of characters that a stream does not know."""
CLOSED = 128 + signal.SIGPIPE
"""As a shell tells of any program whose reader has gone: `| head`."""
REFUSED = 2


class _Output(io.FileIO):
    """Standard output: where it refuses, the command ends. A SystemExit, for nobody may take it for another file's."""

    ended: int | None = None

    def write(self, data: Any, /) -> int:
        if self.ended is not None:
            raise SystemExit(self.ended)
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            self.ended = CLOSED
        except OSError as error:
            self.ended = REFUSED
            reason = error.strerror or error
            _say(f"Error: Standard output must be writable, but: {reason}; free space there, or name another file")
        raise SystemExit(self.ended)

    def settle(self) -> None:
        """Drops what could not be written, so that Python's own last flush says nothing; keeps the exit code."""
        if self.ended is None:
            return
        code, self.ended = self.ended, None
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        raise SystemExit(code)


class _Words(io.FileIO):
    """Standard error: words that nobody can be told are left out, and the command goes on."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


@contextmanager
def guarded() -> Iterator[None]:
    """For the time of a command. Characters that a stream does not know are written as escapes."""
    codecs.register_error(UNKNOWN, _escaped)
    output = _replaced("stdout", _Output)
    _replaced("stderr", _Words)
    try:
        yield
    finally:
        if isinstance(output, _Output):
            with suppress(SystemExit):
                sys.stdout.flush()
            output.settle()


def _replaced(name: str, kind: type[io.FileIO]) -> io.FileIO | None:
    """Lets `sys.NAME` write through a `kind`; None where it is no file of the system's."""
    stream = getattr(sys, name)
    if stream is None:  # closed: the next file opened would take its number, and get its words
        setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  (for as long as the process lives)
        return None
    try:
        raw = kind(stream.fileno(), "wb", closefd=False)
    except (AttributeError, OSError, ValueError):  # a caller's own
        return None
    stream.flush()
    lenient = {"strict", "surrogateescape", "backslashreplace"}  # where the locale is C, surrogates alone are let by
    errors = UNKNOWN if stream.errors in lenient else stream.errors
    buffer = io.BufferedWriter(raw)
    made = io.TextIOWrapper(buffer, stream.encoding, errors, line_buffering=stream.line_buffering or name == "stderr")
    setattr(sys, name, made)
    return raw


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    r"""A file's name stays what it is; a blank, too: `batch_size\xa032` would be read as another number."""
    if isinstance(error, UnicodeEncodeError):
        character = error.object[error.start]
        if character == "\xa0":
            return " ", error.start + 1
        if "\udc80" <= character <= "\udcff":
            return bytes([ord(character) - 0xDC00]), error.start + 1
        error.end = error.start + 1
    return codecs.backslashreplace_errors(error)


def _say(text: str) -> None:
    with suppress(Exception):
        sys.stderr.write(f"{text}\n")
