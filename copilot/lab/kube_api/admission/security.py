"""PodSecurity: the ``baseline`` and ``restricted`` levels that a namespace's label can enforce."""

from collections.abc import Iterator

from copilot.core.value import JsonObject
from copilot.lab.kube_api.kinds import BY_KIND
from copilot.lab.kube_api.meta import labels_of
from copilot.lab.kube_api.status import forbidden
from copilot.lab.kube_api.store import ObjectStore

_LABEL = "pod-security.kubernetes.io/enforce"


def check(store: ObjectStore, pod: JsonObject) -> None:
    """Raise :class:`ApiError` 403 when the pod violates the level that its namespace enforces."""
    namespace = store.peek("Namespace", "", pod["metadata"]["namespace"])
    labels = labels_of(namespace) if namespace else {}
    level = labels.get(_LABEL, "privileged")
    if level not in ("baseline", "restricted"):
        return
    problems = list(_baseline(pod)) + (list(_restricted(pod)) if level == "restricted" else [])
    if problems:
        version = labels.get(f"{_LABEL}-version", "latest")
        why = f'violates PodSecurity "{level}:{version}": {", ".join(problems)}'
        raise forbidden(BY_KIND["Pod"], pod["metadata"].get("name", ""), why)


def _all(pod: JsonObject) -> list[JsonObject]:
    return [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]


def _security(container: JsonObject) -> JsonObject:
    return container.get("securityContext") or {}


def _named(containers: list[JsonObject]) -> str:
    names = ", ".join(f'"{container["name"]}"' for container in containers)
    return f"containers {names}" if len(containers) > 1 else f"container {names}"


def _baseline(pod: JsonObject) -> Iterator[str]:
    spec = pod["spec"]
    shared = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    if shared:
        yield f"host namespaces ({', '.join(shared)})"
    paths = [volume["name"] for volume in spec.get("volumes") or () if "hostPath" in volume]
    if paths:
        quoted = ", ".join(f'"{name}"' for name in paths)
        yield f"hostPath volumes (volume{'s' if len(paths) > 1 else ''} {quoted})"
    privileged = [container for container in _all(pod) if _security(container).get("privileged")]
    if privileged:
        yield f"privileged ({_named(privileged)} must not set securityContext.privileged=true)"


def _restricted(pod: JsonObject) -> Iterator[str]:
    shared = pod["spec"].get("securityContext") or {}
    escalating = [c for c in _all(pod) if _security(c).get("allowPrivilegeEscalation") is not False]
    if escalating:
        must = "must set securityContext.allowPrivilegeEscalation=false"
        yield f"allowPrivilegeEscalation != false ({_named(escalating)} {must})"
    capable = [c for c in _all(pod) if "ALL" not in ((_security(c).get("capabilities") or {}).get("drop") or ())]
    if capable:
        must = 'must set securityContext.capabilities.drop=["ALL"]'
        yield f"unrestricted capabilities ({_named(capable)} {must})"
    if not shared.get("runAsNonRoot"):
        rooted = [c for c in _all(pod) if not _security(c).get("runAsNonRoot")]
        if rooted:
            yield f"runAsNonRoot != true (pod or {_named(rooted)} must set securityContext.runAsNonRoot=true)"
    if not shared.get("seccompProfile"):
        open_ended = [c for c in _all(pod) if not _security(c).get("seccompProfile")]
        if open_ended:
            must = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
            yield f"seccompProfile (pod or {_named(open_ended)} {must})"
