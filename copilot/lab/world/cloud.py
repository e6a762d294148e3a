"""The cloud account: auto scaling groups whose machines join the cluster minutes after they were asked for."""

import random
from dataclasses import dataclass, field

from copilot.lab.world.design import POOLS, devices, machine
from copilot.lab.world.node_agents import NodeAgents
from copilot.lab.world.site import Site

BOOT = (95.0, 150.0)
"""Seconds between launching an instance and its kubelet registering."""


@dataclass
class NodeGroup:
    """One auto scaling group; ``launching`` holds the unix seconds at which machines will join."""

    name: str
    pool: str
    desired: int
    minimum: int
    maximum: int
    launching: list[float] = field(default_factory=list)


class Cloud:
    """All node groups. ``set_desired`` is what AWS's SetDesiredCapacity does."""

    def __init__(self, site: Site, agents: NodeAgents, rng: random.Random) -> None:
        self.site = site
        self.agents = agents
        self._rng = rng
        self._octet = 120
        self.groups: dict[str, NodeGroup] = {}
        for pool in POOLS:
            members = [node for node in site.nodes.values() if node.pool == pool.name]
            name, count = members[0].group, len(members)
            self.groups[name] = NodeGroup(name, pool.name, count, 1, count + 4)

    def set_desired(self, name: str, desired: int) -> None:
        """Change a group's desired capacity; raises ``ValueError`` outside its bounds."""
        group = self.groups[name]
        if not group.minimum <= desired <= group.maximum:
            raise ValueError(
                f"New SetDesiredCapacity value {desired} is outside of min={group.minimum} and max={group.maximum}"
            )
        group.desired = desired
        self._settle(group)

    def members(self, group: NodeGroup) -> list[str]:
        """Names of the group's machines, oldest first."""
        return [node.name for node in self.site.nodes.values() if node.group == group.name]

    def _settle(self, group: NodeGroup) -> None:
        now = self.site.now
        while len(self.members(group)) + len(group.launching) < group.desired:
            group.launching.append(now + self._rng.uniform(*BOOT))
        while group.launching and len(self.members(group)) + len(group.launching) > group.desired:
            group.launching.pop()
        for name in self.members(group)[group.desired :]:
            self.site.nodes.pop(name)
            if self.site.store.peek("Node", "", name) is not None:
                self.site.store.delete("Node", "", name)

    def tick(self) -> None:
        """Let machines join whose time has come."""
        for group in self.groups.values():
            due = [at for at in group.launching if at <= self.site.now]
            group.launching = [at for at in group.launching if at > self.site.now]
            for _ in due:
                self._join(group)

    def _join(self, group: NodeGroup) -> None:
        self._octet += 1
        pool = next(one for one in POOLS if one.name == group.pool)
        node = machine(pool, self._octet, self.site.design.names, self._rng)
        self.site.nodes[node.name] = node
        self.site.fleet.extend(devices([node], self._rng))
        self.agents.register(node)
