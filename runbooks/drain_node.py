"""Take a node out of service: its GPU, link or network is broken and the work must move.

Cordon, then evict the pods one by one through their disruption budgets; pods of DaemonSets, static pods and system pods
stay. A GPU that fell off the bus (XID 79) needs the machine restarted and is never reset; that and the repair are for a
person. A gang loses its work since the last checkpoint: the plan says how much. It stands down when somebody else has
the node in hand.
"""

from copilot.actions.cordon import Cordon
from copilot.actions.drain import Drain, movable
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Check, Proposal
from copilot.core.ref import Ref
from copilot.core.text import plural
from copilot.core.value import JsonObject
from runbooks.base import Runbook, find, metadata, proposal, ready, workload_of
from runbooks.nodes import controlled, in_other_hands, node_of, pods_on

NAME = "drain_node"


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return cordon and drain of the node named, or None when it is not ours to touch."""
    node = node_of(diagnosis, dump)
    if node is None or in_other_hands(node):
        return None
    name = str(metadata(node)["name"])
    pods = sorted((p for p in pods_on(name, dump) if movable(p)), key=lambda p: str(metadata(p)["name"]))
    cordon = Cordon.of({"node": name})
    if not pods:
        return proposal(NAME, diagnosis, cordon, title=f"Cordon node {name}")
    drain = Drain.of(
        {
            "node": name,
            "pods": [_pinned(p) for p in pods],
            "uncontrolled": not all(controlled(p) for p in pods),
        }
    )
    title = f"Cordon and drain node {name} ({plural(len(pods), 'pod')} to move)"
    return proposal(NAME, diagnosis, cordon, drain, title=title, checks=_moved(pods, dump))


def _pinned(pod: JsonObject) -> dict[str, str]:
    meta = metadata(pod)
    return {"namespace": str(meta["namespace"]), "pod": str(meta["name"]), "uid": str(meta["uid"])}


def _moved(pods: list[JsonObject], dump: ClusterDump) -> tuple[Check, ...]:
    owners = [o for p in pods if (o := workload_of(Ref.of(p), dump) or _job(p, dump)) is not None]
    return tuple({c.query: c for c in map(ready, owners)}.values())


def _job(pod: JsonObject, dump: ClusterDump) -> JsonObject | None:
    meta = metadata(pod)
    names = [str(o.get("name")) for o in meta.get("ownerReferences") or () if o.get("kind") == "Job"]
    return find(dump, "Job", names[0], namespace=str(meta.get("namespace"))) if names else None


RUNBOOK = Runbook(
    name=NAME,
    summary="Cordon a broken node and move its work elsewhere.",
    causes=(
        "gpu_fell_off_bus", "gpu_uncorrectable_ecc", "gpu_row_remap_failure", "gpu_nvlink_errors",
        "gpu_thermal_throttling", "gpu_straggler", "fabric_port_degraded", "node_packet_loss", "node_network_delay",
    ),
    propose=propose,
)  # fmt: skip
