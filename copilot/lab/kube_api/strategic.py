"""Strategic merge patches for the built-in types: lists merged by key, and the ``$`` directives."""

from typing import Any

from copilot.core.value import JsonObject
from copilot.lab.kube_api.status import ApiError

_BY_NAME = ("name",)
MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": _BY_NAME,
    "initContainers": _BY_NAME,
    "ephemeralContainers": _BY_NAME,
    "env": _BY_NAME,
    "volumes": _BY_NAME,
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": _BY_NAME,
    "hostAliases": ("ip",),
    "ports": ("containerPort", "port"),
    "conditions": ("type",),
    "addresses": ("type",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey",),
    "secrets": _BY_NAME,
    "podIPs": ("ip",),
    "taints": (),
}
"""Merge key by list field; several where two types share the field's name. Fields not listed are replaced whole."""

_PRIMITIVES = frozenset(("finalizers",))
_ORDER, _DELETE_FROM, _PATCH, _RETAIN = "$setElementOrder/", "$deleteFromPrimitiveList/", "$patch", "$retainKeys"


def strategic_merge(target: JsonObject, patch: JsonObject) -> JsonObject:
    """Return ``target`` patched; raises :class:`ApiError` 500 where an item lacks its list's merge key."""
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    made = dict(target)
    if _RETAIN in patch:
        made = {key: value for key, value in made.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(made, key, value, patch)
    _follow_directives(made, patch)
    return made


def _follow_directives(made: JsonObject, patch: JsonObject) -> None:
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            field = key.removeprefix(_DELETE_FROM)
            made[field] = [item for item in made.get(field) or () if item not in value]
        elif key.startswith(_ORDER):
            _reorder(made, key.removeprefix(_ORDER), value)


def _merge_field(made: JsonObject, key: str, value: Any, patch: JsonObject) -> None:
    if value is None:
        made.pop(key, None)
    elif isinstance(value, dict):
        inner = made.get(key)
        merged = strategic_merge(inner if isinstance(inner, dict) else {}, value)
        made[key] = merged
        if value.get(_PATCH) == "delete":
            del made[key]
    elif isinstance(value, list):
        made[key] = _merge_list(key, made.get(key) or [], value)
    else:
        made[key] = value


def _merge_list(field: str, old: list[Any], new: list[Any]) -> list[Any]:
    if field in _PRIMITIVES:
        return old + [item for item in new if item not in old]
    keys = MERGE_KEYS.get(field) or ()
    if not keys or not all(isinstance(item, dict) for item in [*old, *new]):
        return new
    if any(item.get(_PATCH) == "replace" for item in new):
        return [item for item in new if item.get(_PATCH) != "replace"]
    return _merge_by_key(_key_in_use(keys, [*old, *new]), old, new)


def _key_in_use(keys: tuple[str, ...], items: list[JsonObject]) -> str:
    for key in keys:
        if any(key in item for item in items):
            return key
    return keys[0]


def _merge_by_key(key: str, old: list[JsonObject], new: list[JsonObject]) -> list[JsonObject]:
    by_key = {item.get(key): item for item in old}
    added: list[JsonObject] = []
    for item in new:
        if key not in item:
            shown = " ".join(f"{name}:{value}" for name, value in item.items())
            raise ApiError(500, "", f"map: map[{shown}] does not contain declared merge key: {key}")
        identity = item[key]
        if item.get(_PATCH) == "delete":
            by_key.pop(identity, None)
        elif identity in by_key:
            by_key[identity] = strategic_merge(by_key[identity], item)
        else:
            added.append(strategic_merge({}, item))
    return [*added, *(by_key[item.get(key)] for item in old if item.get(key) in by_key)]


def _reorder(made: JsonObject, field: str, order: list[Any]) -> None:
    """Put the items that ``order`` names into its order; the others keep their place behind their predecessor."""
    found = made.get(field)
    if not isinstance(found, list):
        return
    keys = MERGE_KEYS.get(field) or _BY_NAME
    key = _key_in_use(keys, [item for item in order if isinstance(item, dict)]) if order else keys[0]

    def identity(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    rank = {identity(item): number for number, item in enumerate(order)}
    named = sorted((item for item in found if identity(item) in rank), key=lambda item: rank[identity(item)])
    others = [(number, item) for number, item in enumerate(found) if identity(item) not in rank]
    for number, item in others:
        named.insert(min(number, len(named)), item)
    made[field] = named
