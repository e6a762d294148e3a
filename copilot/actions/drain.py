"""Move the pods off a node, one eviction each, so that disruption budgets are asked."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from copilot.actions.base import Seen, kubectl
from copilot.actions.names import Label, ObjectName
from copilot.actions.node import NodeAction
from copilot.core.plan import ActionCall, Change, KubernetesChange, Risk
from copilot.core.ref import Ref
from copilot.core.text import plural
from copilot.core.value import JsonObject, Value

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
"""Namespaces whose pods a drain leaves where they are."""
_MIRROR = "kubernetes.io/config.mirror"
_NAMED = 3


class PodRef(Value):
    """One pod, pinned to the instance."""

    namespace: Label
    pod: ObjectName
    uid: str


class Drain(NodeAction):
    """Evict exactly the listed pods; pods of DaemonSets and static pods stay, as with ``kubectl drain``."""

    name: ClassVar[str] = "drain"
    summary: ClassVar[str] = "Evict the pods of a node."
    pods: Annotated[tuple[PodRef, ...], Field(min_length=1, max_length=500)]
    uncontrolled: bool = False
    """Whether one of the pods has no controller and will not come back."""

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE, or DESTRUCTIVE when a pod has nobody to bring it back."""
        return Risk.DESTRUCTIVE if self.uncontrolled else Risk.DISRUPTIVE

    def wants(self) -> tuple[Ref, ...]:
        """Return the pods: which of them sit on the node."""
        return (Ref(kind="Pod", name=""),)

    def outdated(self, seen: Seen) -> str:
        """Return which pods came to the node that nobody approved to move; pods that left it are no matter."""
        approved = {p.uid for p in self.pods}
        now = [o for (kind, _, _), o in seen.items() if kind == "Pod" and _on(o, self.node) and movable(o)]
        new = sorted(str(Ref.of({"kind": "Pod", **o})) for o in now if o["metadata"].get("uid") not in approved)
        if not new:
            return ""
        rest = f" and {len(new) - _NAMED} more" if len(new) > _NAMED else ""
        came = f"{plural(len(new), 'pod')} came to {self.target} after the plan was made"
        return f"{came}: {', '.join(new[:_NAMED])}{rest}"

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one eviction per pod, with its uid as precondition."""
        return tuple(
            KubernetesChange(verb="evict", target=_ref(p), subresource="eviction", preconditions={"uid": p.uid})
            for p in self.pods
        )

    def command(self) -> str:
        """Return the ``kubectl drain`` line."""
        flags = ["--ignore-daemonsets", "--delete-emptydir-data", *(["--force"] if self.uncontrolled else [])]
        return kubectl(self.target, "drain", self.node, *flags)

    def diff(self, seen: Seen) -> str:
        """Return one line per pod."""
        return "".join(f"- pod/{p.pod} -n {p.namespace} (uid {p.uid}): evict\n" for p in self.pods)

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return None: pods are not moved back."""
        return None


def movable(pod: JsonObject) -> bool:
    """Return whether a drain moves a pod: not of a DaemonSet, not static, not of the system."""
    meta: JsonObject = pod.get("metadata") or {}
    owners: Sequence[JsonObject] = meta.get("ownerReferences") or ()
    static = _MIRROR in (meta.get("annotations") or {})
    daemon = any(o.get("kind") == "DaemonSet" for o in owners)
    return not daemon and not static and meta.get("namespace") not in SYSTEM_NAMESPACES


def _on(pod: JsonObject, node: str) -> bool:
    """Whether a pod that has not ended sits on a node."""
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return (pod.get("spec") or {}).get("nodeName") == node and not ended


def _ref(pod: PodRef) -> Ref:
    return Ref(kind="Pod", namespace=pod.namespace, name=pod.pod, api_version="v1", uid=pod.uid)


ACTION = Drain
