"""Set, redirect or remove environment variables of one container."""

from typing import Any, ClassVar, Literal

from pydantic import model_validator

from copilot.actions.base import Seen, kubectl, look_up, patch
from copilot.actions.names import ConfigKey, EnvName, ObjectName
from copilot.actions.rollout_undo import RolloutUndo, revision
from copilot.actions.workload import ContainerAction
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.text import redact
from copilot.core.value import JsonObject, Value
from copilot.errors import InvalidInput


class KeyRef(Value):
    """One key of a ConfigMap or Secret, by name; the value itself is never read."""

    kind: Literal["ConfigMap", "Secret"] = "ConfigMap"
    object: ObjectName
    key: ConfigKey

    @property
    def source(self) -> JsonObject:
        """Return the ``valueFrom`` of an environment entry."""
        field = "configMapKeyRef" if self.kind == "ConfigMap" else "secretKeyRef"
        return {field: {"name": self.object, "key": self.key}}


class SetEnv(ContainerAction):
    """Set literals (``values``), point entries at keys (``refs``), or ``remove`` them. Secrets go by reference only."""

    name: ClassVar[str] = "set_env"
    summary: ClassVar[str] = "Set, redirect or remove environment variables of a container."
    values: dict[EnvName, str] = {}
    refs: dict[EnvName, KeyRef] = {}
    remove: tuple[EnvName, ...] = ()

    @model_validator(mode="after")
    def _usable(self) -> "SetEnv":
        if not (self.values or self.refs or self.remove):
            raise ValueError("nothing to set and nothing to remove")
        for name, value in self.values.items():
            if secret(name, value):
                raise ValueError(f"{name} looks like a secret; point it at a key of a Secret instead")
            if len(value) > 4096 or "\x00" in value:
                raise ValueError(f"{name}: a value is text of at most 4096 characters")
        return self

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE."""
        return Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one strategic patch of the container's environment."""
        known = self._entries(seen)
        absent = [n for n in self.remove if n not in known]
        if absent:
            raise InvalidInput(f"{self.target} has no environment variable {absent[0]!r}.")
        entries: list[JsonObject] = [{"name": n, "$patch": "delete"} for n in self.remove]
        entries += [{"name": n, "value": v, **_unset(known, n, "valueFrom")} for n, v in self.values.items()]
        entries += [{"name": n, "valueFrom": r.source, **_unset(known, n, "value")} for n, r in self.refs.items()]
        return patch(seen, self.target, self.template_patch({"env": entries}), strategic=True)

    def command(self) -> str:
        """Return the ``kubectl set env`` line (``kubectl patch`` where entries point at keys)."""
        if self.refs:
            known: JsonObject = {"env": [{"name": n, "valueFrom": r.source} for n, r in self.refs.items()]}
            body = str(self.template_patch(known)).replace("'", '"')
            return kubectl(self.target, "patch", self.slashed, f"--patch={body}")
        words = [f"{n}={v}" for n, v in self.values.items()] + [f"{n}-" for n in self.remove]
        return kubectl(self.target, "set", "env", self.slashed, f"-c={self.container}", *words)

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return what restores the entries seen; by revision where an old entry is a secret or of another source."""
        known = self._entries(seen)
        touched = [*self.values, *self.refs, *self.remove]
        old = {n: known[n] for n in touched if n in known}
        if all(_restorable(n, e) for n, e in old.items()):
            return self._restoring(old, [n for n in touched if n not in known]).call()
        current = revision(look_up(seen, self.target))
        if self.kind != "Deployment" or not current:
            return None
        return RolloutUndo(namespace=self.namespace, workload=self.workload, to_revision=current).call()

    def _restoring(self, old: dict[str, JsonObject], added: list[str]) -> "SetEnv":
        literals = {n: str(e.get("value") or "") for n, e in old.items() if not e.get("valueFrom")}
        refs = {n: ref for n, e in old.items() if e.get("valueFrom") and (ref := _key_ref(e["valueFrom"]))}
        return self.model_copy(update={"values": literals, "refs": refs, "remove": tuple(added)})

    def _entries(self, seen: Seen) -> dict[str, JsonObject]:
        return {str(e.get("name")): e for e in self.seen_container(seen).get("env") or ()}


def secret(name: str, value: str) -> bool:
    """Return whether an environment entry looks as if it held a secret."""
    return redact(f"{name}={value}") != f"{name}={value}"


def _unset(known: dict[str, JsonObject], name: str, field: str) -> JsonObject:
    return {field: None} if field in known.get(name, {}) else {}


def _restorable(name: str, entry: JsonObject) -> bool:
    if entry.get("valueFrom"):
        return _key_ref(entry["valueFrom"]) is not None
    return not secret(name, str(entry.get("value") or ""))


def _key_ref(source: dict[str, Any]) -> KeyRef | None:
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        ref = source.get(field)
        if ref and set(ref) <= {"name", "key"}:
            return KeyRef.model_validate({"kind": kind, "object": ref["name"], "key": ref["key"]})
    return None


ACTION = SetEnv
