"""GPUs: XID errors, memory, heat, NVLink, stragglers, devices that vanish, devices that idle.

XID meanings: NVIDIA's catalogue of Xid errors. ``DCGM_FI_DEV_XID_ERRORS`` shows the last XID and never resets, so only
a value that changed within the window is news.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from statistics import median

from copilot.core.cluster import MetricWindow
from copilot.core.ref import Ref
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.windows import Shift, highest, joined, last, shifts

_XIDS = {
    "gpu_fell_off_bus": {79},
    "gpu_contained_ecc": {94},
    "gpu_uncorrectable_ecc": {48, 95},
    "gpu_nvlink_errors": {74, 144, 145, 146, 147, 148, 149, 150},
    "gpu_row_remap_failure": {64},
}
_HOT = 83.0
"""Degrees Celsius from which data-centre GPUs slow down (slowdown thresholds lie at 83-90)."""
_SLOWED = 0.9


def device(labels: dict[str, str]) -> Ref:
    """Return the reference of a GPU: ``node/index``."""
    return Ref(kind="GPU", name=f"{labels.get('node', '')}/{labels.get('gpu', '')}")


def users(window: MetricWindow, facts: Facts) -> tuple[Ref, ...]:
    """Return the pod that holds the device, its workload, and the rest of its gang."""
    pod = facts.get("Pod", str(window.labels.get("namespace") or ""), str(window.labels.get("pod") or ""))
    node = (Ref(kind="Node", name=str(window.labels.get("node") or "")),)
    return (Ref.of(pod), facts.owner(pod), *node) if pod else node


def devices(facts: Facts, signal: str) -> list[MetricWindow]:
    """Return one window of a signal for each device or MIG slice, whoever held it meanwhile."""
    return joined(facts.windows(signal), "node", "gpu", "GPU_I_ID")


def device_shifts(facts: Facts, signal: str) -> list[Shift]:
    """Return how each device's series of a signal moved with the onset."""
    return shifts(devices(facts, signal), facts.onset.timestamp() if facts.onset else None)


def _xid(cause: str, text: str) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        for window in devices(facts, "gpu_xid"):
            codes = {int(v) for v in _new_values(window)}
            hit = sorted(codes & _XIDS[cause])
            if hit:
                ref = device(dict(window.labels))
                yield Match(
                    object=ref,
                    summary=f"GPU {ref.name}: XID {hit[0]}, {text}",
                    seen=(looks.metric(window, f"XID became {', '.join(map(str, sorted(codes)))}", ref),),
                    explains=users(window, facts),
                    weight=0.9,
                    details={
                        "xid": hit[0],
                        "node": str(window.labels.get("node")),
                        "gpu": str(window.labels.get("gpu")),
                        "uuid": str(window.labels.get("UUID") or ""),
                    },
                )

    return match


def _first(window: MetricWindow) -> float:
    return next((v for v in window.values if not math.isnan(v)), math.nan)


def _new_values(window: MetricWindow) -> set[float]:
    known = [v for v in window.values if not math.isnan(v)]
    return {v for a, v in itertools.pairwise(known) if v != a and v > 0}


def _raised(signal: str, *, least: float) -> Callable[[Facts], Iterator[MetricWindow]]:
    """Windows that rose by ``least`` over their first value and are still there: rates, flags and counts alike."""

    def found(facts: Facts) -> Iterator[MetricWindow]:
        for window in devices(facts, signal):
            known = [v for v in window.values if not math.isnan(v)]
            if len(known) > 1 and known[-1] - known[0] >= least:
                yield window

    return found


def _counted(signal: str, text: str, *, least: float = 1.0, weight: float = 0.85) -> Callable[[Facts], Iterator[Match]]:
    windows = _raised(signal, least=least)

    def match(facts: Facts) -> Iterator[Match]:
        for window in windows(facts):
            ref = device(dict(window.labels))
            yield Match(
                object=ref,
                summary=f"GPU {ref.name}: {text}",
                seen=(looks.moved(window, signal, (_first(window), last(window)), ref),),
                explains=users(window, facts),
                weight=weight,
                details={"node": str(window.labels.get("node")), "gpu": str(window.labels.get("gpu"))},
            )

    return match


def _both(*matches: Callable[[Facts], Iterator[Match]]) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        told: set[tuple[str, str, str]] = set()
        for one in matches:
            for found in one(facts):
                if found.object.key not in told:
                    told.add(found.object.key)
                    yield found

    return match


