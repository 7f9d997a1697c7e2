"""A team on one run: rank 0 is a worker like any other, the other processes do what it does.

Only rank 0 knows the ledger's leases and writes; the others hold the same network and hear from it which run to train
and when to go on. A process that dies takes the team with it; the run goes on from its checkpoint.
"""

import os
import signal
from collections.abc import Generator
from contextlib import closing, suppress

import torch

from amnl_tune.errors import ConfigurationError
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.search.workplace import LeavingError
from amnl_tune.training.checkpoint import Checkpoint
from amnl_tune.training.config import RunConfig
from amnl_tune.training.execution import Execution, Team, is_in_team, join_team, leave_team, resolve_device
from amnl_tune.training.fit import EpochResult, fit


class TeamBrokenError(Exception):
    """A process of the team failed in the middle of an epoch: the others cannot know where it stopped."""


def joined_team(device: str | None) -> Team | None:
    """The team that torchrun has started this process in; None: it is a process of its own."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    return join_team(cuda=resolve_device(device or "auto").startswith("cuda"))


def fit_together(
    config: RunConfig, data: PreparedData, *, resume: Checkpoint | None, execution: Execution
) -> Generator[EpochResult, None, None]:
    """`fit`, with the rest of the team in step.

    Raises:
        TeamBrokenError: what `fit` raises in a team, unless it is a configuration's mistake.
    """
    team = execution.team
    epochs = fit(config, data, resume=resume, execution=execution)
    if team.is_alone:
        yield from epochs
        return
    team.tell((config, resume))
    try:
        while True:
            team.tell(True)
            epoch = _next(epochs)
            yield epoch
            if epoch.last:
                break
    except (GeneratorExit, ConfigurationError):
        team.tell(False)
        raise
    team.tell(False)


def _next(epochs: Generator[EpochResult, None, None]) -> EpochResult:
    try:
        return next(epochs)
    except ConfigurationError:
        raise
    except LeavingError:
        leave_team()  # the others are in the middle of an epoch, which nobody will finish
        raise
    except Exception as error:
        leave_team()
        raise TeamBrokenError(f"the processes of a team must train in step, but one failed: {error!r}") from error


def follow(data: PreparedData, execution: Execution, threads: int | None = None) -> None:
    """Trains what rank 0 trains, until it is dismissed; when to leave is rank 0's to say."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if threads:
        torch.set_num_threads(threads)
    while (task := execution.team.tell(None)) is not None:
        config, resume = task
        with closing(fit(config, data, resume=resume, execution=execution)) as epochs:
            while execution.team.tell(None):
                with suppress(ConfigurationError):  # rank 0 meets the same one, and records it
                    next(epochs)


def dismiss(execution: Execution) -> None:
    """Rank 0's last word, where the team still listens."""
    if is_in_team():
        execution.team.tell(None)
        leave_team()
