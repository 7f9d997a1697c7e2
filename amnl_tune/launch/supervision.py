"""One worker process under the eyes of the job or task that a cluster gave us: started again when it crashes."""

import os
import signal
import subprocess
import sys
import threading
import time

from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.launch.command import WorkerCommand
from amnl_tune.launch.ending import said, words
from amnl_tune.launch.inherited import WORKER_PARENT, inherited

GRACE_SECONDS = 20.0
"""Within which a worker that is asked to leave has checkpointed and released its run."""

MAX_RESTARTS = 5
USER_ERROR = 2
POLL_SECONDS = 0.2

# Slurm's preemption signal reaches every process of a job, but only the supervisor may act on it: a worker that left
# by itself would look finished. Ignored signals stay ignored over `exec`, so this holds from the first instruction on.
DEAF = ("sh", "-c", 'trap "" USR1 USR2; exec "$@"', "sh")


class SupervisedWorker:
    """A process of `amnl-tune worker`; its standard error is passed through."""

    def __init__(self, command: WorkerCommand) -> None:
        self.command = command
        self.leaving = False
        """Set where the worker has been asked to leave by others: it is then not started again."""
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Until the worker leaves.

        Raises:
            StudyError: a user's mistake, in the worker's words, or too many crashes.
            ConfigurationError: the environment lacks what the worker is to have from it.
        """
        missing = [name for name in self.command.inherited if not os.environ.get(name)]
        if missing:
            raise ConfigurationError(
                f"A job must have {', '.join(missing)} from where it was submitted, since there is a secret in it, but "
                "has not; leave out --slurm export, or the secret: name no password in the URL, libpq takes it from "
                "PGPASSWORD or ~/.pgpass"
            )
        for _ in range(1 + MAX_RESTARTS):
            code, last_line = self._run_once()
            if code == 0 or self.leaving:
                return
            if code == USER_ERROR:
                raise StudyError(last_line.removeprefix("Error: ") or "a worker stopped without a word")
        raise StudyError(
            f"A worker must not crash more than {MAX_RESTARTS} times, but one of study {self.command.study!r} did "
            f"({words(code)}; its last line: {last_line or 'none'}); see the log of its job"
        )

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Asks the worker to checkpoint and leave, to leave now after `grace` seconds, and kills it after 5 more."""
        self.leaving = True
        for wanted, patience in ((signal.SIGTERM, grace), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            if self._process is None or self._process.poll() is not None:
                return
            self._process.send_signal(wanted)
            try:
                self._process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                continue

    def _run_once(self) -> tuple[int, str]:
        """Exit code, and the last line that the worker said."""
        process = subprocess.Popen(
            [*DEAF, sys.executable, "-m", "amnl_tune", *self.command.words],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={
                **inherited(os.environ),
                **{name: os.environ[name] for name in self.command.inherited},
                **self.command.full_environment,
                WORKER_PARENT: str(os.getpid()),
            },
        )
        self._process = process
        echo = _Echo(process)
        echo.start()
        while process.poll() is None:  # no blocking call: Ray's cancellation of a task waits for this thread to wake up
            time.sleep(POLL_SECONDS)
        echo.join(timeout=5.0)
        return process.returncode, echo.last_line


class _Echo(threading.Thread):
    """Passes a process's standard error through, and keeps the last line: the reason, where there is one."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self.process, self.last_line = process, ""

    def run(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr:
            for line in self.process.stderr:
                text = line.decode(errors="replace")
                self.last_line = said(text) or self.last_line
                sys.stderr.write(text)
                sys.stderr.flush()
