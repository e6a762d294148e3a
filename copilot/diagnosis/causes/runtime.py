"""Containers that run out of memory, fight for a port, or are not wanted at all."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.crashes import Crash, crashing
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import containers, event_time, meta, moment, name_of, namespace_of, spec, status
from copilot.diagnosis.references import addresses, resolve

_OOM = re.compile(r"OOM-?killed|OOMKilled|out of memory|cannot allocate memory|container init was OOM", re.IGNORECASE)
_HEAP = re.compile(
    r"java\.lang\.OutOfMemoryError|MemoryError|JavaScript heap out of memory|std::bad_alloc|cannot allocate memory"
)
_TAKEN = re.compile(
    r"address (?:is )?already in use|EADDRINUSE|port \d+ (?:was|is) already in use|address in use"
    r"|only one usage of each socket"
    r"|failed to bind|bind failed|could not bind|WSAEADDRINUSE",
    re.IGNORECASE,
)
_PORT = re.compile(r"(?:port |:)(?P<port>\d{2,5})\b")
_MESH = {15000, 15001, 15002, 15004, 15006, 15008, 15009, 15020, 15021, 15053, 15090}
_MESH_NAMES = ("istio-proxy", "linkerd-proxy", "envoy", "envoy-sidecar")


def _oom(facts: Facts) -> Iterator[Match]:
    told: set[tuple[str, str, str]] = set()
    for match in (m for source in (_killed, _unstarted, _heap) for m in source(facts)):
        if match.object.key not in told:
            told.add(match.object.key)
            yield match


def _killed(facts: Facts) -> Iterator[Match]:
    for crash in crashing(facts):
        said = str(crash.ended.get("message") or crash.waiting.get("message") or "")
        if crash.ended.get("reason") == "OOMKilled" or _OOM.search(said):
            yield _oom_match(crash, (crash.seen,), 0.9)


def _unstarted(facts: Facts) -> Iterator[Match]:
    """The limit is so low that not even the container's first process fits."""
    for crash in crashing(facts):
        for event in facts.events(crash.pod, "FailedCreatePodSandBox", "Failed", "OOMKilling", "BackOff"):
            if _OOM.search(str(event.get("message"))):
                yield _oom_match(crash, (looks.event(event),), 0.9)


def _heap(facts: Facts) -> Iterator[Match]:
    for crash in crashing(facts):
        line = next(crash.lines(_HEAP), None)
        if line and crash.ended.get("exitCode"):
            yield _oom_match(crash, (looks.log(line[0], line[1]), crash.seen), 0.5)


def _oom_match(crash: Crash, seen: tuple[Seen, ...], weight: float) -> Match:
    limit = str(((crash.container.get("resources") or {}).get("limits") or {}).get("memory") or "")
    look = looks.field(
        crash.pod, ".spec.containers[*].resources.limits.memory", f"memory limit of {crash.name}: {limit or 'none'}"
    )
    return Match(
        object=crash.owner,
        summary=f"container {crash.name} was killed for want of memory (limit {limit or 'none: the node ran out'})",
        seen=(*seen, look),
        certainty=Certainty.DIRECT if weight > 0.6 else Certainty.JOIN,
        details={"container": crash.name, "limit": limit, "restarts": int(crash.status.get("restartCount") or 0)},
        weight=weight,
    )


def _ports(facts: Facts) -> Iterator[Match]:
    told: set[tuple[str, str, str]] = set()
    for crash in crashing(facts):
        others = [c for c in containers(spec(crash.pod), inits=False) if c.get("name") != crash.name]
        found = next(crash.lines(_TAKEN), None)
        if found and crash.owner.key not in told:
            told.add(crash.owner.key)
            number = _PORT.search(found[1])
            port = int(number["port"]) if number else 0
            yield _conflict(crash, port, others, (looks.log(found[0], found[1]), crash.seen), sure=True)
            continue
        shared = _shared(crash.container, others)
        if shared and crash.owner.key not in told and crash.ended.get("exitCode"):
            told.add(crash.owner.key)
            seen = (
                crash.seen,
                looks.field(crash.pod, ".spec.containers[*].ports", f"two containers declare port {shared}"),
            )
            yield _conflict(crash, shared, others, seen, sure=crash.ended.get("reason") != "OOMKilled")


