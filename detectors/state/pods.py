"""Pods that wait, crash, cannot be placed, or are not ready, for longer than is normal."""

from collections.abc import Iterator
from datetime import datetime

from copilot.core.case import Severity
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from detectors.state.findings import Finding
from detectors.state.view import View, condition, created, moment, namespace_of

BROKEN = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
    | {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError"}
)
"""Waiting reasons that do not go away by waiting (kubelet)."""
BROKEN_GRACE, UNSCHEDULABLE_GRACE, QUEUE_GRACE = 45.0, 120.0, 600.0
STARTING_GRACE, MOUNT_GRACE, UNREADY_GRACE, STUCK_GRACE = 300.0, 90.0, 60.0, 300.0
"""Seconds before a state counts: broken waiting, no node found, the same for Jobs (they queue), container creation,
the same with mount errors, a pod that was ready and no longer is, a deletion beyond its grace period."""
CRASH_WINDOW, CRASHES = 600.0, 3
"""A container that restarted at least so often, last within the window, is crashing even while it runs."""


def pods(view: View) -> Iterator[Finding]:
    """Yield a finding for each pod that is in trouble."""
    for pod in view.all("Pod"):
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        if (pod.get("metadata") or {}).get("deletionTimestamp"):
            yield from _stuck(view, pod)
            continue
        found = list(_containers(view, pod)) or list(_placement(view, pod)) or list(_unready(view, pod))
        yield from found


def _finding(view: View, pod: JsonObject, signal: str, said: str, onset: datetime | None, **more: object) -> Finding:
    return Finding(signal, Ref.of(pod), view.owner(pod), said, onset, **more)  # type: ignore[arg-type]


def _stuck(view: View, pod: JsonObject) -> Iterator[Finding]:
    since = moment(pod["metadata"]["deletionTimestamp"])
    if view.age(since) > STUCK_GRACE:
        yield _finding(view, pod, "pod_stuck_terminating", "is still terminating", since)


def _statuses(pod: JsonObject) -> list[JsonObject]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _containers(view: View, pod: JsonObject) -> Iterator[Finding]:
    retried = view.owner(pod).kind in ("Job", "CronJob")
    for status in _statuses(pod):
        found = _broken(view, pod, status)
        if found is None and not retried:
            found = _crashing(view, pod, status)
        if found is not None:
            yield found


