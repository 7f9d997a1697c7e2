"""What else this machine was doing while something was measured here, and what that did to the figures."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from amnl_tune.host import physical_cores

SECONDS = 0.2
BUSY = 0.5
"""Runnable processes a core, before anything of ours began, from which others take part of what we measure."""
NOTICED = 1.25
"""Wall time / CPU time from which it shows."""


@dataclass(frozen=True)
class Load:
    """Around a measurement.

    Attributes:
        before, after: processes that want a core, mean of the last minute; `after` counts the measurement's own. None:
            the system does not tell.
        cores: of this machine.
        delay: wall time of what was measured / its CPU time, about 1 on an idle machine; None: not known, on a GPU.
    """

    before: float | None
    after: float | None
    cores: int
    delay: float | None

    @property
    def busy(self) -> bool:
        """Whether others were at work as well."""
        return (self.before or 0.0) > BUSY * self.cores or (self.delay or 1.0) > NOTICED

    def words(self, told: Callable[[float], str]) -> str:
        """A sentence for people; empty for an idle machine.

        Args:
            told: what a delay of so many times means for the figures: a clause, after "so".
        """
        if not self.busy:
            return ""
        loads = ""
        if self.before is not None and self.after is not None:
            loads = f": load {self.before:.1f} before and {self.after:.1f} after, on {self.cores} cores"
        if self.delay is None:
            return f"This machine was busy while it was measured{loads}; idle it is quicker."
        if self.delay <= NOTICED:
            return f"This machine was not idle{loads}; what was measured hardly had to wait."
        return (
            f"This machine was busy while it was measured{loads}. Steps took {self.delay:.1f} times their CPU time, so "
            f"{told(self.delay)}."
        )

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return asdict(self) | {"busy": self.busy}


class Watch:
    """Looks at this machine before a measurement and after it."""

    def __init__(self) -> None:
        self.before, self.delay = load_average(), delay()

    def ended(self, waited: float | None = None, *, on_gpu: bool = False) -> Load:
        """What others did meanwhile.

        Args:
            waited: wall time / CPU time of what was measured, where it tells. on_gpu: a core's delay says nothing.
        """
        after = load_average()
        known = None if on_gpu else max(waited or 1.0, self.delay, delay())
        return Load(self.before, after, physical_cores(), known)


def load_average() -> float | None:
    """Processes that want a core, mean of the last minute; None where the system does not count them."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def delay(seconds: float = SECONDS) -> float:
    """By how many times a thread that only computes is slower here and now than on a core of its own."""
    began, used = time.perf_counter(), time.thread_time()
    while time.perf_counter() - began < seconds:
        pass
    return (time.perf_counter() - began) / max(time.thread_time() - used, 1e-9)
