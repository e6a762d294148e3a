"""Strategic merge patches as the API server applies them: computed, applied and compared without a server.

Lists merge by the key in ``_MERGE_KEYS`` (Kubernetes' ``patchMergeKey``) where they have one; all others are atomic.
``None`` removes a field and ``{"$patch": "delete"}`` a list element. A merge patch (RFC 7386) is the same with no keys.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from copilot.core.value import JsonObject

_MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "ports": ("containerPort", "port"),
}
_DELETE = "$patch"


def apply(before: Any, patch: Any, *, strategic: bool = True, field: str = "") -> Any:
    """Return ``before`` with ``patch`` applied; neither is changed."""
    if isinstance(patch, Mapping):
        base = before if isinstance(before, Mapping) else {}
        return _apply_map(base, patch, strategic)
    if strategic and isinstance(patch, Sequence) and not isinstance(patch, str) and isinstance(before, Sequence):
        key = merge_key(field, [*before, *patch])
        if key:
            return _apply_list(before, patch, key)
    return patch


def _apply_map(before: Mapping[str, Any], patch: Mapping[str, Any], strategic: bool) -> JsonObject:
    after = dict(before)
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = apply(before.get(name), value, strategic=strategic, field=name)
    return after


def _apply_list(before: Sequence[Any], patch: Sequence[Any], key: str) -> list[Any]:
    after = list(before)
    for element in patch:
        place = next((i for i, old in enumerate(after) if old.get(key) == element.get(key)), None)
        if element.get(_DELETE) == "delete":
            after = [old for old in after if old.get(key) != element.get(key)]
        elif place is None:
            after.append(element)
        else:
            after[place] = _apply_map(after[place], element, strategic=True)
    return after


def merge_key(field: str, elements: Sequence[Any]) -> str:
    """Return the key by which the elements of a list field merge, or an empty string when the list is atomic."""
    for key in _MERGE_KEYS.get(field, ()):
        if all(isinstance(e, Mapping) and key in e for e in elements):
            return key
    return ""


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> JsonObject:
    """Return the smallest strategic patch that turns ``before`` into ``after`` (list order aside)."""
    patch: JsonObject = {name: None for name in before if name not in after}
    for name, value in after.items():
        if name not in before:
            patch[name] = value
        elif before[name] != value:
            patch[name] = _difference_of(before[name], value, name)
    return patch


def _difference_of(before: Any, after: Any, field: str) -> Any:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return difference(before, after)
    if isinstance(before, list) and isinstance(after, list):
        key = merge_key(field, [*before, *after])
        if key and _distinct(before, key) and _distinct(after, key):
            return _list_difference(before, after, key)
    return after


def _distinct(elements: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len({e[key] for e in elements}) == len(elements)


def _list_difference(before: list[Any], after: list[Any], key: str) -> list[Any]:
    old = {e[key]: e for e in before}
    new = {e[key]: e for e in after}
    patch: list[Any] = [{key: k, _DELETE: "delete"} for k in old if k not in new]
    for name, element in new.items():
        if name not in old:
            patch.append(element)
        elif old[name] != element:
            patch.append({key: name, **difference(old[name], element)})
    return patch