def _broken(view: View, pod: JsonObject, status: JsonObject) -> Finding | None:
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    ended = moment(((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))
    since = ended or created(pod)
    if reason not in BROKEN or view.age(since) <= BROKEN_GRACE:
        return None
    said = f"{status.get('name')} waits: {reason} {waiting.get('message') or ''}"
    return _finding(
        view, pod, "pod_waiting", said, since, container=str(status.get("name")), severity=Severity.CRITICAL
    )


def _crashing(view: View, pod: JsonObject, status: JsonObject) -> Finding | None:
    restarts = int(status.get("restartCount") or 0)
    last = (status.get("lastState") or {}).get("terminated") or {}
    current = (status.get("state") or {}).get("terminated") or {}
    last = current or last
    recent = bool(last) and view.age(moment(last.get("finishedAt"))) <= CRASH_WINDOW
    waiting = str(((status.get("state") or {}).get("waiting") or {}).get("reason") or "")
    killed = last.get("reason") == "OOMKilled" and recent and restarts >= 1
    looping = waiting == "CrashLoopBackOff" and restarts >= 2
    if not (killed or looping or (recent and restarts >= CRASHES)):
        return None
    signal = "container_oom_killed" if last.get("reason") == "OOMKilled" else "pod_crashing"
    ending = f"{last.get('reason') or 'ended'} (exit code {last.get('exitCode')})"
    said = f"{status.get('name')} restarted {restarts} times, last: {ending}"
    onset = moment(condition(pod, "Ready").get("lastTransitionTime")) if looping else moment(last.get("startedAt"))
    return _finding(view, pod, signal, said, onset, container=str(status.get("name")), severity=Severity.CRITICAL)


def _placement(view: View, pod: JsonObject) -> Iterator[Finding]:
    scheduled = condition(pod, "PodScheduled")
    since = moment(scheduled.get("lastTransitionTime")) or created(pod)
    if scheduled.get("status") == "False":
        queued = view.owner(pod).kind in ("Job", "CronJob")
        grace = QUEUE_GRACE if queued else UNSCHEDULABLE_GRACE
        nominated = (pod.get("status") or {}).get("nominatedNodeName")
        if scheduled.get("reason") == "Unschedulable" and not nominated and view.age(since) > grace:
            yield _finding(view, pod, "pod_unschedulable", str(scheduled.get("message") or "no node fits"), since)
        return
    creating = [s for s in _statuses(pod) if _reason(s) in ("ContainerCreating", "PodInitializing")]
    fresh = not any((s.get("state") or {}).get("running") or s.get("restartCount") for s in _statuses(pod))
    if not creating or not fresh or (pod.get("status") or {}).get("phase") != "Pending":
        return
    mounts = view.events(pod, "FailedMount", within=600) + view.events(pod, "FailedCreatePodSandBox", within=600)
    if view.age(since) > (MOUNT_GRACE if mounts else STARTING_GRACE):
        said = str(mounts[-1].get("message")) if mounts else "its containers are not created"
        yield _finding(view, pod, "pod_not_starting", said, since)


def _reason(status: JsonObject) -> str:
    return str(((status.get("state") or {}).get("waiting") or {}).get("reason") or "")


def _unready(view: View, pod: JsonObject) -> Iterator[Finding]:
    ready = condition(pod, "Ready")
    if ready.get("status") != "False" or ready.get("reason") == "PodCompleted":
        return
    if (pod.get("status") or {}).get("phase") != "Running":
        return
    since = moment(ready.get("lastTransitionTime")) or created(pod)
    started = moment((pod.get("status") or {}).get("startTime")) or created(pod)
    was_ready = (since - started).total_seconds() > 5 and not _restarted(pod)
    owner = view.owner(pod)
    deployment = view.get(*owner.key) if owner.kind == "Deployment" else None
    if not was_ready and deployment is not None and view.rolling_out(deployment):
        return
    if view.age(since) > (UNREADY_GRACE if was_ready else startup_allowance(pod)):
        yield _finding(view, pod, "pod_not_ready", str(ready.get("message") or "is not ready"), since)


def _restarted(pod: JsonObject) -> bool:
    return any(int(status.get("restartCount") or 0) for status in _statuses(pod))


def startup_allowance(pod: JsonObject) -> float:
    """Return the seconds that a pod's own probes give it to become ready, plus a minute; at least three minutes."""
    longest = 0.0
    for container in (pod.get("spec") or {}).get("containers") or ():
        spent = 0.0
        for probe in (container.get("startupProbe"), container.get("readinessProbe")):
            if probe:
                period, failures = float(probe.get("periodSeconds") or 10), float(probe.get("failureThreshold") or 3)
                spent += float(probe.get("initialDelaySeconds") or 0) + period * failures
        longest = max(longest, spent)
    return max(180.0, longest + 60.0)


def waiting_for_node(view: View, namespace: str = "") -> list[JsonObject]:
    """Return the pods that have found no node for longer than the grace period (all namespaces when empty)."""
    found = []
    for pod in view.pods_in(namespace) if namespace else view.all("Pod"):
        scheduled = condition(pod, "PodScheduled")
        since = moment(scheduled.get("lastTransitionTime")) or created(pod)
        if scheduled.get("reason") == "Unschedulable" and view.age(since) > UNSCHEDULABLE_GRACE:
            found.append(pod)
    return found


def has_ready(pod: JsonObject) -> bool:
    """Return whether the pod is ready and not on its way out."""
    leaving = (pod.get("metadata") or {}).get("deletionTimestamp")
    return not leaving and condition(pod, "Ready").get("status") == "True" and bool(namespace_of(pod))
