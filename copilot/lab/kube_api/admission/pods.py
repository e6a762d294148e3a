"""Admission of pods: ServiceAccount with its token volume, Priority, and default tolerations of node failure."""

from copilot.core.value import JsonObject
from copilot.lab.kube_api.kinds import BY_KIND
from copilot.lab.kube_api.meta import copied, random_suffix
from copilot.lab.kube_api.status import ApiError, forbidden
from copilot.lab.kube_api.store import ObjectStore

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_EVICTION_SECONDS = 300
_SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def _shown_name(pod: JsonObject) -> str:
    return str(pod["metadata"].get("name") or pod["metadata"].get("generateName", ""))


def _refused(pod: JsonObject, why: str) -> ApiError:
    return forbidden(BY_KIND["Pod"], _shown_name(pod), why)


def fill_in(store: ObjectStore, pod: JsonObject) -> JsonObject:
    """Return the pod with account, token, priority and tolerations; raises :class:`ApiError` 403."""
    new = {**pod, "spec": copied(pod.get("spec") or {})}
    _account(store, new)
    _priority(store, new)
    _tolerations(new["spec"])
    return new


def _account(store: ObjectStore, pod: JsonObject) -> None:
    spec, namespace = pod["spec"], pod["metadata"]["namespace"]
    name = spec.setdefault("serviceAccountName", "default") or "default"
    spec["serviceAccountName"] = name
    account = store.peek("ServiceAccount", namespace, name)
    if account is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise _refused(pod, why)
    if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = copied({"secrets": account["imagePullSecrets"]})["secrets"]
    wanted = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    if wanted:
        _token(store, spec)


def _token(store: ObjectStore, spec: JsonObject) -> None:
    volumes = spec.setdefault("volumes", [])
    name = next((v["name"] for v in volumes if v["name"].startswith("kube-api-access-")), "")
    fresh = not name
    name = name or f"kube-api-access-{random_suffix(store.random)}"
    mounted = False
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        mounts = container.setdefault("volumeMounts", [])
        if all(mount.get("mountPath") != _TOKEN_PATH for mount in mounts):
            mounts.append({"name": name, "readOnly": True, "mountPath": _TOKEN_PATH})
            mounted = True
    if mounted and fresh:
        volumes.append(_token_volume(name))
    if not volumes:
        del spec["volumes"]


def _token_volume(name: str) -> JsonObject:
    certificate = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": certificate},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}


def _priority(store: ObjectStore, pod: JsonObject) -> None:
    spec = pod["spec"]
    name = spec.get("priorityClassName")
    value, policy = 0, "PreemptLowerPriority"
    if name and name not in _SYSTEM_PRIORITIES:
        found = store.peek("PriorityClass", "", name)
        if found is None:
            raise _refused(pod, f"no PriorityClass with name {name} was found")
        value, policy = int(found["value"]), found.get("preemptionPolicy", policy)
    elif name:
        value = _SYSTEM_PRIORITIES[name]
    spec["priority"] = value
    spec["preemptionPolicy"] = policy


def _tolerations(spec: JsonObject) -> None:
    tolerations = list(spec.get("tolerations") or ())
    for key in (NOT_READY, UNREACHABLE):
        if not any(_covers(toleration, key) for toleration in tolerations):
            extra = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _EVICTION_SECONDS}
            tolerations.append(extra)
    spec["tolerations"] = tolerations


def _covers(toleration: JsonObject, key: str) -> bool:
    return toleration.get("key") in (key, None, "") and toleration.get("effect") in ("NoExecute", None, "")
