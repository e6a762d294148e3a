"""State signals: what must be seen, and what must be left alone."""

import pytest

from detectors.state import anomalies
from tests.detectors.objects import (
    NOW,
    Json,
    ago,
    condition,
    deployment,
    dump,
    event,
    job,
    meta,
    node,
    pod,
    replica_set,
    service,
    unschedulable,
    waiting,
)

ENDED = {"exitCode": 1, "reason": "Error", "startedAt": ago(120), "finishedAt": ago(60)}
OOM = {"exitCode": 137, "reason": "OOMKilled", "startedAt": ago(120), "finishedAt": ago(60)}
ROLLING = condition("Progressing", "True", 120, reason="ReplicaSetUpdated")
STALLED = condition("Progressing", "False", 60, reason="ProgressDeadlineExceeded", message="timed out")
REFUSED = condition("ReplicaFailure", "True", 60, reason="FailedCreate", message="exceeded quota: team")
CRON: Json = {"kind": "CronJob", "metadata": meta("nightly"), "spec": {}}
FAILED = [condition("Failed", "True", 300, reason="BackoffLimitExceeded")]


def _signals(*objects: Json) -> list[str]:
    return [one.signal for one in anomalies(dump(*objects))]


def _claim(name: str = "data", age: float = 600, phase: str = "Pending", storage: str = "fast") -> Json:
    spec = {"storageClassName": storage}
    return {"kind": "PersistentVolumeClaim", "metadata": meta(name, age), "spec": spec, "status": {"phase": phase}}


def _caller(host: str) -> Json:
    return pod("caller", containers=[{"name": "app", "env": [{"name": "CART", "value": f"http://{host}:8080"}]}])


def _ported(name: str) -> Json:
    made = service(name, name)
    made["spec"]["ports"] = [{"port": 80, "targetPort": "http"}]
    return made


def _slice(name: str, *, ports: list[Json] | None) -> Json:
    labels = {"kubernetes.io/service-name": name}
    made = {"kind": "EndpointSlice", "metadata": meta(f"{name}-1") | {"labels": labels}, "ports": ports}
    return made | {"endpoints": [{"addresses": ["10.0.0.1"]}]}


TROUBLE = {
    "image": ([pod("p", state=waiting("ImagePullBackOff"), ready=False)], "pod_waiting"),
    "config": ([pod("p", state=waiting("CreateContainerConfigError"), ready=False)], "pod_waiting"),
    "crash loop": ([pod("p", state=waiting("CrashLoopBackOff"), restarts=3, last=ENDED, ready=False)], "pod_crashing"),
    "crashes between runs": ([pod("p", restarts=5, last=ENDED)], "pod_crashing"),
    "out of memory": ([pod("p", restarts=1, last=OOM)], "container_oom_killed"),
    "no node": ([pod("p", phase="Pending", ready=False, conditions=unschedulable())], "pod_unschedulable"),
    "a job in the queue for long": (
        [job("j"), pod("p", owner=job("j"), phase="Pending", ready=False, conditions=unschedulable(age=1200))],
        "pod_unschedulable",
    ),
    "mount": (
        [
            pod("p", phase="Pending", state=waiting("ContainerCreating"), ready=False, age=120),
            event(pod("p"), "FailedMount", 'configmap "x" not found'),
        ],
        "pod_not_starting",
    ),
    "was ready": ([pod("p", ready=False, since=100, age=3600)], "pod_not_ready"),
    "never ready": ([pod("p", ready=False, since=900, age=900)], "pod_not_ready"),
    "stuck": ([pod("p") | {"metadata": meta("p", deletionTimestamp=ago(900))}], "pod_stuck_terminating"),
    "stalled rollout": ([deployment(progressing=STALLED, available=0)], "rollout_stalled"),
    "quota": ([deployment(conditions=[REFUSED], available=0)], "replicas_refused"),
    "unavailable": (
        [deployment(available=0, conditions=[condition("Available", "False", 200)])],
        "replicas_unavailable",
    ),
    "failed job": ([job("j", conditions=FAILED)], "job_failed"),
    "claim": ([_claim(), pod("p", volumes=[{"persistentVolumeClaim": {"claimName": "data"}}])], "claim_pending"),
    "lost claim": ([_claim(phase="Lost")], "claim_lost"),
    "node gone": ([node(conditions=[condition("Ready", "Unknown", 60)])], "node_not_ready"),
    "disk": ([node(conditions=[condition("Ready", "True"), condition("DiskPressure", "True", 90)])], "node_pressure"),
    "gpu condition": ([node(conditions=[condition("GpuNvlinkWatch", "True", 90)])], "node_problem"),
    "scaled to zero": (
        [deployment("cart", replicas=0, available=0), service("cart", "cart"), _caller("cart")],
        "service_without_endpoints",
    ),
    "a port without that name": (
        [_ported("cart"), pod("c", labels={"app": "cart"}), _slice("cart", ports=None), _caller("cart")],
        "service_without_endpoints",
    ),
    "selector": (
        [service("cart", "typo"), pod("c", labels={"app": "cart"}), _caller("cart.shop.svc.cluster.local")],
        "service_without_endpoints",
    ),
}

