"""The real control plane itself: up in time, runs pods on fake GPU nodes, keeps roles apart, can be broken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.cluster.client import JsonObject
from tests.cluster.control_plane import ControlPlane, Parts, control_plane
from tests.cluster.processes import wait_until
from tests.cluster.prometheus import load_history, start_prometheus
from tests.cluster.workloads import FAULT, deployment, gpu_node, namespace

pytestmark = pytest.mark.cluster

NAMESPACE = "shop"


@pytest.fixture(scope="module")
def shop(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The cluster with three GPU nodes and a namespace that the executor may work in."""
    admin = cluster.client()
    admin.create_all([*(gpu_node(f"gpu-{index}") for index in range(3)), namespace(NAMESPACE)])
    cluster.grant_executor(NAMESPACE)
    wait_until(lambda: all(_ready(node) for node in admin.get("/api/v1/nodes")["items"]), what="three nodes Ready")
    yield cluster


def test_it_is_ready_within_thirty_seconds_and_leaves_nothing_behind(needs_programs: None, tmp_path: Path) -> None:
    started = time.monotonic()
    with control_plane(tmp_path, Parts()) as plane:
        took = time.monotonic() - started
        pids = [process.pid for process in plane.processes]
        assert plane.client().get("/version")["gitVersion"] == "v1.33.13"
    assert took < 30
    assert len(pids) == 5
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_twenty_gpu_pods_run(shop: ControlPlane) -> None:
    shop.client().create(deployment("train", namespace=NAMESPACE, replicas=20, gpus=1))
    _await_pods(
        shop, "train", lambda pods: len(pods) == 20 and all(pod["status"]["phase"] == "Running" for pod in pods)
    )
    nodes = {pod["spec"]["nodeName"] for pod in _pods(shop, "train")}
    assert nodes == {"gpu-0", "gpu-1", "gpu-2"}


def test_prometheus_sees_the_pods_through_kube_state_metrics(shop: ControlPlane) -> None:
    shop.client().create(deployment("seen", namespace=NAMESPACE))
    prometheus = shop.prometheus
    assert prometheus is not None
    query = f'sum(kube_pod_status_phase{{namespace="{NAMESPACE}",pod=~"seen-.*",phase="Running"}})'
    wait_until(lambda: [each["value"][1] for each in prometheus.query(query)] == ["1"], what=f"{query} = 1")


def test_the_reader_reads_and_cannot_write(shop: ControlPlane) -> None:
    shop.client().create(deployment("readable", namespace=NAMESPACE))
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/readable"
    assert shop.client("reader").get(path)["metadata"]["name"] == "readable"
    assert _scale(shop, "reader", path).status_code == 403
    assert shop.client("reader").http.get("/api/v1/secrets").status_code == 403
    assert [event["responseStatus"]["code"] for event in shop.writes_by("reader")] == [403]


def test_the_executor_writes_only_where_it_may(shop: ControlPlane) -> None:
    shop.client().create(deployment("writable", namespace=NAMESPACE))
    shop.client().create(deployment("system", namespace="kube-system"))
    before = len(shop.writes_by("executor"))
    assert _scale(shop, "executor", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/writable").status_code == 200
    assert _scale(shop, "executor", "/apis/apps/v1/namespaces/kube-system/deployments/system").status_code == 403
    written = shop.writes_by("executor")[before:]
    assert [event["responseStatus"]["code"] for event in written] == [200, 403]
    assert written[0]["requestObject"] == {"spec": {"replicas": 2}}


def test_the_shipped_fence_holds_what_the_roles_would_allow(shop: ControlPlane) -> None:
    admin = shop.client()
    shop.grant_executor("kube-system")
    admin.create(deployment("protected", namespace="kube-system"))
    admin.create(deployment("fenced", namespace=NAMESPACE))
    protected = "/apis/apps/v1/namespaces/kube-system/deployments/protected"
    fenced = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/fenced"
    # The API server compiles a new policy within seconds of its creation.
    wait_until(lambda: "protected namespaces" in _scale(shop, "executor", protected).text, what="the policy's refusal")
    assert "five times" in _scale(shop, "executor", fenced, replicas=6).text
    assert _scale(shop, "executor", fenced, replicas=5).status_code == 200
    assert "five times" in _scale(shop, "executor", f"{fenced}/scale", replicas=26).text
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "any"}}
    refused = shop.client("executor").http.post("/api/v1/namespaces/kube-system/pods/any/eviction", json=eviction)
    assert "protected namespaces" in refused.text


@pytest.mark.parametrize("fault", ["CrashLoopBackOff", "ImagePullBackOff", "CreateContainerConfigError"])
def test_a_fault_shows_as_a_waiting_reason(shop: ControlPlane, fault: str) -> None:
    name = fault.lower()
    shop.client().create(deployment(name, namespace=NAMESPACE, annotations={FAULT: fault}))
    _await_pods(shop, name, lambda pods: [_waiting(pod) for pod in pods] == [fault])
    assert not _ready(_pods(shop, name)[0])


def test_what_a_container_waits_for_can_be_said(shop: ControlPlane) -> None:
    said = "couldn't find key MODE in ConfigMap shop/settings"
    annotations = {FAULT: "CreateContainerConfigError", "kwok.infra-copilot/message": said}
    shop.client().create(deployment("keyless", namespace=NAMESPACE, annotations=annotations))
    _await_pods(shop, "keyless", lambda pods: bool(pods) and bool(_waiting(pods[0])))
    assert _container(_pods(shop, "keyless")[0])["state"]["waiting"]["message"] == said


