"""Pods that no node may or can take."""

import re
from collections.abc import Callable, Iterator

from copilot.core.ref import Ref
from copilot.core.selectors import affinity_allows, affinity_terms, selector_allows, untolerated
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import labels_of, name_of, spec
from copilot.diagnosis.placement import Blocked, blocked, control_plane, cordoned, kept_off_by, largest, request

_CLAIM = re.compile(r"persistentvolumeclaim|volume node affinity|volume zone", re.IGNORECASE)


_ORDINARY = re.compile(r"node-role\.kubernetes\.io|control-plane|master")


def _why(one: Blocked, facts: Facts) -> str:
    """The one reason that a pod is blocked for: the scheduler's word, with labels only where it counts two reasons.

    Cordoned and control-plane nodes are ordinary, and placement rules are meant to exclude nodes: another reason goes
    before them.
    """
    if not one.reasons or (_CLAIM.search(one.message) and "volume_affinity" not in one.reasons):
        return ""
    others = {r: n for r, n in one.reasons.items() if r not in ("node_affinity", "unschedulable")}
    if _ORDINARY.search(one.what.get("taint", "")) or _tainted_elsewhere(one, facts):
        others.pop("taint", None)
    kept = kept_off_by(one, facts) if others or "unschedulable" in one.reasons else ""
    if kept:
        return kept
    if others:
        return max(others, key=lambda r: (others[r], r))
    if "node_affinity" not in one.reasons:
        return "unschedulable" if "unschedulable" in one.reasons else "taint"
    workers = [n for n in one.fitting if not control_plane(n)]
    if "unschedulable" in one.reasons and workers and all(cordoned(n) for n in workers):
        return "unschedulable"
    return "node_affinity"


def _tainted_elsewhere(one: Blocked, facts: Facts) -> bool:
    """Whether only nodes are tainted that the pod may not use anyway: the scheduler looks at taints first."""
    none_fits = "node_affinity" in one.reasons and any(labels_of(n) for n in facts.nodes)
    return bool(one.fitting or none_fits) and not any(untolerated(spec(one.pod), n) for n in one.fitting)


def _seen(one: Blocked) -> tuple[Seen, ...]:
    if one.event:
        return (looks.event(one.event),)
    return (looks.field(one.pod, ".status.conditions", one.message),)


def _room(resource: str) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        for one in blocked(facts):
            reason = _why(one, facts)
            asked = reason.removeprefix("room:")
            mine = asked == resource or (resource == "gpu" and _is_gpu(asked))
            if reason.startswith("room:") and mine:
                yield _lacks(one, asked, facts)

    return match


def _is_gpu(resource: str) -> bool:
    return resource.rpartition("/")[2].startswith(("gpu", "mig-")) and "/" in resource


def _lacks(one: Blocked, resource: str, facts: Facts) -> Match:
    wants, most = request(spec(one.pod), resource), largest(facts, resource, one.fitting)
    never = most > 0 and wants > most
    text = "more than any node has" if never else "more than is free on any node it may use"
    return Match(
        object=one.owner,
        summary=f"{one.owner.name} asks for {wants:g} {resource}, {text} (largest node: {most:g})",
        seen=(
            *_seen(one),
            looks.field(one.pod, ".spec.containers[*].resources.requests", f"{resource} requested: {wants:g}"),
        ),
        details={"resource": resource, "requested": wants, "largest_node": most, "never_fits": never},
        since=one.since,
    )


def _unsatisfied(kind: str) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        for one in blocked(facts):
            if _why(one, facts) == "node_affinity" and _which(one, facts) == kind:
                yield _placement(one, kind)

    return match


def _which(one: Blocked, facts: Facts) -> str:
    """nodeSelector or affinity: the one that no node satisfies by itself; affinity when the spec has no selector."""
    pod = spec(one.pod)
    if not pod.get("nodeSelector"):
        return "affinity"
    if not affinity_terms(pod):
        return "selector"
    alone = any(affinity_allows(pod, n) for n in facts.nodes)
    return "selector" if alone or not any(selector_allows(pod, n) for n in facts.nodes) else "affinity"


def _placement(one: Blocked, kind: str) -> Match:
    pod = spec(one.pod)
    wanted = pod.get("nodeSelector") if kind == "selector" else affinity_terms(pod)
    path = ".spec.nodeSelector" if kind == "selector" else ".spec.affinity.nodeAffinity"
    label = "nodeSelector" if kind == "selector" else "required node affinity"
    return Match(
        object=one.owner,
        summary=f"no node satisfies the {label} of {one.owner.name}: {wanted}",
        seen=(*_seen(one), looks.field(one.pod, path, f"{label}: {wanted}")),
        details={"wanted": str(wanted)},
        since=one.since,
    )


