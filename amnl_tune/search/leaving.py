"""Whether a worker is to leave, and how soon."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Leaving", "LeavingError"]


class LeavingError(Exception):
    """The worker has been asked to leave; the run is checkpointed."""


class Leaving:
    """Asked to leave, a worker finishes its epoch; in a hurry it leaves within it, with the last epoch's state.

    Args:
        also: a further reason to leave, looked at each time.
    """

    def __init__(self, also: Callable[[], bool] = lambda: False) -> None:
        self._also = also
        self._asked = self._hurried = self._interruptible = False

    def __call__(self) -> bool:
        return self._asked or self._also()

    def ask(self) -> bool:
        """False if it had been asked before."""
        first, self._asked = not self._asked, True
        return first

    def hurry(self) -> None:
        """Called from a signal handler, so in the main thread: interrupts what may be interrupted.

        Raises:
            LeavingError: into the `interruptible` block.
        """
        self._asked = self._hurried = True
        if self._interruptible:
            raise LeavingError

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Work that may be given up at any moment."""
        if self._hurried:
            raise LeavingError
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False
