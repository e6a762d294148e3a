"""Grow a node group: pods wait because there are too few machines, and only the cloud can add one.

Through Terraform where the group's nodes say so (annotation ``infra-copilot.io/terraform``: ``directory#variable``, or
``directory#variable#address`` to name the one resource that may change, too), else by the Auto Scaling group's desired
capacity. It adds the machines that the waiting pods need, at most four.
"""

import math
from collections.abc import Sequence

from copilot.actions import Action
from copilot.actions.node_group import by_cloud, by_terraform, group_of, region_of
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.value import JsonObject
from runbooks.base import Runbook, metadata, proposal, text
from runbooks.quantities import value

NAME = "grow_node_group"
_MOST = 4


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the group with as many more machines as the waiting pods need."""
    group = diagnosis.object.name if diagnosis.object and diagnosis.object.kind == "NodeGroup" else ""
    nodes = [n for n in dump.objects.get("Node", ()) if group_of(n) == group]
    if not group or not nodes:
        return None
    cloud = next(
        (g.get("spec") or {} for g in dump.objects.get("NodeGroup", ()) if metadata(g).get("name") == group), {}
    )
    now = int(cloud.get("desired") or len(nodes))
    wanted = min(now + needed(nodes, dump), int(cloud.get("max") or now + _MOST))
    if wanted <= now:
        return None
    action = by_terraform(nodes, now=now, wanted=wanted) or _asg(group, nodes, diagnosis, wanted)
    title = f"Grow node group {group} from {now} to {wanted} machines"
    return proposal(NAME, diagnosis, action, title=title) if action is not None else None


def needed(nodes: Sequence[JsonObject], dump: ClusterDump) -> int:
    """Return how many machines like these the pods need that wait for one (1 to 4)."""
    size = (nodes[0].get("status") or {}).get("allocatable") or {}
    waiting = [p for p in dump.objects.get("Pod", ()) if _unschedulable(p)]
    shares = [sum(_asked(p, name) for p in waiting) / (value(size[name]) or math.inf) for name in size]
    return min(_MOST, max(1, math.ceil(max(shares, default=0.0))))


def _asg(group: str, nodes: Sequence[JsonObject], diagnosis: Diagnosis, wanted: int) -> Action | None:
    name = text(diagnosis, "asg", "auto_scaling_group") or group
    return by_cloud(name, region=text(diagnosis, "region") or region_of(nodes), wanted=wanted)


def _unschedulable(pod: JsonObject) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "PodScheduled" and c.get("status") == "False" for c in conditions)


def _asked(pod: JsonObject, name: str) -> float:
    requests = [
        (c.get("resources") or {}).get("requests") or {} for c in (pod.get("spec") or {}).get("containers") or ()
    ]
    return sum(value(r.get(name, "0")) or 0.0 for r in requests)


RUNBOOK = Runbook(
    name=NAME,
    summary="More machines in a node group, by Terraform or by AWS.",
    causes=("node_group_too_small",),
    propose=propose,
)
