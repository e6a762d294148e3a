"""The true remedies, applied as an engineer would: for tests, and for exams that need a world known to heal."""

from collections.abc import Callable
from datetime import timedelta

from copilot.lab.faults import edits
from copilot.lab.faults.base import Remedy
from copilot.lab.kube_api.meta import controller_of
from copilot.lab.world.world import World


def apply(world: World, remedy: Remedy) -> None:
    """Carry out a remedy on the world's objects or, where a person must, on its hardware."""
    _ACTIONS[remedy.action](world, remedy)


def exchange(world: World, node: str) -> None:
    """Have a drained machine's hardware exchanged, and let pods onto it again."""
    world.site.fleet.renew(node)
    machine = world.site.nodes[node]
    for port in machine.ports:
        port.rate, port.error_rate = max(one.rate for one in machine.ports), 0.0
    world.store.patch("Node", "", node, {"spec": {"unschedulable": None}})
    world.later(timedelta(seconds=1), _nothing)


def _undo(world: World, remedy: Remedy) -> None:
    owner = world.store.get(remedy.kind, remedy.namespace, remedy.name)
    sets = [one for one in world.store.peek_owned(owner["metadata"]["uid"], "ReplicaSet") if controller_of(one)]
    sets.sort(key=lambda one: int((one["metadata"].get("annotations") or {}).get(_REVISION, "0")))
    template = world.store.get("ReplicaSet", remedy.namespace, sets[-2]["metadata"]["name"])["spec"]["template"]
    template["metadata"]["labels"].pop("pod-template-hash", None)
    owner["spec"]["template"] = template
    world.store.update(owner)


def _restart(world: World, remedy: Remedy) -> None:
    edits.restart(world, remedy.kind, remedy.namespace, remedy.name)


def _scale(world: World, remedy: Remedy) -> None:
    body = {"spec": {"replicas": remedy.arguments["replicas"]}}
    world.store.patch(remedy.kind, remedy.namespace, remedy.name, body)


def _patch(world: World, remedy: Remedy) -> None:
    world.store.patch(remedy.kind, remedy.namespace, remedy.name, remedy.arguments["patch"])


def _uncordon(world: World, remedy: Remedy) -> None:
    world.store.patch("Node", "", remedy.name, {"spec": {"unschedulable": None}})


def _untaint(world: World, remedy: Remedy) -> None:
    node = world.store.get("Node", "", remedy.name)
    kept = [taint for taint in node["spec"].get("taints") or () if taint["key"] != remedy.arguments["key"]]
    node["spec"]["taints"] = kept
    world.store.update(node)


def _drain(world: World, remedy: Remedy) -> None:
    edits.drain(world, remedy.name)


def _delete_pod(world: World, remedy: Remedy) -> None:
    world.store.delete("Pod", remedy.namespace, remedy.name)


def _delete(world: World, remedy: Remedy) -> None:
    world.store.delete(remedy.kind, remedy.namespace, remedy.name)


def _capacity(world: World, remedy: Remedy) -> None:
    world.cloud.set_desired(remedy.name, int(remedy.arguments["desired"]))


def _repair(world: World, remedy: Remedy) -> None:
    node = world.site.nodes[remedy.name]
    node.kubelet_up, node.disk_growth = True, 0.0
    node.disk_used = min(node.disk_used, node.disk * 0.3)
    world.later(timedelta(seconds=1), _nothing)


def _nothing() -> None:
    """Make the world look again soon."""


_REVISION = "deployment.kubernetes.io/revision"
_ACTIONS: dict[str, Callable[[World, Remedy], None]] = {
    "rollout_undo": _undo,
    "rollout_restart": _restart,
    "scale": _scale,
    "patch_service": _patch,
    "patch_field": _patch,
    "uncordon": _uncordon,
    "untaint": _untaint,
    "drain": _drain,
    "delete_pod": _delete_pod,
    "delete": _delete,
    "set_asg_capacity": _capacity,
    "repair_node": _repair,
}
