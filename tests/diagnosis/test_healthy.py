"""A healthy cluster has no findings: also with history, work in progress, and things that are meant to be so."""

from collections.abc import Callable

import pytest

from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster, ago
from tests.diagnosis.shop import shop


def old_warnings() -> Cluster:
    """Start-up noise and failures that have resolved by themselves."""
    c = shop()
    pod, sets = c.pods("cart")[0], c.objects["ReplicaSet"][0]
    c.event(pod, "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu", age=3000)
    c.event(pod, "Unhealthy", "Readiness probe failed: connection refused", age=3000)
    c.event(pod, "Failed", 'Failed to pull image "cart:1.0": manifest unknown', age=3000)
    c.event(pod, "BackOff", "Back-off restarting failed container", age=3000)
    c.event(pod, "FailedMount", 'MountVolume.SetUp failed for volume "x": secret "x" not found', age=3000)
    c.event(
        sets, "FailedCreate", 'error looking up service account prod/cart: serviceaccount "cart" not found', age=3000
    )
    c.event(c.get("Node", "worker-1"), "NodeNotReady", "Node worker-1 status is now: NodeNotReady", age=3000)
    c.event(c.get("Node", "worker-1"), "Rebooted", "Node worker-1 has been rebooted", age=3000)
    return c


def old_restart() -> Cluster:
    """A container that was OOM-killed yesterday and has been well since."""
    c = shop()
    state = c.pods("cart")[0]["status"]["containerStatuses"][0]
    state.update(
        restartCount=2, lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": ago(86400)}}
    )
    return c


def cordoned_for_maintenance() -> Cluster:
    """A cordoned node while nothing waits."""
    c = shop()
    c.get("Node", "worker-2")["spec"]["unschedulable"] = True
    return c


def finished_job() -> Cluster:
    """A Job that failed once, was retried and completed, with its pods still there."""
    c = shop()
    done = {"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1, "failed": 1}
    c.add("Job", "nightly", api="batch/v1", spec={}, status=done)
    for index, phase in enumerate(("Failed", "Succeeded")):
        owner = [{"kind": "Job", "name": "nightly", "controller": True}]
        meta = {"labels": {"app": "nightly"}, "ownerReferences": owner}
        c.add("Pod", f"nightly-{index}", metadata=meta, spec={"containers": []}, status={"phase": phase})
    return c


def rollout_in_progress() -> Cluster:
    """A new pod that started seconds ago and is not ready yet."""
    c = shop()
    pod = c.unready("cart")
    pod["metadata"]["creationTimestamp"] = ago(8)
    pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = ago(5)
    return c


def parked() -> Cluster:
    """A workload at zero that nobody needs, and a suspended CronJob."""
    c = shop()
    obj = c.app("batch", port=0, service=False, replicas=0)
    obj["spec"]["replicas"] = 0
    c.add("CronJob", "report", api="batch/v1", spec={"schedule": "0 3 * * *", "suspend": True})
    return c


def terminating() -> Cluster:
    """A pod that is being deleted and no longer ready."""
    c = shop()
    extra = c.pod("cart", ("ReplicaSet", "cart-6d4f5c7b9d"), c.get("Deployment", "cart")["spec"]["template"], 3)
    extra["metadata"]["deletionTimestamp"] = ago(5)
    extra["status"]["containerStatuses"][0]["ready"] = False
    return c


def external_addresses() -> Cluster:
    """Addresses that lie outside the cluster, and a name that no one knows."""
    c = Cluster()
    c.app(
        "front",
        env={"API_URL": "https://api.example.com:8443/v1", "STATSD_HOST": "telemetry-sink", "GREETING": "hello:8080x"},
    )
    return c


def headless() -> Cluster:
    """A headless Service is called on its pods' ports; a Service without selector has endpoints of its own."""
    c = Cluster()
    c.app("db", port=5432, kind="StatefulSet")
    c.get("Service", "db")["spec"].update(clusterIP="None", ports=[{"port": 9999, "targetPort": 5432}])
    c.app("front", env={"DB_URL": "postgres://db:5432/x"})
    c.add("Service", "legacy", spec={"ports": [{"port": 80}]})
    return c


def one_port_two_protocols() -> Cluster:
    """A Service that forwards UDP and TCP to one port, of which its containers declare only one."""
    c = shop()
    both = [{"name": n, "port": 7070, "targetPort": 7070, "protocol": p} for n, p in (("u", "UDP"), ("t", "TCP"))]
    c.get("Service", "cart")["spec"]["ports"] = both
    return c


def steady_metrics() -> Cluster:
    """Series with noise, a daily swing and an old XID."""
    c = shop()
    for name in ("cart", "front"):
        c.series("latency_p99", [0.02 + 0.004 * (i % 5) for i in range(60)], namespace="prod", workload=name)
        c.series("error_ratio", [0.001] * 60, namespace="prod", workload=name)
    c.series("gpu_xid", [79.0] * 60, node="worker-1", gpu="0", namespace="", pod="")
    c.series(
        "cpu_throttle_ratio", [0.4] * 60, namespace="prod", pod=c.pods("cart")[0]["metadata"]["name"], container="main"
    )
    return c


@pytest.mark.parametrize(
    "make",
    [old_warnings, old_restart, cordoned_for_maintenance, finished_job, rollout_in_progress, parked, terminating,
     external_addresses, headless, one_port_two_protocols, steady_metrics, shop],
)  # fmt: skip
def test_nothing_is_found(make: Callable[[], Cluster]) -> None:
    found = diagnose(make().dump())
    assert [(d.cause, d.summary) for d in found.diagnoses] == []


def test_only_kubernetes_or_only_metrics() -> None:
    c = Cluster()
    assert diagnose(c.dump(objects={})).diagnoses == ()
    c.step("node_gpu_allocatable", 8, 7, node="worker-9")
    assert [d.cause for d in diagnose(c.dump(objects={})).diagnoses] == ["gpu_missing_from_allocatable"]
