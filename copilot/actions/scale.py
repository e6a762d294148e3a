"""Set the number of replicas of a Deployment or StatefulSet."""

from typing import ClassVar, Literal

from pydantic import JsonValue

from copilot.actions.base import Seen, kubectl, look_up, patch
from copilot.actions.names import Replicas
from copilot.actions.workload import WorkloadAction
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput


class Scale(WorkloadAction):
    """Set ``replicas``; scaling out is safe, scaling in disturbs pods. ``was`` is what the proposer saw."""

    name: ClassVar[str] = "scale"
    summary: ClassVar[str] = "Set the number of replicas."
    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    replicas: Replicas
    was: Replicas | None = None

    @property
    def risk(self) -> Risk:
        """Return SAFE when it is known to scale out, DESTRUCTIVE to zero, DISRUPTIVE otherwise."""
        if self.replicas == 0:
            return Risk.DESTRUCTIVE
        grows = self.was is not None and self.replicas >= self.was
        return Risk.SAFE if grows else Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one merge patch of ``spec.replicas``; ``InvalidInput`` when ``was`` is not what was seen."""
        if self.was is not None and self.was != replicas(look_up(seen, self.target)):
            raise InvalidInput(f"{self.target} does not have {self.was} replicas.")
        return patch(seen, self.target, {"spec": {"replicas": self.replicas}})

    def command(self) -> str:
        """Return the ``kubectl scale`` line."""
        return kubectl(self.target, "scale", self.slashed, f"--replicas={self.replicas}")

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the scale to the replicas that were seen."""
        before = replicas(look_up(seen, self.target))
        return self.model_copy(update={"replicas": before, "was": self.replicas}).call()

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return the replicas: somebody who scales meanwhile makes the plan stale."""
        return replicas(obj)


def replicas(workload: JsonObject) -> int:
    """Return the desired replicas of a workload (1 when unset, as Kubernetes defaults it)."""
    value = (workload.get("spec") or {}).get("replicas")
    return 1 if value is None else int(value)


ACTION = Scale
