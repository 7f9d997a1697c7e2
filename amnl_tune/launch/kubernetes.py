"""Workers as an Indexed Job of Kubernetes: a manifest for `kubectl apply`, built without a cluster or a database.

https://kubernetes.io/docs/concepts/workloads/controllers/job/ (completionMode Indexed, backoffLimitPerIndex,
podFailurePolicy). A worker needs no seed of its own: the trials' seeds come from the study's seed and the trial's
slot. Kubernetes calls each pod's host JOB-INDEX, by which the completion index appears wherever workers are listed.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from amnl_tune.errors import ConfigurationError
from amnl_tune.launch.command import WorkerCommand
from amnl_tune.launch.slots import check_share
from amnl_tune.launch.supervision import USER_ERROR
from amnl_tune.masking import masked
from amnl_tune.version import __version__

TERMINATION_SECONDS = 30
"""terminationGracePeriodSeconds: a worker leaves within 20 s of SIGTERM."""

RETRIES_PER_INDEX = 10
OLDEST = "1.29"
"""Kubernetes that knows backoffLimitPerIndex without an alpha gate; an older one ignores it, or refuses the job."""
KEPT_SECONDS = 7 * 24 * 3600
HOME = "/var/lib/amnl-tune"
SECRET_KEY = "storage"
USER = 10001
NAME_LENGTH = 52
"""The host name JOB-INDEX is a DNS label of at most 63 characters."""


@dataclass(frozen=True)
class PodSettings:
    """What a pod needs beyond its worker's command.

    Attributes:
        image: with amnl-tune in it, where the cluster pulls it from; None is refused, since no registry has one.
        namespace: None: kubectl's own.
        secret: name of the Secret whose entry `storage` is the storage URL; others become variables by their names.
        memory: request and limit, in Kubernetes' words (4Gi).
        gpus: whole ones, of nvidia.com/gpu.
        artifacts: URL of checkpoints; None: they are on the volume.
        volume_claim: PersistentVolumeClaim of the home folder, with the data and, without `artifacts`, the
            checkpoints; shared by all pods.
        data_dir: folder of the image that holds the data; None: the home folder's.
    """

    image: str | None
    namespace: str | None
    secret: str
    memory: str
    gpus: float
    artifacts: str | None = field(repr=False)
    volume_claim: str | None
    data_dir: Path | None = None

    def __post_init__(self) -> None:
        """Raises ConfigurationError for what Kubernetes could not do, or what every pod would fail at."""
        if self.gpus:
            check_share(self.gpus)
        if self.gpus != int(self.gpus):
            raise ConfigurationError(
                f"Kubernetes must give a pod whole GPUs, but got --gpus-per-worker {self.gpus:g}; use "
                "--gpus-per-worker 1, where the device plugin's time-slicing can make several of one GPU"
            )
        if not self.artifacts and not self.volume_claim:
            raise ConfigurationError(
                "Checkpoints must outlive their pod, but got neither --artifacts nor --volume-claim; "
                "use --artifacts s3://BUCKET/FOLDER, or --volume-claim with a ReadWriteMany claim"
            )
        if not self.data_dir and not self.volume_claim:
            raise ConfigurationError(
                "Pods must find the study's data, but got neither --volume-claim nor --data-dir; use --volume-claim "
                "with a claim that has them in its folder data, or --data-dir with a folder of the image"
            )
        if self.artifacts and "://" not in self.artifacts:
            raise ConfigurationError(
                f"Pods share no folder, so `--artifacts` must be a URL, but got {masked(self.artifacts)!r}; "
                "use s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or --volume-claim"
            )
        if self.artifacts and masked(self.artifacts) != self.artifacts:
            raise ConfigurationError(
                f"A manifest must have no secret in it, but got --artifacts {masked(self.artifacts)}; leave the keys "
                f"out of the URL; pods have them from their service account, or from the Secret {self.secret!r}, whose "
                "entries are variables there (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
            )
        if not self.image:
            kind = " --build-arg TORCH=cuda" if self.gpus else ""
            name = f"REGISTRY/amnl-tune:{__version__}"
            raise ConfigurationError(
                "Pods must be given an image that their cluster can pull, but got no --image; build and push one from "
                f"amnl-tune's checkout, `docker build -f deploy/Dockerfile{kind} -t {name} .` and "
                f"`docker push {name}`, then use --image {name}"
            )


def worker_job(command: WorkerCommand, workers: int, pod: PodSettings) -> dict[str, Any]:
    """The Job, as `kubectl apply` takes it."""
    metadata = {
        "name": _name(command.study),
        "labels": _labels(command.study),
        "annotations": {"amnl-tune/needs": f"Kubernetes {OLDEST} or later"},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata | ({"namespace": pod.namespace} if pod.namespace else {}),
        "spec": {
            "completionMode": "Indexed",
            "completions": workers,
            "parallelism": workers,
            "backoffLimitPerIndex": RETRIES_PER_INDEX,
            "podFailurePolicy": {"rules": _failure_rules()},
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"metadata": {"labels": _labels(command.study)}, "spec": _pod(command, pod)},
        },
    }


def as_yaml(job: dict[str, Any], secret: str) -> str:
    """The manifest as text, headed by what it needs to find in the cluster."""
    namespace = f" --namespace {job['metadata']['namespace']}" if "namespace" in job["metadata"] else ""
    head = (
        f"# Needs Kubernetes {OLDEST} or later, for backoffLimitPerIndex and podFailurePolicy.\n"
        f"# Needs the Secret {secret!r} with the storage URL. Once, with the URL in $AMNL_TUNE_STORAGE:\n"
        f'#   printf %s "$AMNL_TUNE_STORAGE" | '
        f"kubectl create secret generic {secret}{namespace} --from-file={SECRET_KEY}=/dev/stdin\n"
    )
    return head + str(yaml.safe_dump(job, sort_keys=False, width=120))


def _failure_rules() -> list[dict[str, Any]]:
    """A preempted or drained pod costs no retry; a user's mistake would be the same in every pod."""
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": "worker", "operator": "In", "values": [USER_ERROR]},
        },
    ]


