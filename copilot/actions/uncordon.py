"""Let new pods onto a node again."""

from typing import ClassVar

from copilot.actions.base import Seen, kubectl, patch
from copilot.actions.node import NodeAction
from copilot.core.plan import ActionCall, Change, Risk


class Uncordon(NodeAction):
    """Clear ``unschedulable``."""

    name: ClassVar[str] = "uncordon"
    summary: ClassVar[str] = "Let new pods onto a node again."

    @property
    def risk(self) -> Risk:
        """Return SAFE."""
        return Risk.SAFE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one merge patch that removes ``spec.unschedulable``."""
        return patch(seen, self.target, {"spec": {"unschedulable": None}})

    def command(self) -> str:
        """Return the ``kubectl uncordon`` line."""
        return kubectl(self.target, "uncordon", self.node)

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the cordon, when the node was cordoned before."""
        return ActionCall(action="cordon", arguments={"node": self.node}) if self.is_cordoned(seen) else None


ACTION = Uncordon
