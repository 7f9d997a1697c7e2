"""Freed memory is kept, where the C library is glibc."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import torch
from amnl_tune.training.execution import freed_memory_kept, keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.empty(160 << 20, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = faults()
with freed_memory_kept():
    faults()
    kept = faults()
    assert keep_freed_memory()
print(usual, kept)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_kept_memory_is_not_faulted_in_again() -> None:
    """Page faults of taking, touching and freeing 10 blocks of 160 MiB, as usual and kept."""
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=300
    ).stdout
    usual, kept = map(int, told.split())
    assert usual > 3 * kept  # a small block in the way costs a large one its place, and one more is taken
