"""Workers as processes of this machine: started, watched, started again when they die, stopped together."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from amnl_tune.errors import StorageError, StudyError
from amnl_tune.launch.command import thread_environment
from amnl_tune.launch.ending import last_line, words
from amnl_tune.launch.inherited import WORKER_PARENT
from amnl_tune.launch.slots import Slot
from amnl_tune.launch.supervision import GRACE_SECONDS, MAX_RESTARTS, USER_ERROR

logger = logging.getLogger(__name__)

HURRY_SECONDS = 15.0
"""For a worker that is to leave now: a busy machine takes its time over a last write."""

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--max-restarts=0")


@dataclass
class _Place:
    log: Path
    slot: Slot
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    logged: int = 0
    """Bytes in the log when the process was started: what it says comes after them."""

    def last_line(self) -> str:
        """Of this process alone."""
        return last_line(self.log, self.logged)


@dataclass
class LocalWorkers:
    """Processes of `amnl-tune worker STUDY`.

    Attributes:
        study: to join.
        count: processes. threads: of each.
        environment: theirs, complete; the storage URL is passed here, where `ps` does not show its password.
        logs: folder; each worker appends to a file of its own.
        options: further options of `amnl-tune worker`.
        slots: the part of this machine that each gets; empty: all see the whole of it.
        team: processes that train each run together, started by torchrun; such a team counts as one worker.
    """

    study: str
    count: int
    threads: int
    environment: Mapping[str, str] = field(repr=False)
    logs: Path
    options: tuple[str, ...] = ()
    slots: tuple[Slot, ...] = ()
    team: int = 1
    _places: list[_Place] = field(default_factory=list)

    def __enter__(self) -> "LocalWorkers":
        slots = self.slots or (Slot(),) * self.count
        self._places = [
            _Place(self.logs / f"worker-{os.getpid()}-{index}.log", slots[index]) for index in range(self.count)
        ]
        for place in self._places:
            place.process = self._start(place)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def poll(self) -> bool:
        """True while a worker runs; a crashed one is started again.

        Raises:
            StorageError: a worker ended with a user's error, which is raised here.
            StudyError: workers keep crashing.
        """
        running = False
        for place in self._places:
            code = place.process.poll() if place.process else 0
            running = running or code != 0
            if code is None or code == 0:
                continue
            line = place.last_line()
            if code == USER_ERROR:
                raise StorageError(line.removeprefix("Error: ") or f"a worker stopped without a word; see {place.log}")
            reason = f"{words(code)}; its last line: {line or 'none'}"
            if place.restarts >= MAX_RESTARTS:
                raise StudyError(
                    f"A worker must not crash more than {MAX_RESTARTS} times, but one of study {self.study!r} did "
                    f"({reason}); see {place.log}"
                )
            logger.warning(
                "a worker of study %r ended (%s) and is started again; see %s", self.study, reason, place.log
            )
            place.restarts += 1
            place.process = self._start(place)
        return running

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Asks all to finish their epoch and leave; after `grace` seconds to leave now; then kills."""
        for wanted, patience in ((signal.SIGTERM, grace), (signal.SIGTERM, HURRY_SECONDS), (signal.SIGKILL, 5.0)):
            running = [place.process for place in self._places if place.process and place.process.poll() is None]
            if not running:
                return
            for process in running:
                process.send_signal(wanted)
            until = time.monotonic() + patience
            while time.monotonic() < until and any(process.poll() is None for process in running):
                time.sleep(0.05)

    def _start(self, place: _Place) -> subprocess.Popen[bytes]:
        share = place.slot.accelerators * self.team
        command = [
            sys.executable,
            *((*TORCHRUN, f"--nproc-per-node={self.team}") if self.team > 1 else ()),
            "-m",
            "amnl_tune",
            "worker",
            self.study,
            "--threads",
            str(self.threads),
            *self.options,
            *(() if share == 1.0 else ("--accelerators", f"{share:g}")),
        ]
        own = {**thread_environment(self.threads), **place.slot.environment, WORKER_PARENT: str(os.getpid())}
        with _opened(place.log) as log:
            place.logged = log.seek(0, os.SEEK_END)
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.environment, **own},
                start_new_session=True,  # a terminal's Ctrl-C reaches the launcher alone, which passes it on once
            )


def _opened(log: Path) -> IO[bytes]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    except OSError as error:
        raise StorageError(
            f"Workers must be able to log to {log}, but: {error.strerror}; free space or set --home"
        ) from error
