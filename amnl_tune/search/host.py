"""This machine, as a worker needs to know it."""

import logging
import os
import socket
from pathlib import Path

import psutil

__all__ = ["host_name", "is_alive", "physical_cores", "process_started", "threads_for"]


logger = logging.getLogger(__name__)


def host_name() -> str:
    """A name that two process namespaces never share: process numbers mean nothing outside their own."""
    try:
        namespace = f"/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux: no namespaces
        namespace = ""
    return f"{socket.gethostname()}{namespace}"


def physical_cores() -> int:
    """Cores that this process may use; hyper-threads do not count."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or available, available))


def threads_for(workers: int, wanted: int | None = None) -> int:
    """Threads of each of `workers` on this machine: together never more than its cores (performance: CPU).

    Args:
        workers: processes that train side by side here.
        wanted: threads of each; None: the cores shared out. What does not fit is cut, with a warning.
    """
    fitting = max(1, physical_cores() // max(1, workers))
    if wanted is not None and wanted > fitting:
        logger.warning(
            "workers' threads must fit this machine's %d cores, but got %d workers of %d threads; each has %d",
            physical_cores(), workers, wanted, fitting,
        )  # fmt: skip
    return min(wanted or fitting, fitting)


def process_started() -> float:
    """When this process began, in seconds since 1970."""
    return float(psutil.Process().create_time())


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that began at `started` still runs here under that number."""
    try:
        process = psutil.Process(pid)
        return bool(abs(process.create_time() - started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
