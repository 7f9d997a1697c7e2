"""Workers as a job array of Slurm, by submitit: a job that is preempted or out of time is requeued and goes on.

Slurm sends its warning signal (SIGUSR2, submitit's choice) a while before it ends a job. The supervisor in the job then
has its worker checkpoint and leave, and requeues the job; when that starts again, its worker resumes the trial.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from amnl_tune.errors import ConfigurationError
from amnl_tune.installation import install_extra
from amnl_tune.launch.command import WorkerCommand
from amnl_tune.launch.inherited import own_package
from amnl_tune.launch.slots import check_share
from amnl_tune.launch.supervision import GRACE_SECONDS, SupervisedWorker

SIGNAL_SECONDS = 90
"""Before its end that a job gets the warning signal: far more than a worker needs to leave."""

REQUEUES = 1000
"""Time limits that a job may reach; what ends a study is its budget."""

ASKED_TWICE_SECONDS = 10.0
DECISION_SECONDS = 600.0

TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")


@dataclass(frozen=True)
class JobSettings:
    """What each job of the array asks Slurm for.

    Attributes:
        minutes: time limit. gpus: whole ones. partition: None: Slurm's default.
        options: others of sbatch; True stands for a flag.
    """

    minutes: int
    gpus: float = 0
    partition: str | None = None
    options: Mapping[str, str | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ConfigurationError for what Slurm could not do."""
        if self.gpus:
            check_share(self.gpus)
        if self.gpus != int(self.gpus):
            raise ConfigurationError(
                f"Slurm must give a job whole GPUs, but got --gpus-per-worker {self.gpus:g}; use --gpus-per-worker 1, "
                "or, where the cluster has shards, --slurm gres=shard:1"
            )


class SlurmWorker:
    """What a job runs: a picklable callable, with the `checkpoint` method that submitit calls at the warning signal."""

    def __init__(self, command: WorkerCommand) -> None:
        self.command = command
        self._worker: SupervisedWorker | None = None
        self._told_to_end = False

    def __call__(self) -> None:
        """Until the worker finds nothing left to do.

        Raises:
            StudyError: a user's mistake, or a worker that keeps crashing; the job fails and is not requeued.
        """
        self._worker = SupervisedWorker(self.command)
        signal.signal(signal.SIGTERM, self._note_end)
        signal.signal(signal.SIGALRM, self._pass_end_on)
        try:
            self._worker.run()
        finally:
            signal.alarm(0)
            self._worker.stop()
        if self._told_to_end:
            # Slurm alone knows whether it cancels or requeues this job. One that ends by itself before counts as
            # finished, and would not come back from a preemption with GraceTime.
            time.sleep(DECISION_SECONDS)

    def checkpoint(self) -> Any:
        """Called in the handler of the warning signal; what it returns is submitted again, as the same job."""
        from submitit.helpers import DelayedSubmission  # noqa: PLC0415 - an extra

        if self._worker is not None:
            self._worker.stop()
        return DelayedSubmission(SlurmWorker(self.command))

    def _note_end(self, number: int, frame: FrameType | None) -> None:
        """Slurm's SIGTERM reaches all processes of a job: asked a second time, the worker would leave in mid-epoch."""
        self._told_to_end = True
        if self._worker is not None:
            self._worker.leaving = True
        signal.alarm(int(ASKED_TWICE_SECONDS))

    def _pass_end_on(self, number: int, frame: FrameType | None) -> None:
        """The worker has not left yet: perhaps only this process got the signal."""
        if self._worker is not None:
            self._worker.stop(GRACE_SECONDS)


