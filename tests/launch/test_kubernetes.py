"""The manifest against Kubernetes' own schemas, which refuse any key that they do not know."""

import copy
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from amnl_tune.errors import ConfigurationError
from amnl_tune.launch.command import WorkerCommand
from amnl_tune.launch.kubernetes import PodSettings, as_yaml, worker_job

VERSIONS = ["1.29", "1.31", "1.33", kubernetes_validate.latest_version()]
"""From the first that knows `backoffLimitPerIndex` without an alpha gate."""

SECRET_URL = "postgresql://me:geheim@db/amnl"
COMMAND = WorkerCommand("fd001", 4, ("--device", "cuda"), {})


def pod(**changes: object) -> PodSettings:
    given: dict[str, object] = {
        "image": "registry.example/amnl-tune:1",
        "namespace": "rul",
        "secret": "storage-url",
        "memory": "8Gi",
        "gpus": 2.0,
        "artifacts": "s3://bucket/fd001",
        "volume_claim": "data",
    }
    return PodSettings(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "changes",
    [{}, {"namespace": None, "gpus": 0.0, "volume_claim": None, "data_dir": Path("/data")}],
    ids=["all", "least"],
)
def test_the_official_schemas_accept_it(changes: dict[str, object], version: str) -> None:
    job = yaml.safe_load(as_yaml(worker_job(COMMAND, 8, pod(**changes)), "storage-url"))
    assert kubernetes_validate.validate(job, version, strict=True) == version.removesuffix(".0")


def test_it_says_which_kubernetes_it_needs() -> None:
    """The first whose schema knows all of it is the one that the job names."""
    job = worker_job(COMMAND, 8, pod())
    assert as_yaml(job, "s").splitlines()[0].startswith(f"# Needs Kubernetes {VERSIONS[0]} or later")
    assert job["metadata"]["annotations"] == {"amnl-tune/needs": f"Kubernetes {VERSIONS[0]} or later"}


def test_the_schemas_would_notice() -> None:
    job = worker_job(COMMAND, 8, pod())
    for spoil in (
        lambda spec: spec.update(completion=8),
        lambda spec: spec.update(completions="8"),
        lambda spec: spec["template"]["spec"].pop("containers"),
        lambda spec: spec["podFailurePolicy"]["rules"][1].pop("action"),
    ):
        spoilt = copy.deepcopy(job)
        spoil(spoilt["spec"])
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(spoilt, VERSIONS[-1], strict=True)


def test_what_the_job_says() -> None:
    job = worker_job(COMMAND, 8, pod())
    spec, template = job["spec"], job["spec"]["template"]["spec"]
    (container,) = template["containers"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 8, 8)
    assert (template["restartPolicy"], template["terminationGracePeriodSeconds"]) == ("Never", 30)
    assert container["command"] + container["args"] == [
        "amnl-tune", "worker", "fd001", "--threads", "4", "--device", "cuda",
    ]  # fmt: skip
    assert container["resources"]["limits"] == {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "2"}
    assert container["resources"]["requests"] == container["resources"]["limits"]
    environment = {entry["name"]: entry for entry in container["env"]}
    assert environment["AMNL_TUNE_STORAGE"]["valueFrom"] == {"secretKeyRef": {"name": "storage-url", "key": "storage"}}
    assert container["envFrom"] == [{"secretRef": {"name": "storage-url"}}]
    assert environment["AMNL_TUNE_ARTIFACTS"]["value"] == "s3://bucket/fd001"
    assert environment["OMP_NUM_THREADS"]["value"] == "4"
    assert template["securityContext"]["runAsNonRoot"]
    rules = spec["podFailurePolicy"]["rules"]
    assert [rule["action"] for rule in rules] == ["Ignore", "FailJob"]
    assert rules[1]["onExitCodes"]["values"] == [2]


@pytest.mark.parametrize("study", ["fd001", "FD001_wide.v2-", "x" * 100])
def test_any_study_name_makes_a_legal_job_name(study: str) -> None:
    name = worker_job(WorkerCommand(study, 1), 1000, pod())["metadata"]["name"]
    host = f"{name}-999"  # pods' host names: JOB-INDEX
    assert len(host) <= 63
    assert all(part.isalnum() for part in host.split("-"))
    assert host == host.lower()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gpus": 0.25}, "whole GPUs, but got --gpus-per-worker 0.25; use --gpus-per-worker 1"),
        ({"artifacts": None, "volume_claim": None}, "got neither --artifacts nor --volume-claim; use"),
        ({"volume_claim": None}, "must find the study's data, but got neither --volume-claim nor --data-dir; use"),
        ({"image": None}, r"--build-arg TORCH=cuda -t REGISTRY/amnl-tune:.* then use --image REGISTRY/amnl-tune"),
        ({"image": None, "gpus": 0.0}, r"docker build -f deploy/Dockerfile -t REGISTRY/amnl-tune"),
        ({"artifacts": "/mnt/artifacts"}, "must be a URL, but got '/mnt/artifacts'; use s3://"),
    ],
)
def test_what_pods_cannot_do(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        pod(**changes)
