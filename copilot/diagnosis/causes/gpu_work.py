"""What GPUs do for the gang that holds them: stragglers, devices that vanish, devices that idle."""

from collections.abc import Iterator
from statistics import fmean, median

from copilot.core.cluster import MetricWindow
from copilot.core.quantity import quantity
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import ANYTHING, Cause, Match, Seen
from copilot.diagnosis.causes.gpu import device, device_shifts, thermal, users
from copilot.diagnosis.causes.gpu import gpu_cause as _cause
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import name_of, spec, status
from copilot.diagnosis.windows import Shift, joined, last

_STRAGGLES = 0.88
"""Share of its peers' median clock below which a GPU holds its gang back."""
_IDLE = 0.1
_WAITS = 0.4


def _straggler(facts: Facts) -> Iterator[Match]:
    """One GPU of a gang runs slower than its peers, and not for heat."""
    hot = {m.object.key for m in thermal(facts)}
    gangs: dict[tuple[str, str, str], list[Shift]] = {}
    for one in device_shifts(facts, "gpu_sm_clock"):
        pod = facts.get("Pod", str(one.window.labels.get("namespace") or ""), str(one.window.labels.get("pod") or ""))
        if pod:
            gangs.setdefault(facts.owner(pod).key, []).append(one)
    for members in gangs.values():
        usual = median(m.now for m in members)
        for one in members:
            ref = device(dict(one.window.labels))
            if len(members) >= 3 and one.now < _STRAGGLES * usual and ref.key not in hot:
                yield Match(
                    object=ref,
                    summary=(
                        f"GPU {ref.name} runs at {one.now:.0f} MHz, the others of its gang at {usual:.0f} MHz: "
                        f"everybody waits for it"
                    ),
                    seen=(looks.metric(one.window, f"SM clock {one.now:.0f} MHz, peers {usual:.0f} MHz", ref),),
                    explains=users(one.window, facts),
                    weight=0.8,
                    details={"node": str(one.window.labels.get("node")), "gpu": str(one.window.labels.get("gpu"))},
                )


def _missing(facts: Facts) -> Iterator[Match]:
    told: set[str] = set()
    for one in facts.shifts("node_gpu_allocatable"):
        node = str(one.window.labels.get("node") or "")
        if one.now < one.before and node not in told:
            told.add(node)
            seen = (
                looks.metric(
                    one.window, f"allocatable GPUs {one.before:g} before, {one.now:g} now", Ref(kind="Node", name=node)
                ),
            )
            yield _vanished(node, int(one.before), int(one.now), seen)
    for node_obj in facts.nodes:
        for resource, most in (status(node_obj).get("capacity") or {}).items():
            free = quantity(str((status(node_obj).get("allocatable") or {}).get(resource, "0")))
            if resource.endswith("/gpu") and free < quantity(str(most)) and name_of(node_obj) not in told:
                told.add(name_of(node_obj))
                seen = (looks.field(node_obj, ".status", f"{resource}: capacity {most}, allocatable {free:g}"),)
                yield _vanished(name_of(node_obj), int(quantity(str(most))), int(free), seen)


def _vanished(node: str, before: int, now: int, seen: tuple[Seen, ...]) -> Match:
    return Match(
        object=Ref(kind="Node", name=node, api_version="v1"),
        summary=f"node {node} offers {now} of {before} GPUs",
        seen=seen,
        weight=0.7,
        details={"node": node, "before": before, "now": now},
    )