def test_an_oom_kill_shows_and_keeps_restarting(shop: ControlPlane) -> None:
    shop.client().create(deployment("oom", namespace=NAMESPACE, annotations={FAULT: "OOMKilled"}))
    _await_pods(shop, "oom", lambda pods: bool(pods) and _container(pods[0]).get("restartCount", 0) >= 2)
    last = _container(_pods(shop, "oom")[0])["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("OOMKilled", 137)


def test_a_pod_can_run_and_not_be_ready(shop: ControlPlane) -> None:
    shop.client().create(deployment("unready", namespace=NAMESPACE, annotations={FAULT: "NotReady"}))
    _await_pods(shop, "unready", lambda pods: bool(pods) and pods[0]["status"]["phase"] == "Running")
    assert not _ready(_pods(shop, "unready")[0])


def test_too_many_gpus_stay_pending(shop: ControlPlane) -> None:
    shop.client().create(deployment("greedy", namespace=NAMESPACE, gpus=9))
    _await_pods(shop, "greedy", lambda pods: bool(pods) and "Insufficient nvidia.com/gpu" in _scheduling(pods[0]))
    assert _pods(shop, "greedy")[0]["status"]["phase"] == "Pending"


@pytest.mark.parametrize(
    ("bit", "change"),
    [
        ("while-image=registry.example/app:1.0", {"image": "registry.example/app:0.9"}),
        ("while-memory=1Gi", {"resources": {"limits": {"memory": "2Gi"}}}),
        ("while-env=MODE=", {"env": [{"name": "MODE", "value": "fast"}]}),
    ],
)
def test_the_right_change_heals_and_a_wrong_one_does_not(shop: ControlPlane, bit: str, change: JsonObject) -> None:
    kind, _, value = bit.partition("=")
    name = f"healed-by-{kind}"
    broken = deployment(
        name, namespace=NAMESPACE, annotations={FAULT: "CrashLoopBackOff", f"kwok.infra-copilot/{kind}": value}
    )
    broken["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "MODE", "value": ""}]
    shop.client().create(broken)
    _await_pods(shop, name, lambda pods: [_waiting(pod) for pod in pods] == ["CrashLoopBackOff"])
    _patch_container(shop, name, {"workingDir": "/elsewhere"})
    _await_pods(shop, name, lambda pods: len(pods) == 2 and all(_waiting(pod) for pod in pods))
    _patch_container(shop, name, change)
    _await_pods(shop, name, lambda pods: len(pods) == 1 and _ready(pods[0]))


@pytest.mark.parametrize(
    ("fault", "condition", "status"), [("NotReady", "Ready", "False"), ("DiskPressure", "DiskPressure", "True")]
)
def test_a_node_breaks_and_recovers(shop: ControlPlane, fault: str, condition: str, status: str) -> None:
    admin, path = shop.client(), f"/api/v1/nodes/{fault.lower()}"
    admin.create(gpu_node(fault.lower()))
    wait_until(lambda: _ready(admin.get(path)), what="node Ready")
    admin.patch(path, {"metadata": {"annotations": {FAULT: fault}}})
    wait_until(lambda: _condition(admin.get(path), condition) == status, what=f"{condition}={status}")
    admin.patch(path, {"metadata": {"annotations": {FAULT: None}}})
    wait_until(
        lambda: _ready(admin.get(path)) and _condition(admin.get(path), "DiskPressure") == "False", what="recovery"
    )
    admin.delete(path)


def test_prometheus_serves_a_loaded_history(needs_programs: None, tmp_path: Path) -> None:
    dump = tmp_path / "history.om"
    first = datetime(2026, 3, 2, tzinfo=UTC)
    samples = [f'requests_total{{app="a"}} {minute} {first.timestamp() + 60 * minute}' for minute in range(180)]
    dump.write_text("\n".join(["# TYPE requests counter", *samples, "# EOF"]) + "\n")
    load_history(tmp_path, dump)
    prometheus = start_prometheus(tmp_path)
    try:
        (series,) = prometheus.query("rate(requests_total[10m])", at=first + timedelta(hours=2))
        assert float(series["value"][1]) == pytest.approx(1 / 60, rel=1e-9)
    finally:
        prometheus.process.stop()


def _scale(shop: ControlPlane, role: str, path: str, *, replicas: int = 2) -> httpx.Response:
    headers = {"Content-Type": "application/merge-patch+json"}
    return shop.client(role).http.patch(path, json={"spec": {"replicas": replicas}}, headers=headers)


def _patch_container(shop: ControlPlane, name: str, change: JsonObject) -> None:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}"
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", **change}]}}}}
    shop.client().http.patch(path, json=body, headers=headers).raise_for_status()


def _await_pods(shop: ControlPlane, app: str, holds: Callable[[list[JsonObject]], bool]) -> None:
    wait_until(lambda: holds(_pods(shop, app)), what=f"the expected pods of {app}", within=timedelta(seconds=40))


def _pods(shop: ControlPlane, app: str) -> list[JsonObject]:
    pods: list[JsonObject] = shop.client().get(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector=f"app={app}")[
        "items"
    ]
    return pods


def _condition(thing: JsonObject, kind: str) -> str:
    return next((each["status"] for each in thing["status"].get("conditions", []) if each["type"] == kind), "")


def _ready(thing: JsonObject) -> bool:
    return _condition(thing, "Ready") == "True"


def _container(pod: JsonObject) -> JsonObject:
    statuses: list[JsonObject] = pod["status"].get("containerStatuses", [])
    return statuses[0] if statuses else {}


def _waiting(pod: JsonObject) -> str:
    return str(_container(pod).get("state", {}).get("waiting", {}).get("reason", ""))


def _scheduling(pod: JsonObject) -> str:
    conditions = pod["status"].get("conditions", [])
    return " ".join(each.get("message", "") for each in conditions if each["type"] == "PodScheduled")
