"""Controllers that lack replicas, Jobs that failed, claims that found no volume."""

from collections.abc import Iterator
from datetime import datetime

from copilot.core.case import Severity
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from detectors.state.findings import Finding
from detectors.state.pods import has_ready, startup_allowance
from detectors.state.view import View, condition, created, moment, name_of, namespace_of

MISSING_GRACE, SET_GRACE = 90.0, 300.0
"""Seconds without enough replicas before it counts: Deployments, and sets (which replace pods one by one)."""
CLAIM_GRACE = 120.0
FAILED_JOB_SECONDS = 3600.0
"""A Job that failed longer ago is history."""


def workloads(view: View) -> Iterator[Finding]:
    """Yield a finding for each controller that lacks replicas without a good reason."""
    for deployment in view.all("Deployment"):
        yield from _deployment(view, deployment)
    for kind in ("StatefulSet", "DaemonSet"):
        for one in view.all(kind):
            yield from _set(view, one)


def _deployment(view: View, deployment: JsonObject) -> Iterator[Finding]:
    ref = Ref.of(deployment)
    refused = condition(deployment, "ReplicaFailure")
    if refused.get("status") == "True":
        since = moment(refused.get("lastTransitionTime"))
        yield Finding("replicas_refused", ref, ref, str(refused.get("message")), since, Severity.CRITICAL)
        return
    stalled = condition(deployment, "Progressing")
    if stalled.get("status") == "False" and stalled.get("reason") == "ProgressDeadlineExceeded":
        since = moment(stalled.get("lastUpdateTime")) or moment(stalled.get("lastTransitionTime"))
        yield Finding("rollout_stalled", ref, ref, str(stalled.get("message")), since)
        return
    wanted = _wanted(deployment)
    available = int((deployment.get("status") or {}).get("availableReplicas") or 0)
    if available < wanted and not view.rolling_out(deployment) and not _unplaced(view, deployment):
        since = _missing_since(view, deployment)
        if view.age(since) > MISSING_GRACE:
            yield _missing(deployment, available, wanted, since)


def _wanted(workload: JsonObject) -> int:
    replicas = (workload.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def _missing_since(view: View, deployment: JsonObject) -> datetime:
    """Return when replicas went missing: the Available condition's word, or the oldest unready pod's."""
    available = condition(deployment, "Available")
    if available.get("status") == "False":
        return moment(available.get("lastTransitionTime")) or created(deployment)
    unready = [_unready_since(pod) for pod in view.pods_of(deployment) if not has_ready(pod)]
    return min(unready) if unready else view.now


def _unplaced(view: View, deployment: JsonObject) -> bool:
    """Return whether what is missing are pods without a node: the pods' own check speaks of those."""
    unready = [pod for pod in view.pods_of(deployment) if not has_ready(pod)]
    return bool(unready) and all(condition(pod, "PodScheduled").get("status") == "False" for pod in unready)


def _unready_since(pod: JsonObject) -> datetime:
    ready = condition(pod, "Ready")
    return moment(ready.get("lastTransitionTime")) or created(pod)


def _missing(workload: JsonObject, ready: int, wanted: int, since: datetime) -> Finding:
    ref = Ref.of(workload)
    severity = Severity.CRITICAL if ready == 0 else Severity.WARNING
    return Finding("replicas_unavailable", ref, ref, f"{ready} of {wanted} replicas are available", since, severity)


def _set(view: View, one: JsonObject) -> Iterator[Finding]:
    status = one.get("status") or {}
    daemon = one.get("kind") == "DaemonSet"
    wanted = int(status.get("desiredNumberScheduled") or 0) if daemon else _wanted(one)
    ready = int(status.get("numberReady" if daemon else "readyReplicas") or 0)
    refused = view.events(one, "FailedCreate", within=600)
    if ready >= wanted:
        return
    if refused:
        ref = Ref.of(one)
        said = str(refused[-1].get("message"))
        yield Finding("replicas_refused", ref, ref, said, moment(refused[0].get("firstTimestamp")), Severity.CRITICAL)
        return
    unready = [pod for pod in view.pods_of(one) if not has_ready(pod)]
    late = [_unready_since(pod) for pod in unready if view.age(_unready_since(pod)) > _patience(pod)]
    if late:
        yield _missing(one, ready, wanted, min(late))
    elif not unready and not daemon and view.age(created(one)) > SET_GRACE:
        yield _missing(one, ready, wanted, view.now)


def _patience(pod: JsonObject) -> float:
    return max(SET_GRACE, startup_allowance(pod))


def jobs(view: View) -> Iterator[Finding]:
    """Yield a finding for each Job that failed for good lately and was not followed by one that succeeded."""
    for job in view.all("Job"):
        failed = condition(job, "Failed")
        since = moment(failed.get("lastTransitionTime"))
        if failed.get("status") == "True" and view.age(since) <= FAILED_JOB_SECONDS and not _made_good(view, job):
            said = f"{failed.get('reason') or 'failed'}: {failed.get('message') or ''}"
            yield Finding("job_failed", Ref.of(job), view.owner(job), said, since)
        elif not (job.get("status") or {}).get("active") and condition(job, "Complete").get("status") != "True":
            for event in view.events(job, "FailedCreate", within=600)[-1:]:
                onset = moment(event.get("firstTimestamp"))
                yield Finding("replicas_refused", Ref.of(job), view.owner(job), str(event.get("message")), onset)


def _made_good(view: View, job: JsonObject) -> bool:
    owner = view.owner(job)
    return owner.kind == "CronJob" and any(
        view.owner(other).key == owner.key
        and created(other) > created(job)
        and condition(other, "Complete").get("status") == "True"
        for other in view.all("Job")
    )


def claims(view: View) -> Iterator[Finding]:
    """Yield a finding for each claim that has no volume, unless it waits for a first consumer and has none."""
    used = {
        (namespace_of(pod), str((volume.get("persistentVolumeClaim") or {}).get("claimName")))
        for pod in view.all("Pod")
        for volume in (pod.get("spec") or {}).get("volumes") or ()
        if volume.get("persistentVolumeClaim")
    }
    for claim in view.all("PersistentVolumeClaim"):
        phase = (claim.get("status") or {}).get("phase")
        ref = Ref.of(claim)
        if phase == "Lost":
            yield Finding("claim_lost", ref, ref, "its volume is gone", None, Severity.CRITICAL)
        elif phase == "Pending" and view.age(created(claim)) > CLAIM_GRACE:
            wanted = (ref.namespace, ref.name) in used or not _waits_for_consumer(view, claim)
            if wanted:
                yield Finding("claim_pending", ref, ref, "it has found no volume", created(claim))


def _waits_for_consumer(view: View, claim: JsonObject) -> bool:
    wanted = str((claim.get("spec") or {}).get("storageClassName") or "")
    classes = [one for one in view.all("StorageClass") if name_of(one) == wanted]
    return any(one.get("volumeBindingMode") == "WaitForFirstConsumer" for one in classes)
