"""ResourceQuota: what a namespace uses, and the refusal of what would exceed it."""

from collections.abc import Iterable
from fractions import Fraction

from copilot.core.value import JsonObject
from copilot.lab.kube_api.kinds import BY_KIND
from copilot.lab.kube_api.quantity import Amounts, amount, pod_requests, text_of
from copilot.lab.kube_api.status import ApiError, forbidden
from copilot.lab.kube_api.store import ObjectStore

_FINISHED = ("Succeeded", "Failed")
_BARE_REQUESTS = ("cpu", "memory", "ephemeral-storage")
_MUST_SPECIFY = ("cpu", "memory")


def _scoped(quota: JsonObject, pod: JsonObject) -> bool:
    return all(_in_scope(scope, pod) for scope in quota["spec"].get("scopes") or ())


def _in_scope(scope: str, pod: JsonObject) -> bool:
    spec = pod.get("spec") or {}
    terminating = spec.get("activeDeadlineSeconds") is not None
    best_effort = not pod_requests(spec) and not pod_requests(spec, "limits")
    return {
        "Terminating": terminating,
        "NotTerminating": not terminating,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
    }.get(scope, True)


def pod_usage(pod: JsonObject) -> Amounts:
    """What one pod counts for, under every name that a quota may use."""
    spec = pod.get("spec") or {}
    used: Amounts = {"pods": Fraction(1), "count/pods": Fraction(1)}
    for name, value in pod_requests(spec).items():
        used[f"requests.{name}"] = value
        if name in _BARE_REQUESTS:
            used[name] = value
    for name, value in pod_requests(spec, "limits").items():
        used[f"limits.{name}"] = value
    return used


def _count_names(kind: str) -> tuple[str, ...]:
    resource = BY_KIND[kind]
    return (f"count/{resource.qualified}", resource.plural)


def counted(store: ObjectStore, namespace: str, names: Iterable[str]) -> Amounts:
    """Object counts in a namespace for the quota names that are counts of a kind other than pods."""
    by_name = {name: kind for kind in BY_KIND if kind != "Pod" for name in _count_names(kind)}
    wanted = {name: by_name[name] for name in names if name in by_name}
    return {name: Fraction(len(store.peek_all(kind, namespace))) for name, kind in wanted.items()}


def usage(store: ObjectStore, quota: JsonObject) -> Amounts:
    """What counts against a quota now, for each of its hard limits."""
    hard = quota["spec"].get("hard") or {}
    namespace = quota["metadata"]["namespace"]
    total = dict.fromkeys(hard, Fraction(0)) | counted(store, namespace, hard)
    for pod in store.peek_all("Pod", namespace):
        if (pod.get("status") or {}).get("phase") in _FINISHED or not _scoped(quota, pod):
            continue
        for name, value in pod_usage(pod).items():
            if name in total:
                total[name] += value
    return total


def _listed(amounts: Amounts, names: Iterable[str]) -> str:
    return ",".join(f"{name}={text_of(name, amounts[name])}" for name in sorted(names))


def _exceeded(quota: JsonObject, obj: JsonObject, asked: Amounts, used: Amounts) -> ApiError | None:
    hard = {name: amount(value) for name, value in (quota["spec"].get("hard") or {}).items()}
    over = [name for name in hard if asked.get(name, 0) > 0 and used[name] + asked[name] > hard[name]]
    if not over:
        return None
    why = (
        f"exceeded quota: {quota['metadata']['name']}, requested: {_listed(asked, over)}, "
        f"used: {_listed(used, over)}, limited: {_listed(hard, over)}"
    )
    return forbidden(BY_KIND[obj["kind"]], obj["metadata"].get("name", ""), why)


def _unspecified(quota: JsonObject, pod: JsonObject) -> ApiError | None:
    missing: dict[str, list[str]] = {}
    for name in sorted(quota["spec"].get("hard") or {}):
        field, _, resource = name.partition(".") if "." in name else ("requests", "", name)
        if field not in ("requests", "limits") or resource not in _MUST_SPECIFY:
            continue
        for container in pod["spec"].get("containers") or ():
            resources = container.get("resources") or {}
            given = (resources.get(field) or {}).get(resource)
            if given is None and field == "requests":
                given = (resources.get("limits") or {}).get(resource)
            if given is None:
                missing.setdefault(name, []).append(container["name"])
    if not missing:
        return None
    listed = "; ".join(f"{name} for: {','.join(names)}" for name, names in missing.items())
    why = f"failed quota: {quota['metadata']['name']}: must specify {listed}"
    return forbidden(BY_KIND["Pod"], pod["metadata"].get("name", ""), why)


def check_pod(store: ObjectStore, pod: JsonObject) -> None:
    """Raise :class:`ApiError` 403 when a pod does not fit into a quota of its namespace."""
    for quota in store.select("ResourceQuota", pod["metadata"]["namespace"]):
        if not _scoped(quota, pod):
            continue
        problem = _unspecified(quota, pod) or _exceeded(quota, pod, _with_limits(pod), usage(store, quota))
        if problem is not None:
            raise problem


def _with_limits(pod: JsonObject) -> Amounts:
    asked = pod_usage(pod)
    for name, value in pod_requests(pod["spec"], "limits").items():
        asked.setdefault(f"requests.{name}", value)
        if name in _BARE_REQUESTS:
            asked.setdefault(name, value)
    return asked


def check_counts(store: ObjectStore, obj: JsonObject) -> None:
    """Raise :class:`ApiError` 403 when one more object of this kind exceeds a count quota."""
    namespace = obj["metadata"].get("namespace", "")
    for quota in store.select("ResourceQuota", namespace) if namespace else ():
        asked = dict.fromkeys(_count_names(obj["kind"]), Fraction(1))
        problem = _exceeded(quota, obj, asked, usage(store, quota))
        if problem is not None:
            raise problem
