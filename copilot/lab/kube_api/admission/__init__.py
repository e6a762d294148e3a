"""Built-in admission: what the API server fills in and refuses before an object is stored."""

from copilot.core.value import JsonObject
from copilot.lab.kube_api.admission import limits, namespaces, pods, quota, security
from copilot.lab.kube_api.kinds import BY_KIND
from copilot.lab.kube_api.meta import random_suffix
from copilot.lab.kube_api.store import ObjectStore


def create_admitted(store: ObjectStore, obj: JsonObject, *, dry_run: bool = False) -> JsonObject:
    """Create an object as a client of the API would; returns it. Raises :class:`ApiError` where admission refuses."""
    with store.lock:
        return store.create(admitted(store, obj), dry_run=dry_run)


def admitted(store: ObjectStore, obj: JsonObject) -> JsonObject:
    """Return a copy of a new object after mutating and validating admission; raises :class:`ApiError` 403 or 404."""
    resource = BY_KIND[obj["kind"]]
    meta = dict(obj.get("metadata") or {})
    if resource.namespaced:
        meta.setdefault("namespace", "default")
    new: JsonObject = {**obj, "metadata": meta}
    if resource.namespaced:
        namespaces.check(store, new)
    if resource.kind != "Pod":
        quota.check_counts(store, new)
        return new
    new = pods.fill_in(store, new)
    limits.fill_in(store, new)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"] + random_suffix(store.random)
    limits.check(store, new)
    security.check(store, new)
    quota.check_pod(store, new)
    return new
