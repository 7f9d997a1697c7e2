"""Workers as processes of this machine: started, watched, started again when they die, stopped together."""

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

__all__ = ["WORKER_PARENT", "LocalWorkers"]

WORKER_PARENT = "AMNL_TUNE_WORKER_PARENT"
"""Process number of the launcher: a worker that finds itself orphaned leaves."""

USER_ERROR = 2
MAX_RESTARTS = 5
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class _Slot:
    log: Path
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0


@dataclass
class LocalWorkers:
    """Processes of `amnl-tune worker STUDY`.

    Attributes:
        study: to join.
        count: processes. threads: of each.
        environment: theirs, complete; the storage URL is passed here, where `ps` does not show its password.
        logs: folder; each worker appends to a file of its own.
        options: further options of `amnl-tune worker`.
    """

    study: str
    count: int
    threads: int
    environment: Mapping[str, str]
    logs: Path
    options: tuple[str, ...] = ()
    _slots: list[_Slot] = field(default_factory=list)

    def __enter__(self) -> "LocalWorkers":
        self._slots = [_Slot(self.logs / f"worker-{os.getpid()}-{index}.log") for index in range(self.count)]
        for slot in self._slots:
            slot.process = self._start(slot)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def poll(self) -> bool:
        """True while a worker runs; a crashed one is started again.

        Raises:
            StorageError: a worker ended with a user's error, which is raised here.
            StudyError: workers keep crashing.
        """
        for slot in self._slots:
            code = slot.process.poll() if slot.process else 0
            if code in (None, 0):
                continue
            if code == USER_ERROR:
                raise StorageError(_last_error(slot.log))
            if slot.restarts >= MAX_RESTARTS:
                raise StudyError(
                    f"A worker must not crash more than {MAX_RESTARTS} times, but one of study {self.study!r} did "
                    f"(exit code {code}); see {slot.log}"
                )
            slot.restarts += 1
            slot.process = self._start(slot)
        return any(slot.process is not None and slot.process.poll() is None for slot in self._slots)

    def stop(self, grace: float = 20.0) -> None:
        """Asks all to finish their epoch and leave; after `grace` seconds to leave now; then kills."""
        for wanted, patience in ((signal.SIGTERM, grace), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            running = [slot.process for slot in self._slots if slot.process and slot.process.poll() is None]
            if not running:
                return
            for process in running:
                process.send_signal(wanted)
            until = time.monotonic() + patience
            while time.monotonic() < until and any(process.poll() is None for process in running):
                time.sleep(0.05)

    def _start(self, slot: _Slot) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "amnl_tune",
            "worker",
            self.study,
            "--threads",
            str(self.threads),
            *self.options,
        ]
        threads = dict.fromkeys(THREAD_VARIABLES, str(self.threads))
        with _opened(slot.log) as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.environment, **threads, WORKER_PARENT: str(os.getpid())},
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


def _last_error(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ") if lines else f"a worker stopped without a word; see {log}"
