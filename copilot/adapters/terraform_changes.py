"""A Terraform plan as comparable, harmless data: what changes, sensitive values masked by terraform's own marks."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from copilot.core.text import redact
from copilot.core.value import digest
from copilot.errors import InvalidInput

MASK = "(sensitive)"
_NOTHING = (["no-op"], ["read"])


def changes(shown: Mapping[str, Any]) -> tuple[dict[str, JsonValue], ...]:
    """Return the resource changes of ``terraform show -json PLAN``, by address, without what stays as it is.

    What only moves in the state or is taken into it changes something too: who looks after it from then on.
    """
    if shown.get("errored"):
        raise InvalidInput("The Terraform plan has errors and cannot be applied.")
    found = [c for c in shown.get("resource_changes") or () if _verbs(c)]
    return tuple(_normal(c) for c in sorted(found, key=lambda c: str(c["address"])))


def _verbs(resource: Mapping[str, Any]) -> list[str]:
    change: Mapping[str, Any] = resource["change"]
    done = [] if change["actions"] in _NOTHING else list(change["actions"])
    moved = ["move"] if resource.get("previous_address") not in (None, resource["address"]) else []
    return [*done, *(["import"] if change.get("importing") else []), *moved]


def _normal(resource: Mapping[str, Any]) -> dict[str, JsonValue]:
    change: Mapping[str, Any] = resource["change"]
    before, after = change.get("before"), change.get("after")
    return {
        "address": str(resource["address"]),
        "type": str(resource.get("type", "")),
        "actions": _verbs(resource),
        "before": masked(before, change.get("before_sensitive")),
        "after": masked(after, change.get("after_sensitive")),
        "unknown": masked(change.get("after_unknown"), None),
    }


def masked(value: Any, mask: Any) -> Any:
    """Return a value with what a ``*_sensitive`` mask marks replaced, and with what looks like a secret redacted."""
    if mask is True:
        return _fingerprint(value)
    if isinstance(value, dict):
        marks = mask if isinstance(mask, dict) else {}
        return {k: masked(v, marks.get(k)) for k, v in value.items()}
    if isinstance(value, list):
        listed = mask if isinstance(mask, list) else []
        return [masked(v, listed[i] if i < len(listed) else None) for i, v in enumerate(value)]
    return redact(value) if isinstance(value, str) else value


def _fingerprint(value: Any) -> str:
    """Return the mask; that two sensitive values differ must show in the comparison, the values must not."""
    return MASK if value is None else f"{MASK} {digest(['sensitive', value])[:12]}"


def same(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether two lists of changes would do the same."""
    return digest(list(one)) == digest(list(other))