def _shared(container: JsonObject, others: list[JsonObject]) -> int:
    """A port that two containers of one pod declare, or one that a mesh proxy keeps for itself."""
    mine = _declared(container)
    for other in others:
        taken = _declared(other)
        if any(str(other.get("name", "")).startswith(m) for m in _MESH_NAMES):
            taken |= _MESH
        if str(container.get("name", "")).startswith(_MESH_NAMES):
            taken &= _MESH
        both = mine & taken
        if both:
            return min(both)
    return 0


def _declared(container: JsonObject) -> set[int]:
    ports = {int(p["containerPort"]) for p in container.get("ports") or [] if p.get("containerPort")}
    words = " ".join(map(str, [*(container.get("command") or []), *(container.get("args") or [])]))
    ports |= {int(n) for n in re.findall(r"(?<![\d.])(\d{4,5})(?![\d.])", words)}
    named = {e.get("name"): str(e.get("value") or "") for e in container.get("env") or []}
    return ports | {
        int(v) for k, v in named.items() if k in ("PORT", "SERVER_PORT", "HTTP_PORT", "LISTEN_PORT") and v.isdigit()
    }


def _conflict(crash: Crash, port: int, others: list[JsonObject], seen: tuple[Seen, ...], *, sure: bool) -> Match:
    holders = [
        str(c.get("name"))
        for c in others
        if not port or port in _declared(c) or str(c.get("name")).startswith(_MESH_NAMES)
    ]
    names = holders or [str(c.get("name")) for c in others]
    with_whom = f" with {', '.join(names)}" if names else ""
    return Match(
        object=crash.owner,
        summary=f"container {crash.name} cannot listen on port {port or '?'}: it is taken in the pod{with_whom}",
        seen=seen,
        certainty=Certainty.DIRECT if sure and names else Certainty.JOIN,
        details={"container": crash.name, "port": port, "other_containers": list(names)},
        weight=0.85,
    )


def _zero(facts: Facts) -> Iterator[Match]:
    wanted: dict[tuple[str, str], list[Ref]] = {}
    for one in addresses(facts):
        place = resolve(one.host, one.owner.namespace, facts)
        if place:
            wanted.setdefault(place, []).append(one.owner)
    for kind in ("Deployment", "StatefulSet"):
        for obj in facts.scoped(kind):
            if spec(obj).get("replicas") != 0 or _parked(obj, facts):
                continue
            ref = Ref.of(obj)
            services = [s for s in facts.services_of(ref) if not _others_serve(s, ref, facts)]
            callers = [c for s in services for c in wanted.get((ref.namespace, name_of(s)), [])]
            callers += [
                Ref(kind="Workload", name=n, namespace=ref.namespace) for n, to in facts.calls.items() if ref.name in to
            ]
            lately = _scaled_lately(ref, facts)
            if not services and not callers and not lately:
                continue
            explains = (*(Ref.of(s) for s in services), *dict.fromkeys(callers))
            yield Match(
                object=ref,
                summary=f"{ref.name} is scaled to zero, and {_needs(services, callers)} it",
                seen=(
                    looks.field(obj, ".spec.replicas", "spec.replicas is 0"),
                    *(
                        looks.field(s, ".spec.selector", f"Service {name_of(s)} has nothing behind it")
                        for s in services[:2]
                    ),
                    *(looks.event(e) for e in lately[-1:]),
                ),
                explains=explains,
                certainty=Certainty.DIRECT if services else Certainty.JOIN,
                details={"replicas": 0, "before": _replicas_before(ref, facts)},
                weight=0.9,
            )


def _needs(services: list[JsonObject], callers: list[Ref]) -> str:
    if services:
        return f"Service {name_of(services[0])} needs"
    return f"{callers[0].name} calls" if callers else "it was scaled just now; nothing else serves for"


def _parked(obj: JsonObject, facts: Facts) -> bool:
    """An autoscaler that may go to zero, or GitOps/event scalers, put it there on purpose."""
    ref = Ref.of(obj)
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for scaler in facts.all(kind):
            target = spec(scaler).get("scaleTargetRef") or {}
            low = spec(scaler).get(
                "minReplicas", spec(scaler).get("minReplicaCount", 0 if kind == "ScaledObject" else 1)
            )
            if target.get("name") == ref.name and namespace_of(scaler) == ref.namespace and low == 0:
                return True
    return False


def _others_serve(service: JsonObject, ref: Ref, facts: Facts) -> bool:
    return any(facts.owner(p).key != ref.key for p in facts.behind(service))


