"""Cells of pods, after ``printPod`` of k8s.io/kubernetes pkg/printers/internalversion."""

from datetime import datetime

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import condition, is_ready
from copilot.lab.kube_api.tables.text import NONE, age, since

_SUCCEEDED = {
    "type": "Completed",
    "status": "True",
    "reason": "Succeeded",
    "message": "The pod has completed successfully.",
}
_FAILED = {"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}


def row_conditions(pod: JsonObject) -> list[JsonObject]:
    """Marks of a finished pod, which ``kubectl get`` may hide."""
    phase = (pod.get("status") or {}).get("phase")
    return {"Succeeded": [_SUCCEEDED], "Failed": [_FAILED]}.get(str(phase), [])


def _restarts(statuses: list[JsonObject]) -> tuple[int, str]:
    count = sum(status.get("restartCount", 0) for status in statuses)
    ends = [((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for status in statuses]
    return count, max((end for end in ends if end), default="")


def _ended(terminated: JsonObject) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    signal = terminated.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _init_reason(spec: JsonObject, statuses: list[JsonObject]) -> str:
    by_name = {container["name"]: container for container in spec.get("initContainers") or ()}
    for number, status in enumerate(statuses):
        state = status.get("state") or {}
        sidecar = by_name.get(status["name"], {}).get("restartPolicy") == "Always"
        ended = state.get("terminated")
        if (ended and ended.get("exitCode") == 0) or (sidecar and status.get("started")):
            continue
        if ended:
            return f"Init:{_ended(ended)}"
        reason = (state.get("waiting") or {}).get("reason")
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{number}/{len(by_name)}"
    return ""


def _state_reason(statuses: list[JsonObject]) -> tuple[str, bool]:
    """``(reason of the first container that is not simply running, whether any container runs and is ready)``."""
    reason, running = "", False
    for status in reversed(statuses):
        state = status.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif state.get("terminated"):
            reason = _ended(state["terminated"])
        elif status.get("ready") and state.get("running"):
            running = True
    return reason, running


def status_text(pod: JsonObject) -> str:
    """The STATUS column: the phase, or what holds the pod up."""
    status = pod.get("status") or {}
    reason = status.get("reason") or status.get("phase", "")
    scheduled = condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    starting = _init_reason(pod["spec"], status.get("initContainerStatuses") or [])
    if starting and not _initialized(pod):
        reason = starting
    else:
        found, running = _state_reason(status.get("containerStatuses") or [])
        reason = found or reason
        if reason == "Completed" and running:
            reason = "Running" if is_ready(pod) else "NotReady"
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def _initialized(pod: JsonObject) -> bool:
    found = condition(pod, "Initialized")
    return found is not None and found["status"] == "True"


def _pod(pod: JsonObject, now: datetime) -> list[object]:
    spec, status = pod["spec"], pod.get("status") or {}
    statuses = status.get("containerStatuses") or []
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    beside = {one["name"] for one in sidecars}
    extra = [one for one in status.get("initContainerStatuses") or () if one["name"] in beside]
    counted = [*statuses, *extra]
    ready = sum(bool(one.get("ready") and (one.get("state") or {}).get("running")) for one in counted)
    total = len(spec.get("containers") or ()) + len(sidecars)
    count, last = _restarts(counted)
    restarts = f"{count} ({since(last, now)} ago)" if last and count else str(count)
    ips = status.get("podIPs") or []
    gates = spec.get("readinessGates") or []
    passed = sum((condition(pod, gate["conditionType"]) or {}).get("status") == "True" for gate in gates)
    return [
        pod["metadata"]["name"],
        f"{ready}/{total}",
        status_text(pod),
        restarts,
        age(pod, now),
        ips[0]["ip"] if ips else status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        f"{passed}/{len(gates)}" if gates else NONE,
    ]


CELLS = {"Pod": _pod}