def _idle(facts: Facts) -> Iterator[Match]:
    """GPUs of a workload do nothing while its own metrics say that it waits for data.

    Collectives make the whole gang wait for the rank whose loader stalls: when one rank alone waits for data, it is
    the pod to look at, else the workload.
    """
    waits: dict[Ref, list[MetricWindow]] = {}
    for window in joined(facts.windows("train_data_wait_ratio"), "namespace", "pod", "rank"):
        if last(window) >= _WAITS:
            waits.setdefault(_worker(window, facts), []).append(window)
    active: dict[Ref, list[Shift]] = {}
    for one in device_shifts(facts, "gpu_engine_active"):
        active.setdefault(_worker(one.window, facts), []).append(one)
    for owner, waiting in waits.items():
        found = active.get(owner, [])
        before, now = (fmean(getattr(s, side) for s in found) if found else 0.0 for side in ("before", "now"))
        if not found or now > max(0.5 * before, _IDLE):
            continue
        ranks = {w.labels.get("pod") for w in facts.windows("train_data_wait_ratio") if _worker(w, facts) == owner}
        pods = {str(w.labels.get("pod")) for w in waiting}
        alone = facts.get("Pod", owner.namespace, min(pods)) if len(pods) == 1 < len(ranks) else None
        yield Match(
            object=Ref.of(alone) if alone else owner,
            summary=f"{owner.name} holds GPUs that idle: {min(pods) if alone else 'it'} waits for data",
            seen=(
                looks.metric(found[0].window, f"GPU engine active {before:.0%} before, {now:.0%} now", owner),
                looks.metric(waiting[0], f"waits for data {last(waiting[0]):.0%} of the time", owner),
            ),
            explains=(owner, *(Ref.of(p) for p in facts.pods_of(owner))),
            weight=0.8,
            details={"engine_active": round(now, 3), **({"pod": min(pods)} if alone else {})},
        )


def _worker(window: MetricWindow, facts: Facts) -> Ref:
    """The workload whose pod a series is about; without a pod, the job that it names."""
    namespace = str(window.labels.get("namespace") or "")
    pod = facts.get("Pod", namespace, str(window.labels.get("pod") or ""))
    return facts.owner(pod) if pod else Ref(kind="Job", name=str(window.labels.get("job") or ""), namespace=namespace)


def _plugin(facts: Facts) -> Iterator[Match]:
    """GPU nodes (by label) that offer no GPU because the device plugin's pod on them is not ready."""
    for node in facts.nodes:
        labels = (node.get("metadata") or {}).get("labels") or {}
        gpus = any(
            k.endswith("/gpu") and quantity(str(v)) > 0 for k, v in (status(node).get("allocatable") or {}).items()
        )
        if labels.get("nvidia.com/gpu.present") != "true" or gpus:
            continue
        pods = [
            p for p in facts.all("Pod") if spec(p).get("nodeName") == name_of(node) and "device-plugin" in name_of(p)
        ]
        if pods and all(_bad(p) for p in pods):
            seen = (
                looks.field(node, ".status.allocatable", "no GPU is allocatable"),
                looks.field(pods[0], ".status", f"{name_of(pods[0])} is not ready"),
            )
            yield Match(
                object=Ref.of(node),
                summary=f"the GPU device plugin of {name_of(node)} is not ready",
                seen=seen,
                weight=0.75,
                details={"node": name_of(node)},
            )


def _bad(pod: JsonObject) -> bool:
    return any(not s.get("ready") for s in status(pod).get("containerStatuses") or [{}])


CAUSES: tuple[Cause, ...] = (
    _cause(
        "gpu_straggler",
        "One GPU holds its gang back",
        "Its clock lies well under its peers' without heat; collectives wait for it.",
        "a clock below 88 % of the gang's median, and no thermal throttling",
        "it is hot",
        "move the job off the node",
        _straggler,
        follows=("gpu", "fabric"),
    ),
    _cause(
        "gpu_missing_from_allocatable",
        "The node offers fewer GPUs than it has",
        "A device is unhealthy or the device plugin has lost it.",
        "allocatable GPUs fell, or lie under the node's capacity",
        "capacity fell too (the node was changed)",
        "drain the node, restart the device plugin",
        _missing,
        follows=("gpu", "nodes"),
        before="GPUs before",
        now="GPUs now",
    ),
    _cause(
        "gpu_idle_data_stall",
        "GPUs are allocated but idle: the data loader stalls",
        "The job waits for data most of the time.",
        "engine activity fell while the share of time spent waiting for data is high",
        "the job does not wait for data",
        "look at storage and the data loader",
        _idle,
        follows=(ANYTHING,),
        engine_active="share of time active",
        pod="the one rank that waits",
    ),
    _cause(
        "gpu_device_plugin_down",
        "The GPU device plugin is down on the node",
        "A GPU node offers no GPU because the plugin's pod is not ready.",
        "the node is labelled as a GPU node, offers none, and the plugin's pod is not ready",
        "the plugin is ready",
        "restart the device plugin",
        _plugin,
        follows=("nodes", "images", "scheduling"),
    ),
)
