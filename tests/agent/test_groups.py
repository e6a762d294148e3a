"""The cloud is asked about the groups that waiting pods may use, and about nothing else."""

from datetime import UTC, datetime
from typing import Any

from copilot.agent.groups import with_groups
from copilot.core.cluster import ClusterDump, Missing
from copilot.core.ref import Ref
from copilot.errors import Forbidden

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Cloud:
    """Groups by name; remembers who was asked for."""

    def __init__(self, **groups: dict[str, Any]) -> None:
        self.groups = groups
        self.asked: list[tuple[str, str]] = []

    async def describe(self, service: str, target: Ref, *, region: str) -> dict[str, Any]:
        self.asked.append((target.name, region))
        if target.name not in self.groups:
            raise Forbidden("The account may not be read.")
        return self.groups[target.name]


def _dump(node_name: str = "") -> ClusterDump:
    nodes = [
        {
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {
                    "pool": name,
                    "eks.amazonaws.com/nodegroup": name,
                    "topology.kubernetes.io/region": "eu-west-1",
                },
            },
        }
        for name in ("general", "gpu")
    ]
    spec = {"nodeSelector": {"pool": "general"}, **({"nodeName": node_name} if node_name else {})}
    pod = {"kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}, "spec": spec, "status": {"phase": "Pending"}}
    return ClusterDump(taken_at=NOW, objects={"Node": nodes, "Pod": [pod]})


async def test_a_waiting_pod_asks_for_the_group_it_may_use() -> None:
    cloud = Cloud(general={"DesiredCapacity": 2, "MinSize": 1, "MaxSize": 9})
    found = (await with_groups(_dump(), cloud)).objects["NodeGroup"]
    assert cloud.asked == [("general", "eu-west-1")]
    assert [(one["metadata"]["name"], one["spec"]) for one in found] == [
        ("general", {"desired": 2, "min": 1, "max": 9})
    ]


async def test_nothing_is_asked_while_every_pod_has_a_node() -> None:
    cloud, seen = Cloud(), _dump("general")
    assert await with_groups(seen, cloud) is seen
    assert await with_groups(_dump(), None) == _dump()
    assert cloud.asked == []


async def test_what_the_cloud_does_not_say_is_missing() -> None:
    seen = await with_groups(_dump(), Cloud())
    assert seen.missing == (Missing("node group general", "The account may not be read."),)
    assert seen.objects["NodeGroup"] == []
