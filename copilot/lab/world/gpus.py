"""All GPUs of the cluster as arrays: load makes power, power makes heat, heat lowers clocks; damage does the rest.

A row is a whole GPU or a MIG slice. Temperatures in Celsius, clocks in MHz, power in watts, memory in MiB.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_HEAT_LAG = 45.0
_SLOWDOWN_FROM = 84.0
_DEAD_XIDS = frozenset((79.0,))


@dataclass(frozen=True, slots=True)
class GpuKind:
    """A product as its data sheet has it; ``nvlink`` in bytes per second, 0 without."""

    name: str
    product: str
    clock: float
    memory: float
    power: float
    nvlink: float
    speed: float


H100 = GpuKind("h100", "NVIDIA H100 80GB HBM3", 1980.0, 81559.0, 700.0, 450e9, 1.0)
A100 = GpuKind("a100", "NVIDIA A100-SXM4-80GB", 1410.0, 81920.0, 400.0, 300e9, 0.5)
L40S = GpuKind("l40s", "NVIDIA L40S", 2520.0, 46068.0, 350.0, 0.0, 0.45)


@dataclass(frozen=True, slots=True)
class Gpu:
    """Identity of one row: where it sits and what it is; ``profile`` is the MIG profile of a slice."""

    node: str
    index: int
    uuid: str
    kind: GpuKind
    profile: str = ""
    instance: int = -1
    share: float = 1.0

    @property
    def resource(self) -> str:
        """The extended resource it is allocated as."""
        return f"nvidia.com/mig-{self.profile}" if self.profile else "nvidia.com/gpu"


class GpuFleet:
    """State of every GPU, float64[n] per quantity; indices are positions in ``rows``."""

    def __init__(self, rows: Sequence[Gpu], rng: np.random.Generator) -> None:
        self.rows = tuple(rows)
        self.rng = rng
        n = len(self.rows)
        self.of_node: dict[str, list[int]] = {}
        for position, one in enumerate(self.rows):
            self.of_node.setdefault(one.node, []).append(position)
        self.clock_max = np.array([one.kind.clock for one in self.rows])
        self.power_max = np.array([one.kind.power * one.share for one in self.rows])
        self.memory = np.array([one.kind.memory * one.share for one in self.rows])
        self.nvlink_max = np.array([one.kind.nvlink * (one.share == 1.0) for one in self.rows])
        self.present = np.ones(n, bool)
        self.usable = np.ones(n, bool)
        self.power_cap = np.ones(n)
        self.inlet = np.full(n, 27.0) + rng.normal(0, 1.2, n)
        self.cooling = np.ones(n)
        self.nvlink_health = np.ones(n)
        self.nvlink_error_rate = np.zeros(n)
        self.sbe_rate = np.full(n, 1e-6)
        self.xid = np.zeros(n)
        self.dbe = np.zeros(n)
        self.remap_failure = np.zeros(n)
        self.remapped_rows = np.zeros(n)
        self.load = np.zeros(n)
        self.tensor_share = np.full(n, 0.45)
        self.memory_used = np.full(n, 4.0)
        self.nvlink_demand = np.zeros(n)
        self.busy = np.zeros(n)
        self.clock = self.clock_max.copy()
        self.power = self.power_max * 0.12
        self.temperature = self.inlet + 8.0
        self.thermal_violation = np.zeros(n)
        self.power_violation = np.zeros(n)
        self.energy = np.zeros(n)
        self.nvlink_crc = np.zeros(n)
        self.nvlink_bytes = np.zeros(n)
        self.pcie_replay = np.zeros(n)
        self.sbe = np.zeros(n)
        self.owner: list[str] = [""] * n
        self.interrupted: set[int] = set()

    def extend(self, rows: Sequence[Gpu]) -> None:
        """Add the devices of a machine that joined."""
        if not rows:
            return
        fresh, before = GpuFleet(rows, self.rng), len(self.rows)
        self.rows += fresh.rows
        self.owner += fresh.owner
        for node, positions in fresh.of_node.items():
            self.of_node[node] = [before + position for position in positions]
        for name, values in vars(fresh).items():
            if isinstance(values, np.ndarray):
                setattr(self, name, np.concatenate([getattr(self, name), values]))

    def report(self, position: int, xid: int) -> None:
        """The driver reports an XID: 79 makes the device vanish, 48, 64 and 95 unusable until a reset, and 94 ends
        only what computes on it (NVIDIA XID catalogue)."""
        self.xid[position] = float(xid)
        if float(xid) in _DEAD_XIDS:
            self.present[position] = False
        if xid in (48, 64, 79, 95):
            self.usable[position] = False
        if xid == 94:
            self.interrupted.add(position)

    def renew(self, node: str) -> None:
        """Put new devices in place of a node's."""
        where = self.of_node.get(node, [])
        for sound in (self.cooling, self.power_cap, self.nvlink_health):
            sound[where] = 1.0
        for harm in (self.nvlink_error_rate, self.xid, self.dbe, self.remap_failure, self.remapped_rows):
            harm[where] = 0.0
        self.present[where] = self.usable[where] = True

    @property
    def speed(self) -> Floats:
        """Fraction of nominal speed at which each GPU computes now, 0 where it is gone, float64[n]."""
        result: Floats = np.where(self.present, self.clock / self.clock_max, 0.0)
        return result

    def free(self, node: str, resource: str) -> list[int]:
        """Positions on a node that are healthy, unowned and offered as ``resource``."""
        return [
            i
            for i in self.of_node.get(node, ())
            if self.rows[i].resource == resource and not self.owner[i] and self.present[i] and self.usable[i]
        ]

    def healthy(self, node: str, resource: str) -> int:
        """Number of devices the device plugin may offer."""
        rows = self.of_node.get(node, ())
        return sum(self.rows[i].resource == resource and bool(self.present[i] and self.usable[i]) for i in rows)

    def release(self, uid: str) -> None:
        """Free every device that a pod held."""
        for position, owner in enumerate(self.owner):
            if owner == uid:
                self.owner[position] = ""
                self.load[position] = 0.0
                self.memory_used[position] = 4.0
                self.nvlink_demand[position] = 0.0

    def step(self, dt: float) -> None:
        """Advance ``dt`` seconds from the present ``load`` (0..1 of the time that kernels run)."""
        n = len(self.rows)
        self.busy = np.clip(self.load * (1 + self.rng.normal(0, 0.015, n)), 0.0, 1.0)
        hot = np.clip((self.temperature - _SLOWDOWN_FROM) * 0.055, 0.0, 0.62)
        limited = np.minimum(1.0, np.sqrt(self.power_cap))
        factor = np.minimum(1.0 - hot, limited)
        self.clock = self.clock_max * factor * (1 - 0.004 * self.rng.random(n))
        draw = 0.12 + 0.82 * self.busy * factor**2
        self.power = self.power_max * np.minimum(draw, np.maximum(self.power_cap, 0.12))
        target = self.inlet + (8.0 + 42.0 * self.power / self.power_max) / self.cooling
        self.temperature += (target - self.temperature) * (1 - np.exp(-dt / _HEAT_LAG)) + self.rng.normal(0, 0.2, n)
        self.thermal_violation += np.where(hot > 0.01, hot * dt * 1e9, 0.0)
        self.power_violation += np.where(limited < 0.999, (1 - limited) * self.busy * dt * 1e9, 0.0)
        self.energy += self.power * dt * 1e3
        self.nvlink_crc += self.nvlink_error_rate * (0.2 + self.busy) * dt
        self.nvlink_bytes += np.minimum(self.nvlink_demand, self.nvlink_max * self.nvlink_health) * dt
        self.sbe += self.sbe_rate * dt
