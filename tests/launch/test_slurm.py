"""Job arrays: by submitit's local executor everywhere, and on a real Slurm where one answers."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from bounded import ended, join, until

from amnl_tune.database.models import RunStatus
from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.launch import slurm
from amnl_tune.launch.command import WorkerCommand
from amnl_tune.launch.slurm import JobSettings, SlurmWorker, minutes, pass_through, submit


@pytest.mark.parametrize(
    ("given", "understood"),
    [("240", 240), ("30:01", 31), ("4:00:00", 240), ("1-12", 2160), ("2-0:30", 2910), ("0-1:00:01", 61)],
)
def test_slurms_own_forms_of_a_time_limit(given: str, understood: int) -> None:
    assert minutes(given) == understood


@pytest.mark.parametrize("given", ["", "4h", "1:2:3:4", "-5", "4", "0:30", "00:04:59"])
def test_time_limits_that_are_none_or_too_short(given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^`--time` must .*; use 4:00:00$"):
        minutes(given)


def test_options_of_sbatch_are_passed_through() -> None:
    given = ("account=rul", "--qos=low", "gres=shard:1", "exclusive", "comment=a=b")
    assert pass_through(given) == {
        "account": "rul", "qos": "low", "gres": "shard:1", "exclusive": True, "comment": "a=b",
    }  # fmt: skip
    with pytest.raises(ConfigurationError, match="must be KEY=VALUE of sbatch, but got '=4'"):
        pass_through(("=4",))


def test_jobs_get_whole_gpus() -> None:
    with pytest.raises(ConfigurationError, match="use --gpus-per-worker 1, or, where the cluster has shards, --slurm"):
        JobSettings(240, 0.5)


def test_without_slurm_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigurationError, match="there is no sbatch; use a login node"):
        slurm.host_names(None)
    with pytest.raises(ConfigurationError, match="there is no sbatch; use a login node"):
        submit(WorkerCommand("tiny", 1), 1, JobSettings(240), tmp_path)


def wait_for(jobs: list[Any]) -> None:
    """Until the jobs have their results, and submitit's controllers, which outlive them for a moment, have ended."""
    for job in jobs:
        until(job.done, "a job's end", 900)
        ended(job._process)


def log(jobs: list[Any]) -> str:
    return "".join(path.read_text() for job in jobs for path in (job.paths.stdout, job.paths.stderr))


@pytest.mark.slow
def test_a_preempted_job_is_requeued_and_resumes_its_trial(prepared_on_postgresql: Any, undisturbed: Any) -> None:
    prepared = prepared_on_postgresql
    folder = prepared.home / "slurm" / "tiny"
    jobs = submit(prepared.command(), 2, JobSettings(60), folder, cluster="local")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    prepared.wait_for_epochs(6)
    (task,) = psutil.Process(int(jobs[0].job_id)).children()
    task.send_signal(signal.SIGUSR2)
    wait_for(jobs)
    prepared.assert_done()
    assert prepared.curves() == undisturbed
    assert sum(run.failures for run in prepared.runs()) == 0
    told = log(jobs)
    assert f"Requeued job {jobs[0].job_id} ({slurm.REQUEUES} remaining timeouts)" in told
    assert told.count("from epoch 1\n") == 4
    assert "Job completed successfully" in jobs[0].stdout()
    assert prepared.storage not in told


@pytest.mark.slow
def test_what_is_handed_to_the_jobs_has_no_secret_in_it(tmp_path: Path) -> None:
    """They have it from the environment that they are submitted in."""
    environment = {"AMNL_TUNE_STORAGE": "postgresql://me:geheim@localhost:1/d", "AMNL_TUNE_HOME": str(tmp_path)}
    (job,) = submit(WorkerCommand("tiny", 1, (), environment), 1, JobSettings(60), tmp_path / "slurm", cluster="local")
    assert "AMNL_TUNE_STORAGE" not in os.environ
    wait_for([job])
    assert "The storage postgresql+psycopg://me:***@localhost:1/d must answer" in str(job.exception())
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"geheim" not in path.read_bytes(), path


def test_a_job_without_the_secret_that_it_was_submitted_with(monkeypatch: pytest.MonkeyPatch) -> None:
    command, secrets = WorkerCommand("tiny", 1, (), {"A": "/a@b:c", "B": "s3://KEY:geheim@b"}).without_secrets()
    assert (dict(command.environment), secrets) == ({"A": "/a@b:c"}, {"B": "s3://KEY:geheim@b"})
    monkeypatch.delenv("B", raising=False)
    with pytest.raises(
        ConfigurationError, match=r"must have B from where it was submitted, .* PGPASSWORD or ~/.pgpass$"
    ):
        slurm.SupervisedWorker(command).run()


