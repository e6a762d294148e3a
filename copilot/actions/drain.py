"""Move the pods off a node, one eviction each, so that disruption budgets are asked."""

from typing import Annotated, ClassVar

from pydantic import Field

from copilot.actions.base import Seen, kubectl
from copilot.actions.names import Label, ObjectName
from copilot.actions.node import NodeAction
from copilot.core.plan import ActionCall, Change, KubernetesChange, Risk
from copilot.core.ref import Ref
from copilot.core.value import Value


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


def _ref(pod: PodRef) -> Ref:
    return Ref(kind="Pod", namespace=pod.namespace, name=pod.pod, api_version="v1", uid=pod.uid)


ACTION = Drain
