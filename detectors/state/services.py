"""Services that somebody calls and nobody stands behind."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from copilot.core.case import Severity
from copilot.core.ref import Ref
from copilot.core.references import addresses, hosts
from copilot.core.value import JsonObject
from detectors.state.findings import Finding
from detectors.state.pods import has_ready
from detectors.state.view import View, condition, created, moment, name_of, namespace_of, selected

EMPTY_GRACE = 60.0
_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


def services(view: View) -> Iterator[Finding]:
    """Yield a finding for each called Service without a ready endpoint, unless what stands behind it warms up."""
    called = callees(view)
    for service in view.all("Service"):
        selector = (service.get("spec") or {}).get("selector") or {}
        ref = Ref.of(service)
        if not selector or (ref.namespace, ref.name) not in called:
            continue
        behind = [p for p in view.pods_in(ref.namespace) if selected(selector, (p.get("metadata") or {}).get("labels"))]
        portless = _portless(view, service)
        if (any(has_ready(pod) for pod in behind) and not portless) or _warming(view, selector, behind, ref.namespace):
            continue
        since = _since(view, service, selector)
        if view.age(since) > EMPTY_GRACE:
            said = "has callers and no ready endpoint: " + _why(behind, portless)
            yield Finding("service_without_endpoints", ref, ref, said, since, Severity.CRITICAL)


def _why(behind: list[JsonObject], portless: bool) -> str:
    if portless:
        return "no pod declares a port of the name that its targetPort asks for"
    return f"none of its {len(behind)} pods is ready" if behind else "its selector matches no pod"


def callees(view: View) -> set[tuple[str, str]]:
    """Return (namespace, name) of each Service that an environment, arguments, a ConfigMap or an Ingress names."""
    names = {(namespace_of(one), name_of(one)) for one in view.all("Service")}
    found = set()
    for kind in ("Pod", "Deployment", "StatefulSet", "ConfigMap", "Ingress"):
        for obj in view.all(kind):
            for text in addresses(obj):
                for name, namespace in hosts(text):
                    found |= {(namespace_of(obj), name), (namespace, name)} & names
    return found


def _warming(view: View, selector: Mapping[str, str], behind: list[JsonObject], namespace: str) -> bool:
    owners = {view.owner(pod).key for pod in behind}
    for deployment in view.all("Deployment"):
        template = ((deployment.get("spec") or {}).get("template") or {}).get("metadata") or {}
        matches = namespace_of(deployment) == namespace and selected(selector, template.get("labels"))
        if (Ref.of(deployment).key in owners or matches) and _wanted(deployment) and view.rolling_out(deployment):
            return True
    return False


def _portless(view: View, service: JsonObject) -> bool:
    """Whether a Service with ports has endpoints and none of them a port: the name of its targetPort led nowhere."""
    slices = [one for one in _slices(view, service) if one.get("endpoints")]
    return bool((service.get("spec") or {}).get("ports")) and bool(slices) and not any(s.get("ports") for s in slices)


def _slices(view: View, service: JsonObject) -> list[JsonObject]:
    label = "kubernetes.io/service-name"
    return [
        one
        for one in view.all("EndpointSlice")
        if namespace_of(one) == namespace_of(service)
        and ((one.get("metadata") or {}).get("labels") or {}).get(label) == name_of(service)
    ]


def _wanted(deployment: JsonObject) -> bool:
    return (deployment.get("spec") or {}).get("replicas") != 0


def _since(view: View, service: JsonObject, selector: Mapping[str, str]) -> datetime:
    namespace, name = namespace_of(service), name_of(service)
    stamps = [created(service)]
    endpoints = view.get("Endpoints", namespace, name) or {}
    for one in (endpoints, *_slices(view, service)):
        changed = moment(((one.get("metadata") or {}).get("annotations") or {}).get(_TRIGGER))
        stamps += [changed] if changed else []
    for pod in view.pods_in(namespace):
        if selected(selector, (pod.get("metadata") or {}).get("labels")):
            stamps.append(moment(condition(pod, "Ready").get("lastTransitionTime")) or created(pod))
    return max(stamps)
