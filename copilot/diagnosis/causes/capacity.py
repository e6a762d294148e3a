"""Clouds and autoscalers that cannot give more: node groups at their limit, HPAs, disruption budgets."""

import re
from collections.abc import Iterator

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import ANYTHING, Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import condition, event_time, labels_of, name_of, namespace_of, spec, status
from copilot.diagnosis.placement import Blocked, blocked, cordoned, largest, request

_LIMIT = re.compile(
    r"max (?:node group|cluster)[^,;]{0,40}(?:size|limit)[^,;]{0,20}reached|MaxSizeReached|at max(?:imum)? size"
)
_GROUP_LABELS = (
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "cloud.google.com/gke-nodepool",
    "agentpool",
    "kubernetes.azure.com/agentpool",
    "karpenter.sh/nodepool",
    "node.kubernetes.io/nodegroup",
)
_USUAL = {"AbleToScale", "ScalingActive"}


def _groups(facts: Facts) -> Iterator[Match]:
    """Pods that would fit an empty node wait, and the group that could give one does not grow by itself."""
    waiting: dict[str, list[tuple[Blocked, Seen]]] = {}
    for one in blocked(facts):
        rooms = _rooms(one)
        if not (rooms or "too_many_pods" in one.reasons) or any(_never(one, resource, facts) for resource in rooms):
            continue
        nodes = one.fitting or tuple(facts.nodes)
        told = facts.events(one.pod, "NotTriggerScaleUp", "FailedScaleUp", "Nominated")
        said = [e for e in told if _LIMIT.search(str(e.get("message")))]
        group = _known_group(nodes, facts)
        if said or group is not None:
            seen = looks.event(said[-1]) if said or group is None else _size(group)
            waiting.setdefault(name_of(group) if group else _group_of(nodes), []).append((one, seen))
    for name, pods in waiting.items():
        yield _too_small(name, pods)


def _too_small(name: str, pods: list[tuple[Blocked, Seen]]) -> Match:
    rooms = sorted({r for one, _ in pods for r in _rooms(one)})
    owners = [one.owner for one, _ in pods]
    named = f"{', '.join(o.name for o in owners[:3])}{' and others' if len(owners) > 3 else ''}"
    return Match(
        object=Ref(kind="NodeGroup", name=name),
        summary=f"node group {name or 'of the cluster'} is too small for {named}: {', '.join(rooms)}",
        seen=(
            *dict.fromkeys(seen for _, seen in pods),
            *(looks.field(one.pod, ".status.conditions", one.message) for one, _ in pods[:3]),
        ),
        explains=tuple(owners),
        weight=0.8,
        since=min((one.since for one, _ in pods if one.since), default=None),
        details={"workload": owners[0].name, "resources": rooms},
    )


def _rooms(one: Blocked) -> list[str]:
    return [r.removeprefix("room:") for r in one.reasons if r.startswith("room:")]


def _never(one: Blocked, resource: str, facts: Facts) -> bool:
    """Whether a pod asks for more of a resource than any node of its kind has in all: more nodes would not help."""
    return request(spec(one.pod), resource) > largest(facts, resource, one.fitting)


def _size(group: JsonObject) -> Seen:
    """What the cloud says about a group."""
    region = labels_of(group).get("topology.kubernetes.io/region")
    finding = f"desired {spec(group).get('desired')}, at most {spec(group).get('max')}"
    if not region:
        return looks.field(group, ".spec", finding)
    query = (
        f"aws autoscaling describe-auto-scaling-groups --region {region} --auto-scaling-group-names {name_of(group)}"
    )
    return Seen(query=query, finding=finding, subject=Ref(kind="NodeGroup", name=name_of(group)))


def _group_of(nodes: tuple[JsonObject, ...]) -> str:
    names = (labels_of(n).get(label) for n in nodes for label in _GROUP_LABELS)
    return next((n for n in names if n), "")


def _known_group(nodes: tuple[JsonObject, ...], facts: Facts) -> JsonObject | None:
    """A node group object (from the cloud) whose nodes the pod may use."""
    names = {str(labels_of(n).get(label)) for n in nodes for label in _GROUP_LABELS if labels_of(n).get(label)}
    found = [g for g in facts.all("NodeGroup") if not names or name_of(g) in names]
    return found[0] if found else None


def _hpa(facts: Facts) -> Iterator[Match]:
    for hpa in facts.scoped("HorizontalPodAutoscaler"):
        target = spec(hpa).get("scaleTargetRef") or {}
        ref = Ref(kind=str(target.get("kind")), name=str(target.get("name")), namespace=namespace_of(hpa))
        why, seen = _hpa_trouble(hpa, ref, facts)
        if why:
            yield Match(
                object=Ref.of(hpa),
                summary=f"HorizontalPodAutoscaler {name_of(hpa)} cannot scale {ref.name}: {why}",
                seen=(seen,),
                explains=(ref,),
                details={"target": ref.name, "reason": why},
                weight=0.5,
            )


