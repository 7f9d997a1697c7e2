"""The steps of `launch`, one function a launcher."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import typer
from rich.console import Console

from amnl_tune.artifacts import Artifacts
from amnl_tune.cli.display import watching
from amnl_tune.cli.options import (
    existing_study,
)
from amnl_tune.cli.summary import print_summary
from amnl_tune.database.urls import parse_url
from amnl_tune.errors import ConfigurationError, StorageError, StudyError
from amnl_tune.host import physical_cores, threads_for
from amnl_tune.launch import kubernetes, ray_cluster, slurm
from amnl_tune.launch.command import (
    Launcher,
    WorkerCommand,
    WorkerPlaces,
    require_enough_storage,
    require_shared_storage,
)
from amnl_tune.launch.inherited import inherited
from amnl_tune.launch.local import LocalWorkers
from amnl_tune.launch.slots import Slot, chosen_gpus, cpu_slots, gpu_slots, overload, visible_gpus
from amnl_tune.ledger.leases import open_runs, trials_left
from amnl_tune.ledger.progress import progress
from amnl_tune.ledger.studies import Study
from amnl_tune.results.facts import summarize
from amnl_tune.rul.sources import FleetSource
from amnl_tune.settings import Settings, mlflow_uri
from amnl_tune.studies.spec import StudySpec


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user asked for, less what only one launcher knows; None: not said.

    Attributes:
        gpus: of each worker. threads: of each worker.
        wait: whether workers wait for the study to be prepared.
    """

    study: str
    places: Settings
    workers: int | None
    gpus: float | None
    threads: int | None
    device: str | None
    wait: bool
    tensorboard: bool
    as_json: bool


POLL_SECONDS = 0.5


def on_this_machine(wishes: Wishes) -> None:
    """One process a slot, until the study is done."""
    study = _study(wishes)
    spec = study.spec
    count = wishes.workers or spec.hardware.workers
    device = wishes.device or spec.hardware.device
    slots = _slots(count, device, wishes.gpus)
    threads = threads_for(count, wishes.threads or spec.hardware.threads_per_worker)
    warning = overload(count, threads, physical_cores())
    places = WorkerPlaces.of(wishes.places)
    if warning and not slots[0].gpus:
        typer.echo(warning, err=True)
    workers = LocalWorkers(
        study=wishes.study,
        count=count,
        threads=threads,
        environment=inherited(os.environ) | places.environment,
        logs=Artifacts(wishes.places.home).log(wishes.study, "worker").parent,
        options=(*places.options, *_options(wishes), "--device", "cuda" if slots[0].gpus else device),
        slots=slots,
    )
    with workers:
        _watch(wishes, study, workers.poll)
    _conclude(wishes, study)


def on_ray(wishes: Wishes, address: str | None) -> None:
    """One task a worker, until the study is done."""
    study = _study(wishes)
    spec = study.spec
    command, gpus = _command(wishes, spec), wishes.gpus or 0.0
    workers = ray_cluster.RayWorkers(command, wishes.workers or spec.hardware.workers, gpus=gpus)
    # Ray remarks on lost nodes on standard output, where --json has its one document.
    remarks = contextlib.redirect_stdout(sys.stderr) if wishes.as_json else contextlib.nullcontext()
    with remarks, ray_cluster.connected(address):
        hosts, here = ray_cluster.host_names(), ray_cluster.this_host()
        require_shared_storage(wishes.places.storage, Launcher.RAY, hosts, here)
        warning = ray_cluster.unplaceable(command, gpus)
        if warning:
            typer.echo(warning, err=True)
        with workers:
            _watch(wishes, study, workers.poll)
    _conclude(wishes, study)


def on_slurm(wishes: Wishes, partition: str | None, time_limit: str, options: tuple[str, ...]) -> None:
    """A job array; returns when Slurm has it."""
    study = _study(wishes)
    spec = study.spec
    settings = slurm.JobSettings(slurm.minutes(time_limit), wishes.gpus or 0, partition, slurm.pass_through(options))
    require_shared_storage(wishes.places.storage, Launcher.SLURM, slurm.host_names(partition), slurm.this_host())
    folder = wishes.places.home.absolute() / "slurm" / spec.name
    jobs = slurm.submit(_command(wishes, spec), wishes.workers or spec.hardware.workers, settings, folder)
    ids = [str(job.job_id) for job in jobs]
    if wishes.as_json:
        typer.echo(json.dumps({"study": spec.name, "jobs": ids, "logs": str(folder)}, indent=2))
    else:
        typer.echo(f"Submitted {len(ids)} workers of study {spec.name!r} as job {', '.join(ids)}; logs in {folder}")
    study.ledger.close()