def submit(
    command: WorkerCommand, workers: int, settings: JobSettings, folder: Path, cluster: str = "slurm"
) -> list[Any]:
    """Submits one job a worker, as an array.

    Args:
        command: of each worker.
        workers: jobs.
        settings: what each asks for.
        folder: of logs and of what submitit hands to the jobs: readable by its owner only, and without secrets, which
            the jobs have from the environment that sbatch passes on.
        cluster: `slurm`, or `local` for submitit's stand-in, which runs jobs as processes of this machine.

    Raises:
        ConfigurationError: Slurm is not there, or refuses.
    """
    submitit = _submitit()
    if cluster == "slurm":
        _require_sbatch()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    executor = submitit.AutoExecutor(folder=folder, cluster=cluster, **{f"{cluster}_max_num_timeout": REQUEUES})
    executor.update_parameters(**_parameters(command, workers, settings))
    said = io.StringIO()  # what sbatch says on its own account belongs into the one line of the error
    command, secrets = command.without_secrets()
    try:
        with contextlib.redirect_stderr(said), _environment(secrets), executor.batch():
            jobs = [executor.submit(SlurmWorker(command)) for _ in range(workers)]
    except submitit.core.utils.FailedJobError as error:
        raise ConfigurationError(
            f"Slurm must accept the job, but {_reason(said.getvalue() or str(error))}; see `sinfo` and sbatch"
        ) from error
    return jobs


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """This process's with `variables`; sbatch gives all of it to the jobs."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def pass_through(options: tuple[str, ...]) -> dict[str, str | bool]:
    """`--slurm KEY=VALUE` and `--slurm FLAG`, as given.

    Raises:
        ConfigurationError: no key.
    """
    read: dict[str, str | bool] = {}
    for option in options:
        key, given, value = option.removeprefix("--").partition("=")
        if not re.fullmatch(r"[a-z][a-z-]*", key):
            raise ConfigurationError(
                f"`--slurm` must be KEY=VALUE of sbatch, but got {option!r}; use --slurm account=me"
            )
        read[key] = value if given else True
    return read


def minutes(time_limit: str) -> int:
    """Slurm's forms of a time limit: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]].

    Raises:
        ConfigurationError: another form, or less than a worker needs to start and to leave.
    """
    match = TIME.fullmatch(time_limit)
    if match is None:
        raise ConfigurationError(f"`--time` must be minutes, HH:MM:SS or D-HH, but got {time_limit!r}; use 4:00:00")
    first, second, third = (int(match[name] or 0) for name in ("first", "second", "third"))
    if match["days"] is not None:
        seconds = int(match["days"]) * 86400 + first * 3600 + second * 60 + third
    elif match["third"] is not None:
        seconds = first * 3600 + second * 60 + third
    else:
        seconds = first * 60 + second
    if seconds < 5 * 60:
        raise ConfigurationError(
            f"`--time` must leave a job 5 minutes between its start and Slurm's warning, but got {time_limit!r}; "
            "use 4:00:00"
        )
    return -(-seconds // 60)


def host_names(partition: str | None) -> frozenset[str]:
    """Hosts that jobs may run on.

    Raises:
        ConfigurationError: Slurm does not answer.
    """
    _require_sbatch()
    command = ["sinfo", "--noheader", "--Node", "--format=%n", *(["--partition", partition] if partition else [])]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"Slurm must answer within a minute, but: {error}; see `sinfo`") from error
    if answer.returncode:
        raise ConfigurationError(f"Slurm must answer, but: {answer.stderr.strip()}; see `sinfo`")
    return frozenset(answer.stdout.split())


def this_host() -> str:
    """As Slurm calls it."""
    return socket.gethostname().partition(".")[0]


def _parameters(command: WorkerCommand, workers: int, settings: JobSettings) -> dict[str, Any]:
    """submitit's names for the options that it knows; the others go to sbatch as they are."""
    parameters: dict[str, Any] = {
        "name": f"amnl-tune-{command.study}",
        "timeout_min": settings.minutes,
        "cpus_per_task": command.threads,
        "slurm_array_parallelism": workers,
        "slurm_signal_delay_s": SIGNAL_SECONDS,
        "slurm_additional_parameters": {"requeue": True, **settings.options},
        # The job's own Python starts as `python -m`, in the folder that it was submitted from.
        "slurm_setup": [f"export {name}={shlex.quote(value)}" for name, value in own_package(os.environ).items()],
    }
    if settings.gpus:
        parameters["gpus_per_node"] = int(settings.gpus)
    if settings.partition:
        parameters["slurm_partition"] = settings.partition
    return parameters


def _require_sbatch() -> None:
    if shutil.which("sbatch") is None:
        raise ConfigurationError(
            "`--on slurm` must be used where Slurm's commands are, but there is no sbatch; use a login node"
        )


def _submitit() -> Any:
    try:
        import submitit  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            f"`--on slurm` must find submitit, but it is not installed; run `{install_extra('slurm')}`"
        ) from None
    return submitit


def _reason(said: str) -> str:
    """sbatch's complaints, from the cause to the consequence."""
    complaints = [line.partition("error: ")[2].strip() for line in said.splitlines() if "error: " in line]
    return ", ".join(complaints) or "it does not say why"
