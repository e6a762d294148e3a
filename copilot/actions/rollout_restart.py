"""Restart a workload's pods in a rolling way."""

from typing import Annotated, ClassVar

from pydantic import JsonValue, StringConstraints

from copilot.actions.base import Seen, kubectl, patch
from copilot.actions.workload import WorkloadAction
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.value import JsonObject

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class RolloutRestart(WorkloadAction):
    """Stamp the pod template with a time, as ``kubectl rollout restart`` does; ``at`` is RFC 3339, UTC."""

    name: ClassVar[str] = "rollout_restart"
    summary: ClassVar[str] = "Restart the pods of a workload, one after another."
    at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE."""
        return Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one patch of the template's annotation."""
        mark = {"metadata": {"annotations": {RESTARTED_AT: self.at}}}
        return patch(seen, self.target, {"spec": {"template": mark}})

    def command(self) -> str:
        """Return the ``kubectl rollout restart`` line."""
        return kubectl(self.target, "rollout", "restart", self.slashed)

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return None: a restart cannot be taken back, and changes nothing that needs it."""
        return None

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return nothing but the instance: a restart is right whatever the template says by then."""
        return None


ACTION = RolloutRestart