def thermal(facts: Facts) -> Iterator[Match]:
    """Yield GPUs that lower their clock for heat."""
    clocks = {device(dict(s.window.labels)).key: s for s in device_shifts(facts, "gpu_sm_clock")}
    temperatures = {device(dict(w.labels)).key: w for w in devices(facts, "gpu_temp")}
    violating = {device(dict(w.labels)).key: w for w in _raised("gpu_thermal_violation", least=1e-9)(facts)}
    for key, clock in clocks.items():
        heat = temperatures.get(key)
        hot = heat is not None and highest(heat) >= _HOT
        slowed = clock.now < _SLOWED * clock.before or clock.now < _SLOWED * _peers(clock, clocks)
        if not slowed or not (key in violating or hot):
            continue
        ref = device(dict(clock.window.labels))
        seen = [looks.metric(clock.window, f"SM clock {clock.before:.0f} MHz before, {clock.now:.0f} MHz now", ref)]
        seen += [looks.metric(heat, f"up to {highest(heat):.0f} degrees", ref)] if heat else []
        seen += [looks.metric(violating[key], "it is throttled for heat", ref)] if key in violating else []
        yield Match(
            object=ref,
            summary=f"GPU {ref.name} is hot and lowers its clock",
            seen=tuple(seen),
            explains=users(clock.window, facts),
            certainty=Certainty.DIRECT if key in violating else Certainty.JOIN,
            weight=0.9,
            details={"node": str(clock.window.labels.get("node")), "gpu": str(clock.window.labels.get("gpu"))},
        )


def _peers(one: Shift, clocks: dict[tuple[str, str, str], Shift]) -> float:
    """Median clock of the other GPUs of the same model."""
    model = one.window.labels.get("modelName")
    others = [c.now for c in clocks.values() if c is not one and c.window.labels.get("modelName") == model]
    return median(others) if len(others) >= 3 else 0.0


_KEYS = {"node": "its node", "gpu": "index on the node"}


def gpu_cause(
    name: str,
    title: str,
    summary: str,
    must: str,
    refuted: str,
    remedy: str,
    match: Callable[[Facts], Iterator[Match]],
    follows: tuple[str, ...] = (),
    **keys: str,
) -> Cause:
    """Return a cause of this family; the keys that all of them document are added."""
    return Cause(name, "gpu", title, summary, (must,), (refuted,), remedy, match, {**_KEYS, **keys}, follows)


CAUSES: tuple[Cause, ...] = (
    gpu_cause(
        "gpu_fell_off_bus",
        "The GPU has fallen off the bus",
        "The driver cannot reach the device any more (XID 79); only a reboot of the node brings it back.",
        "XID 79 appeared within the window",
        "the XID is older than the window",
        "drain and reboot the node",
        _xid("gpu_fell_off_bus", "it has fallen off the bus"),
        xid="the code",
        uuid="the device",
    ),
    gpu_cause(
        "gpu_contained_ecc",
        "A contained memory error killed one application",
        "XID 94: the error was contained; the application must restart, the device goes on.",
        "XID 94 appeared within the window",
        "XID 48, 95 or 79 on the same device",
        "restart the application's pod",
        _xid("gpu_contained_ecc", "a contained memory error"),
        xid="the code",
        uuid="the device",
    ),
    gpu_cause(
        "gpu_uncorrectable_ecc",
        "The GPU has an uncorrectable memory error",
        "XID 48 (double-bit error) or 95 (uncontained); XID 45 follows for its processes.",
        "XID 48 or 95 appeared, or the double-bit counter grew",
        "only XID 94",
        "drain the node and reset the GPU",
        _both(
            _xid("gpu_uncorrectable_ecc", "an uncorrectable memory error"),
            _counted("gpu_ecc_dbe", "double-bit errors grow"),
        ),
        xid="the code",
        uuid="the device",
    ),
    gpu_cause(
        "gpu_row_remap_failure",
        "The GPU cannot remap a bad memory row",
        "Row remapping failed: the device must be replaced.",
        "the row-remap failure flag is set, or XID 64 appeared",
        "the flag was set before the window and nothing is hurt",
        "drain the node and replace the GPU",
        _both(
            _counted("gpu_row_remap_failure", "row remapping failed", least=0.5),
            _xid("gpu_row_remap_failure", "row remapping failed"),
        ),
        xid="the code",
        uuid="the device",
    ),
    gpu_cause(
        "gpu_nvlink_errors",
        "An NVLink of the GPU has errors",
        "CRC errors or XID 74: the link retrains and collectives slow down.",
        "NVLink CRC errors grow, or XID 74 or 144-150 appeared",
        "the counter stands still",
        "drain the node and reset the GPU",
        _both(_xid("gpu_nvlink_errors", "an NVLink error"), _counted("gpu_nvlink_crc", "NVLink CRC errors grow")),
        xid="the code",
        uuid="the device",
    ),
    gpu_cause(
        "gpu_thermal_throttling",
        "The GPU lowers its clock for heat",
        "It is hot; the clock drops and everything that waits for it slows down.",
        "the SM clock fell while time throttled for heat grows or the temperature is at the slowdown threshold",
        "the clock is as before",
        "drain the node, look at its cooling",
        thermal,
    ),
)
