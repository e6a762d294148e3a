"""Nodes that are not ready, under pressure, reported broken, or cordoned while pods wait for room."""

from collections.abc import Iterator

from copilot.core.case import Severity
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from detectors.state.findings import Finding
from detectors.state.pods import waiting_for_node
from detectors.state.view import View, condition, moment, name_of

NOT_READY_GRACE, CONDITION_GRACE = 30.0, 60.0
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
PROBLEMS = frozenset(
    {"KernelDeadlock", "ReadonlyFilesystem", "CorruptDockerOverlay2", "FrequentKubeletRestart"}
    | {"FrequentContainerdRestart", "FrequentUnregisterNetDevice", "GpuMemWatch", "GpuThermalWatch", "GpuPcieWatch"}
    | {"GpuPowerWatch", "GpuNvlinkWatch", "GpuInforomWatch", "GpuSmWatch", "GpuDriverWatch", "SysLogsXIDError"}
    | {"SysLogsSXIDError", "SysLogsGPUFallenOff"}
)
"""Conditions of node-problem-detector and NVSentinel whose True means trouble."""
HEALTHS = frozenset(
    {"AcceleratedHardwareReady", "ContainerRuntimeReady", "KernelReady", "NetworkingReady", "StorageReady"}
)
"""Conditions of the EKS node monitoring agent whose False means trouble."""


def nodes(view: View) -> Iterator[Finding]:
    """Yield findings about nodes; an emptied, cordoned node is under maintenance and left alone."""
    busy = {str((pod.get("spec") or {}).get("nodeName") or "") for pod in view.all("Pod") if _works(view, pod)}
    waiting = [pod for pod in waiting_for_node(view) if "unschedulable" in _why(pod)]
    for node in view.all("Node"):
        cordoned = bool((node.get("spec") or {}).get("unschedulable"))
        mine = [pod for pod in waiting if _wants(pod, node)] if cordoned else []
        if mine:
            yield _cordoned(view, node, mine)
        elif not cordoned or name_of(node) in busy:
            yield from _conditions(view, node)


def _works(view: View, pod: JsonObject) -> bool:
    running = (pod.get("status") or {}).get("phase") == "Running"
    return running and view.owner(pod).kind not in ("DaemonSet", "Node", "Pod")


def _wants(pod: JsonObject, node: JsonObject) -> bool:
    """Return whether a pod's nodeSelector allows a node."""
    wanted = (pod.get("spec") or {}).get("nodeSelector") or {}
    return wanted.items() <= ((node.get("metadata") or {}).get("labels") or {}).items()


def _why(pod: JsonObject) -> str:
    return str(condition(pod, "PodScheduled").get("message") or "")


def _cordoned(view: View, node: JsonObject, waiting: list[JsonObject]) -> Finding:
    taints = (node.get("spec") or {}).get("taints") or ()
    added = next((t.get("timeAdded") for t in taints if t.get("key") == "node.kubernetes.io/unschedulable"), None)
    first = min(moment(condition(pod, "PodScheduled").get("lastTransitionTime")) or view.now for pod in waiting)
    ref = Ref.of(node)
    said = f"is cordoned while {len(waiting)} pods wait for a node"
    return Finding("node_cordoned", ref, ref, said, moment(added) or first)


def _conditions(view: View, node: JsonObject) -> Iterator[Finding]:
    ref = Ref.of(node)
    for one in (node.get("status") or {}).get("conditions") or ():
        kind, status = str(one.get("type")), one.get("status")
        since = moment(one.get("lastTransitionTime"))
        said = f"{kind} is {status}: {one.get('reason') or ''} {one.get('message') or ''}"
        if kind == "Ready" and status != "True" and view.age(since) > NOT_READY_GRACE:
            yield Finding("node_not_ready", ref, ref, said, since, Severity.CRITICAL)
        elif _troubled(kind, status) and view.age(since) > CONDITION_GRACE:
            yield Finding("node_pressure" if kind in PRESSURES else "node_problem", ref, ref, said, since)


def _troubled(kind: str, status: object) -> bool:
    if kind in HEALTHS:
        return status == "False"
    return (kind in PRESSURES or kind in PROBLEMS) and status == "True"
