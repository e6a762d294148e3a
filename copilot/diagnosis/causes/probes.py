"""Probes that ask the wrong port, speak the wrong protocol, or are too impatient."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import container_statuses, containers, event_count, spec
from copilot.diagnosis.symptoms import restarted_lately

_PROTOCOL = re.compile(
    r"malformed HTTP (?:response|version|status)|HTTP/1\.x transport connection broken"
    r"|HTTP response to HTTPS client|tls: first record"
    r"|tls: handshake failure|server preface|frame too large|unimplemented|does not implement"
    r"|unknown service grpc\.health|http2:"
    r"|\bEOF\b|connection reset|unsupported protocol|oversized record|bad record MAC|statuscode: (?:400|415|426|505)",
    re.IGNORECASE,
)
_PATH = re.compile(r"statuscode: (?P<code>40[1345])")
_PATIENCE = 20.0
"""Seconds within which hardly any server is up: initialDelay + failureThreshold x period below it is impatient."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A probe that fails now. ``kind``: liveness, readiness or startup."""

    pod: JsonObject
    owner: Ref
    container: JsonObject
    kind: str
    probe: JsonObject
    message: str
    seen: tuple[Seen, ...]

    @property
    def how(self) -> str:
        """httpGet, grpc, tcpSocket or exec."""
        return next((k for k in ("httpGet", "grpc", "tcpSocket", "exec") if k in self.probe), "")

    @property
    def port(self) -> int | str:
        """The port that it asks, a number or a name."""
        found = (self.probe.get(self.how) or {}).get("port", 0)
        return int(found) if str(found).isdigit() else str(found)


def failing(facts: Facts) -> list[Failing]:
    """Yield probes that fail right now: the pod is not ready, or the container was lately killed for it."""
    return facts.once(_failing)


def _failing(facts: Facts) -> Iterator[Failing]:
    told: set[tuple[tuple[str, str, str], str, str]] = set()
    for pod in facts.symptoms.troubled_pods:
        unhealthy = facts.recent(facts.events(pod, "Unhealthy", "ProbeWarning"), timedelta(minutes=15))
        killed = facts.events(pod, "Killing")
        states = {s.get("name"): s for s in container_statuses(pod)}
        for container in containers(spec(pod), inits=False):
            state = states.get(container.get("name"), {})
            for kind in ("liveness", "readiness", "startup"):
                owner = facts.owner(pod)
                label = (owner.key, str(container.get("name")), kind)
                probe = container.get(f"{kind}Probe")
                if not probe or label in told or not _hurts(kind, state, facts):
                    continue
                events = [e for e in unhealthy if str(e.get("message", "")).lower().startswith(f"{kind} probe")]
                kills = [e for e in killed if f"{kind} probe" in str(e.get("message", ""))]
                if not events or (kind != "readiness" and not kills and event_count(events[-1]) < 3):
                    continue
                told.add(label)
                seen = tuple(looks.event(e) for e in [*events[-1:], *kills[-1:]])
                yield Failing(pod, owner, container, kind, probe, str(events[-1].get("message")), seen)


def _hurts(kind: str, state: JsonObject, facts: Facts) -> bool:
    if kind == "readiness":
        return not state.get("ready") and bool((state.get("state") or {}).get("running"))
    return restarted_lately(state, facts) or bool((state.get("state") or {}).get("waiting"))


def _ports(container: JsonObject) -> tuple[set[int], set[str]]:
    ports = container.get("ports") or []
    return {int(p["containerPort"]) for p in ports if p.get("containerPort")}, {
        str(p["name"]) for p in ports if p.get("name")
    }


def _wrong_port(one: Failing) -> bool:
    numbers, names = _ports(one.container)
    if not one.port or not (numbers or names):
        return False
    return one.port not in (numbers if isinstance(one.port, int) else names)


def diagnosed(one: Failing, facts: Facts) -> tuple[str, Certainty]:
    """Return what is wrong with a failing probe: port, protocol, path, timing or unready; and how surely."""
    if one.how in ("httpGet", "grpc", "tcpSocket") and _wrong_port(one):
        return "port", Certainty.DIRECT
    if _PROTOCOL.search(one.message) and one.how in ("httpGet", "grpc"):
        return "protocol", Certainty.DIRECT
    if _PATH.search(one.message):
        return "path", Certainty.JOIN
    if _differs(one, facts):
        return "protocol", Certainty.JOIN
    if one.kind != "readiness" and _impatient(one):
        return "timing", Certainty.DIRECT
    return ("timing", Certainty.HINT) if one.kind != "readiness" else ("unready", Certainty.HINT)


def _differs(one: Failing, facts: Facts) -> bool:
    """Another probe of the container asks the same port in another way and passes."""
    if one.how not in ("httpGet", "grpc"):
        return False
    state = next((s for s in container_statuses(one.pod) if s.get("name") == one.container.get("name")), {})
    others = [one.container.get(f"{k}Probe") or {} for k in ("liveness", "readiness", "startup") if k != one.kind]
    same = [o for o in others if o and one.how not in o and "exec" not in o]
    told = [str(e.get("message", "")).lower() for e in facts.events(one.pod, "Unhealthy")]
    passes = state.get("ready") if one.kind == "liveness" else not any(t.startswith("liveness") for t in told)
    return bool(same and passes)


