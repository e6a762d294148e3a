"""Services that lead nowhere: selector, target port, protocol, missing Service, wrong address, gateway routes."""

from collections.abc import Iterator
from difflib import SequenceMatcher

from copilot.core.ref import Ref
from copilot.core.selectors import subset
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import containers, name_of, namespace_of, spec
from copilot.diagnosis.references import (
    CLOSE,
    is_store,
)
from copilot.diagnosis.symptoms import desired, without_endpoints


def _callers(service: JsonObject, facts: Facts) -> tuple[Ref, ...]:
    name, namespace = name_of(service), namespace_of(service)
    found = [Ref(kind="Workload", name=n, namespace=namespace) for n, to in facts.calls.items() if name in to]
    return tuple(found)


def _unreachable(service: JsonObject, facts: Facts) -> tuple[Seen, ...]:
    name = name_of(service)
    failed = [o for o in facts.observed("reachability") if not o.ok and o.object.partition(":")[0] == name]
    return tuple(looks.observation(o, Ref.of(service)) for o in failed[:1])


def _selector(facts: Facts) -> Iterator[Match]:
    for service in facts.scoped("Service"):
        wanted = spec(service).get("selector") or {}
        if not wanted or facts.behind(service) or not without_endpoints(service, facts):
            continue
        meant = _meant(service, facts)
        if meant is None or not desired(meant):
            continue
        labels = facts.template_labels(meant)
        if subset(wanted, labels):
            continue
        off = {k: v for k, v in wanted.items() if labels.get(k) != v}
        yield Match(
            object=Ref.of(service),
            summary=(
                f"Service {name_of(service)} selects {_pairs(off)}, which no pod carries; {name_of(meant)} has "
                f"{_pairs(labels)}"
            ),
            seen=(
                looks.field(service, ".spec.selector", f"selector: {_pairs(wanted)}"),
                looks.field(meant, ".spec.template.metadata.labels", f"pod labels: {_pairs(labels)}"),
                *_unreachable(service, facts),
            ),
            explains=(Ref.of(meant), *_callers(service, facts)),
            details={"selector": dict(wanted), "expected": _expected(wanted, labels), "workload": name_of(meant)},
            weight=0.9,
        )


def _meant(service: JsonObject, facts: Facts) -> JsonObject | None:
    """The workload that the Service was meant for: of its name, else with most of its labels, else of a like name."""
    workloads = facts.workloads_in(namespace_of(service))
    wanted = set((spec(service).get("selector") or {}).items())
    values = {v for _, v in wanted}

    def fit(obj: JsonObject) -> tuple[int, int, float]:
        labels = facts.template_labels(obj)
        alike = SequenceMatcher(None, name_of(obj), name_of(service)).ratio()
        return (
            int(name_of(obj) == name_of(service)),
            len(wanted & set(labels.items())) + len(values & set(labels.values())),
            alike,
        )

    best = max(workloads, key=fit, default=None)
    if best is None:
        return None
    same, shared, alike = fit(best)
    served = any(
        subset(spec(s).get("selector") or {}, facts.template_labels(best))
        for s in facts.services_of(Ref.of(best))
        if s is not service
    )
    return best if same or shared or (alike > CLOSE and not served) else None


def _pairs(labels: dict[str, str]) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()) if k != "pod-template-hash")


def _expected(wanted: dict[str, str], labels: dict[str, str]) -> dict[str, str]:
    kept = {k: labels[k] for k in wanted if k in labels}
    own = {k: v for k, v in labels.items() if k in ("app", "app.kubernetes.io/name", "k8s-app", "name")}
    return kept or own or {k: v for k, v in labels.items() if k != "pod-template-hash"}


def _target_port(facts: Facts) -> Iterator[Match]:
    for service in facts.scoped("Service"):
        pods = facts.behind(service)
        if not pods:
            continue
        numbers, names = _listens(pods[0])
        for port in spec(service).get("ports") or []:
            target = port.get("targetPort", port.get("port"))
            target = int(target) if str(target).isdigit() else str(target)
            declared: set[int] | set[str] = numbers if isinstance(target, int) else names
            if not (numbers or names) or target in declared or _elsewhere(target, pods, numbers):
                continue
            hurt = _unreachable(service, facts)
            if isinstance(target, int) and not hurt and _reached(service, port, facts):
                continue
            yield Match(
                object=Ref.of(service),
                summary=(
                    f"Service {name_of(service)} sends port {port.get('port')} to {target}, its pods listen on "
                    f"{sorted(numbers)}"
                ),
                seen=(
                    looks.field(service, ".spec.ports", f"port {port.get('port')} -> targetPort {target}"),
                    looks.field(
                        pods[0], ".spec.containers[*].ports", f"container ports: {sorted(numbers)} {sorted(names)}"
                    ),
                    *hurt,
                ),
                explains=(facts.owner(pods[0]), *_callers(service, facts)),
                certainty=Certainty.DIRECT if isinstance(target, str) or hurt else Certainty.JOIN,
                details={"port": port.get("port"), "target_port": target, "expected_ports": sorted(numbers)},
                weight=0.9,
            )


def _elsewhere(target: int | str, pods: list[JsonObject], numbers: set[int]) -> bool:
    """Probes or the environment say that the program listens there although the port is not declared."""
    if not isinstance(target, int):
        return False
    for container in containers(spec(pods[0]), inits=False):
        probes = [container.get(f"{k}Probe") or {} for k in ("liveness", "readiness", "startup")]
        asked = {str((p.get(h) or {}).get("port")) for p in probes for h in ("httpGet", "grpc", "tcpSocket")}
        if str(target) in asked:
            return True
        if not numbers and any(str(e.get("value")) == str(target) for e in container.get("env") or []):
            return True
    return False


