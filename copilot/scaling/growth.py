"""Machines for replicas that fit on none: their node group grows in the same plan, before they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from copilot.actions import Action
from copilot.actions.node_group import by_cloud, by_terraform, region_of
from copilot.actions.set_asg_capacity import AWS
from copilot.core.ref import Ref
from copilot.core.text import plural
from copilot.core.value import JsonObject
from copilot.errors import CopilotError
from copilot.ports.read import Cloud
from copilot.scaling.pools import Places, Pool, machines

MACHINE_START = timedelta(minutes=5)
"""From asking for a machine to a pod on it: an instance boots and registers in two to four minutes."""
_SELF = "karpenter.sh/nodepool"


@dataclass(frozen=True, slots=True)
class Growth:
    """What can be had. ``short``: replicas that would still find no place; ``action`` grows a group, as ``title`` says.

    ``note`` says all of it in words, for people.
    """

    short: int
    note: str
    action: Action | None = None
    title: str = ""


async def growth(found: Places, more: int, cloud: Cloud | None) -> Growth | None:
    """Return what it takes to place ``more`` replicas, or None when there is room for them.

    Asks the cloud for the size of a group; what it refuses to say counts as not known.
    """
    short = more + found.waiting - found.room
    if short <= 0:
        return None
    head = f"room for {plural(max(0, found.room - found.waiting), 'more replica')} on the machines there are"
    refused = "no node group is known that could grow"
    for pool in found.pools:
        if _SELF in _labels(pool.nodes[0]):
            return Growth(0, f"{head}; {pool.group} adds machines by itself")
        size = await _size(pool, cloud)
        if isinstance(size, str):
            refused = size
            continue
        if size[1] > size[0]:
            return _grown(pool, size, short, head)
        refused = f"node group {pool.group} is at its maximum of {size[1]}"
    return Growth(short, f"{head}; {refused}")


def _grown(pool: Pool, size: tuple[int, int], short: int, head: str) -> Growth:
    now, most = size
    wanted = min(most, now + machines(pool, short))
    action = by_terraform(pool.nodes, now=now, wanted=wanted)
    action = action or by_cloud(pool.group, region=region_of(pool.nodes), wanted=wanted)
    title = f"node group {pool.group} from {now} to {plural(wanted, 'machine')}"
    note = f"{head}: {title}" + (f", its maximum is {most}" if wanted == most else "")
    return Growth(max(0, short - (wanted - now) * pool.each), note, action, title)


async def _size(pool: Pool, cloud: Cloud | None) -> tuple[int, int] | str:
    """Return how many machines a group has and may have, or why that is not known."""
    region = region_of(pool.nodes)
    told: JsonObject = {}
    refused = "no cloud is configured to ask"
    if cloud is not None and region:
        target = Ref(kind="NodeGroup", name=pool.group, namespace=region, api_version=AWS)
        try:
            told = await cloud.describe("autoscaling", target, region=region)
        except CopilotError as error:
            refused = error.message
    if told:
        return int(told["DesiredCapacity"]), int(told["MaxSize"])
    owned = by_terraform(pool.nodes, now=len(pool.nodes), wanted=len(pool.nodes)) is not None
    if owned:
        # Terraform's own validation keeps the bounds; a plan that breaks them is refused when it is made.
        return len(pool.nodes), 2 * len(pool.nodes)
    return f"node group {pool.group} cannot grow from here ({refused})"


def _labels(node: JsonObject) -> Mapping[str, str]:
    labels: Mapping[str, str] = (node.get("metadata") or {}).get("labels") or {}
    return labels
