"""Who hears what the line is doing: a terminal draws it, a program hears nothing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from amnl_tune.ledger.progress import Progress


class Listener(Protocol):
    """What the line tells whoever called it."""

    def said(self, text: str) -> None:
        """A sentence by itself."""

    def warned(self, title: str, text: str) -> None:
        """What must not be overlooked."""

    def watch(self, title: str) -> AbstractContextManager[Callable[[Progress], None]]:
        """Runs that others carry out; the block calls what it gets with each new look at them."""

    def waiting(self, text: str) -> AbstractContextManager[None]:
        """The block takes a while, with nothing to see."""

    def downloading(self) -> AbstractContextManager[Callable[[int, int | None], None]]:
        """The block downloads, and calls what it gets with the bytes done and, if known, of how many."""


class Silence:
    """A listener that hears nothing: for programs, which look at the ledger."""

    def said(self, text: str) -> None:
        """Nothing."""

    def warned(self, title: str, text: str) -> None:
        """Nothing."""

    @contextmanager
    def watch(self, title: str) -> Iterator[Callable[[Progress], None]]:
        """Takes looks and forgets them."""
        yield lambda look: None

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Nothing."""
        yield

    @contextmanager
    def downloading(self) -> Iterator[Callable[[int, int | None], None]]:
        """Takes byte counts and forgets them."""
        yield lambda done, total: None
