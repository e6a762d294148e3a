"""Nodes and what runs them: kubelet, container runtime, kube-proxy, scheduler, pressure."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from copilot.core.cluster import Observation
from copilot.core.ref import Ref
from copilot.core.selectors import affinity_allows, selector_allows
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import condition, labels_of, meta, moment, name_of, spec, status
from copilot.diagnosis.placement import control_plane

_RUNTIMES = ("containerd", "crio", "cri-o", "docker", "cri-dockerd", "dockerd")
SOCKET = re.compile(
    (
        r"dial unix \S*(?:containerd|crio|docker|cri-dockerd)\S*sock|container runtime (?:is down|not ready)"
        r"|runtime is down|PLEG is not healthy"
    ),
    re.IGNORECASE,
)
_NO_KUBELET = re.compile(
    r":10250/\S*\"?:? ?(?:dial tcp \S+ )?(?:connect: )?connection refused"
    r"|dial tcp \S+:10250: connect: connection refused"
)
_WAITING = timedelta(seconds=20)


def _daemon(facts: Facts, *names: str) -> Iterator[Observation]:
    return (o for o in facts.observed("daemon") if not o.ok and o.object.removesuffix(".service") in names)


def on_node(node: str, facts: Facts) -> tuple[Ref, ...]:
    """Pods on a node, their workloads and the Services in front of them: all of it may suffer."""
    found: dict[tuple[str, str, str], Ref] = {}
    for pod in facts.pods:
        if spec(pod).get("nodeName") == node:
            owner = facts.owner(pod)
            for ref in (Ref.of(pod), owner, *(Ref.of(s) for s in facts.services_of(owner))):
                found[ref.key] = ref
    return tuple(found.values())


def unscheduled(facts: Facts, node: JsonObject | None = None) -> tuple[Ref, ...]:
    """Return pods without a node, and their workloads; only those that may run on ``node`` when one is given."""
    waiting = [p for p in facts.pods if status(p).get("phase") == "Pending" and not spec(p).get("nodeName")]
    if node is not None:
        waiting = [p for p in waiting if selector_allows(spec(p), node) and affinity_allows(spec(p), node)]
    return tuple(dict.fromkeys([*(Ref.of(p) for p in waiting), *(facts.owner(p) for p in waiting)]))


def _ref(node: str, facts: Facts) -> Ref:
    found = facts.get("Node", "", node)
    return Ref.of(found) if found else Ref(kind="Node", name=node, api_version="v1")


def _not_ready(facts: Facts) -> Iterator[tuple[JsonObject, JsonObject]]:
    for node in facts.nodes:
        ready = condition(node, "Ready")
        if ready and ready.get("status") != "True":
            yield node, ready


def _runtime(facts: Facts) -> Iterator[Match]:
    told: set[str] = set()
    for one in _daemon(facts, *_RUNTIMES):
        told.add(one.subject)
        yield node_match(
            one.subject,
            f"container runtime {one.object} is not running on {one.subject}",
            (looks.observation(one),),
            facts,
            0.95,
        )
    for node, ready in _not_ready(facts):
        events = [e for e in facts.events(node) if SOCKET.search(str(e.get("message")))]
        said = SOCKET.search(str(ready.get("message") or ""))
        if (
            name_of(node) not in told
            and (said or facts.recent(events, timedelta(minutes=5)))
            and ready.get("status") == "False"
        ):
            seen = (looks.field(node, ".status.conditions", f"Ready is {ready.get('status')}: {ready.get('message')}"),)
            yield node_match(
                name_of(node),
                f"the container runtime of {name_of(node)} is down",
                (*seen, *(looks.event(e) for e in events[-1:])),
                facts,
                0.9,
            )


def node_match(
    node: str, summary: str, seen: tuple[Seen, ...], facts: Facts, weight: float, more: tuple[Ref, ...] = ()
) -> Match:
    """Return a match on a node that explains everything on it."""
    obj = facts.get("Node", "", node) or {}
    return Match(
        object=_ref(node, facts),
        summary=summary,
        seen=seen,
        explains=(*on_node(node, facts), *more),
        weight=weight,
        since=moment(condition(obj, "Ready").get("lastTransitionTime")) if obj else None,
        details={"node": node},
    )


def _kubelet(facts: Facts) -> Iterator[Match]:
    told: set[str] = set()
    for one in _daemon(facts, "kubelet"):
        told.add(one.subject)
        yield node_match(
            one.subject,
            f"kubelet is not running on {one.subject}",
            (looks.observation(one),),
            facts,
            0.95,
            unscheduled(facts),
        )
    for node, ready in _not_ready(facts):
        if name_of(node) in told or ready.get("status") != "Unknown":
            continue
        refused = [
            (e, line) for e in facts.dump.logs for line in e.lines if _NO_KUBELET.search(line) and name_of(node) in line
        ]
        if refused:
            seen = (
                looks.field(node, ".status.conditions", f"Ready is Unknown: {ready.get('message')}"),
                looks.log(*refused[0]),
            )
            yield node_match(
                name_of(node),
                f"kubelet of {name_of(node)} refuses connections: it is not running",
                seen,
                facts,
                0.9,
                unscheduled(facts, node),
            )


def _lost(facts: Facts) -> Iterator[Match]:
    for node, ready in _not_ready(facts):
        seen = looks.field(
            node,
            ".status.conditions",
            f"Ready is {ready.get('status')}: {ready.get('message') or ready.get('reason') or ''}",
        )
        yield node_match(
            name_of(node),
            f"node {name_of(node)} is not ready: {ready.get('message') or ''}",
            (seen,),
            facts,
            0.7,
            unscheduled(facts, node),
        )


def _proxy(facts: Facts) -> Iterator[Match]:
    for one in _daemon(facts, "kube-proxy"):
        yield node_match(
            one.subject,
            f"kube-proxy is not running on {one.subject}: Services do not work there",
            (looks.observation(one),),
            facts,
            0.9,
        )
    for pod in facts.pods_in("kube-system"):
        if labels_of(pod).get("k8s-app") == "kube-proxy" and not _well(pod):
            node = str(spec(pod).get("nodeName") or "")
            seen = looks.field(pod, ".status", f"{name_of(pod)} is not ready")
            yield node_match(
                node, f"kube-proxy of {node} is not ready: Services do not work there", (seen,), facts, 0.9
            )


def _well(pod: JsonObject) -> bool:
    return condition(pod, "Ready").get("status") in ("True", None) and status(pod).get("phase") in (
        "Running",
        "Succeeded",
        None,
    )


def _scheduler(facts: Facts) -> Iterator[Match]:
    waiting = unscheduled(facts)
    named = False
    for one in _daemon(facts, "kube-scheduler"):
        named = True
        yield node_match(
            one.subject,
            f"kube-scheduler is not running on {one.subject}: no pod gets a node",
            (looks.observation(one),),
            facts,
            0.95,
            waiting,
        )
    for pod in facts.pods_in("kube-system"):
        if (labels_of(pod).get("component") or name_of(pod)).startswith("kube-scheduler") and not _well(pod):
            named = True
            node = str(spec(pod).get("nodeName") or "")
            yield node_match(
                node,
                f"{name_of(pod)} is not ready: no pod gets a node",
                (looks.field(pod, ".status", "not ready"),),
                facts,
                0.95,
                waiting,
            )
    if not named:
        yield from _nobody_schedules(facts)


def _nobody_schedules(facts: Facts) -> Iterator[Match]:
    """Pods wait without a node and the scheduler has not said a word about any of them."""
    silent = [
        pod
        for pod in facts.pods
        if status(pod).get("phase") == "Pending"
        and not spec(pod).get("nodeName")
        and not spec(pod).get("schedulingGates")
        and not condition(pod, "PodScheduled").get("status")
        and not facts.events(pod, "FailedScheduling", "Scheduled")
        and _older(pod, facts)
    ]
    spoken = any(facts.events(p, "FailedScheduling") for p in facts.pods)
    if not silent or spoken:
        return
    hosts = [n for n in facts.nodes if control_plane(n)]
    ref = Ref.of(hosts[0]) if hosts else facts.owner(silent[0])
    yield Match(
        object=ref,
        summary="pods wait and no scheduler looks at them: kube-scheduler is not running",
        seen=tuple(looks.described(p, f"{name_of(p)} is Pending, with no event from a scheduler") for p in silent[:3]),
        explains=unscheduled(facts),
        certainty=Certainty.JOIN,
        weight=0.8,
        details={"node": ref.name},
    )


def _older(pod: JsonObject, facts: Facts) -> bool:
    made = moment(meta(pod).get("creationTimestamp"))
    return made is None or facts.now - made >= _WAITING


def node_cause(
    name: str,
    title: str,
    summary: str,
    must: tuple[str, ...],
    refuted: tuple[str, ...],
    remedy: str,
    match: Callable[[Facts], Iterator[Match]],
    **details: str,
) -> Cause:
    """Return a cause of this family; the keys that all of them document are added."""
    keys = {"node": "its name", **details}
    return Cause(name, "nodes", title, summary, must, refuted, remedy, match, keys, follows=("nodes",))


CAUSES: tuple[Cause, ...] = (
    node_cause(
        "container_runtime_unavailable",
        "The node's container runtime is down",
        "containerd, CRI-O or Docker does not answer kubelet; no container starts or stops there.",
        ("the runtime's service is not active", "or: Ready is False and kubelet cannot reach the runtime's socket"),
        ("the node is Ready", "the service is active"),
        "restart the runtime, or drain and repair the node",
        _runtime,
    ),
    node_cause(
        "kubelet_unavailable",
        "kubelet is not running on the node",
        "The node's agent is dead while the host answers; its pods can no longer be managed.",
        ("the kubelet service is not active", "or: Ready is Unknown and port 10250 refuses connections"),
        ("the node is Ready", "the service is active"),
        "start kubelet, or drain and repair the node",
        _kubelet,
    ),
    node_cause(
        "node_not_ready",
        "The node is not ready",
        "Its Ready condition is False or Unknown.",
        ("Ready is not True now",),
        ("Ready is True", "a dead kubelet or runtime was seen on it"),
        "drain and repair or replace the node",
        _lost,
    ),
    node_cause(
        "kube_proxy_unavailable",
        "kube-proxy is not running on the node",
        "Service addresses are no longer kept up to date on the node; calls from it fail or go astray.",
        ("the kube-proxy service is not active, or its pod on the node is not ready",),
        ("it runs",),
        "start kube-proxy",
        _proxy,
    ),
    node_cause(
        "scheduler_unavailable",
        "No scheduler is running",
        "New pods stay Pending without any scheduling event.",
        (
            "the kube-scheduler service or pod is not running",
            "or: pods wait without a node and without any event from a scheduler",
        ),
        ("a scheduler has spoken about a waiting pod",),
        "start kube-scheduler",
        _scheduler,
    ),
)
