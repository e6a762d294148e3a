"""Room for more pods on the machines there are, and the node group that could give more; pure, on raw objects."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from copilot.actions.node_group import group_of
from copilot.core.quantity import quantity
from copilot.core.selectors import affinity_allows, matches, selector_allows, untolerated
from copilot.core.value import JsonObject

Amounts = Mapping[str, float]
"""Resources by name in base units; ``pods`` counts pods."""
_HOST = "kubernetes.io/hostname"
_OVER = ("Succeeded", "Failed")
_MOST = 10_000
_OPEN = "node.kubernetes.io/"
"""Taints of this prefix come and go with a node's state; a new machine of the group has none of them."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A node group that pods of one kind may use. ``each``: how many of them an empty machine of it takes."""

    group: str
    nodes: tuple[JsonObject, ...]
    each: int


@dataclass(frozen=True, slots=True)
class Places:
    """Where more pods of a workload could go: on machines there are (``room``), and on more of some groups."""

    room: int
    waiting: int
    pools: tuple[Pool, ...]


def places(workload: JsonObject, nodes: Sequence[JsonObject], pods: Sequence[JsonObject]) -> Places:
    """Return the places for more pods of a workload.

    nodes, pods: all of the cluster. ``waiting`` are its pods without a machine. Pools come with the largest machines
    first; a group none of whose machines could take a pod is none.
    """
    template = (workload.get("spec") or {}).get("template") or {}
    spec, wanted = template.get("spec") or {}, requests(template.get("spec") or {})
    on: dict[str, list[JsonObject]] = defaultdict(list)
    for pod in pods:
        if (pod.get("status") or {}).get("phase") not in _OVER:
            on[(pod.get("spec") or {}).get("nodeName") or ""].append(pod)
    alone = _alone(template)
    room, groups = 0, defaultdict(list)
    for node in (n for n in nodes if selector_allows(spec, n) and affinity_allows(spec, n)):
        taints = untolerated(spec, node)
        if not [t for t in taints if not str(t.get("key")).startswith(_OPEN)]:
            groups[group_of(node)].append(node)
        if not taints and _open(node):
            room += _fits(wanted, node, on[_name(node)], alone=alone)
    pools = (
        Pool(name, tuple(members), max(_fits(wanted, n, _daemons(on[_name(n)]), alone=alone) for n in members))
        for name, members in groups.items()
        if name
    )
    ranked = sorted((p for p in pools if p.each), key=lambda p: (-p.each, p.group))
    return Places(room, sum(_belongs(p, workload) for p in on[""]), tuple(ranked))


def machines(pool: Pool, short: int) -> int:
    """Return how many more machines of a pool take ``short`` pods."""
    return math.ceil(short / pool.each)


def requests(spec: JsonObject) -> Amounts:
    """Return what one pod asks for: the sum of its containers, or its largest init container; a limit stands in."""
    total: dict[str, float] = defaultdict(float)
    for container in spec.get("containers") or ():
        for name, amount in _asked(container).items():
            total[name] += amount
    for container in spec.get("initContainers") or ():
        for name, amount in _asked(container).items():
            total[name] = max(total[name], amount)
    return {**total, "pods": 1.0}


def _asked(container: JsonObject) -> Amounts:
    resources = container.get("resources") or {}
    named = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: quantity(str(amount)) for name, amount in named.items()}


def _fits(wanted: Amounts, node: JsonObject, there: Sequence[JsonObject], *, alone: JsonObject | None) -> int:
    """Return how many such pods a machine takes beside those on it."""
    has = (node.get("status") or {}).get("allocatable") or {}
    used: dict[str, float] = defaultdict(float)
    for pod in there:
        for name, amount in requests(pod.get("spec") or {}).items():
            used[name] += amount
    shares = [(quantity(str(has.get(n, "0"))) - used[n]) / amount for n, amount in wanted.items() if amount > 0]
    most = _MOST if alone is None else int(not any(matches(alone, _labels(pod)) for pod in there))
    # A hair over: 0.3 of 0.1 is three pods, whatever floating point makes of it.
    return max(0, min(most, math.floor(min(shares) + 1e-9)))


def _alone(template: JsonObject) -> JsonObject | None:
    """Return the selector of pods of its own kind that a pod does not share a machine with, if there is one."""
    anti = ((template.get("spec") or {}).get("affinity") or {}).get("podAntiAffinity") or {}
    for term in anti.get("requiredDuringSchedulingIgnoredDuringExecution") or ():
        selector: JsonObject | None = term.get("labelSelector")
        if term.get("topologyKey") == _HOST and matches(selector, _labels(template)):
            return selector
    return None


def _open(node: JsonObject) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return ready and not (node.get("spec") or {}).get("unschedulable")


def _daemons(pods: Sequence[JsonObject]) -> list[JsonObject]:
    owners = [(pod, (pod.get("metadata") or {}).get("ownerReferences") or ()) for pod in pods]
    return [pod for pod, those in owners if any(o.get("kind") == "DaemonSet" for o in those)]


def _belongs(pod: JsonObject, workload: JsonObject) -> bool:
    same = (pod.get("metadata") or {}).get("namespace") == (workload.get("metadata") or {}).get("namespace")
    return same and matches((workload.get("spec") or {}).get("selector"), _labels(pod))


def _labels(obj: JsonObject) -> Mapping[str, str]:
    labels: Mapping[str, str] = (obj.get("metadata") or {}).get("labels") or {}
    return labels


def _name(node: JsonObject) -> str:
    return str((node.get("metadata") or {}).get("name", ""))
