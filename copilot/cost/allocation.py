"""Who uses the GPUs: their hours, money and energy shared out by what was requested or computed on."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from copilot.core.series import Series
from copilot.core.value import Value
from copilot.cost.energy import from_power

Basis = Literal["requested", "active"]
"""``requested``: who holds a GPU pays for it. ``active``: who computes pays for the time the engine was active.
What nobody pays for is idle."""

NOBODY = ""
_Key = tuple[str, str, str, str, str, str]
_Device = tuple[str, str]
_EXPORTER = "dcgm-exporter"
"""Part of the pod name of the exporter itself: what Prometheus labels a GPU with that no pod holds."""
_SLICES = 7
"""Compute slices of a whole GPU; a MIG profile ``3g.40gb`` has three."""
_MIG = re.compile(r"^(\d)g\.\d+gb")


class GpuUse(Value):
    """One pod's (or nobody's) time on one GPU or MIG instance.

    ``hours``: GPU-hours held, ``kwh``: energy drawn (of both a MIG instance counts its slices of 7). ``active``: mean
    over that time, 0 to 1, None when not measured. ``price``: US dollars per whole GPU and hour.
    """

    node: str
    gpu: str
    model: str
    namespace: str
    pod: str
    hours: float
    active: float | None = None
    price: float = 0.0
    kwh: float = 0.0

    @property
    def held(self) -> bool:
        """Whether a pod holds it."""
        return bool(self.pod)


class Share(Value):
    """What one owner comes to. ``hours``, ``cost`` on the basis asked for; ``kwh`` of all that is held.

    ``unmeasured``: GPU-hours without a reading of activity; they count as active.
    """

    owner: str
    hours: float
    cost: float
    kwh: float
    unmeasured: float


class Allocation(Value):
    """Shares by owner, dearest first; ``idle`` is what no owner pays for; shares and idle add up to the total."""

    shares: tuple[Share, ...]
    idle: Share


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
        cost=max(0.0, total - paid),
        kwh=sum(use.kwh for use in nobody),
        unmeasured=_unmeasured(nobody),
    )
    ordered = sorted(shares, key=lambda one: (-one.cost, -one.hours, one.owner))
    return Allocation(shares=tuple(ordered), idle=idle)


def _share(name: str, owned: Sequence[GpuUse], basis: Basis) -> Share:
    counted = [(use, use.hours * _weight(use, basis)) for use in owned]
    return Share(
        owner=name,
        hours=sum(hours for _, hours in counted),
        cost=sum(hours * use.price for use, hours in counted),
        kwh=sum(use.kwh for use in owned),
        unmeasured=_unmeasured(owned),
    )


def _unmeasured(uses: Sequence[GpuUse]) -> float:
    return sum(use.hours for use in uses if use.active is None)


def _weight(use: GpuUse, basis: Basis) -> float:
    return 1.0 if basis == "requested" or use.active is None else use.active


def slices(profile: str) -> float:
    """Return the share of a GPU that a MIG profile is (``3g.40gb`` -> 3/7); 1 for a whole GPU (empty)."""
    found = _MIG.match(profile)
    return int(found.group(1)) / _SLICES if found else 1.0


def gpu_uses(
    active: Sequence[Series],
    *,
    step: float,
    power: Sequence[Series] = (),
    prices: Mapping[str, float] | None = None,
) -> list[GpuUse]:
    """Return who held which GPU for how long, from the DCGM exporter's series on a grid of ``step`` seconds.

    ``active``: share of time the GPU computes, 0 to 1: ``DCGM_FI_PROF_GR_ENGINE_ACTIVE``, or ``DCGM_FI_DEV_GPU_UTIL``
    / 100 of a GPU that lacks it; one series per GPU (or MIG instance) and holder, whose readings are the time held.
    ``power``: watts; of a GPU without any reading of activity, they are the time held. ``prices``: US dollars per GPU
    and hour by node name.
    """
    known, drawn = prices or {}, _Drawn(power)
    measured = {_device(one.labels) for one in active if np.isfinite(one.values).any()}
    uses = []
    for one in active:
        hours = int(np.isfinite(one.values).sum()) * step / 3600
        uses.append(_use(one.labels, hours=hours, active=_mean(one), kwh=drawn.kwh(one), prices=known))
    for one in power:
        if _device(one.labels) not in measured:
            energy = from_power(one)
            uses.append(_use(one.labels, hours=energy.hours, active=None, kwh=energy.kwh, prices=known))
    return uses


def node_of(labels: Mapping[str, str]) -> str:
    """Return the node that a DCGM series is about; the exporter renamed ``Hostname`` to ``hostname`` in 2026."""
    return labels.get("Hostname") or labels.get("hostname") or labels.get("node", "")


class _Drawn:
    """What whole cards drew while something was held on them."""

    def __init__(self, power: Sequence[Series]) -> None:
        self._own = {_key(one.labels): from_power(one).kwh for one in power}
        self._cards: dict[_Device, list[Series]] = {}
        for one in power:
            if not one.labels.get("GPU_I_PROFILE"):
                self._cards.setdefault(_device(one.labels), []).append(one)

    def kwh(self, one: Series) -> float:
        """Return the energy of the series of power with the same labels, else of the card's own in that time."""
        own = self._own.get(_key(one.labels))
        if own is not None:
            return own
        held = one.times[np.isfinite(one.values)]
        return sum(from_power(card, ends=held).kwh for card in self._cards.get(_device(one.labels), ()))


def _use(
    labels: Mapping[str, str], *, hours: float, active: float | None, kwh: float, prices: Mapping[str, float]
) -> GpuUse:
    node, gpu, profile, _, namespace, pod = _key(labels)
    # Every instance reports the power of the whole card: its part is taken of energy as it is of hours.
    part = slices(profile)
    return GpuUse(
        node=node,
        gpu=gpu,
        model=labels.get("modelName", ""),
        namespace=namespace,
        pod=pod,
        hours=hours * part,
        active=active,
        price=prices.get(node, 0.0),
        kwh=kwh * part,
    )


def _device(labels: Mapping[str, str]) -> _Device:
    return node_of(labels), labels.get("gpu", "")


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
