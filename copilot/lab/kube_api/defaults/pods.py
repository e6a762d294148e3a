"""Defaults of pods and pod templates."""

from collections.abc import Callable

from copilot.core.value import JsonObject
from copilot.lab.kube_api.defaults.fields import fill, section

_VOLUME_MODE = 0o644
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_RESOURCES_THAT_DECIDE_QOS = ("cpu", "memory")


def pull_policy(image: str) -> str:
    """``Always`` for ``latest`` or no tag, else ``IfNotPresent``."""
    last = image.rsplit("/", 1)[-1]
    if "@" in last:
        return "IfNotPresent"
    tag = last.partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _http_get(action: JsonObject | None) -> None:
    if action is not None:
        fill(action, path="/", scheme="HTTP")


def _probe(probe: JsonObject) -> None:
    fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    _http_get(probe.get("httpGet"))


def _container(container: JsonObject) -> None:
    fill(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy=pull_policy(container.get("image", "")),
    )
    for port in container.get("ports") or ():
        fill(port, protocol="TCP")
    for name in _PROBES:
        if container.get(name):
            _probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        _http_get(hook.get("httpGet"))
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            fill(reference, apiVersion="v1")


def _volume(volume: JsonObject) -> None:
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "projected", "downwardAPI"):
        if source in volume:
            fill(volume[source], defaultMode=_VOLUME_MODE)
    if "hostPath" in volume:
        fill(volume["hostPath"], type="")
    for projection in (volume.get("projected") or {}).get("sources") or ():
        if "serviceAccountToken" in projection:
            fill(projection["serviceAccountToken"], expirationSeconds=3600)


def fill_pod_spec(spec: JsonObject) -> None:
    """Defaults shared by pods and templates."""
    fill(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        terminationGracePeriodSeconds=30,
        securityContext={},
        schedulerName="default-scheduler",
    )
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for group in ("containers", "initContainers"):
        for container in spec.get(group) or ():
            _container(container)
    for volume in spec.get("volumes") or ():
        _volume(volume)


def fill_template(template: JsonObject) -> None:
    """Defaults of ``spec.template``; the null creationTimestamp is what the API server prints."""
    section(template, "metadata").setdefault("creationTimestamp", None)
    fill_pod_spec(section(template, "spec"))


def _requests_from_limits(container: JsonObject) -> None:
    resources = container["resources"]
    limits = resources.get("limits")
    if limits:
        requests = section(resources, "requests")
        for name, amount in limits.items():
            requests.setdefault(name, amount)


def qos_class(spec: JsonObject) -> str:
    """``Guaranteed``, ``Burstable`` or ``BestEffort``, from the cpu and memory of all containers."""
    guaranteed, anything = True, False
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in _RESOURCES_THAT_DECIDE_QOS:
            anything = anything or name in requests or name in limits
            guaranteed = guaranteed and name in limits and requests.get(name, limits[name]) == limits[name]
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _pod(pod: JsonObject) -> None:
    spec = section(pod, "spec")
    fill_pod_spec(spec)
    fill(spec, enableServiceLinks=True)
    for group in ("containers", "initContainers"):
        for container in spec.get(group) or ():
            _requests_from_limits(container)
    fill(section(pod, "status"), phase="Pending", qosClass=qos_class(spec))


DEFAULTS: dict[str, Callable[[JsonObject], None]] = {"Pod": _pod}
