"""A worker process that is killed at a chosen moment: the real command, with SIGKILL laid in its way."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.storages import RDBStorage

import amnl_tune.cli.app
import amnl_tune.search.worker  # so that a fork has everything
from amnl_tune.ledger.epochs import ReportLine
from amnl_tune.search import attempt, runner, worker
from amnl_tune.training.step import Step

__all__ = ["POINTS", "Fault", "work"]

POINTS: Mapping[str, tuple[Any, str, bool]] = {
    "before claim": (worker, "claim", False),
    "after claim": (worker, "claim", True),
    "after ask": (runner, "ask", True),  # not committed
    "after begin": (runner, "_begin", True),
    "mid-ask": (RDBStorage, "_set_trial_param", True),
    "mid-epoch": (Step, "__call__", False),
    "before report": (ReportLine, "report", False),
    "after report": (ReportLine, "report", True),
    "mid-checkpoint": (os, "fsync", False),
    "after checkpoint": (attempt.Checkpoints, "write", True),
    "before tell": (runner, "tell", False),
    "after tell": (runner, "tell", True),  # not committed
    "after end": (runner, "_end", True),
}
"""Where a fault strikes: module or class, function, and whether after its work rather than before."""


@dataclass(frozen=True)
class Fault:
    """SIGKILL at the `nth` passage of a point."""

    point: str
    nth: int


def work(arguments: list[str], environment: Mapping[str, str], log: Path, fault: Fault | None) -> None:
    """`amnl-tune ARGUMENTS` in this process, which is forked from one that has imported everything."""
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if fault:
        _lay(fault)
    try:
        amnl_tune.cli.app.app(arguments)
    except SystemExit as ended:
        os._exit(ended.code if isinstance(ended.code, int) else 1)  # a fork's exit handlers are its parent's


def _lay(fault: Fault) -> None:
    place, name, after = POINTS[fault.point]
    whole: Callable[..., Any] = getattr(place, name)
    passages = 0

    def struck(*args: Any, **kwargs: Any) -> Any:
        nonlocal passages
        passages += 1
        if passages < fault.nth:
            return whole(*args, **kwargs)
        if after:
            whole(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    setattr(place, name, struck)
