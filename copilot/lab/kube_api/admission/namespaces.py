"""NamespaceLifecycle: nothing is created in a namespace that is absent or going away."""

from copilot.core.value import JsonObject
from copilot.lab.kube_api.kinds import BY_KIND
from copilot.lab.kube_api.status import ApiError, forbidden, not_found
from copilot.lab.kube_api.store import ObjectStore


def check(store: ObjectStore, obj: JsonObject) -> None:
    """Raise :class:`ApiError` 404 for an absent namespace, 403 for one that is being terminated."""
    name = obj["metadata"]["namespace"]
    namespace = store.peek("Namespace", "", name)
    if namespace is None:
        raise not_found(BY_KIND["Namespace"], name)
    if (namespace.get("status") or {}).get("phase") == "Terminating":
        raise _terminating(obj, name)


def _terminating(obj: JsonObject, namespace: str) -> ApiError:
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    error = forbidden(BY_KIND[obj["kind"]], obj["metadata"].get("name", ""), why)
    error.details = (error.details or {}) | {
        "causes": [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
        ]
    }
    return error
