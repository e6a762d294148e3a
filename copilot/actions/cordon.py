"""Keep new pods off a node."""

from typing import ClassVar

from copilot.actions.base import Seen, kubectl, patch
from copilot.actions.node import NodeAction
from copilot.core.plan import ActionCall, Change, Risk


class Cordon(NodeAction):
    """Mark a node unschedulable; what runs there keeps running."""

    name: ClassVar[str] = "cordon"
    summary: ClassVar[str] = "Keep new pods off a node."

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE: capacity shrinks, though nothing is stopped."""
        return Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one merge patch of ``spec.unschedulable``."""
        return patch(seen, self.target, {"spec": {"unschedulable": True}})

    def command(self) -> str:
        """Return the ``kubectl cordon`` line."""
        return kubectl(self.target, "cordon", self.node)

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the uncordon, unless the node was cordoned before."""
        return None if self.is_cordoned(seen) else ActionCall(action="uncordon", arguments={"node": self.node})


ACTION = Cordon