def _scaled_lately(ref: Ref, facts: Facts) -> list[JsonObject]:
    found = facts.recent(facts.events(ref, "ScalingReplicaSet"), timedelta(hours=1))
    return [
        e
        for e in found
        if str(e.get("message", "")).startswith("Scaled down") and re.search(r"to 0\b", str(e.get("message")))
    ]


def _replicas_before(ref: Ref, facts: Facts) -> int:
    for event in reversed(facts.events(ref, "ScalingReplicaSet")):
        matched = re.search(r"to 0 from (\d+)", str(event.get("message"))) or re.search(
            r"from (\d+) to 0", str(event.get("message"))
        )
        if matched:
            return int(matched[1])
    return 0


def _evicted(facts: Facts) -> Iterator[Match]:
    for pod in facts.symptoms.troubled_pods:
        if (pod.get("status") or {}).get("reason") == "Evicted":
            message = str((pod.get("status") or {}).get("message") or "")
            yield Match(
                object=facts.owner(pod),
                summary=f"{name_of(pod)} was evicted: {message}",
                seen=(looks.field(pod, ".status.message", message),),
                details={
                    "pressure": next((w for w in ("memory", "ephemeral-storage", "pids", "disk") if w in message), "")
                },
                certainty=Certainty.DIRECT if _lacking(pod, facts) else Certainty.HINT,
                since=event_time((facts.events(pod, "Evicted") or [{}])[-1]),
            )


def _lacking(pod: JsonObject, facts: Facts) -> bool:
    """Whether a workload still lacks what was evicted: later pods that found a node fail for reasons of their own."""
    owner = facts.owner(pod)
    if not any(s.what == "unavailable" for s in facts.symptoms.of(owner)):
        return False
    made = moment(meta(pod).get("creationTimestamp"))
    others = [p for p in facts.symptoms.troubled_pods if facts.owner(p).key == owner.key and spec(p).get("nodeName")]
    later = [p for p in others if status(p).get("reason") != "Evicted" and _after(p, made)]
    return not later


def _after(pod: JsonObject, earlier: datetime | None) -> bool:
    made = moment(meta(pod).get("creationTimestamp"))
    return made is not None and earlier is not None and made > earlier


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="oom_killed",
        family="runtime",
        title="The container was killed for want of memory",
        summary="It reached its memory limit (or the node ran out) and the kernel killed it.",
        must_see=("reason OOMKilled, or the runtime says the container was OOM-killed, lately",),
        refuted_by=("the last end was long ago and the container is ready", "the exit code comes from a failed probe"),
        remedy="raise the memory limit or lower use",
        match=_oom,
        details={"container": "its name", "limit": "its memory limit, empty when none", "restarts": "restart count"},
        follows=("nodes",),
    ),
    Cause(
        name="port_conflict",
        family="runtime",
        title="Two containers of a pod want the same port",
        summary=(
            "Containers of one pod share one network namespace; a sidecar or the program itself finds its port taken."
        ),
        must_see=(
            "'address already in use' in the log of a container in trouble",
            "or: two containers declare the port and one dies",
        ),
        refuted_by=("the container runs", "it ended for want of memory"),
        remedy="move one of them to another port",
        match=_ports,
        details={"container": "which fails", "port": "the port", "other_containers": "who holds it"},
    ),
    Cause(
        name="scaled_to_zero",
        family="runtime",
        title="The workload is scaled to zero and is needed",
        summary="spec.replicas is 0 while a Service or another workload counts on it.",
        must_see=("spec.replicas is 0", "a Service selects its pods, or somebody calls it, and nothing else serves"),
        refuted_by=("an autoscaler may scale it to zero", "another workload serves behind the same Service"),
        remedy="scale up",
        match=_zero,
        details={"replicas": "0", "before": "replicas before, 0 when not known"},
    ),
    Cause(
        name="pod_evicted",
        family="runtime",
        title="The pod was evicted under node pressure",
        summary="kubelet evicted it for memory, disk or process ids.",
        must_see=("status.reason is Evicted",),
        refuted_by=("its workload has all replicas again", "pods made since found a node and fail for another reason"),
        remedy="free the node, set requests",
        match=_evicted,
        details={"pressure": "memory, ephemeral-storage, pids or disk"},
        follows=("nodes",),
    ),
)
