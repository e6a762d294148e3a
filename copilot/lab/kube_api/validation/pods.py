"""Pods and pod templates: containers, ports, environment, resources, probes, volumes; what an update may change."""

from collections.abc import Iterator

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import copied
from copilot.lab.kube_api.quantity import amount
from copilot.lab.kube_api.status import Cause
from copilot.lab.kube_api.validation import causes as field

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_IMMUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)


def spec_causes(spec: JsonObject, path: str) -> Iterator[Cause]:
    """Refusals of a pod spec at ``path``."""
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    yield from _volumes(spec, f"{path}.volumes")
    if not spec.get("containers"):
        yield field.required(f"{path}.containers")
    names: set[str] = set()
    for group in ("containers", "initContainers"):
        for number, container in enumerate(spec.get(group) or ()):
            yield from _container(container, f"{path}.{group}[{number}]", volumes, names)
            names.add(container.get("name", ""))
    if spec.get("restartPolicy") not in _RESTART_POLICIES:
        yield field.unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), _RESTART_POLICIES)
    yield from field.at_least(f"{path}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"), 0)
    yield from field.labels(f"{path}.nodeSelector", spec.get("nodeSelector"))
    yield from _tolerations(spec, f"{path}.tolerations")


def _volumes(spec: JsonObject, path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for number, volume in enumerate(spec.get("volumes") or ()):
        name = volume.get("name", "")
        if not name:
            yield field.required(f"{path}[{number}].name")
            continue
        yield from field.label(f"{path}[{number}].name", name)
        if name in seen:
            yield field.duplicate(f"{path}[{number}].name", name)
        seen.add(name)


def _container(container: JsonObject, path: str, volumes: set[str], names: set[str]) -> Iterator[Cause]:
    name = container.get("name", "")
    if not name:
        yield field.required(f"{path}.name")
    else:
        yield from field.label(f"{path}.name", name)
        if name in names:
            yield field.duplicate(f"{path}.name", name)
    if not container.get("image"):
        yield field.required(f"{path}.image")
    if container.get("imagePullPolicy") not in _PULL_POLICIES:
        yield field.unsupported(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES)
    yield from _ports(container, f"{path}.ports")
    for number, variable in enumerate(container.get("env") or ()):
        yield from field.env_name(f"{path}.env[{number}].name", variable.get("name", ""))
    yield from _resources(container.get("resources") or {}, f"{path}.resources")
    yield from _mounts(container, f"{path}.volumeMounts", volumes)
    for probe in _PROBES:
        if container.get(probe):
            yield from _probe(container[probe], f"{path}.{probe}")


def _ports(container: JsonObject, path: str) -> Iterator[Cause]:
    names: set[str] = set()
    for number, port in enumerate(container.get("ports") or ()):
        yield from field.port(f"{path}[{number}].containerPort", port.get("containerPort", 0))
        if port.get("protocol") not in _PROTOCOLS:
            yield field.unsupported(f"{path}[{number}].protocol", port.get("protocol"), _PROTOCOLS)
        name = port.get("name")
        if name and name in names:
            yield field.duplicate(f"{path}[{number}].name", name)
        names.add(name or "")


def _resources(resources: JsonObject, path: str) -> Iterator[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for group, given in (("limits", limits), ("requests", requests)):
        for name, value in sorted(given.items()):
            if amount(value) < 0:
                yield field.bad(f"{path}.{group}[{name}]", value, "must be greater than or equal to 0")
    for name, value in sorted(requests.items()):
        if name in limits and amount(value) > amount(limits[name]):
            yield field.bad(f"{path}.requests", value, f"must be less than or equal to {name} limit of {limits[name]}")
    for name, value in sorted(limits.items()):
        if "/" in name and name in requests and amount(requests[name]) < amount(value):
            yield field.bad(f"{path}.requests", requests[name], f"must be equal to {name} limit of {value}")


def _mounts(container: JsonObject, path: str, volumes: set[str]) -> Iterator[Cause]:
    seen: set[str] = set()
    for number, mount in enumerate(container.get("volumeMounts") or ()):
        if not mount.get("name"):
            yield field.required(f"{path}[{number}].name")
        elif mount["name"] not in volumes:
            yield field.not_found(f"{path}[{number}].name", mount["name"])
        where = mount.get("mountPath", "")
        if not where:
            yield field.required(f"{path}[{number}].mountPath")
        elif where in seen:
            yield field.bad(f"{path}[{number}].mountPath", where, "must be unique")
        seen.add(where)


def _probe(probe: JsonObject, path: str) -> Iterator[Cause]:
    handlers = [name for name in _HANDLERS if name in probe]
    if not handlers:
        yield field.required(path, "must specify a handler type")
    for name in handlers[1:]:
        yield field.forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
    for name in _PROBE_NUMBERS:
        yield from field.at_least(f"{path}.{name}", probe.get(name), 0)
    if not path.endswith("readinessProbe") and probe.get("successThreshold", 1) != 1:
        yield field.bad(f"{path}.successThreshold", probe["successThreshold"], "must be 1")
    for name in ("httpGet", "tcpSocket"):
        number = (probe.get(name) or {}).get("port")
        if isinstance(number, int):
            yield from field.port(f"{path}.{name}.port", number)


def _tolerations(spec: JsonObject, path: str) -> Iterator[Cause]:
    for number, toleration in enumerate(spec.get("tolerations") or ()):
        here = f"{path}[{number}]"
        operator = toleration.get("operator", "Equal")
        if operator not in ("Equal", "Exists"):
            yield field.unsupported(f"{here}.operator", operator, ("Equal", "Exists"))
        if operator == "Exists" and toleration.get("value"):
            yield field.bad(f"{here}.operator", "Exists", "value must be empty when `operator` is 'Exists'")
        if toleration.get("effect") not in (None, "", *_EFFECTS):
            yield field.unsupported(f"{here}.effect", toleration["effect"], _EFFECTS)


def _pod(pod: JsonObject) -> Iterator[Cause]:
    return spec_causes(pod["spec"], "spec")


def _neutral(spec: JsonObject) -> JsonObject:
    """The spec without what an update may change."""
    made = copied(spec)
    for name in ("activeDeadlineSeconds", "tolerations", "schedulingGates", "terminationGracePeriodSeconds"):
        made.pop(name, None)
    for group in ("containers", "initContainers"):
        for container in made.get(group) or ():
            container.pop("image", None)
    return made


def _update(new: JsonObject, old: JsonObject) -> Iterator[Cause]:
    kept = list(old["spec"].get("tolerations") or ())
    lost = any(toleration not in (new["spec"].get("tolerations") or ()) for toleration in kept)
    if lost or _neutral(new["spec"]) != _neutral(old["spec"]):
        yield field.forbidden("spec", _IMMUTABLE)


CHECKS = {"Pod": _pod}
UPDATES = {"Pod": _update}
