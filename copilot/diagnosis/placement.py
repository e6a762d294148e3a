"""Why a pending pod has no node: the scheduler's own message, checked against labels, taints and room of each node."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from copilot.core.quantity import quantity
from copilot.core.ref import Ref
from copilot.core.selectors import affinity_allows, selector_allows, untolerated
from copilot.core.value import JsonObject
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import condition, containers, event_time, meta, moment, spec, status

_COUNTED = re.compile(r"(?:^|[,:] )(\d+) ((?:(?!, \d+ )(?!\. (?:preemption|no new)).)+)")
_REASONS = (
    ("room", re.compile(r"Insufficient (?P<what>[\w./-]+)")),
    ("too_many_pods", re.compile(r"Too many pods")),
    (
        "taint",
        re.compile(
            r"(?:had )?(?:untolerated taint(?:\(s\))? ?(?P<what>\{[^}]*\})?"
            r"|taint \{(?P<other>[^}]*)\}, that the pod didn't tolerate)"
        ),
    ),
    ("anti_affinity", re.compile(r"didn't (?:match|satisfy) (?:pod |existing pods )?anti-affinity")),
    ("pod_affinity", re.compile(r"didn't match pod affinity")),
    (
        "volume_affinity",
        re.compile(r"volume node affinity conflict|match PersistentVolume's node affinity|no available volume zone"),
    ),
    ("node_affinity", re.compile(r"didn't match (?:Pod's )?node (?:affinity|selector)")),
    ("unschedulable", re.compile(r"were unschedulable")),
    ("ports", re.compile(r"free ports")),
    ("spread", re.compile(r"topology spread")),
)


@dataclass(frozen=True, slots=True)
class Blocked:
    """A pending pod and what keeps it from each node. ``reasons``: reason -> number of nodes; ``what``: its detail."""

    pod: JsonObject
    owner: Ref
    message: str
    event: JsonObject | None
    reasons: dict[str, int]
    what: dict[str, str]
    since: datetime | None = None
    fitting: tuple[JsonObject, ...] = field(default_factory=tuple)
    """Nodes that the pod's nodeSelector and required node affinity allow."""


def blocked(facts: Facts) -> list[Blocked]:
    """Yield one blocked pod for each workload that has pods without a node (or the scheduler's message about them)."""
    return facts.once(_blocked)


def waiting(pod: JsonObject) -> bool:
    """Return whether a pod has no node yet and still wants one."""
    placed = spec(pod).get("nodeName") or meta(pod).get("deletionTimestamp")
    return status(pod).get("phase") == "Pending" and not placed


def _blocked(facts: Facts) -> Iterator[Blocked]:
    told: set[tuple[str, str, str]] = set()
    for pod in facts.pods:
        if not waiting(pod):
            continue
        owner = facts.owner(pod)
        if owner.key in told:
            continue
        found = facts.events(pod, "FailedScheduling")
        newest = max(found, key=lambda e: str(event_time(e) or ""), default=None)
        message = str((newest or {}).get("message") or condition(pod, "PodScheduled").get("message") or "")
        told.add(owner.key)
        reasons, what = parsed(message)
        fitting = tuple(n for n in facts.nodes if selector_allows(spec(pod), n) and affinity_allows(spec(pod), n))
        since = moment(meta(pod).get("creationTimestamp"))
        yield Blocked(pod, owner, message, newest, dict(reasons), dict(what), since, fitting)


@lru_cache(maxsize=2048)
def parsed(message: str) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, str], ...]]:
    """Return ``(reason, nodes)`` and ``(reason, detail)`` pairs of a scheduler message (its part before preemption)."""
    counts: dict[str, int] = {}
    what: dict[str, str] = {}
    plain = re.split(r"\.? ?preemption:", message)[0]
    for number, text in _COUNTED.findall(plain):
        for reason, pattern in _REASONS:
            matched = pattern.search(text)
            if matched:
                detail = next((g for g in matched.groups() if g), "") if matched.groups() else ""
                label = f"room:{detail.rstrip('.')}" if reason == "room" else reason
                counts[label] = counts.get(label, 0) + int(number)
                what.setdefault(label, detail.rstrip("."))
                break
    return tuple(counts.items()), tuple(what.items())


def cordoned(node: JsonObject) -> bool:
    """Return whether a node takes no new pods because somebody said so."""
    return bool(spec(node).get("unschedulable"))


def control_plane(node: JsonObject) -> bool:
    """Return whether a node carries a control-plane role label."""
    labels = meta(node).get("labels") or {}
    roles = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
    return any(r in labels for r in roles) or labels.get("kubernetes.io/role") in ("master", "control-plane")


def request(pod_spec: JsonObject, resource: str) -> float:
    """Return what a pod asks of a resource: the sum of its containers, or its largest init container."""

    def one(container: JsonObject) -> float:
        resources = container.get("resources") or {}
        asked = (resources.get("requests") or {}).get(resource) or (resources.get("limits") or {}).get(resource) or "0"
        return quantity(str(asked))

    main = sum(one(c) for c in pod_spec.get("containers") or [])
    inits = [one(c) for c in containers(pod_spec) if c not in (pod_spec.get("containers") or [])]
    return max([main, *inits])


def allocatable(node: JsonObject, resource: str) -> float:
    """Return what a node can give of a resource."""
    return quantity(str((status(node).get("allocatable") or {}).get(resource, "0")))


def largest(facts: Facts, resource: str, among: tuple[JsonObject, ...] = ()) -> float:
    """Return the most that any node (of those given) could give of a resource when empty."""
    return max((allocatable(n, resource) for n in among or tuple(facts.nodes)), default=0.0)


def room_for(pod: JsonObject, node: JsonObject, facts: Facts) -> bool:
    """Return whether a node has room for what a pod requests beside what runs there now."""
    wanted = {r for c in containers(spec(pod)) for r in (c.get("resources") or {}).get("requests") or {}}
    wanted |= {r for c in containers(spec(pod)) for r in (c.get("resources") or {}).get("limits") or {} if "/" in r}
    return all(request(spec(pod), r) <= allocatable(node, r) - _used(node, r, facts) for r in wanted)


def _used(node: JsonObject, resource: str, facts: Facts) -> float:
    """What pods on a node request of a resource; as describe printed it, when that is all there is."""
    printed = (status(node).get("allocated") or {}).get(resource)
    if printed:
        return quantity(str(printed))
    name = (node.get("metadata") or {}).get("name")
    running = (p for p in facts.all("Pod") if spec(p).get("nodeName") == name)
    return sum(request(spec(p), resource) for p in running if status(p).get("phase") not in ("Succeeded", "Failed"))


def kept_off_by(one: Blocked, facts: Facts) -> str:
    """Return ``taint`` or ``unschedulable`` when a worker has room and only that keeps the pod off it; else empty."""
    for node in one.fitting:
        if control_plane(node) or not room_for(one.pod, node, facts):
            continue
        taints = [t for t in untolerated(spec(one.pod), node) if t.get("key") != "node.kubernetes.io/unschedulable"]
        if taints and not cordoned(node) and "taint" in one.reasons:
            return "taint"
        if cordoned(node) and not taints and "unschedulable" in one.reasons:
            return "unschedulable"
    return ""
