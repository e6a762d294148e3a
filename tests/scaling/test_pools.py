"""Room on machines: requests, taints, selectors, what runs there, one pod a machine, pods that wait."""

from copilot.core.value import JsonObject
from copilot.scaling.pools import machines, places, requests

GPU = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def node(
    name: str, group: str = "g", *, ready: bool = True, taints: tuple[JsonObject, ...] = (), gpus: int = 0, **has: str
) -> JsonObject:
    labels = {"eks.amazonaws.com/nodegroup": group, "pool": group}
    can = {"pods": "110", "nvidia.com/gpu": str(gpus), **(has or {"cpu": "4"})}
    status = {"allocatable": can, "conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"taints": list(taints)}, "status": status}


def pod(
    on: str = "", app: str = "api", *, owner: str = "ReplicaSet", phase: str = "Running", **asks: str
) -> JsonObject:
    meta = {"namespace": "shop", "labels": {"app": app}, "ownerReferences": [{"kind": owner}]}
    containers = [{"resources": {"requests": asks or {"cpu": "1"}}}]
    return {"metadata": meta, "spec": {"nodeName": on, "containers": containers}, "status": {"phase": phase}}


def workload(asks: dict[str, str] | None = None, **spec: object) -> JsonObject:
    labels = {"app": "api"}
    containers = [{"resources": {"requests": asks or {"cpu": "1"}}}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, **spec}}
    return {"metadata": {"namespace": "shop"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}


def test_room_is_what_the_scarcest_resource_leaves() -> None:
    found = places(workload(), [node("a"), node("b", cpu="2500m")], [pod("a"), pod("a", phase="Succeeded"), pod("b")])
    assert (found.room, found.waiting) == (3 + 1, 0)
    assert [(p.group, p.each, len(p.nodes)) for p in found.pools] == [("g", 4, 2)]


def test_pods_count_too() -> None:
    assert places(workload(), [node("a", cpu="64", pods="3")], [pod("a")]).room == 2


def test_machines_that_take_no_pod_give_no_room_but_their_group_may_grow() -> None:
    gone = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    cordoned = node("c")
    cordoned["spec"]["unschedulable"] = True
    found = places(workload(), [node("a", ready=False), node("b", taints=(gone,)), cordoned], [])
    assert found.room == 0
    assert [p.group for p in found.pools] == ["g"]


def test_machines_kept_for_others_are_no_place() -> None:
    kept = [node("a", "gpus", taints=(GPU,)), node("b", "other")]
    assert places(workload(nodeSelector={"pool": "gpus"}), kept, []).pools == ()
    mine = places(workload(nodeSelector={"pool": "gpus"}, tolerations=[GPU]), kept, [])
    assert [p.group for p in mine.pools] == ["gpus"]


def test_extended_resources_are_asked_of_machines_that_have_them() -> None:
    asks = {"cpu": "1", "nvidia.com/gpu": "2"}
    nodes = [node("a", "gpus", cpu="64", gpus=8), node("b", "plain", cpu="64")]
    found = places(workload(asks), nodes, [pod("a", **asks)])
    assert (found.room, [(p.group, p.each) for p in found.pools]) == (3, [("gpus", 4)])


def test_an_empty_machine_still_has_its_daemons() -> None:
    found = places(workload(), [node("a")], [pod("a"), pod("a", "log", owner="DaemonSet", cpu="1500m")])
    assert (found.room, found.pools[0].each) == (1, 2)
    assert [machines(found.pools[0], short) for short in (1, 2, 3)] == [1, 1, 2]


def test_pods_that_keep_apart_take_a_machine_each() -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "api"}}}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    found = places(workload(affinity=apart), [node("a"), node("b")], [pod("a")])
    assert (found.room, found.pools[0].each) == (1, 1)


def test_pods_of_its_own_that_wait_are_counted() -> None:
    found = places(workload(), [node("a")], [pod(phase="Pending"), pod(app="other", phase="Pending")])
    assert found.waiting == 1


def test_a_pod_asks_for_its_largest_init_container_and_limits_stand_in() -> None:
    spec: JsonObject = {
        "containers": [{"resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2", "memory": "1Gi"}}}] * 2,
        "initContainers": [{"resources": {"requests": {"cpu": "3"}}}],
    }
    assert requests(spec) == {"cpu": 3.0, "memory": 2.0**31, "pods": 1.0}