def _taint(facts: Facts) -> Iterator[Match]:
    for one in blocked(facts):
        if _why(one, facts) != "taint":
            continue
        nodes = [n for n in one.fitting or facts.nodes if untolerated(spec(one.pod), n) and not cordoned(n)]
        taints = [t for n in nodes for t in untolerated(spec(one.pod), n)]
        told = _taint_text(taints[0]) if taints else one.reasons and one.what.get("taint", "")
        yield Match(
            object=one.owner,
            summary=f"{one.owner.name} does not tolerate the taint {told} of the nodes it could use",
            seen=(*_seen(one), *(looks.field(n, ".spec.taints", f"{name_of(n)}: {told}") for n in nodes[:3])),
            details={"taint": str(told), "nodes": [name_of(n) for n in nodes]},
            since=one.since,
        )


def _taint_text(taint: JsonObject) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def _cordon(facts: Facts) -> Iterator[Match]:
    pending = [one for one in blocked(facts) if _why(one, facts) == "unschedulable"]
    if not pending:
        return
    usable = [n for n in facts.nodes if cordoned(n)]
    own = [n for n in usable if not control_plane(n)] or usable
    for one in pending:
        mine = [n for n in own if n in one.fitting] or own
        node = Ref.of(mine[0]) if mine else one.owner
        yield Match(
            object=node,
            summary=f"every node that {one.owner.name} may use is cordoned: {', '.join(name_of(n) for n in mine)}",
            seen=(*_seen(one), *(looks.field(n, ".spec.unschedulable", f"{name_of(n)} is cordoned") for n in mine[:4])),
            explains=tuple(p.owner for p in pending),
            details={"nodes": [name_of(n) for n in mine], "workload": one.owner.name},
            since=one.since,
        )


def _by_reason(reason: str, text: str, path: str) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        for one in blocked(facts):
            if _why(one, facts) == reason:
                yield Match(
                    object=one.owner,
                    summary=f"{one.owner.name}: {text}",
                    seen=(*_seen(one), looks.field(one.pod, path, f"{text} ({path})")),
                    details={"message": one.message[:300]},
                    since=one.since,
                )

    return match


def _gated(facts: Facts) -> Iterator[Match]:
    for pod in facts.pods:
        gates = [str(g.get("name")) for g in spec(pod).get("schedulingGates") or []]
        if gates and not spec(pod).get("nodeName"):
            yield Match(
                object=facts.owner(pod),
                summary=f"{name_of(pod)} waits for scheduling gates: {', '.join(gates)}",
                seen=(looks.field(pod, ".spec.schedulingGates", ", ".join(gates)),),
                certainty=Certainty.DIRECT,
                details={"gates": list(gates)},
            )


_FOLLOWS = ("nodes", "capacity", "gpu", "storage")
"""What takes nodes away, or makes their group too small, leaves pods without one."""


def _declared(
    name: str,
    title: str,
    summary: str,
    must: str,
    refuted: str,
    remedy: str,
    match: Callable[[Facts], Iterator[Match]],
    **details: str,
) -> Cause:
    seen = ("a pod is Pending without a node", must)
    unless = (refuted, "the pod has a node")
    return Cause(name, "scheduling", title, summary, seen, unless, remedy, match, details, _FOLLOWS)


_RESOURCE_KEYS = {
    "resource": "the resource asked for",
    "requested": "amount that the pod asks for (cores, bytes, devices)",
    "largest_node": "what the largest usable node has in all",
    "never_fits": "true when no node could hold it even when empty",
}

