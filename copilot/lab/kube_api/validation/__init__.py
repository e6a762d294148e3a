"""Validation of objects before they are stored: the checks that people run into, in the API server's words."""

from collections.abc import Callable, Iterator

from copilot.core.value import JsonObject
from copilot.lab.kube_api.kinds import BY_KIND
from copilot.lab.kube_api.status import Cause, invalid
from copilot.lab.kube_api.validation import cluster, metadata, network, pods, workloads

Check = Callable[[JsonObject], Iterator[Cause]]
UpdateCheck = Callable[[JsonObject, JsonObject], Iterator[Cause]]

_CHECKS: dict[str, Check] = {**pods.CHECKS, **workloads.CHECKS, **network.CHECKS, **cluster.CHECKS}
_UPDATES: dict[str, UpdateCheck] = {**pods.UPDATES, **workloads.UPDATES, **network.UPDATES, **cluster.UPDATES}


def check_create(obj: JsonObject) -> None:
    """Raise :class:`ApiError` 422 that lists every refused field of a new object."""
    _refuse(obj, [*metadata.causes(obj), *_specific(obj)])


def check_update(new: JsonObject, old: JsonObject) -> None:
    """Raise :class:`ApiError` 422 for a refused field, or for a change of one that may not change."""
    update = _UPDATES.get(new["kind"])
    changed = list(update(new, old)) if update is not None else []
    _refuse(new, [*metadata.causes(new), *_specific(new), *changed])


def _specific(obj: JsonObject) -> Iterator[Cause]:
    check = _CHECKS.get(obj["kind"])
    return check(obj) if check is not None else iter(())


def _refuse(obj: JsonObject, causes: list[Cause]) -> None:
    if causes:
        raise invalid(BY_KIND[obj["kind"]], obj["metadata"].get("name", ""), causes)
