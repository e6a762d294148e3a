"""How much capacity there is, before and after: a repair that leaves users with less is no repair."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from copilot.agent.readiness import available, condition, desired
from copilot.core.plan import Plan
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.policy import namespaces_of
from copilot.ports.read import Cluster

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
Capacity = dict[str, int]


async def measure(plan: Plan, cluster: Cluster) -> Capacity:
    """Return available replicas of every workload in the plan's namespaces, and how many nodes are ready."""
    found: Capacity = {}
    for namespace in namespaces_of(plan):
        for kind in _WORKLOADS:
            found |= {_key(w, kind): available(w) for w in await cluster.all(kind, namespace=namespace)}
    found["nodes"] = sum(condition(n, "Ready") for n in await cluster.all("Node"))
    return found


async def lost(plan: Plan, before: Capacity, cluster: Cluster) -> list[str]:
    """Return what has less capacity than before and should not, in words.

    What was scaled in is not lost; what a plan changes and then runs nothing at all is, for that repairs nothing.
    """
    now = await measure(plan, cluster)
    wanted = await _wanted(plan, cluster)
    changed = _changed(plan)
    bad = []
    for key, had in before.items():
        least = min(had, max(wanted.get(key, had), int(key in changed)))
        if now.get(key, 0) < least:
            bad.append(f"{key}: {now.get(key, 0)} of {least}")
    return bad


def _changed(plan: Plan) -> frozenset[str]:
    return frozenset("/".join(c.target.key) for s in plan.steps for c in s.changes)


async def _wanted(plan: Plan, cluster: Cluster) -> Mapping[str, int]:
    """Return the desired replicas now: what was scaled in on purpose is not lost."""
    found: dict[str, int] = {}
    for namespace in namespaces_of(plan):
        for kind in _WORKLOADS:
            found |= {_key(w, kind): desired(w) for w in await cluster.all(kind, namespace=namespace)}
    return found


def _key(workload: JsonObject, kind: str) -> str:
    return "/".join(Ref.of({**workload, "kind": kind}).key)


def stored(value: JsonValue) -> Capacity | None:
    """Return a capacity that was kept as JSON."""
    if not isinstance(value, dict):
        return None
    return {k: v for k, v in value.items() if isinstance(v, int)}


def summary(bad: Sequence[str]) -> str:
    """Return one line for people."""
    return f"less capacity than before: {', '.join(bad[:3])}" if bad else ""
