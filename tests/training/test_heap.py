"""Freed memory is kept, where the C library is glibc."""

import platform
import resource

import pytest
import torch

from amnl_tune.training.heap import freed_memory_kept, keep_freed_memory

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def faults() -> int:
    """Page faults of taking, touching and freeing 40 blocks of 32 MiB, one after the other."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(40):
        torch.empty(32 << 20, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@glibc
def test_kept_memory_is_not_faulted_in_again() -> None:
    usual = faults()
    with freed_memory_kept():
        faults()
        kept = faults()
    assert usual > 10 * max(kept, 1)
    assert faults() > 10 * max(kept, 1)  # and after the block it is as before


@glibc
def test_glibc_takes_every_setting() -> None:
    with freed_memory_kept():
        assert keep_freed_memory()