CALM = {
    "a service that reaches its pods": [
        _ported("cart"),
        pod("c", labels={"app": "cart"}),
        _slice("cart", ports=[{"port": 8080}]),
        _caller("cart"),
    ],
    "healthy": [deployment(), pod("p"), node(), service("cart", "cart")],
    "an image is being pulled": [
        pod("p", phase="Pending", state=waiting("ErrImagePull"), ready=False, since=20, age=20)
    ],
    "one restart long ago": [pod("p", restarts=1, last=ENDED | {"finishedAt": ago(7200)})],
    "one restart just now": [pod("p", restarts=1, last=ENDED)],
    "a job that is retried": [
        job("j"),
        pod("p", owner=job("j"), state=waiting("CrashLoopBackOff"), restarts=3, last=ENDED, ready=True),
        pod("q", owner=job("j"), phase="Failed", ready=False),
    ],
    "a job that succeeded after a failed one": [
        CRON,
        job("j1", owner=CRON, conditions=FAILED),
        job("j2", owner=CRON, age=100, conditions=[condition("Complete", "True", 10)]),
    ],
    "a job that failed yesterday": [job("j", conditions=[condition("Failed", "True", 90_000)])],
    "pods waiting in a job's queue for a moment": [
        job("j"),
        pod("p", owner=job("j"), phase="Pending", ready=False, conditions=unschedulable(age=300)),
    ],
    "a rollout within its deadline": [
        deployment(replicas=3, available=2, progressing=ROLLING),
        replica_set(deployment()),
        pod("p", ready=False, since=119, age=119, owner=replica_set(deployment())),
    ],
    "a new deployment that warms up": [
        deployment(available=0, progressing=ROLLING, conditions=[condition("Available", "False", 200)]),
        replica_set(deployment()),
        pod("p", ready=False, since=500, age=500, owner=replica_set(deployment()), labels={"app": "web"}),
        service("web", "web"),
        _caller("web"),
    ],
    "containers being created": [pod("p", phase="Pending", state=waiting("ContainerCreating"), ready=False, age=100)],
    "a node under maintenance, emptied": [
        node(cordoned=True, conditions=[condition("Ready", "Unknown", 600)]),
        pod("d", owner={"kind": "DaemonSet", "metadata": {"name": "agent"}}),
    ],
    "a cordoned node nobody waits for": [node(cordoned=True), pod("p")],
    "a node that blinks": [node(conditions=[condition("Ready", "Unknown", 10)])],
    "a claim that waits for its first consumer": [
        _claim(),
        {"kind": "StorageClass", "metadata": {"name": "fast"}, "volumeBindingMode": "WaitForFirstConsumer"},
    ],
    "a service nobody calls": [service("cart", "cart"), deployment("cart", replicas=0, available=0)],
    "a replica that has just been asked for and has no node yet": [
        deployment(replicas=2, available=1, conditions=[condition("Available", "False", 100)]),
        replica_set(deployment()),
        pod("p", owner=replica_set(deployment()), phase="Pending", ready=False, conditions=unschedulable(age=100)),
    ],
    "a finished pod": [pod("p", phase="Succeeded", ready=False)],
    "old warnings": [pod("p"), event(pod("p"), "FailedMount", "x", age=50)],
    "an empty dump": [],
}


@pytest.mark.parametrize(("objects", "signal"), TROUBLE.values(), ids=list(TROUBLE))
def test_trouble_is_seen(objects: list[Json], signal: str) -> None:
    assert signal in _signals(*objects)


@pytest.mark.parametrize("objects", CALM.values(), ids=list(CALM))
def test_what_is_normal_is_left_alone(objects: list[Json]) -> None:
    assert _signals(*objects) == []


def test_a_cordon_is_named_when_pods_wait_for_that_very_reason() -> None:
    message = "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) were unschedulable."
    pending = pod("p", phase="Pending", ready=False, conditions=unschedulable(message))
    found = _signals(node(cordoned=True), pending)
    assert "node_cordoned" in found
    assert "node_cordoned" not in _signals(node(cordoned=True), pod("p", phase="Pending", conditions=unschedulable()))
    elsewhere = pending | {"spec": pending["spec"] | {"nodeSelector": {"pool": "gpu"}}}
    assert "node_cordoned" not in _signals(node(cordoned=True), elsewhere)


def test_pods_of_one_deployment_are_one_anomaly_with_a_stable_fingerprint() -> None:
    owner = deployment(available=0)
    made = replica_set(owner)
    several = [pod(f"web-1-{i}", state=waiting("ImagePullBackOff"), ready=False, owner=made) for i in range(3)]
    (first,) = [a for a in anomalies(dump(owner, made, *several)) if a.signal == "pod_waiting"]
    others = pod("web-1-z", state=waiting("ErrImagePull"), ready=False, owner=made)
    (later,) = [a for a in anomalies(dump(owner, made, others)) if a.signal == "pod_waiting"]
    assert first.fingerprint == later.fingerprint
    assert first.value == 3
    assert first.labels["owner"] == "Deployment/web"
    assert first.onset <= NOW
    assert first.source == "state"


def test_what_an_api_object_says_is_made_harmless() -> None:
    said = "pull \x1b[31mhttps://u:pw@registry/x failed\x1b[0m password=hunter2"
    (found,) = anomalies(dump(pod("p", state=waiting("ErrImagePull", said), ready=False)))
    assert "hunter2" not in found.summary
    assert "\x1b" not in found.summary
    assert ":pw@" not in found.summary
