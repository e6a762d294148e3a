"""What all parts of a world share: clock, objects, events, machines, devices, images, chance."""

from dataclasses import dataclass

import numpy as np

from copilot.lab.kube_api.events import EventRecorder
from copilot.lab.kube_api.store import ObjectStore
from copilot.lab.world.clock import Clock
from copilot.lab.world.design import Design
from copilot.lab.world.gpus import GpuFleet
from copilot.lab.world.nodes import Node


@dataclass
class Site:
    """Shared state of one world; ``rng`` drives noise, never decisions about faults."""

    design: Design
    clock: Clock
    store: ObjectStore
    events: EventRecorder
    nodes: dict[str, Node]
    fleet: GpuFleet
    rng: np.random.Generator

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.clock.at
