"""`amnl-tune launch`: workers of a study on this machine, on Ray, on Slurm, on Kubernetes."""

import os
import signal
from typing import Annotated

import typer

from amnl_tune.bounds import MOST_GPUS, MOST_THREADS, MOST_WORKERS
from amnl_tune.cli.options import DataDir, Device, Home, Json, Storage, Study, Tensorboard, finite, settings
from amnl_tune.cli.streams import as_interrupt

RAY, SLURM, KUBERNETES = "Ray", "Slurm", "Kubernetes"

On = Annotated[str, typer.Option(metavar="LAUNCHER", help="local, ray, slurm or kubernetes.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=MOST_WORKERS, help="Workers: Slurm's array, Kubernetes' completions; else the study file's number."
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        max=MOST_GPUS,
        callback=finite,
        help="GPUs of each: 0.25 puts four workers on one, 2 gives each two; else 1 where there are GPUs.",
    ),
]
WorkerThreads = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MOST_THREADS,
        help="Threads of each; else the study file's, else the cores shared out, or 1 on a cluster.",
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait", help="They wait until the study is prepared, and stay for its promotion.")
]
ArtifactsUrl = Annotated[
    str | None,
    typer.Option(help=r"Checkpoints, where all hosts reach them: s3://..., a folder.  \[env: AMNL_TUNE_ARTIFACTS]"),
]
RayAddress = Annotated[
    str | None,
    typer.Option(help=r"A running cluster; else one starts on this machine.  \[env: RAY_ADDRESS]", rich_help_panel=RAY),
]
Partition = Annotated[str | None, typer.Option(help="Partition; else Slurm's default.", rich_help_panel=SLURM)]
Time = Annotated[
    str,
    typer.Option(help="Limit of a job, as sbatch takes it; past it, it is requeued.", rich_help_panel=SLURM),
]
SlurmOptions = Annotated[
    list[str] | None,
    typer.Option("--slurm", metavar="KEY=VALUE", help="sbatch's: account=me, qos=low.", rich_help_panel=SLURM),
]
Image = Annotated[
    str | None,
    typer.Option(
        help="Container image that the cluster can pull; deploy/Dockerfile builds it.", rich_help_panel=KUBERNETES
    ),
]
Namespace = Annotated[str | None, typer.Option(help="Namespace; else kubectl's.", rich_help_panel=KUBERNETES)]
Secret = Annotated[str, typer.Option(help="Its entry `storage` is the storage URL.", rich_help_panel=KUBERNETES)]
Memory = Annotated[str, typer.Option(help="Request and limit of a pod.", rich_help_panel=KUBERNETES)]
VolumeClaim = Annotated[
    str | None,
    typer.Option(help="PersistentVolumeClaim of the home folder, ReadWriteMany.", rich_help_panel=KUBERNETES),
]


def launch(
    study: Study,
    on: On = "local",
    workers: Workers = None,
    gpus_per_worker: Gpus = None,
    threads: WorkerThreads = None,
    wait: Wait = False,
    device: Device = None,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    artifacts: ArtifactsUrl = None,
    tensorboard: Tensorboard = True,
    as_json: Json = False,
    ray_address: RayAddress = None,
    partition: Partition = None,
    time: Time = "4:00:00",
    slurm_options: SlurmOptions = None,
    image: Image = None,
    namespace: Namespace = None,
    secret: Secret = "amnl-tune",
    memory: Memory = "4Gi",
    volume_claim: VolumeClaim = None,
) -> None:
    """Start workers of a study, here or on a cluster.

    local, ray: watched until the study is done. slurm: a job array is submitted; a job that is preempted or out of
    time is requeued and resumes its trial. kubernetes: prints an Indexed Job for `kubectl apply -f -`.
    """
    signal.signal(signal.SIGTERM, as_interrupt)
    from amnl_tune.cli import launchers
    from amnl_tune.launch.command import Launcher

    launcher = Launcher.named(on)
    wishes = launchers.Wishes(
        study=study,
        places=settings(storage, home, data_dir, artifacts),
        workers=workers,
        gpus=gpus_per_worker,
        threads=threads,
        device=device,
        wait=wait,
        tensorboard=tensorboard,
        as_json=as_json,
    )
    match launcher:
        case Launcher.LOCAL:
            launchers.on_this_machine(wishes)
        case Launcher.RAY:
            launchers.on_ray(wishes, ray_address or os.environ.get("RAY_ADDRESS"))
        case Launcher.SLURM:
            launchers.on_slurm(wishes, partition, time, tuple(slurm_options or ()))
        case Launcher.KUBERNETES:
            given = storage or os.environ.get("AMNL_TUNE_STORAGE")
            launchers.on_kubernetes(wishes, given, image, namespace, secret, memory, volume_claim, data_dir)