def _hpa_trouble(hpa: JsonObject, ref: Ref, facts: Facts) -> tuple[str, Seen]:
    absent = looks.field(hpa, ".spec.scaleTargetRef", f"scales {ref.kind}/{ref.name}")
    if facts.has_kind(ref.kind) and facts.get(*ref.key) is None:
        return f"{ref.kind} {ref.name} does not exist", absent
    for kind in sorted(_USUAL):
        one = condition(hpa, kind)
        if one.get("status") == "False" and one.get("reason") != "ScalingDisabled":
            text = f"{one.get('reason')}: {one.get('message')}"
            if "missing request" in text:
                text = f"its containers set no requests ({one.get('message')})"
            return text, looks.field(hpa, ".status.conditions", f"{kind} is False: {one.get('message')}")
    limited = condition(hpa, "ScalingLimited")
    if limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas" and _overloaded(hpa):
        return "it is at maxReplicas and still over its target", looks.field(
            hpa, ".status", str(limited.get("message"))
        )
    return "", absent


def _overloaded(hpa: JsonObject) -> bool:
    """Whether a utilisation target is missed by a fifth or more."""
    wanted = {
        m["resource"]["name"]: m["resource"].get("target", {}).get("averageUtilization")
        for m in spec(hpa).get("metrics") or []
        if m.get("resource")
    }
    for now in status(hpa).get("currentMetrics") or []:
        resource = now.get("resource") or {}
        limit, used = wanted.get(resource.get("name")), (resource.get("current") or {}).get("averageUtilization")
        if limit and used and used >= 1.2 * limit:
            return True
    return False


def _budget(facts: Facts) -> Iterator[Match]:
    """A budget that allows no eviction while somebody drains a node under its pods."""
    for budget in facts.scoped("PodDisruptionBudget"):
        found = status(budget)
        if found.get("disruptionsAllowed") != 0 or not found.get("expectedPods"):
            continue
        pods = facts.selected_by(namespace_of(budget), spec(budget).get("selector") or {})
        drained = [n for n in facts.nodes if cordoned(n) and any(spec(p).get("nodeName") == name_of(n) for p in pods)]
        refused = [e for p in pods for e in facts.events(p, "FailedEviction", "EvictionBlocked") if event_time(e)]
        if not drained and not refused:
            continue
        wants = found.get("desiredHealthy")
        yield Match(
            object=Ref.of(budget),
            summary=(
                f"PodDisruptionBudget {name_of(budget)} allows no eviction ({found.get('currentHealthy')} of "
                f"{wants} healthy pods needed) while a node is drained"
            ),
            seen=(
                looks.field(budget, ".status", "disruptionsAllowed is 0"),
                *(looks.field(n, ".spec.unschedulable", f"{name_of(n)} is cordoned") for n in drained[:1]),
            ),
            explains=tuple(Ref.of(n) for n in drained),
            certainty=Certainty.DIRECT if refused else Certainty.JOIN,
            weight=0.4,
            details={"healthy": int(found.get("currentHealthy") or 0), "needed": int(wants or 0)},
        )


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="node_group_too_small",
        family="capacity",
        title="The node group is too small",
        summary="Pods wait for room that another node of the group would give, and the group gives none by itself.",
        must_see=(
            "a pod waits for a resource",
            "the autoscaler says that the group is at its maximum, or the cloud shows the group and its size",
        ),
        refuted_by=("the pod would not fit an empty node of the group", "no group is known"),
        remedy="raise the group's size",
        match=_groups,
        details={"workload": "who waits", "resources": "what for"},
    ),
    Cause(
        name="hpa_cannot_scale",
        family="capacity",
        title="The HorizontalPodAutoscaler cannot scale",
        summary="Its target or its metrics are missing, or it is at its limit and still over target.",
        must_see=(
            (
                "the target does not exist, AbleToScale or ScalingActive is False, or it is at maxReplicas and 20 % "
                "over its target"
            ),
        ),
        refuted_by=("the conditions are True", "it is at minReplicas"),
        remedy="correct the target, set requests, repair the metrics source, or raise maxReplicas",
        match=_hpa,
        details={"target": "the workload", "reason": "why"},
        follows=(ANYTHING,),
    ),
    Cause(
        name="disruption_budget_blocks",
        family="capacity",
        title="A disruption budget blocks a drain",
        summary="No pod may be evicted while a node under them is being drained.",
        must_see=("disruptionsAllowed is 0", "a node with such a pod is cordoned, or an eviction was refused"),
        refuted_by=("an eviction is allowed", "nobody drains"),
        remedy="add replicas or loosen the budget",
        match=_budget,
        details={"healthy": "healthy pods", "needed": "pods that must stay healthy"},
        follows=(ANYTHING,),
    ),
)
