"""A real Ray cluster of two nodes, one of which is lost while its worker trains."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from amnl_tune.database.models import RunStatus
from amnl_tune.errors import ConfigurationError
from amnl_tune.launch import ray_cluster
from amnl_tune.launch.command import WorkerCommand


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head and a second node of one CPU each, both on this machine."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    one = {"num_cpus": 1, "object_store_memory": ray_cluster.STORE_BYTES}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patched.setenv("RAY_memory_monitor_refresh_ms", "0")  # not to kill tasks for what other tests use
        opened = Cluster(initialize_head=True, head_node_args=one | {"include_dashboard": False})
        try:
            opened.second = opened.add_node(**one)
            yield opened
        finally:
            opened.shutdown()


def processes_of(node: Any) -> list[psutil.Process]:
    """All below the node's raylet: Ray's workers, and ours below them."""
    (raylet,) = node.all_processes["raylet"]
    return psutil.Process(raylet.process.pid).children(recursive=True)


@pytest.mark.slow
def test_asked_to_end_the_workers_leave_in_order(cluster: Any, prepared: Any) -> None:
    prepared.extend(1000)  # not over before they are asked
    launched = prepared.start("--on", "ray", "--ray-address", cluster.address, "--workers", "2", "--threads", "1")
    prepared.wait_for_epochs(4)
    launched.send_signal(signal.SIGTERM)
    out, err = prepared.outcome(launched)
    assert launched.returncode == 2, out + err
    assert err.strip().splitlines()[-1].startswith("Interrupted: everything up to here is kept")
    assert "Traceback" not in err
    prepared.wait_until(lambda: not prepared.workers())  # Ray may end before them; they see that and leave
    assert sum(run.failures for run in prepared.runs()) == 0
    assert [run.status for run in prepared.runs()].count(RunStatus.WAITING) >= 1


@pytest.mark.slow
def test_a_node_that_is_lost_mid_trial_costs_nothing(cluster: Any, prepared: Any, undisturbed: Any) -> None:
    launched = prepared.start(
        "--on", "ray", "--ray-address", cluster.address, "--workers", "2", "--threads", "1", "--json"
    )
    prepared.wait_until(lambda: len(prepared.workers()) == 2)
    here = {process.pid for process in processes_of(cluster.second)}
    (victim,) = [worker for worker in prepared.workers() if worker.pid in here]
    prepared.wait_until(lambda: any(run.owner == victim.id and run.epochs_done >= 2 for run in prepared.runs()))
    os.kill(victim.pid, signal.SIGSTOP)  # a lost machine takes our process with it; this one will only lose its raylet
    cluster.remove_node(cluster.second, allow_graceful=False)
    os.kill(victim.pid, signal.SIGKILL)
    out, err = prepared.outcome(launched)
    assert launched.returncode == 0, err
    assert json.loads(out)["search_finished"]
    prepared.assert_done()
    assert prepared.curves() == undisturbed
    assert sum(run.failures for run in prepared.runs()) == 1


def test_an_address_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    with (
        pytest.raises(ConfigurationError, match=r"must lead to a running Ray cluster, but got '127.0.0.1:1'"),
        ray_cluster.connected("127.0.0.1:1"),
    ):
        pass


def test_a_share_of_gpus_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="must be a fraction up to 1 or a whole number"):
        ray_cluster.RayWorkers(WorkerCommand("tiny", 1), 2, gpus=1.5)
