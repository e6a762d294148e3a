"""What a runbook is, and reading what a diagnosis found out; a runbook is one file: Diagnosis -> Proposal | None."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from copilot.actions import Action
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Check, Proposal
from copilot.core.ref import Ref
from copilot.core.value import JsonObject

Propose = Callable[[Diagnosis, ClusterDump], Proposal | None]
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True, slots=True)
class Runbook:
    """A remedy for some causes. ``propose`` is pure and answers None when its remedy does not fit what was found."""

    name: str
    summary: str
    causes: tuple[str, ...]
    propose: Propose


def proposal(name: str, diagnosis: Diagnosis, *actions: Action, title: str, checks: tuple[Check, ...] = ()) -> Proposal:
    """Return the proposal of a runbook, with the diagnosis as its reason."""
    return Proposal(
        title=title,
        actions=tuple(a.call() for a in actions),
        reason=diagnosis.summary,
        proposed_by=f"runbook:{name}",
        checks=checks,
    )


def find(dump: ClusterDump, kind: str, name: str, *, namespace: str = "") -> JsonObject | None:
    """Return one object of the dump."""
    for obj in dump.objects.get(kind, ()):
        meta = metadata(obj)
        if meta.get("name") == name and (meta.get("namespace") or "") == namespace:
            return obj
    return None


def metadata(obj: JsonObject) -> JsonObject:
    """Return an object's metadata."""
    return obj.get("metadata") or {}


def text(diagnosis: Diagnosis, *keys: str) -> str:
    """Return the first of some details that is a non-empty text."""
    values = (diagnosis.details.get(k) for k in keys)
    return next((v for v in values if isinstance(v, str) and v), "")


def number(diagnosis: Diagnosis, *keys: str) -> int | None:
    """Return the first of some details that is a whole number, also when it is written as text."""
    for key in keys:
        value = diagnosis.details.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isdecimal():
            return int(value)
    return None


def workload(diagnosis: Diagnosis, dump: ClusterDump) -> JsonObject | None:
    """Return the workload that a diagnosis is about: its object, that object's owner, or whom it lets suffer."""
    for ref in (diagnosis.object, *diagnosis.symptoms):
        found = workload_of(ref, dump) if ref is not None else None
        if found is not None:
            return found
    return None


def workload_of(ref: Ref, dump: ClusterDump) -> JsonObject | None:
    """Return the Deployment, StatefulSet or DaemonSet that an object is, or belongs to."""
    if ref.kind in WORKLOADS:
        return find(dump, ref.kind, ref.name, namespace=ref.namespace)
    if ref.kind == "Workload":
        found = (find(dump, kind, ref.name, namespace=ref.namespace) for kind in WORKLOADS)
        return next((f for f in found if f is not None), None)
    obj = find(dump, ref.kind, ref.name, namespace=ref.namespace)
    return None if obj is None else _owner(obj, dump)


def _owner(obj: JsonObject, dump: ClusterDump) -> JsonObject | None:
    for owner in metadata(obj).get("ownerReferences") or ():
        ref = Ref(
            kind=str(owner.get("kind")), name=str(owner.get("name")), namespace=str(metadata(obj).get("namespace"))
        )
        found = workload_of(ref, dump)
        if found is not None:
            return found
    return None


def pod_spec(obj: JsonObject) -> JsonObject:
    """Return the pod spec of a workload's template."""
    found: Any = ((obj.get("spec") or {}).get("template") or {}).get("spec")
    return found if isinstance(found, dict) else {}


def containers(obj: JsonObject) -> list[JsonObject]:
    """Return the containers of a workload's template."""
    return list(pod_spec(obj).get("containers") or ())


def container(obj: JsonObject, diagnosis: Diagnosis) -> JsonObject | None:
    """Return the container that the diagnosis names, else the only or first one."""
    named = text(diagnosis, "container")
    found = containers(obj)
    return next((c for c in found if c.get("name") == named), found[0] if found and not named else None)


def named(obj: JsonObject) -> Mapping[str, str]:
    """Return the arguments that name a workload for an action."""
    meta = metadata(obj)
    return {"kind": str(obj["kind"]), "namespace": str(meta.get("namespace", "")), "workload": str(meta["name"])}


def pods_of(obj: JsonObject, dump: ClusterDump) -> Iterator[JsonObject]:
    """Yield the pods that a workload selects."""
    wanted: Mapping[str, str] = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    for pod in dump.objects.get("Pod", ()):
        meta = metadata(pod)
        same = meta.get("namespace") == metadata(obj).get("namespace")
        if same and wanted and wanted.items() <= (meta.get("labels") or {}).items():
            yield pod


def stamp(dump: ClusterDump) -> str:
    """Return the moment of the dump as RFC 3339 seconds in UTC."""
    return dump.taken_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ready(obj: JsonObject) -> Check:
    """Return the check that an object is fine again."""
    ref = Ref.of(obj)
    return Check(query="/".join((ref.kind, ref.namespace, ref.name)), title=f"{ref} is ready", kind="ready")
