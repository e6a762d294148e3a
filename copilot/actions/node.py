"""What actions on a node share."""

from pydantic import JsonValue

from copilot.actions.base import Action, Seen, look_up
from copilot.actions.names import ObjectName
from copilot.core.ref import Ref
from copilot.core.value import JsonObject

_SYSTEM_TAINT = "node.kubernetes.io/"


class NodeAction(Action):
    """An action whose target is one node."""

    node: ObjectName

    @property
    def target(self) -> Ref:
        """Return the node."""
        return Ref(kind="Node", name=self.node, api_version="v1")

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return cordon and the taints that people set; those the control plane sets come and go with conditions."""
        taints: list[JsonValue] = [t for t in taints_of(obj) if not str(t.get("key", "")).startswith(_SYSTEM_TAINT)]
        return {"unschedulable": cordoned(obj), "taints": taints}

    def is_cordoned(self, seen: Seen) -> bool:
        """Return whether the node was seen cordoned."""
        return cordoned(look_up(seen, self.target))


def cordoned(node: JsonObject) -> bool:
    """Return whether a node takes no new pods because somebody cordoned it."""
    return bool((node.get("spec") or {}).get("unschedulable"))


def taints_of(node: JsonObject) -> list[JsonObject]:
    """Return a node's taints."""
    return list((node.get("spec") or {}).get("taints") or ())
