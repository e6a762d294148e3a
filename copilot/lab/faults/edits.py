"""Changing objects as somebody with kubectl would: templates, services, nodes."""

import random
from collections.abc import Callable

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import Key
from copilot.lab.world.blueprint import Workload
from copilot.lab.world.clock import stamp
from copilot.lab.world.nodes import Node
from copilot.lab.world.runtime import PodRun
from copilot.lab.world.world import World

_WATCHING = ("monitoring/prometheus", "monitoring/kube-state-metrics")
WEB_ROLES = ("frontend", "catalog", "cart", "checkout", "payment", "assistant")


def pick(world: World, rng: random.Random, *roles: str) -> Workload:
    """Choose one of the workloads that play these roles."""
    return world.design.role(rng.choice(roles))


def edit(world: World, kind: str, namespace: str, name: str, change: Callable[[JsonObject], object]) -> None:
    """Change one object in place."""
    world.store.mutate(kind, Key(namespace, name), change)


def edit_template(world: World, workload: Workload, change: Callable[[JsonObject], object]) -> None:
    """Change the pod spec in a workload's template; its controller rolls it out."""
    edit(world, workload.kind, workload.namespace, workload.name, lambda obj: change(obj["spec"]["template"]["spec"]))


def edit_container(world: World, workload: Workload, change: Callable[[JsonObject], object]) -> None:
    """Change the first container in a workload's template."""
    edit_template(world, workload, lambda spec: change(spec["containers"][0]))


def set_image(world: World, workload: Workload, tag: str) -> None:
    """Deploy a tag of the workload's repository."""
    edit_container(world, workload, lambda one: one.update(image=workload.releases.ref(tag)))


def set_env(world: World, workload: Workload, name: str, value: str | None) -> None:
    """Set a variable in the template, or take it out with ``None``."""

    def change(one: JsonObject) -> None:
        kept = [entry for entry in one.get("env") or () if entry["name"] != name]
        one["env"] = kept if value is None else [*kept, {"name": name, "value": value}]

    edit_container(world, workload, change)


def restart(world: World, kind: str, namespace: str, name: str) -> None:
    """Restart a workload's pods as ``kubectl rollout restart`` does."""

    def change(obj: JsonObject) -> None:
        meta = obj["spec"]["template"].setdefault("metadata", {})
        meta.setdefault("annotations", {})["kubectl.kubernetes.io/restartedAt"] = stamp(world.now)

    edit(world, kind, namespace, name, change)


def pods_of(world: World, workload: Workload) -> list[PodRun]:
    """The workload's running pods in order of name."""
    found = [run for run in world.kubelet.pods.values() if run.workload == workload.key and not run.deleting]
    return sorted((run for run in found if run.phase == "Running"), key=lambda run: run.name)


def ordinary_node(world: World, rng: random.Random) -> Node:
    """Choose a machine of the general pool on which the monitoring itself does not depend."""
    watching = {run.node for run in world.kubelet.pods.values() if run.workload in _WATCHING}
    return rng.choice([one for one in world.site.nodes.values() if one.pool == "general" and one.name not in watching])


def cordon(world: World, node: str) -> None:
    """Mark a node unschedulable."""
    world.store.patch("Node", "", node, {"spec": {"unschedulable": True}})


def drain(world: World, node: str) -> None:
    """Cordon a node and delete the pods that no DaemonSet keeps there."""
    cordon(world, node)
    for pod in world.store.peek_all("Pod"):
        owners = [owner["kind"] for owner in pod["metadata"].get("ownerReferences") or ()]
        if pod["spec"].get("nodeName") == node and "DaemonSet" not in owners:
            world.store.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
