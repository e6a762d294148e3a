"""LimitRanger: default requests and limits of containers, then minimum, maximum and ratio."""

from collections.abc import Iterable, Iterator

from copilot.core.value import JsonObject
from copilot.lab.kube_api.kinds import BY_KIND
from copilot.lab.kube_api.quantity import amount
from copilot.lab.kube_api.status import forbidden
from copilot.lab.kube_api.store import ObjectStore


def _items(store: ObjectStore, pod: JsonObject) -> Iterator[JsonObject]:
    for limit_range in store.peek_all("LimitRange", pod["metadata"]["namespace"]):
        for item in limit_range["spec"].get("limits") or ():
            if item.get("type") == "Container":
                yield item


def _containers(pod: JsonObject) -> Iterable[JsonObject]:
    return [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]


def fill_in(store: ObjectStore, pod: JsonObject) -> None:
    """Give containers the namespace's default requests and limits, in place."""
    for container in _containers(pod):
        resources = container.get("resources") or {}
        for name, value in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, value)
    for item in _items(store, pod):
        for container in _containers(pod):
            resources = container.setdefault("resources", {})
            for field, source in (("limits", "default"), ("requests", "defaultRequest")):
                for name, value in (item.get(source) or {}).items():
                    resources.setdefault(field, {}).setdefault(name, value)


def check(store: ObjectStore, pod: JsonObject) -> None:
    """Raise :class:`ApiError` 403 when a container is outside the namespace's bounds."""
    problems: list[str] = []
    for item in _items(store, pod):
        for container in _containers(pod):
            resources = container.get("resources") or {}
            problems += _below(item, resources)
            problems += _above(item, resources)
    if problems:
        why = problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]"
        raise forbidden(BY_KIND["Pod"], pod["metadata"].get("name", ""), why)


def _below(item: JsonObject, resources: JsonObject) -> Iterator[str]:
    requests = resources.get("requests") or {}
    for name, least in sorted((item.get("min") or {}).items()):
        if name not in requests:
            yield f"minimum {name} usage per Container is {least}.  No request is specified"
        elif amount(requests[name]) < amount(least):
            yield f"minimum {name} usage per Container is {least}, but request is {requests[name]}"


def _above(item: JsonObject, resources: JsonObject) -> Iterator[str]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name, most in sorted((item.get("max") or {}).items()):
        if name not in limits:
            yield f"maximum {name} usage per Container is {most}.  No limit is specified"
        elif amount(limits[name]) > amount(most):
            yield f"maximum {name} usage per Container is {most}, but limit is {limits[name]}"
        elif amount(requests.get(name)) > amount(most):
            yield f"maximum {name} usage per Container is {most}, but request is {requests[name]}"
