"""What a loader's processes talk by, such that none of them, killed or stopped at any moment, holds up the others.

The stock ones wait without end where a process goes in the middle of a message, or of looking whether it is to end.
"""

import mmap
import multiprocessing
import os
import struct
import time
from multiprocessing.context import BaseContext, ForkContext
from multiprocessing.queues import Queue
from typing import Any

SIZE = struct.Struct("!Q")
"""Before each message: its bytes."""
ANY_TIME = 3600.0


def loader_context() -> BaseContext | None:
    """For a DataLoader; None where processes are not forked, and the stock one is to do."""
    forks = multiprocessing.get_context().get_start_method() == "fork"
    return _Context() if forks else None


class _Context(ForkContext):
    """Makes queues and events that need no other process's help."""

    def Queue(self, maxsize: int = 0) -> "_Queue":  # noqa: N802  (multiprocessing's own name)
        return _Queue(maxsize, ctx=self.get_context())

    def Event(self) -> Any:  # noqa: N802
        return _Flag()


class _Flag:
    """An event without the lock that a killed process would keep; shared with what is forked afterwards."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 1)

    def set(self) -> None:
        self._page[0] = 1

    def is_set(self) -> bool:
        return self._page[0] == 1


class _Queue(Queue):  # type: ignore[type-arg]  # it takes no argument when it runs
    """A timeout bounds the wait for a whole message, and not for its first byte alone.

    What has come of a message is kept: the next look goes on with it.
    """

    _reader: Any
    _writer: Any

    def _reset(self, after_fork: bool = False) -> None:
        super()._reset(after_fork)  # type: ignore[misc]
        self._come = bytearray()
        self._send_bytes, self._recv_bytes, self._poll = self._send, self._receive, self._comes

    def _send(self, message: Any) -> None:
        file = self._writer.fileno()
        for part in (SIZE.pack(len(message)), message):
            left = memoryview(part)
            while left:
                left = left[os.write(file, left) :]

    def _comes(self, seconds: float = 0.0) -> bool:
        """Whether a whole message is there within so many seconds."""
        until = time.monotonic() + seconds
        while missing := self._missing():
            if not self._reader.poll(max(0.0, until - time.monotonic())):
                return False
            part = os.read(self._reader.fileno(), missing)
            if not part:
                raise EOFError
            self._come += part
        return True

    def _missing(self) -> int:
        """Bytes to read next."""
        if len(self._come) < SIZE.size:
            return SIZE.size - len(self._come)
        (size,) = SIZE.unpack_from(self._come)
        return int(SIZE.size + size - len(self._come))

    def _receive(self) -> memoryview:
        while not self._comes(ANY_TIME):
            pass
        come, self._come = self._come, bytearray()
        return memoryview(come)[SIZE.size :]
