"""Endpoints, node lifecycle, disruption budgets, garbage collection, namespaces, autoscaling, expiry."""

import pickle
from datetime import timedelta

import pytest

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import with_condition
from tests.lab.fake_kubelet import Cluster, deployment


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def service(target: int | str = "http", **selector: str) -> JsonObject:
    spec = {"selector": selector or {"app": "web"}, "ports": [{"name": "web", "port": 80, "targetPort": target}]}
    return {"kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}


def addresses(cluster: Cluster) -> list[str]:
    found = cluster.store.get("Endpoints", "shop", "web").get("subsets") or []
    return [address["ip"] for subset in found for address in subset.get("addresses") or ()]


def set_ready(cluster: Cluster, node: str, state: str) -> None:
    status = cluster.store.get("Node", "", node)["status"]
    made = {"type": "Ready", "status": state, "reason": "x", "lastTransitionTime": "2026-03-02T08:00:00Z"}
    status["conditions"] = with_condition(status["conditions"], made)
    cluster.store.set_status("Node", "", node, status)


def test_endpoints_follow_ready_pods_and_named_ports(cluster: Cluster) -> None:
    cluster.store.create(service())
    cluster.deployment()
    assert len(addresses(cluster)) == 3
    subset = cluster.store.get("Endpoints", "shop", "web")["subsets"][0]
    assert subset["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]
    slices = cluster.store.peek_all("EndpointSlice", "shop")
    assert [len(one["endpoints"]) for one in slices] == [3]
    cluster.store.patch("Deployment", "shop", "web", {"spec": {"replicas": 1}})
    cluster.settle()
    assert len(addresses(cluster)) == 1


def test_wrong_selector_or_port_name_leaves_no_address(cluster: Cluster) -> None:
    cluster.store.create(service())
    cluster.deployment()
    cluster.store.patch("Service", "shop", "web", {"spec": {"selector": {"app": "wab"}}})
    cluster.settle(steps=1)
    assert addresses(cluster) == []
    right = [{"name": "web", "port": 80, "targetPort": "htpp"}]
    cluster.store.patch("Service", "shop", "web", {"spec": {"selector": {"app": "web"}, "ports": right}})
    cluster.settle(steps=1)
    assert addresses(cluster) == []


def test_unready_pod_moves_to_not_ready_addresses(cluster: Cluster) -> None:
    cluster.broken.add("web:1")
    cluster.store.create(service(target=8080))
    cluster.deployment()
    subset = cluster.store.get("Endpoints", "shop", "web")["subsets"][0]
    assert "addresses" not in subset
    assert len(subset["notReadyAddresses"]) == 3


def test_lost_node_is_tainted_and_its_pods_move_after_their_patience(cluster: Cluster) -> None:
    cluster.deployment(replicas=6)
    set_ready(cluster, "node-0", "Unknown")
    cluster.settle(steps=2)
    taints = cluster.store.get("Node", "", "node-0")["spec"]["taints"]
    assert {(taint["key"].rpartition("/")[2], taint["effect"]) for taint in taints} == {
        ("unreachable", "NoSchedule"),
        ("unreachable", "NoExecute"),
    }
    assert cluster.store.get("Deployment", "shop", "web")["status"]["readyReplicas"] == 4
    cluster.settle(steps=35, dt=timedelta(seconds=10))
    nodes = {pod["spec"]["nodeName"] for pod in cluster.store.peek_all("Pod", "shop")}
    assert nodes == {"node-1", "node-2"}
    set_ready(cluster, "node-0", "True")
    cluster.settle(steps=2)
    assert "taints" not in cluster.store.get("Node", "", "node-0")["spec"]


def test_budget_counts_what_may_go(cluster: Cluster) -> None:
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    meta = {"name": "web", "namespace": "shop"}
    cluster.store.create({"kind": "PodDisruptionBudget", "metadata": meta, "spec": spec})
    cluster.deployment()
    status = cluster.store.get("PodDisruptionBudget", "shop", "web")["status"]
    assert (status["currentHealthy"], status["desiredHealthy"], status["disruptionsAllowed"]) == (3, 2, 1)


@pytest.mark.parametrize(("propagation", "left"), [("Foreground", 0), ("Background", 0), ("Orphan", 1)])
def test_propagation_of_a_delete(cluster: Cluster, propagation: str, left: int) -> None:
    cluster.deployment()
    cluster.store.delete("Deployment", "shop", "web", propagation=propagation)  # type: ignore[arg-type]
    cluster.settle()
    assert cluster.store.peek("Deployment", "shop", "web") is None
    assert len(cluster.store.peek_all("ReplicaSet", "shop")) == left
    assert len(cluster.store.peek_all("Pod", "shop")) == 3 * left


def test_deleted_namespace_is_emptied(cluster: Cluster) -> None:
    cluster.deployment()
    cluster.store.delete("Namespace", "", "shop")
    assert cluster.store.get("Namespace", "", "shop")["status"]["phase"] == "Terminating"
    cluster.settle()
    assert cluster.store.peek("Namespace", "", "shop") is None
    assert cluster.store.peek_all("Pod", "shop") == []


def test_events_expire_after_an_hour(cluster: Cluster) -> None:
    cluster.deployment()
    assert cluster.store.peek_all("Event", "shop")
    cluster.settle(steps=10, dt=timedelta(minutes=10))
    assert cluster.store.peek_all("Event", "shop") == []


def test_pickled_cluster_goes_on(cluster: Cluster) -> None:
    cluster.deployment()
    again: Cluster = pickle.loads(pickle.dumps(cluster))
    again.store.patch("Deployment", "shop", "web", {"spec": {"replicas": 4}})
    again.settle()
    assert again.store.get("Deployment", "shop", "web")["status"]["availableReplicas"] == 4
    assert cluster.store.get("Deployment", "shop", "web")["status"]["availableReplicas"] == 3


def test_quiet_steps_write_nothing(cluster: Cluster) -> None:
    for number in range(20):
        cluster.store.create(deployment(f"web-{number}", replicas=5))
    cluster.settle()
    before = cluster.store.version
    for _ in range(2880):
        cluster.controllers.step(cluster.clock())
    assert cluster.store.version == before


def test_protected_claim_outlives_the_pod_that_mounts_it(cluster: Cluster) -> None:
    meta = {"name": "data", "namespace": "shop", "finalizers": ["kubernetes.io/pvc-protection"]}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.store.create({"kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
    container = {"name": "c", "image": "db:1"}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    pod = {"nodeName": "node-0", "containers": [container], "volumes": volumes}
    cluster.store.create({"kind": "Pod", "metadata": {"name": "db", "namespace": "shop"}, "spec": pod})
    cluster.store.delete("PersistentVolumeClaim", "shop", "data")
    cluster.settle()
    assert cluster.store.peek("PersistentVolumeClaim", "shop", "data") is not None
    cluster.store.delete("Pod", "shop", "db")
    cluster.settle()
    assert cluster.store.peek("PersistentVolumeClaim", "shop", "data") is None
