"""This machine, as a worker needs to know it. Any fact may be missing: none of them decides whether a study goes on."""

import getpass
import logging
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)

PROCESSES = Path("/proc")
TOLERANCE = 1.0
"""Seconds by which two looks at a process's start may differ where the system derives it from its clock."""


def host_name() -> str:
    """A name that two process namespaces never share, nor two boots: process numbers mean nothing outside their own."""
    try:
        name = socket.gethostname()
    except OSError:
        name = "unknown"
    with suppress(OSError):  # not Linux: no namespaces
        name += f"/{(PROCESSES / 'self' / 'ns' / 'pid').stat().st_ino}"
        name += f"/{(PROCESSES / 'sys' / 'kernel' / 'random' / 'boot_id').read_text().strip()[:8]}"
    return name


def machine_of(host: str) -> str:
    """What people call the machine of a `host_name()`: without its namespace and boot."""
    return host.partition("/")[0]


def is_earlier_boot(host: str) -> bool:
    """Whether `host` is this machine's name of another boot; two machines of one name look the same."""
    here, _, boot = host_name().rpartition("/")
    there, _, other = host.rpartition("/")
    return "/" in here and here == there and boot != other


def signature() -> str:
    """Who is at work here, for the record: `me@host`. A user number that nobody has entered anywhere is one too."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's `--user 12345`: no name in the environment or passwd
        user = f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{user}@{machine_of(host_name())}"


def physical_cores() -> int:
    """Cores that this process may use; hyper-threads do not count."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    physical = None
    with suppress(Exception):  # no /proc, no /sys: psutil has an error of its own for each
        physical = psutil.cpu_count(logical=False)
    return max(1, min(physical or available, available))


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
    """When this process began, on the axis of `is_alive`."""
    own = _looked_at(os.getpid())
    return own.started if own else 0.0


def is_alive(pid: int, started: float) -> bool:
    """Whether the process that began at `started` still runs here under that number.

    Args:
        pid: of a process of `host_name()`.
        started: as its `process_started()`: seconds since the machine's boot, which stay the same when its clock is
            set; where there is no /proc, seconds since 1970. 0: it could not tell.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's: it is there
        pass
    process = _looked_at(pid)
    if process is None:
        return True  # it exists, and nothing more can be seen of it
    return not process.ended and (not started or abs(process.started - started) < process.tolerance)


@dataclass(frozen=True)
class _Process:
    """A process as the system shows it; `started` within `tolerance` of any other look at it, in seconds."""

    started: float
    tolerance: float
    ended: bool


def _looked_at(pid: int) -> _Process | None:
    """None where it is not shown: no /proc, one that hides other users' processes, or psutil cannot tell."""
    with suppress(OSError, ValueError, IndexError):
        fields = (PROCESSES / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        tick = 1.0 / os.sysconf("SC_CLK_TCK")
        return _Process(int(fields[19]) * tick, tick / 2, ended=fields[0] in "ZX")  # proc(5): fields 22 and 3
    if (PROCESSES / "self" / "stat").exists():
        return None
    with suppress(Exception):  # not Linux: psutil has an error of its own for each system
        process = psutil.Process(pid)
        return _Process(float(process.create_time()), TOLERANCE, process.status() == psutil.STATUS_ZOMBIE)
    return None
