"""The status a kubelet writes for a pod, field by field as ``kubectl`` expects it."""

import hashlib

from copilot.core.value import JsonObject
from copilot.lab.world.clock import stamp
from copilot.lab.world.nodes import Node
from copilot.lab.world.runtime import Container, PodRun


def pod_status(pod: PodRun, node: Node, now: float, before: JsonObject) -> JsonObject:
    """Return the whole status; ``before`` is the stored one, whose scheduling condition and QoS class are kept."""
    ordinary = [one for one in pod.containers if not one.init]
    first = [one for one in pod.containers if one.init]
    status: JsonObject = {
        "phase": pod.phase,
        "qosClass": before.get("qosClass", "Burstable"),
        "hostIP": node.address,
        "hostIPs": [{"ip": node.address}],
        "startTime": stamp(pod.started),
        "conditions": _conditions(pod, now, before),
        "containerStatuses": [_container(one, pod) for one in ordinary],
    }
    if pod.ip:
        status |= {"podIP": pod.ip, "podIPs": [{"ip": pod.ip}]}
    if first:
        status["initContainerStatuses"] = [_container(one, pod) for one in first]
    if pod.reason:
        status |= {"reason": pod.reason, "message": pod.message}
    return status


def _conditions(pod: PodRun, now: float, before: JsonObject) -> list[JsonObject]:
    kept = [one for one in before.get("conditions") or () if one["type"] in ("PodScheduled", "DisruptionTarget")]
    waiting = [one.name for one in pod.containers if not one.init and not one.ready]
    initialized = all(one.state == "terminated" and one.exit_code == 0 for one in pod.containers if one.init)
    unready = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(waiting)}]"}
    if pod.phase == "Succeeded":
        unready = {"reason": "PodCompleted"}
    why = {} if pod.ready else unready
    made = [
        _condition(pod, "PodReadyToStartContainers", bool(pod.ip), now, {}),
        _condition(pod, "Initialized", initialized, now, {}),
        _condition(pod, "Ready", pod.ready, now, why),
        _condition(pod, "ContainersReady", pod.ready, now, why),
    ]
    return [*made, *kept]


def _condition(pod: PodRun, kind: str, holds: bool, now: float, why: JsonObject) -> JsonObject:
    value = "True" if holds else "False"
    known = pod.transitions.get(kind)
    if known is None or known[0] != value:
        known = pod.transitions[kind] = (value, now)
    return {"type": kind, "status": value, "lastProbeTime": None, "lastTransitionTime": stamp(known[1]), **why}


def _container(one: Container, pod: PodRun) -> JsonObject:
    identity = f"containerd://{_sha256(f'{pod.uid}{one.name}{one.restarts}')}"
    status: JsonObject = {
        "name": one.name,
        "image": one.spec["image"],
        "imageID": "",
        "ready": one.ready,
        "started": one.state == "running",
        "restartCount": one.restarts,
        "state": state_of(one, identity),
        "lastState": {"terminated": one.last} if one.last else {},
    }
    if one.state != "waiting" or one.last:
        status["containerID"] = identity
        status["imageID"] = f"{_repository(one.spec['image'])}@sha256:{_sha256(one.spec['image'])}"
    return status


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _repository(image: str) -> str:
    """Return an image's name without its tag or digest."""
    path, _, last = image.partition("@")[0].rpartition("/")
    return f"{path}/{last.partition(':')[0]}".lstrip("/")


def state_of(one: Container, identity: str = "") -> JsonObject:
    """Return the ``state`` of a container status."""
    if one.state == "running":
        return {"running": {"startedAt": stamp(one.started)}}
    if one.state == "terminated":
        return {"terminated": terminated(one, identity)}
    waiting = {"reason": one.reason}
    return {"waiting": waiting | ({"message": one.message} if one.message else {})}


def terminated(one: Container, identity: str = "") -> JsonObject:
    """Return the ``terminated`` state of a container that ended."""
    return {
        "exitCode": one.exit_code,
        "reason": one.reason,
        "startedAt": stamp(one.started),
        "finishedAt": stamp(one.finished),
        "containerID": identity,
    }
