"""Untaint: a taint that nothing tolerates keeps pods off a node that they need.

Never a taint that the control plane sets (``node.kubernetes.io/``, ``node.cloudprovider.kubernetes.io/``) or that a
GPU or repair controller owns: those come and go with what they say.
"""

from collections.abc import Iterator

from copilot.actions.untaint import Untaint
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.value import JsonObject
from runbooks.base import Runbook, find, metadata, proposal, text
from runbooks.nodes import node_of

NAME = "untaint"
_NOT_OURS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "node-role.kubernetes.io/", "nvidia.com/gpu")


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the removal of the taint that the diagnosis names."""
    told = text(diagnosis, "taint", "key")
    for node in _nodes(diagnosis, dump):
        for taint in (node.get("spec") or {}).get("taints") or ():
            key, effect = str(taint.get("key")), str(taint.get("effect"))
            meant = key in told if told else effect != "PreferNoSchedule"
            if meant and not key.startswith(_NOT_OURS):
                name = str(metadata(node)["name"])
                action = Untaint.of({"node": name, "key": key, "effect": effect})
                return proposal(NAME, diagnosis, action, title=f"Take the taint {key} off node {name}")
    return None


def _nodes(diagnosis: Diagnosis, dump: ClusterDump) -> Iterator[JsonObject]:
    listed = diagnosis.details.get("nodes")
    names = [str(n) for n in listed] if isinstance(listed, list) else []
    for node in (node_of(diagnosis, dump), *(find(dump, "Node", n) for n in names)):
        if node is not None:
            yield node


RUNBOOK = Runbook(
    name=NAME, summary="Take a taint off that keeps needed pods away.", causes=("taint_not_tolerated",), propose=propose
)