CAUSES: tuple[Cause, ...] = (
    _declared(
        "insufficient_cpu",
        "No node has that much CPU free",
        "The pod requests more CPU than any usable node can give.",
        "the scheduler says 'Insufficient cpu' for the nodes it may use",
        "another reason blocks more of the usable nodes",
        "lower the request, free capacity or add nodes",
        _room("cpu"),
        **_RESOURCE_KEYS,
    ),
    _declared(
        "insufficient_memory",
        "No node has that much memory free",
        "The pod requests more memory than any usable node can give.",
        "the scheduler says 'Insufficient memory' for the nodes it may use",
        "another reason blocks more of the usable nodes",
        "lower the request, free capacity or add nodes",
        _room("memory"),
        **_RESOURCE_KEYS,
    ),
    _declared(
        "insufficient_gpu",
        "No node has that many GPUs free",
        "The pod requests more GPUs (or another MIG profile) than any usable node can give.",
        "the scheduler says 'Insufficient nvidia.com/gpu' (or another device) for the nodes it may use",
        "another reason blocks more of the usable nodes",
        "free GPUs, request fewer, or add GPU nodes",
        _room("gpu"),
        **_RESOURCE_KEYS,
    ),
    _declared(
        "insufficient_storage",
        "No node has that much ephemeral storage free",
        "The pod requests more ephemeral storage than any usable node can give.",
        "the scheduler says 'Insufficient ephemeral-storage'",
        "another reason blocks more of the usable nodes",
        "lower the request or free disks",
        _room("ephemeral-storage"),
        **_RESOURCE_KEYS,
    ),
    _declared(
        "node_selector_unsatisfied",
        "No node carries the labels of the nodeSelector",
        "The pod's nodeSelector matches no node.",
        "no node's labels satisfy the nodeSelector",
        "a node satisfies it",
        "label a node or correct the nodeSelector",
        _unsatisfied("selector"),
        wanted="the selector",
    ),
    _declared(
        "node_affinity_unsatisfied",
        "No node satisfies the required node affinity",
        "The pod's required node affinity matches no node.",
        "no node satisfies any required term",
        "a node satisfies one",
        "correct the affinity or label a node",
        _unsatisfied("affinity"),
        wanted="the terms",
    ),
    _declared(
        "taint_not_tolerated",
        "The nodes are tainted and the pod does not tolerate it",
        "Usable nodes carry a taint without a matching toleration.",
        "usable nodes carry an untolerated NoSchedule or NoExecute taint",
        "the pod tolerates the taints",
        "remove the taint or add a toleration",
        _taint,
        taint="key=value:effect",
        nodes="tainted nodes",
    ),
    _declared(
        "node_cordoned",
        "The usable nodes are cordoned",
        "Every node that the pod may use is marked unschedulable.",
        "spec.unschedulable on every node that labels and affinity allow",
        "an allowed node is not cordoned",
        "uncordon the node",
        _cordon,
        nodes="cordoned nodes",
        workload="a workload that waits",
    ),
    _declared(
        "pod_anti_affinity_conflict",
        "Required pod anti-affinity leaves no node",
        "Every usable node already runs a pod that the anti-affinity forbids beside it.",
        "the scheduler says 'didn't match pod anti-affinity rules'",
        "another reason blocks more of the usable nodes",
        "loosen the anti-affinity, run fewer replicas or add nodes",
        _by_reason("anti_affinity", "required pod anti-affinity leaves no node", ".spec.affinity.podAntiAffinity"),
        message="the scheduler's words",
    ),
    _declared(
        "pod_affinity_unsatisfied",
        "Required pod affinity finds no partner",
        "No usable node runs the pods that the affinity wants beside it.",
        "the scheduler says 'didn't match pod affinity rules'",
        "another reason blocks more of the usable nodes",
        "correct the affinity",
        _by_reason("pod_affinity", "required pod affinity finds no partner", ".spec.affinity.podAffinity"),
        message="the scheduler's words",
    ),
    _declared(
        "topology_spread_unsatisfied",
        "Topology spread leaves no node",
        "A DoNotSchedule topology spread constraint cannot be kept.",
        "the scheduler says 'didn't match pod topology spread constraints'",
        "another reason blocks more of the usable nodes",
        "loosen the constraint or add nodes",
        _by_reason("spread", "topology spread leaves no node", ".spec.topologySpreadConstraints"),
        message="the scheduler's words",
    ),
    _declared(
        "volume_node_affinity_conflict",
        "The volume is bound to another node or zone",
        "The pod's PersistentVolume can only be used on nodes that the pod cannot use.",
        "the scheduler says 'volume node affinity conflict'",
        "another reason blocks more of the usable nodes",
        "free the volume's node or recreate the volume",
        _by_reason("volume_affinity", "its volume is bound to another node or zone", ".spec.volumes"),
        message="the scheduler's words",
    ),
    _declared(
        "host_port_taken",
        "The host port is taken on every node",
        "The pod asks for a hostPort that every usable node has given away.",
        'the scheduler says "didn\'t have free ports"',
        "another reason blocks more of the usable nodes",
        "drop the hostPort or run fewer replicas",
        _by_reason("ports", "its host port is taken on every usable node", ".spec.containers[*].ports"),
        message="the scheduler's words",
    ),
    _declared(
        "too_many_pods",
        "The nodes run as many pods as they may",
        "Every usable node has reached its pod limit.",
        "the scheduler says 'Too many pods'",
        "another reason blocks more of the usable nodes",
        "add nodes or raise maxPods",
        _by_reason("too_many_pods", "every usable node runs as many pods as it may", ".status"),
        message="the scheduler's words",
    ),
    _declared(
        "scheduling_gated",
        "The pod waits for a scheduling gate",
        "A controller has not removed the pod's scheduling gate.",
        "spec.schedulingGates is not empty",
        "the gates are gone",
        "ask the gate's controller",
        _gated,
        gates="names of the gates",
    ),
)
