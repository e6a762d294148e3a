"""Who uses the GPUs: their hours and money shared out by what was requested, computed on, or filled with memory."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from copilot.core.series import Series
from copilot.core.value import Value
from copilot.cost.energy import from_power

Basis = Literal["requested", "active", "memory"]
"""``requested``: who holds a GPU pays for it. ``active``: who computes pays for the time the engine was active.
``memory``: who fills it pays for the share of memory. What nobody pays for is idle."""

NOBODY = ""
_Key = tuple[str, str, str, str, str, str]
_EXPORTER = "dcgm-exporter"
"""Part of the pod name of the exporter itself: what Prometheus labels a GPU with that no pod holds."""
_SLICES = 7
"""Compute slices of a whole GPU; a MIG profile ``3g.40gb`` has three."""
_MIG = re.compile(r"^(\d)g\.\d+gb")


class GpuUse(Value):
    """One pod's (or nobody's) time on one GPU or MIG instance.

    ``hours``: GPU-hours held (a MIG instance counts its slices of 7). ``active``, ``memory``: means over that time,
    0 to 1, None when not measured. ``price``: US dollars per whole GPU and hour.
    """

    node: str
    gpu: str
    model: str
    namespace: str
    pod: str
    hours: float
    active: float | None = None
    memory: float | None = None
    price: float = 0.0
    kwh: float = 0.0

    @property
    def held(self) -> bool:
        """Whether a pod holds it."""
        return bool(self.pod)


class Share(Value):
    """What one owner comes to. ``hours``, ``cost``, ``kwh`` on the basis asked for; ``held_hours`` as requested."""

    owner: str
    hours: float
    held_hours: float
    cost: float
    kwh: float
    gpus: int

    @property
    def efficiency(self) -> float:
        """The share of held hours that the basis counts, 0 to 1 (1 on the basis ``requested``)."""
        return self.hours / self.held_hours if self.held_hours else 0.0


class Allocation(Value):
    """Shares by owner, dearest first; ``idle`` is what no owner pays for; shares and idle add up to the total."""

    basis: Basis
    shares: tuple[Share, ...]
    idle: Share
    unmeasured: int
    """Uses without the reading that the basis needs; they count as requested."""


def by_namespace(use: GpuUse) -> str:
    """Return the owner of a use: its namespace."""
    return use.namespace


def by_pod(use: GpuUse) -> str:
    """Return the owner of a use: ``namespace/pod``."""
    return f"{use.namespace}/{use.pod}"


def allocate(
    uses: Sequence[GpuUse], *, basis: Basis = "requested", owner: Callable[[GpuUse], str] = by_namespace
) -> Allocation:
    """Share out GPU-hours, money and energy by owner; energy follows the holder, whatever the basis."""
    owners: dict[str, list[GpuUse]] = {}
    for use in uses:
        owners.setdefault(owner(use) if use.held else NOBODY, []).append(use)
    nobody = owners.pop(NOBODY, [])
    shares = [_share(name, owned, basis) for name, owned in owners.items()]
    paid_hours, paid = sum(one.hours for one in shares), sum(one.cost for one in shares)
    total_hours, total = sum(use.hours for use in uses), sum(use.hours * use.price for use in uses)
    idle = Share(
        owner=NOBODY,
        hours=max(0.0, total_hours - paid_hours),
        held_hours=sum(use.hours for use in nobody),
        cost=max(0.0, total - paid),
        kwh=sum(use.kwh for use in nobody),
        gpus=_devices(nobody),
    )
    unmeasured = sum(1 for use in uses if use.held and _measured(use, basis) is None)
    ordered = sorted(shares, key=lambda one: (-one.cost, -one.hours, one.owner))
    return Allocation(basis=basis, shares=tuple(ordered), idle=idle, unmeasured=unmeasured)


def _share(name: str, owned: Sequence[GpuUse], basis: Basis) -> Share:
    counted = [(use, use.hours * _weight(use, basis)) for use in owned]
    return Share(
        owner=name,
        hours=sum(hours for _, hours in counted),
        held_hours=sum(use.hours for use in owned),
        cost=sum(hours * use.price for use, hours in counted),
        kwh=sum(use.kwh for use in owned),
        gpus=_devices(owned),
    )


def _devices(uses: Iterable[GpuUse]) -> int:
    return len({(use.node, use.gpu) for use in uses})


def _weight(use: GpuUse, basis: Basis) -> float:
    measured = _measured(use, basis)
    return 1.0 if measured is None else min(max(measured, 0.0), 1.0)


def _measured(use: GpuUse, basis: Basis) -> float | None:
    return {"requested": 1.0, "active": use.active, "memory": use.memory}[basis]


def slices(profile: str) -> float:
    """Return the share of a GPU that a MIG profile is (``3g.40gb`` -> 3/7); 1 for a whole GPU (empty)."""
    found = _MIG.match(profile)
    return int(found.group(1)) / _SLICES if found else 1.0


def gpu_uses(
    active: Sequence[Series],
    *,
    step: float,
    memory: Sequence[Series] = (),
    power: Sequence[Series] = (),
    prices: Mapping[str, float] | None = None,
) -> list[GpuUse]:
    """Return who held which GPU for how long, from the DCGM exporter's series on a grid of ``step`` seconds.

    ``active``: ``DCGM_FI_PROF_GR_ENGINE_ACTIVE``, one series per GPU (or MIG instance) and holder; its readings are
    the time held. ``memory``: share of frame buffer used, 0 to 1. ``power``: watts. ``prices``: US dollars per GPU and
    hour by node name.
    """
    filled = {_key(one.labels): _mean(one) for one in memory}
    drawn = {_key(one.labels): from_power(one).kwh for one in power}
    return [_use(one, step=step, memory=filled, kwh=drawn, prices=prices or {}) for one in active]


def node_of(labels: Mapping[str, str]) -> str:
    """Return the node that a DCGM series is about; the exporter renamed ``Hostname`` to ``hostname`` in 2026."""
    return labels.get("Hostname") or labels.get("hostname") or labels.get("node", "")


def _use(
    one: Series,
    *,
    step: float,
    memory: Mapping[_Key, float | None],
    kwh: Mapping[_Key, float],
    prices: Mapping[str, float],
) -> GpuUse:
    key = _key(one.labels)
    node, gpu, profile, _, namespace, pod = key
    readings = int(np.isfinite(one.values).sum())
    return GpuUse(
        node=node,
        gpu=gpu,
        model=one.labels.get("modelName", ""),
        namespace=namespace,
        pod=pod,
        hours=readings * step / 3600 * slices(profile),
        active=_mean(one),
        memory=memory.get(key),
        price=prices.get(node, 0.0),
        kwh=kwh.get(key, 0.0),
    )


def _key(labels: Mapping[str, str]) -> _Key:
    """Return node, GPU, MIG profile, MIG instance, namespace, pod; ``exported_*`` comes of a clash in Prometheus."""
    pod = labels.get("exported_pod") or labels.get("pod", "")
    held = bool(pod) and ("exported_pod" in labels or _EXPORTER not in pod)
    namespace = labels.get("exported_namespace") or labels.get("namespace", "")
    return (
        node_of(labels),
        labels.get("gpu", ""),
        labels.get("GPU_I_PROFILE", ""),
        labels.get("GPU_I_ID", ""),
        namespace if held else NOBODY,
        pod if held else NOBODY,
    )


def _mean(one: Series) -> float | None:
    good = one.values[np.isfinite(one.values)]
    return float(np.clip(good, 0.0, 1.0).mean()) if good.size else None
