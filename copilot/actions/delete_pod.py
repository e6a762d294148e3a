"""Delete one pod so that its controller makes a new one."""

from typing import ClassVar

from pydantic import JsonValue

from copilot.actions.base import Action, Seen, kubectl, look_up, pinned
from copilot.actions.names import Label, ObjectName
from copilot.core.plan import ActionCall, Change, KubernetesChange, Risk
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput


class DeletePod(Action):
    """Delete exactly the pod instance that was seen; refuses a pod that nobody would bring back."""

    name: ClassVar[str] = "delete_pod"
    summary: ClassVar[str] = "Delete a pod; its controller replaces it."
    namespace: Label
    pod: ObjectName

    @property
    def target(self) -> Ref:
        """Return the pod."""
        return Ref(kind="Pod", namespace=self.namespace, name=self.pod, api_version="v1")

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE."""
        return Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one delete with the uid as precondition."""
        if not (look_up(seen, self.target).get("metadata") or {}).get("ownerReferences"):
            raise InvalidInput(f"{self.target} has no controller; nothing would bring it back.")
        ref = pinned(seen, self.target)
        return (KubernetesChange(verb="delete", target=ref, preconditions={"uid": ref.uid}),)

    def command(self) -> str:
        """Return the ``kubectl delete`` line."""
        return kubectl(self.target, "delete", "pod", self.pod)

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return None: the controller has made another pod by then."""
        return None

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return nothing but the instance."""
        return None


ACTION = DeletePod
