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
    """Set ``replicas``; scaling out is safe, scaling in disturbs pods."""

    name: ClassVar[str] = "scale"
    summary: ClassVar[str] = "Set the number of replicas."
    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    replicas: Replicas

    @property
    def risk(self) -> Risk:
        """Return DESTRUCTIVE to zero, DISRUPTIVE otherwise."""
        return Risk.DISRUPTIVE if self.replicas else Risk.DESTRUCTIVE

    def risk_in(self, seen: Seen) -> Risk:
        """Return SAFE when it scales out."""
        return Risk.SAFE if self.replicas >= max(1, replicas(look_up(seen, self.target))) else self.risk

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one merge patch of ``spec.replicas``; ``InvalidInput`` when that is what it has."""
        if self.replicas == replicas(look_up(seen, self.target)):
            raise InvalidInput(f"{self.target} has {self.replicas} replicas already.")
        return patch(seen, self.target, {"spec": {"replicas": self.replicas}})

    def command(self) -> str:
        """Return the ``kubectl scale`` line."""
        return kubectl(self.target, "scale", self.slashed, f"--replicas={self.replicas}")

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the scale to the replicas that were seen."""
        before = replicas(look_up(seen, self.target))
        return self.model_copy(update={"replicas": before}).call()

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return the replicas: somebody who scales meanwhile makes the plan stale."""
        return replicas(obj)


def replicas(workload: JsonObject) -> int:
    """Return the desired replicas of a workload (1 when unset, as Kubernetes defaults it)."""
    value = (workload.get("spec") or {}).get("replicas")
    return 1 if value is None else int(value)


ACTION = Scale
