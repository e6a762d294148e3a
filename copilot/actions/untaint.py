"""Take a taint off a node."""

from typing import ClassVar

from copilot.actions.base import Seen, kubectl, look_up, patch
from copilot.actions.node import taints_of
from copilot.actions.taint import TaintAction
from copilot.core.plan import ActionCall, Change, Risk
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput


class Untaint(TaintAction):
    """Remove the taint with this key and effect."""

    name: ClassVar[str] = "untaint"
    summary: ClassVar[str] = "Take a taint off a node."

    @property
    def risk(self) -> Risk:
        """Return SAFE: it only lets pods in."""
        return Risk.SAFE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one merge patch of the whole list; ``InvalidInput`` when the taint is not there."""
        self._seen_taint(seen)
        kept = [t for t in taints_of(look_up(seen, self.target)) if not self.same(t)]
        return patch(seen, self.target, {"spec": {"taints": kept or None}})

    def command(self) -> str:
        """Return the ``kubectl taint`` line with its trailing minus."""
        return kubectl(self.target, "taint", "node", self.node, f"{self.key}:{self.effect}-")

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the taint that was seen."""
        arguments = {"node": self.node, **self._seen_taint(seen)}
        arguments.pop("timeAdded", None)
        return ActionCall(action="taint", arguments=arguments)

    def _seen_taint(self, seen: Seen) -> JsonObject:
        found = next((t for t in taints_of(look_up(seen, self.target)) if self.same(t)), None)
        if found is None:
            raise InvalidInput(f"{self.target} has no taint {self.key}:{self.effect}.")
        return dict(found)


ACTION = Untaint