def _reached(service: JsonObject, port: JsonObject, facts: Facts) -> bool:
    label = f"{name_of(service)}:{port.get('port')}"
    return any(o.ok and o.object == label for o in facts.observed("reachability"))


def _listens(pod: JsonObject) -> tuple[set[int], set[str]]:
    ports = [p for c in containers(spec(pod), inits=False) for p in c.get("ports") or []]
    return {int(p["containerPort"]) for p in ports if p.get("containerPort")}, {
        str(p["name"]) for p in ports if p.get("name")
    }


def _protocol(facts: Facts) -> Iterator[Match]:
    for service in facts.scoped("Service"):
        pods = facts.behind(service)
        speaks = {
            (p.get("containerPort"), p.get("protocol", "TCP"))
            for pod in pods[:1]
            for c in containers(spec(pod))
            for p in c.get("ports") or []
        }
        for port in spec(service).get("ports") or []:
            protocol = port.get("protocol", "TCP")
            target = port.get("targetPort", port.get("port"))
            others = {p for n, p in speaks if str(n) == str(target)}
            # Container ports only inform: a Service that forwards what is declared as well (DNS, UDP and TCP) is right.
            if not others or protocol in others or others & _forwarded(service, target):
                continue
            yield Match(
                object=Ref.of(service),
                summary=(
                    f"Service {name_of(service)} forwards {protocol} on port {port.get('port')}, its pods speak "
                    f"{'/'.join(sorted(others))}"
                ),
                seen=(
                    looks.field(service, ".spec.ports", f"port {port.get('port')}/{protocol}"),
                    looks.field(
                        pods[0], ".spec.containers[*].ports", f"container port {target}/{'/'.join(sorted(others))}"
                    ),
                    *_unreachable(service, facts),
                ),
                explains=(facts.owner(pods[0]), *_callers(service, facts)),
                details={"port": port.get("port"), "protocol": protocol, "expected": sorted(others)[0]},
                weight=0.9,
            )
        yield from _application_protocol(service, pods, facts)


def _forwarded(service: JsonObject, target: int | str) -> set[str]:
    """Return the protocols that a Service forwards to one target port."""
    ports = spec(service).get("ports") or []
    return {p.get("protocol", "TCP") for p in ports if str(p.get("targetPort", p.get("port"))) == str(target)}


def _application_protocol(service: JsonObject, pods: list[JsonObject], facts: Facts) -> Iterator[Match]:
    """A mesh believes the port's name or appProtocol: http for a port that speaks grpc (or a store's) breaks it."""
    for port in spec(service).get("ports") or []:
        said = str(port.get("appProtocol") or str(port.get("name") or "").partition("-")[0]).lower()
        probes = [
            c.get(f"{k}Probe") or {}
            for p in pods[:1]
            for c in containers(spec(p), inits=False)
            for k in ("liveness", "readiness")
        ]
        target = str(port.get("targetPort", port.get("port")))
        speaks = {h for p in probes for h in ("grpc", "httpGet") if str((p.get(h) or {}).get("port")) == target}
        wrong = (said in ("http", "https") and speaks == {"grpc"}) or (
            said in ("grpc", "udp") and speaks == {"httpGet"}
        )
        wrong = wrong or (said in ("http", "grpc") and is_store(service, facts) and speaks == set())
        if wrong and _unreachable(service, facts):
            yield Match(
                object=Ref.of(service),
                summary=(
                    f"Service {name_of(service)} announces {said} on port {port.get('port')}, its pods speak "
                    f"another protocol"
                ),
                seen=(
                    looks.field(service, ".spec.ports", f"port {port.get('port')} is announced as {said}"),
                    *_unreachable(service, facts),
                ),
                explains=tuple(facts.owner(p) for p in pods[:1]),
                certainty=Certainty.JOIN,
                details={
                    "port": port.get("port"),
                    "protocol": said,
                    "expected": "grpc" if "grpc" in speaks else "http",
                },
                weight=0.6,
            )


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="service_selector_mismatch",
        family="routing",
        title="The Service selects no pod",
        summary="The selector asks for labels that the pods of its workload do not carry, so it has no endpoints.",
        must_see=(
            "no endpoint and no pod with the selected labels",
            "a workload that it is meant for (name, shared labels) has pods with other labels",
        ),
        refuted_by=("a pod matches the selector", "the workload has no replicas"),
        remedy="patch the Service's selector",
        match=_selector,
        details={
            "selector": "the present selector",
            "expected": "labels that the pods carry",
            "workload": "the workload it is meant for",
        },
    ),
    Cause(
        name="service_target_port_mismatch",
        family="routing",
        title="The Service sends traffic to a port where nothing listens",
        summary="targetPort is not a port (or port name) of the pods' containers.",
        must_see=(
            "targetPort is not among the containers' ports",
            "for a number: the Service cannot be reached, or nobody has reached it",
        ),
        refuted_by=(
            "a probe or the environment shows that the program listens there",
            "the Service was reached on that port",
        ),
        remedy="patch the Service's targetPort",
        match=_target_port,
        details={
            "port": "the Service's port",
            "target_port": "present value",
            "expected_ports": "ports that the containers declare",
        },
    ),
    Cause(
        name="service_protocol_mismatch",
        family="routing",
        title="The Service forwards another protocol than the pods speak",
        summary="TCP and UDP differ between Service and container, or a mesh is told the wrong application protocol.",
        must_see=("the Service's protocol differs from the container port's",),
        refuted_by=("they are equal",),
        remedy="patch the Service's port",
        match=_protocol,
        details={"port": "the Service's port", "protocol": "present value", "expected": "what the pods speak"},
    ),
)