def _pod(command: WorkerCommand, pod: PodSettings) -> dict[str, Any]:
    claim = {"persistentVolumeClaim": {"claimName": pod.volume_claim}} if pod.volume_claim else {"emptyDir": {}}
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": TERMINATION_SECONDS,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(command, pod)],
        "volumes": [{"name": "home", **claim}, {"name": "tmp", "emptyDir": {}}],
    }


def _container(command: WorkerCommand, pod: PodSettings) -> dict[str, Any]:
    resources = {"cpu": str(command.threads), "memory": pod.memory}
    gpus = {"nvidia.com/gpu": str(int(pod.gpus))} if pod.gpus else {}
    return {
        "name": "worker",
        "image": pod.image,
        "command": ["amnl-tune"],
        "args": list(command.words),
        "env": _environment(command, pod),
        "envFrom": [{"secretRef": {"name": pod.secret}}],
        "resources": {"requests": resources | gpus, "limits": resources | gpus},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "home", "mountPath": HOME}, {"name": "tmp", "mountPath": "/tmp"}],
    }


def _environment(command: WorkerCommand, pod: PodSettings) -> list[dict[str, Any]]:
    places = {"AMNL_TUNE_HOME": HOME, "HOME": "/tmp"}  # libraries cache below $HOME, and the image is read-only
    if pod.artifacts:
        places["AMNL_TUNE_ARTIFACTS"] = pod.artifacts
    if pod.data_dir:
        places["AMNL_TUNE_DATA"] = str(pod.data_dir)
    storage = {"secretKeyRef": {"name": pod.secret, "key": SECRET_KEY}}
    return [
        {"name": "AMNL_TUNE_STORAGE", "valueFrom": storage},
        *({"name": name, "value": value} for name, value in (places | command.full_environment).items()),
    ]


def _name(study: str) -> str:
    """A DNS label: lower case, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", f"amnl-tune-{study}".lower())[:NAME_LENGTH].strip("-")


def _labels(study: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "amnl-tune",
        "app.kubernetes.io/component": "worker",
        "amnl-tune/study": study[:63].rstrip("-_."),
    }
