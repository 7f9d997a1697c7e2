"""Workers as tasks of a Ray cluster: Ray places them by their resources and starts those of a lost node elsewhere."""

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.installation import install_extra
from amnl_tune.launch.command import WorkerCommand
from amnl_tune.launch.slots import check_share
from amnl_tune.launch.supervision import GRACE_SECONDS, SupervisedWorker

STORE_BYTES = 100 * 2**20
"""Object store of a cluster that we start: workers exchange nothing by Ray."""

ANSWER_SECONDS = 10.0
ASKED_AGAIN_SECONDS = 5.0
LEAVE_SECONDS = GRACE_SECONDS + 60.0
"""Until all have left. Each ends its worker by itself within 30 s; the rest is for a busy cluster to hear of it."""


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """In touch with the cluster at `address`; None: with one that is started here, and ended afterwards.

    Raises:
        ConfigurationError: Ray is not installed, or does not answer.
    """
    ray = _ray()
    if address:
        _require_listener(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody was asked whether Ray may report their use of it
    own = {} if address else {"include_dashboard": False, "object_store_memory": STORE_BYTES}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _no_cluster(address, reason) from error
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own would end this process without the workers' leave
    try:
        yield
    finally:
        ray.shutdown()


def host_names() -> frozenset[str]:
    """Hosts of the cluster's nodes."""
    return frozenset(node["NodeManagerHostname"] for node in _ray().nodes() if node["Alive"])


def this_host() -> str:
    """As Ray calls it."""
    return os.uname().nodename


def unplaceable(command: WorkerCommand, gpus: float) -> str | None:
    """A warning where no node of the cluster is large enough for a worker: it then waits for one that is."""
    needed = {"CPU": float(command.threads), "GPU": gpus}
    nodes = [node["Resources"] for node in _ray().nodes() if node["Alive"]]
    if any(all(node.get(name, 0.0) >= amount for name, amount in needed.items()) for node in nodes):
        return None
    return (
        f"Warning: no node of the Ray cluster has {command.threads} CPUs and {gpus:g} GPUs for a worker; "
        "all wait until one joins"
    )


class RayWorkers:
    """Tasks that each hold one worker process; a context within `connected`.

    Args:
        command: of each worker; it reaches the nodes as the task's argument, which Ray does not log.
        count: workers.
        gpus: of each, fractions allowed; Ray sets CUDA_VISIBLE_DEVICES.
    """

    def __init__(self, command: WorkerCommand, count: int, *, gpus: float = 0) -> None:
        if gpus:
            check_share(gpus)
        self.command, self.count, self.gpus = command, count, gpus
        self._tasks: list[Any] = []

    def __enter__(self) -> "RayWorkers":
        task = (
            _ray()
            .remote(_work)
            .options(
                name=f"amnl-tune worker {self.command.study}",
                num_cpus=self.command.threads,
                num_gpus=self.gpus,
                max_retries=-1,  # of tasks whose node or process is lost; the worker's own crashes are counted there
            )
        )
        self._tasks = [task.remote(self.command) for _ in range(self.count)]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def poll(self) -> bool:
        """True while a worker runs, or waits for its place.

        Raises:
            StudyError: a worker ended with a user's error, or keeps crashing.
        """
        ray = _ray()
        ended, self._tasks = ray.wait(self._tasks, num_returns=len(self._tasks), timeout=0) if self._tasks else ([], [])
        for task in ended:
            try:
                ray.get(task)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, StudyError):
                    raise StudyError(str(error.cause)) from error
                raise
        return bool(self._tasks)

    def stop(self, grace: float = LEAVE_SECONDS) -> None:
        """Asks all workers to checkpoint and leave, and waits for that.

        They are asked again until they do: Ray cancels a task by an interrupt, which Python swallows where it comes
        within a destructor or a callback. What is left when Ray shuts down is killed with its worker.
        """
        ray = _ray()
        now = time.monotonic()
        until, again = now + grace, now
        while self._tasks and now < until:
            if now >= again:
                again = now + ASKED_AGAIN_SECONDS
                for task in self._tasks:
                    ray.cancel(task, force=False)
            _, self._tasks = ray.wait(self._tasks, num_returns=len(self._tasks), timeout=0.2)
            now = time.monotonic()


def _require_listener(address: str) -> None:
    """Ray itself tries for minutes to reach a cluster that is not there."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        return  # `auto`, or what Ray will say something about
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from error


def _no_cluster(address: str | None, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"`--ray-address` must lead to a running Ray cluster, but got {address!r}: {reason}; "
        "start one by `ray start --head`, or leave the option out"
    )


def _work(command: WorkerCommand) -> None:
    """The task: one worker until it leaves. Ray cancels a running task by KeyboardInterrupt, perhaps several times."""
    worker = SupervisedWorker(command)
    try:
        worker.run()
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        worker.stop()
        signal.signal(signal.SIGINT, before)  # the process may get another task


def _ray() -> Any:
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            f"`--on ray` must find Ray, but it is not installed; run `{install_extra('ray')}`"
        ) from None
    return ray