def on_kubernetes(
    wishes: Wishes,
    storage: str | None,
    image: str | None,
    namespace: str | None,
    secret: str,
    memory: str,
    volume_claim: str | None,
    data_dir: Path | None,
) -> None:
    """Prints the manifest; asks neither a database nor a cluster."""
    if wishes.workers is None:
        raise ConfigurationError("A Job must know its completions, but got no --workers; use --workers 8")
    if storage and parse_url(storage).get_backend_name() == "sqlite":
        raise StorageError(
            "SQLite must be used by workers of one host only, but pods run on several; use "
            "--storage postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    gpus = wishes.gpus or 0
    artifacts = wishes.places.artifacts
    pod = kubernetes.PodSettings(image, namespace, secret, memory, gpus, artifacts, volume_claim, data_dir)
    device = wishes.device or ("cuda" if gpus else "cpu")
    command = WorkerCommand(wishes.study, wishes.threads or 1, (*_options(wishes), "--device", device))
    job = kubernetes.worker_job(command, wishes.workers, pod)
    typer.echo(json.dumps(job, indent=2) if wishes.as_json else kubernetes.as_yaml(job, secret), nl=wishes.as_json)


def _study(wishes: Wishes) -> Study:
    """The study, which must be there for workers to join it.

    Raises:
        StudyError: unknown, or not prepared. StorageError: database, or more workers than it serves.
        DataNotFoundError: the data are not where the workers would look for them.
    """
    study = existing_study(wishes.places, wishes.study)
    if not study.is_prepared and not wishes.wait:
        raise StudyError(
            f"Study {wishes.study!r} must be prepared before workers join, but it is not; run `amnl-tune run FILE` "
            "first, or use --wait"
        )
    FleetSource(wishes.places.data_dirs).require(study.spec.data.dataset)
    require_enough_storage(wishes.places.storage, wishes.workers or study.spec.hardware.workers)
    return study


def _command(wishes: Wishes, spec: StudySpec) -> WorkerCommand:
    """A worker on a cluster: its device is what the job or task was given."""
    device = wishes.device or ("cuda" if wishes.gpus else spec.hardware.device)
    share = ("--accelerators", f"{wishes.gpus:g}") if wishes.gpus and wishes.gpus != 1 else ()
    places = WorkerPlaces.of(wishes.places)  # on other hosts they are the same ones, or links to them
    options = (*places.options, *_options(wishes), "--device", device, *share)
    threads = wishes.threads or spec.hardware.threads_per_worker or 1
    return WorkerCommand(spec.name, threads, options, {**places.environment, **_tracking()})


def _tracking() -> dict[str, str]:
    """Where promoted runs are logged: a cluster's hosts do not see this process's environment."""
    uri = mlflow_uri()
    return {"MLFLOW_TRACKING_URI": uri if "://" in uri else str(Path(uri).absolute())} if uri else {}


def _slots(count: int, device: str, gpus_per_worker: float | None) -> tuple[Slot, ...]:
    """GPUs where the device asks for them, or leaves it open and there are some."""
    gpus = chosen_gpus(device, visible_gpus(os.environ, torch.cuda.device_count()))
    if gpus or gpus_per_worker is not None:
        return gpu_slots(count, 1.0 if gpus_per_worker is None else gpus_per_worker, gpus)
    return cpu_slots(count)


def _options(wishes: Wishes) -> tuple[str, ...]:
    return (*(("--wait",) if wishes.wait else ()), *(() if wishes.tensorboard else ("--no-tensorboard",)))


def _watch(wishes: Wishes, study: Study, poll: Callable[[], bool]) -> None:
    """Shows how the search goes while `poll` finds workers."""
    with watching(Console(stderr=wishes.as_json), "search") as watch:
        watch(progress(study, total=study.spec.budget.trials))
        while poll():
            time.sleep(POLL_SECONDS)
            watch(progress(study, total=study.spec.budget.trials))
        watch(progress(study, total=study.spec.budget.trials))


def _conclude(wishes: Wishes, study: Study) -> None:
    """Tells what came out.

    Raises:
        StudyError: the workers were asked to leave before the study was done.
    """
    now = study.again()
    if not now.is_stopped and (open_runs(now) or trials_left(now)):
        raise StudyError(
            f"Workers stay until a study is done, but they were asked to leave study {study.name!r} before; "
            "launch it again to go on"
        )
    facts = summarize(now)
    if wishes.as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        print_summary(Console(), facts)
