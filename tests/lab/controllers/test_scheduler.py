"""The scheduler: where pods go, and the words for why they do not."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import condition
from tests.lab.fake_kubelet import Cluster, node


def pod(name: str, *, requests: Mapping[str, str] | None = None, **spec: object) -> JsonObject:
    container = {"name": "app", "image": "web:1", "resources": {"requests": dict(requests or {})}}
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": {"containers": [container], **spec}}


def message(cluster: Cluster, name: str) -> str:
    found = condition(cluster.store.get("Pod", "shop", name), "PodScheduled")
    assert found is not None
    return str(found.get("message", ""))


def place(cluster: Cluster, *pods: JsonObject) -> None:
    for one in pods:
        cluster.store.create(one)
    cluster.settle(steps=3)


def node_of(cluster: Cluster, name: str) -> str:
    return str(cluster.store.get("Pod", "shop", name)["spec"].get("nodeName", ""))


def test_message_counts_every_reason() -> None:
    cluster = Cluster(nodes=3)
    cluster.store.create(node("gpu-0", gpus=1))
    cluster.store.patch("Node", "", "node-0", {"spec": {"unschedulable": True}})
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    cluster.store.patch("Node", "", "node-1", {"spec": {"taints": [taint]}})
    place(cluster, pod("a", requests={"nvidia.com/gpu": "1"}), pod("b", requests={"nvidia.com/gpu": "1"}))
    assert node_of(cluster, "a") == "gpu-0"
    assert message(cluster, "b") == (
        "0/4 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 1 node(s) were unschedulable, "
        "2 Insufficient nvidia.com/gpu. preemption: 0/4 nodes are available: "
        "1 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling."
    )
    assert cluster.events("FailedScheduling") == [message(cluster, "b")]


def test_waiting_pod_is_placed_when_room_appears() -> None:
    cluster = Cluster(nodes=1)
    place(cluster, pod("a", requests={"cpu": "6"}), pod("b", requests={"cpu": "6"}))
    assert "Insufficient cpu" in message(cluster, "b")
    cluster.store.delete("Pod", "shop", "a")
    cluster.settle(steps=3)
    assert node_of(cluster, "b") == "node-0"


def test_mig_slices_are_resources_of_their_own() -> None:
    cluster = Cluster(nodes=1)
    allocatable = {"nvidia.com/mig-1g.10gb": "2"}
    cluster.store.patch("Node", "", "node-0", {"status": {"allocatable": allocatable}})
    place(cluster, *(pod(name, requests={"nvidia.com/mig-1g.10gb": "1"}) for name in ("a", "b", "c")))
    assert [bool(node_of(cluster, name)) for name in ("a", "b", "c")] == [True, True, False]


def test_selector_and_affinity_decide_the_node() -> None:
    cluster = Cluster(nodes=3)
    cluster.store.patch("Node", "", "node-2", {"metadata": {"labels": {"disk": "ssd"}}})
    place(cluster, pod("a", nodeSelector={"disk": "ssd"}), pod("b", nodeSelector={"disk": "tape"}))
    assert node_of(cluster, "a") == "node-2"
    assert "3 node(s) didn't match Pod's node affinity/selector" in message(cluster, "b")


def test_anti_affinity_spreads() -> None:
    cluster = Cluster(nodes=2)
    term = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "kubernetes.io/hostname"}
    rules = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    pods = [pod(name, affinity=rules) for name in ("a", "b", "c")]
    for one in pods:
        one["metadata"]["labels"] = {"app": "db"}
    place(cluster, *pods)
    assert {node_of(cluster, "a"), node_of(cluster, "b")} == {"node-0", "node-1"}
    assert "2 node(s) didn't match pod anti-affinity rules" in message(cluster, "c")


def test_higher_priority_preempts() -> None:
    cluster = Cluster(nodes=1)
    place(cluster, pod("low", requests={"cpu": "6"}))
    place(cluster, pod("high", requests={"cpu": "6"}, priority=100))
    cluster.settle(steps=3)
    assert node_of(cluster, "high") == "node-0"
    assert cluster.store.peek("Pod", "shop", "low") is None


@pytest.mark.parametrize("claim", ["absent", "unbound"])
def test_claims_hold_a_pod_back(claim: str) -> None:
    cluster = Cluster(nodes=1)
    if claim == "unbound":
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        meta = {"name": claim, "namespace": "shop"}
        cluster.store.create({"kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec})
    place(cluster, pod("a", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]))
    expected = {
        "absent": 'persistentvolumeclaim "absent" not found',
        "unbound": "pod has unbound immediate PersistentVolumeClaims",
    }
    assert message(cluster, "a").startswith(f"0/1 nodes are available: {expected[claim]}. preemption: ")


def test_no_nodes() -> None:
    cluster = Cluster(nodes=0)
    place(cluster, pod("a"))
    assert message(cluster, "a") == "no nodes available to schedule pods"


def test_a_waiting_pod_is_not_tried_again_for_nothing() -> None:
    cluster = Cluster(nodes=1)
    place(cluster, pod("big", requests={"cpu": "60"}))
    place(cluster, *(pod(f"small-{number}") for number in range(5)))
    (event,) = [one for one in cluster.store.peek_all("Event") if one["reason"] == "FailedScheduling"]
    assert "series" not in event
    cluster.settle(steps=40, dt=timedelta(seconds=10))
    (event,) = [one for one in cluster.store.peek_all("Event") if one["reason"] == "FailedScheduling"]
    assert event["series"]["count"] == 2
