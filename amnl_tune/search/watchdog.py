"""Ends a worker process that hangs, so that whoever started it replaces it and its trial goes on (optuna: Traps)."""

import faulthandler

__all__ = ["Watchdog"]


class Watchdog:
    """Ends this process with exit code 1, and every thread's stack on stderr, unless patted within `limit` seconds.

    Python's own `faulthandler` watches from a thread that needs no interpreter lock, so a hang inside a library counts.

    Args:
        limit: seconds; None: never.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit

    def pat(self) -> None:
        """The worker makes progress."""
        if self.limit is not None:
            faulthandler.dump_traceback_later(self.limit, exit=True)

    def rest(self) -> None:
        """Nothing is expected for now."""
        if self.limit is not None:
            faulthandler.cancel_dump_traceback_later()
