"""What an action is: a validated value that knows its exact changes, its command line, its risk and its inverse."""

import difflib
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self, cast

import yaml
from pydantic import ConfigDict, JsonValue, ValidationError

from copilot.actions.patching import apply
from copilot.core.plan import ActionCall, Change, KubernetesChange, Risk
from copilot.core.ref import Ref
from copilot.core.text import redact
from copilot.core.value import JsonObject, Value, canonical
from copilot.errors import InvalidInput, NotFound
from copilot.registry import entries

Key = tuple[str, str, str]
Seen = Mapping[Key, JsonObject]
"""The world an action is stamped with: raw objects by ``Ref.key``."""

_VOLATILE = ("replicas",)
_REDACTED = "[redacted]"


class Action(Value):
    """One member of the closed catalogue. Pure: it is told what was seen and says what it would change.

    Every method that takes ``seen`` raises ``NotFound`` when a target is not in it and ``InvalidInput`` when the
    change makes no sense for the object that is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""

    @property
    def target(self) -> Ref:
        """Return the object that the change is about."""
        raise NotImplementedError

    def targets(self) -> tuple[Ref, ...]:
        """Return the objects that are changed; each must be in ``seen``."""
        return (self.target,)

    def wants(self) -> tuple[Ref, ...]:
        """Return objects that must be read besides the targets (a wildcard has an empty name)."""
        return ()

    @property
    def risk(self) -> Risk:
        """Return how much this can hurt."""
        raise NotImplementedError

    def risk_in(self, seen: Seen) -> Risk:
        """Return how much this can hurt in the world that was seen; ``risk`` where that makes no difference."""
        return self.risk

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return the exact requests."""
        raise NotImplementedError

    def command(self) -> str:
        """Return the line a person would type for the same change."""
        raise NotImplementedError

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the action that restores what was seen, or None when nothing can."""
        raise NotImplementedError

    def diff(self, seen: Seen) -> str:
        """Return a unified diff of each changed object, without secrets."""
        return "".join(_diff_of(c, seen[c.target.key]) for c in self.changes(seen) if isinstance(c, KubernetesChange))

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return the part of a target that the change takes for granted; its digest is the plan's assumption."""
        spec = {k: v for k, v in (obj.get("spec") or {}).items() if k not in _VOLATILE}
        return cast(JsonValue, spec)

    def leaves(self, obj: JsonObject) -> JsonValue:
        """Return the part of a target that nobody else may have changed since, when the change is taken back."""
        return self.depends_on(obj)

    def outdated(self, seen: Seen) -> str:
        """Return why the change no longer fits what it ``wants`` to see, in words, or an empty string."""
        return ""

    def call(self) -> ActionCall:
        """Return this action as data."""
        return ActionCall(action=self.name, arguments=self.model_dump(mode="json", exclude_defaults=True))

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """Return a validated action; raises ``InvalidInput`` naming the argument that cannot be used."""
        try:
            return cls.model_validate_json(canonical(dict(arguments)), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "arguments"
            raise InvalidInput(f"action {cls.name}: {where}: {first['msg']}.") from error
        except ValueError as error:
            raise InvalidInput(f"action {cls.name}: {error}.") from error


def catalogue() -> Mapping[str, type[Action]]:
    """Return every action by name."""
    return {one.name: one for one in cast(Iterable[type[Action]], entries("copilot.actions", "ACTION"))}


def revive(call: ActionCall) -> Action:
    """Return the action that a call names, validated; raises ``InvalidInput``."""
    known = catalogue()
    if call.action not in known:
        raise InvalidInput(f"No action is called {call.action!r}.", hint=f"Known: {', '.join(sorted(known))}.")
    return known[call.action].of(call.arguments)


def look_up(seen: Seen, ref: Ref) -> JsonObject:
    """Return a seen object; raises ``NotFound``."""
    if ref.key not in seen:
        raise NotFound(f"{ref} was not seen.", hint="It may have been deleted; diagnose again.")
    return seen[ref.key]


def pinned(seen: Seen, ref: Ref) -> Ref:
    """Return the reference with the uid of the very instance that was seen."""
    meta = look_up(seen, ref).get("metadata") or {}
    return ref.model_copy(update={"uid": str(meta.get("uid") or "")})


def patch(seen: Seen, ref: Ref, body: JsonObject, *, strategic: bool = False) -> tuple[Change, ...]:
    """Return one patch of a seen object."""
    kind = "strategic" if strategic else "merge"
    return (KubernetesChange(verb="patch", target=pinned(seen, ref), patch_type=kind, body=body),)


def after(change: KubernetesChange, before: JsonObject) -> JsonObject:
    """Return what an object looks like once a patch is applied (itself for other verbs)."""
    if change.verb != "patch":
        return before
    return cast(JsonObject, apply(before, change.body, strategic=change.patch_type == "strategic"))


def argv(*words: str) -> str:
    """Return a command line with each word quoted for a shell that a person pastes it into."""
    return shlex.join(words)


def kubectl(ref: Ref, *words: str) -> str:
    """Return a kubectl line in the namespace of ``ref``."""
    where = ("-n", ref.namespace) if ref.namespace else ()
    return argv("kubectl", *where, *words)


def _diff_of(change: KubernetesChange, before: JsonObject) -> str:
    if change.verb != "patch":
        return f"- {change.target} (uid {change.target.uid or 'unknown'}): {change.verb}\n"
    label = str(change.target)
    old, new = _lines(before), _lines(after(change, before))
    return redact("".join(difflib.unified_diff(old, new, f"{label} (seen)", f"{label} (planned)", n=2)))


def _lines(obj: JsonObject) -> list[str]:
    shown: dict[str, Any] = {k: without_secrets(obj[k]) for k in ("spec", "data") if k in obj}
    marks = ((obj.get("metadata") or {}).get("annotations")) or {}
    if marks:
        shown["metadata"] = {"annotations": marks}
    return yaml.safe_dump(shown, sort_keys=True, default_flow_style=False, width=1000).splitlines(keepends=True)


def without_secrets(value: Any) -> Any:
    """Return a value with what its own name gives away as a secret replaced (``name: TOKEN`` beside ``value: ...``)."""
    if isinstance(value, list):
        return [without_secrets(v) for v in value]
    if not isinstance(value, Mapping):
        return redact(value) if isinstance(value, str) else value
    named = value.get("name")
    masked = {k: _REDACTED if _gives_away(k, v) else without_secrets(v) for k, v in value.items()}
    if isinstance(named, str) and "value" in value and _gives_away(named, value["value"]):
        masked["value"] = _REDACTED
    return masked


def _gives_away(name: str, value: object) -> bool:
    return isinstance(value, str) and redact(f"{name}={value}") != f"{name}={value}"
