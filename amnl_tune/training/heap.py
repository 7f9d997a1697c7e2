"""What the C library does with freed memory.

glibc gives large blocks back to the kernel, and the next training step faults them in again page by page: on the full
network some 100,000 faults a step, a sixth of its time on two CPU cores (`amnl-tune bench` has it in its last row). A
process that trains keeps them: its resident memory stays at its peak.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["freed_memory_kept", "keep_freed_memory"]

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Parameters of mallopt(3)."""
KEEPING = {MMAP_MAX: 0, TRIM_THRESHOLD: -1, TOP_PAD: 64 << 20}
USUAL = {MMAP_MAX: 65536, TRIM_THRESHOLD: 64 << 20, TOP_PAD: 128 << 10}
"""Where glibc's own thresholds, which grow with what is freed, end."""


def keep_freed_memory() -> bool:
    """Whether this process now keeps what it frees; False where the C library cannot be told."""
    return _told(KEEPING)


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """`keep_freed_memory` for a block, and the C library's own way after it."""
    keep_freed_memory()
    try:
        yield
    finally:
        _told(USUAL)


def _told(settings: dict[int, int]) -> bool:
    tell = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return tell is not None and all(tell(parameter, value) == 1 for parameter, value in settings.items())