def _impatient(one: Failing) -> bool:
    probe = one.probe
    tries = int(probe.get("failureThreshold") or 3)
    patience = int(probe.get("initialDelaySeconds") or 0) + tries * int(probe.get("periodSeconds") or 10)
    return patience < _PATIENCE


def _of(kind: str, what: str) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        for one in failing(facts):
            found, certainty = diagnosed(one, facts)
            if one.kind == kind and found == what:
                yield _match(one, what, certainty)

    return match


def _match(one: Failing, what: str, certainty: Certainty) -> Match:
    numbers, names = _ports(one.container)
    name = str(one.container.get("name"))
    expected: list[int | str] = [*sorted(numbers), *sorted(names)]
    text = {
        "port": f"asks port {one.port}, the container listens on {', '.join(map(str, expected))}",
        "protocol": f"speaks {one.how} to port {one.port}, which answers in another protocol",
        "path": f"gets {_code(one.message)} for {(one.probe.get('httpGet') or {}).get('path', '/')}",
        "timing": "gives the container too little time",
        "unready": "fails although port and protocol look right: the program is not ready",
    }[what]
    path = f'.spec.containers[?(@.name=="{name}")].{one.kind}Probe'
    return Match(
        object=one.owner,
        summary=f"the {one.kind} probe of container {name} {text}",
        seen=(*one.seen, looks.field(one.pod, path, f"{one.kind} probe: {one.how} {one.port}, {_timing(one.probe)}")),
        certainty=certainty,
        details={
            "container": name,
            "probe": f"{one.kind}Probe",
            "port": one.port,
            "expected_ports": list(expected),
            "handler": one.how,
            "timing": {k: v for k, v in one.probe.items() if isinstance(v, int)},
        },
        weight=0.6,
        next_look="the program's log from its start, and how long it takes to listen"
        if certainty == Certainty.HINT
        else "",
    )


def _code(message: str) -> str:
    matched = _PATH.search(message)
    return matched["code"] if matched else "an error"


def _timing(probe: JsonObject) -> str:
    return (
        f"delay {probe.get('initialDelaySeconds', 0)} s, period {probe.get('periodSeconds', 10)} s, "
        f"timeout {probe.get('timeoutSeconds', 1)} s, failures {probe.get('failureThreshold', 3)}"
    )


_KEYS = {
    "container": "its name",
    "probe": "livenessProbe, readinessProbe or startupProbe",
    "port": "the port asked",
    "expected_ports": "ports that the container declares",
    "handler": "httpGet, grpc, tcpSocket or exec",
    "timing": "the probe's numbers",
}
_WORDS = {
    "port": (
        "asks the wrong port",
        "The probe's port is not one that the container declares.",
        "the port is not among containerPorts",
        "the port is declared",
        "set the probe's port",
    ),
    "protocol": (
        "speaks the wrong protocol",
        "The port answers, but not in the probe's protocol.",
        "the answer is malformed for the protocol, or another probe passes on that port in another way",
        "the probe's protocol is what the port speaks",
        "set the probe's handler",
    ),
    "path": (
        "asks a path that is not there",
        "The server answers 404, 401, 403 or 405 to the probe.",
        "'HTTP probe failed with statuscode: 404'",
        "the path answers 200",
        "set the probe's path",
    ),
    "timing": (
        "is too impatient",
        "The container is killed before it can have started, or for a short pause.",
        "delay plus failures times period is under 20 seconds, port and protocol are right",
        "port or protocol is wrong",
        "give the probe more time, or add a startup probe",
    ),
    "unready": (
        "fails although it looks right",
        "The program itself is not ready: overloaded, broken, or waiting for something.",
        "readiness fails on a declared port in the right protocol",
        "port, protocol or path is wrong",
        "look at the program's log and its dependencies",
    ),
}


def _cause(kind: str, what: str) -> Cause:
    title, summary, must, refuted, remedy = _WORDS[what]
    hurts = "the pod runs but is not ready" if kind == "readiness" else "the container was lately restarted by kubelet"
    label = f"{kind}_probe_{what}" if what != "unready" else "not_ready"
    return Cause(
        label,
        "probes",
        f"The {kind} probe {title}",
        summary,
        (f"{hurts}, and {kind} probes fail now", must),
        (refuted, "the probe passes by now"),
        remedy,
        _of(kind, what),
        _KEYS,
    )


CAUSES: tuple[Cause, ...] = (
    *(_cause(kind, what) for kind in ("liveness", "readiness", "startup") for what in ("port", "protocol", "path")),
    _cause("liveness", "timing"),
    _cause("startup", "timing"),
    _cause("readiness", "unready"),
)
