"""Small readings of raw Kubernetes objects that everything in the lab shares."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from copilot.core.value import JsonObject

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Key(NamedTuple):
    """Identity of an object within its kind; namespace is empty when cluster-scoped."""

    namespace: str
    name: str


def copied(obj: JsonObject) -> JsonObject:
    """Return a deep copy that shares nothing; the fastest way for plain JSON."""
    result: JsonObject = orjson.loads(orjson.dumps(obj))
    return result


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as ``metav1.Time`` prints."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as ``metav1.MicroTime`` prints."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Read what :func:`timestamp` or :func:`micro_timestamp` wrote; raises ``ValueError`` on other text."""
    return datetime.fromisoformat(text)


def key_of(obj: JsonObject) -> Key:
    """Key of an object."""
    meta = obj["metadata"]
    return Key(meta.get("namespace", ""), meta["name"])


def labels_of(obj: JsonObject) -> dict[str, str]:
    """Labels of an object, empty when it has none."""
    return obj["metadata"].get("labels") or {}


def controller_of(obj: JsonObject) -> JsonObject | None:
    """The ownerReference marked as controller, if any."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            found: JsonObject = owner
            return found
    return None


def owner_reference(owner: JsonObject) -> JsonObject:
    """An ownerReference that makes ``owner`` the controller of what carries it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def random_suffix(source: random.Random, length: int = 5) -> str:
    """A name suffix from the API server's alphabet (no vowels, no look-alikes)."""
    return "".join(source.choice(_SUFFIX_ALPHABET) for _ in range(length))


def random_uid(source: random.Random) -> str:
    """A version 4 UUID drawn from ``source``, so that one seed gives one cluster."""
    bits = source.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def condition(obj: JsonObject, kind: str) -> JsonObject | None:
    """The status condition of this type, if the object has it."""
    for item in (obj.get("status") or {}).get("conditions") or ():
        if item["type"] == kind:
            found: JsonObject = item
            return found
    return None


def is_ready(obj: JsonObject) -> bool:
    """Whether the object's Ready condition is True (pods, nodes)."""
    ready = condition(obj, "Ready")
    return ready is not None and ready["status"] == "True"


def is_active(pod: JsonObject) -> bool:
    """Whether a pod still counts for its controller: not finished and not being deleted."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed") and "deletionTimestamp" not in pod["metadata"]


def with_condition(conditions: Iterable[JsonObject], new: JsonObject) -> list[JsonObject]:
    """Conditions with ``new`` in place of the one of its type; keeps lastTransitionTime while the status stays."""
    kept, found = [], False
    for item in conditions:
        if item["type"] != new["type"]:
            kept.append(item)
            continue
        found = True
        if item["status"] == new["status"] and "lastTransitionTime" in item:
            new = new | {"lastTransitionTime": item["lastTransitionTime"]}
        kept.append(new)
    return kept if found else [*kept, new]
