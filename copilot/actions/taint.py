"""Put a taint on a node."""

from typing import ClassVar, Literal

from pydantic import JsonValue

from copilot.actions.base import Seen, kubectl, look_up, patch
from copilot.actions.names import LabelValue, QualifiedKey
from copilot.actions.node import NodeAction, taints_of
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput

Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class TaintAction(NodeAction):
    """One taint, identified by key and effect as Kubernetes does."""

    key: QualifiedKey
    value: LabelValue = ""
    effect: Effect

    @property
    def taint(self) -> JsonObject:
        """Return the taint as an API object."""
        return {"key": self.key, "effect": self.effect, **({"value": self.value} if self.value else {})}

    def same(self, taint: JsonObject) -> bool:
        """Return whether a taint has this key and effect."""
        return (taint.get("key"), taint.get("effect")) == (self.key, self.effect)

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return every taint, also those of the control plane: the list is written whole, for it merges by no key."""
        taints: list[JsonValue] = [*taints_of(obj)]
        return {"taints": taints}

    def leaves(self, obj: JsonObject) -> JsonValue:
        """Return what people set; the taints of the control plane are read anew and kept when this is taken back."""
        return super().depends_on(obj)

    @property
    def words(self) -> str:
        """Return the taint as kubectl writes it."""
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


class Taint(TaintAction):
    """Add a taint; ``NoExecute`` evicts what does not tolerate it."""

    name: ClassVar[str] = "taint"
    summary: ClassVar[str] = "Put a taint on a node."

    @property
    def risk(self) -> Risk:
        """Return DESTRUCTIVE for NoExecute, which evicts without asking disruption budgets; DISRUPTIVE otherwise."""
        return Risk.DESTRUCTIVE if self.effect == "NoExecute" else Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one merge patch of the whole list, which Kubernetes treats as one value."""
        kept = [t for t in taints_of(look_up(seen, self.target)) if not self.same(t)]
        return patch(seen, self.target, {"spec": {"taints": [*kept, self.taint]}})

    def command(self) -> str:
        """Return the ``kubectl taint`` line."""
        return kubectl(self.target, "taint", "node", self.node, self.words, "--overwrite")

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the removal, or the value that was there."""
        old = next((t for t in taints_of(look_up(seen, self.target)) if self.same(t)), None)
        if old is None:
            return ActionCall(action="untaint", arguments=self.call().arguments)
        if old == self.taint:
            raise InvalidInput(f"{self.target} already has the taint {self.words}.")
        return self.model_copy(update={"value": str(old.get("value") or "")}).call()


ACTION = Taint