@pytest.mark.slow
def test_a_users_mistake_fails_the_job_with_the_workers_words(prepared: Any) -> None:
    command = WorkerCommand("tinyy", 1, environment=prepared.environment)
    (job,) = submit(command, 1, JobSettings(60), prepared.home / "slurm", cluster="local")
    wait_for([job])
    assert "StudyError: A study must exist, but there is no 'tinyy'" in str(job.exception())
    assert "Requeued" not in log([job])


@pytest.mark.slow
@pytest.mark.timeout(method="thread")  # its own signal is what is tested
def test_an_end_that_only_the_job_hears_of_is_passed_on(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM to the supervisor alone; under Slurm it reaches the worker, too."""
    monkeypatch.setattr(slurm, "ASKED_TWICE_SECONDS", 1)
    monkeypatch.setattr(slurm, "DECISION_SECONDS", 0)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}

    def preempt() -> None:
        prepared.wait_for_epochs(3)
        os.kill(os.getpid(), signal.SIGTERM)

    preemption = threading.Thread(target=preempt)
    preemption.start()
    try:
        SlurmWorker(prepared.command())()
    finally:
        join(preemption, seconds=1000)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert prepared.workers() == []
    assert sum(run.failures for run in prepared.runs()) == 0


@pytest.mark.slow
def test_a_worker_that_keeps_crashing_fails_its_job(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os, sys\nsys.stderr.write('broken\\n')\nos._exit(7)\n")
    command = WorkerCommand("tiny", 1, environment={"PYTHONPATH": str(tmp_path)})
    with pytest.raises(
        StudyError, match=r"crash more than 5 times, .* 'tiny' did \(exit code 7; its last line: broken\)"
    ):
        slurm.SupervisedWorker(command).run()


@pytest.fixture
def real_slurm() -> Iterator[None]:
    """A Slurm that answers; whatever a failed test leaves in its queue is cancelled."""
    if (
        shutil.which("sbatch") is None
        or subprocess.run(["sinfo"], capture_output=True, check=False, timeout=300).returncode
    ):
        pytest.skip("no Slurm answers on this machine (sbatch, sinfo)")
    yield
    subprocess.run(["scancel", "--name", "amnl-tune-tiny"], check=True, timeout=300)


def state(job: str) -> str:
    answer = subprocess.run(
        ["squeue", "--noheader", "--format=%T", "--jobs", job], capture_output=True, text=True, check=False, timeout=300
    )
    return answer.stdout.strip()


def start_again(job: str) -> None:
    """Slurm holds a requeued job back for two minutes; its operator need not wait for that."""
    until = time.monotonic() + 180
    while (
        state(job) != "PENDING"
        or subprocess.run(
            ["scontrol", "update", f"JobId={job}", "StartTime=now"], capture_output=True, check=False, timeout=300
        ).returncode
    ):
        assert time.monotonic() < until, state(job)
        time.sleep(0.2)


@pytest.mark.slow
def test_on_a_real_slurm_preempted_and_requeued_jobs_resume_their_trials(
    real_slurm: None, prepared: Any, undisturbed: Any
) -> None:
    """One job gets Slurm's warning signal, the other is requeued by an operator, which kills it after KillWait."""
    launched = prepared.start("--on", "slurm", "--workers", "2", "--threads", "1", "--slurm", "comment=test", "--json")
    out, err = prepared.outcome(launched)
    assert launched.returncode == 0, err
    warned, requeued = json.loads(out)["jobs"]
    prepared.wait_until(lambda: sum(run.epochs_done > 0 for run in prepared.runs()) == 2)
    subprocess.run(["scancel", "--signal=USR2", warned], check=True, timeout=300)
    subprocess.run(["scontrol", "requeue", requeued], check=True, timeout=300)
    prepared.wait_until(lambda: prepared.workers() == [])
    assert sum(run.failures for run in prepared.runs()) == 0
    handed_over = [run for run in prepared.runs() if run.status is RunStatus.WAITING]
    assert max(run.epochs_done for run in handed_over) > 0
    start_again(warned)
    start_again(requeued)
    prepared.wait_until(lambda: state(warned) == state(requeued) == "")
    prepared.assert_done()
    assert prepared.curves() == undisturbed
    logs = "".join(path.read_text() for path in (prepared.home / "slurm" / "tiny").glob("*_log.err"))
    for run in handed_over:
        assert re.search(rf"slot {run.slot} \(.*\): from epoch {run.epochs_done + 1}\n", logs)


@pytest.mark.slow
def test_what_slurm_refuses_is_one_line(real_slurm: None, prepared: Any) -> None:
    launched = prepared.start("--on", "slurm", "--workers", "1", "--slurm", "mem=100T")
    out, err = prepared.outcome(launched)
    assert (launched.returncode, out) == (2, "")
    assert err.startswith("Error: Slurm must accept the job, but Memory specification can not be satisfied, Batch job")
    assert err.count("\n") == 1
    launched = prepared.start("--on", "slurm", "--partition", "nowhere")
    out, err = prepared.outcome(launched)
    assert (launched.returncode, out) == (2, "")
    assert err.count("\n") == 1, err
