"""Uncordon: a node was cordoned and forgotten, and pods wait for it.

Only a ready node that no repair controller has taken; a node under maintenance is somebody's on purpose.
"""

from copilot.actions.uncordon import Uncordon
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.value import JsonObject
from runbooks.base import Runbook, find, metadata, proposal
from runbooks.nodes import node_of

NAME = "uncordon"


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the uncordon of the node named, or of the first cordoned one that the diagnosis lists."""
    listed = diagnosis.details.get("nodes")
    names = [str(n) for n in listed] if isinstance(listed, list) else []
    candidates = [node_of(diagnosis, dump), *(find(dump, "Node", n) for n in names)]
    for node in candidates:
        if node is not None and (node.get("spec") or {}).get("unschedulable") and _ready(node):
            name = str(metadata(node)["name"])
            return proposal(NAME, diagnosis, Uncordon.of({"node": name}), title=f"Uncordon node {name}")
    return None


def _ready(node: JsonObject) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


RUNBOOK = Runbook(
    name=NAME, summary="Let pods onto a forgotten node again.", causes=("node_cordoned",), propose=propose
)
