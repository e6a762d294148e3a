"""Jobs: pods until enough have succeeded, with parallelism, indexes, back-off limit, deadline and suspension."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in, owner_keys
from copilot.lab.controllers.replicas import pod_from
from copilot.lab.kube_api.admission import create_admitted
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.meta import Key, is_active, is_ready, parse_time, random_suffix, timestamp
from copilot.lab.kube_api.status import ApiError

_COMPONENT = "job-controller"
_INDEX = "batch.kubernetes.io/job-completion-index"
_BACKOFF, _LONGEST = timedelta(seconds=10), timedelta(minutes=6)
_RETRY = timedelta(seconds=10)


class JobController(Controller):
    """Runs one Job to its end."""

    kinds: ClassVar[frozenset[str]] = frozenset(("Job", "Pod"))

    def observe(self, change: Change) -> Iterable[Key]:
        """The Job, or the owner of a pod."""
        return owner_keys(change, "Job") if change.kind == "Pod" else (key_in(change),)

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Count pods, start missing ones, decide success or failure."""
        job = self.store.peek("Job", *key)
        if job is None or is_deleting(job):
            return None
        if _finished(job):
            return self._expire(job, now)
        pods = self.store.peek_owned(job["metadata"]["uid"], "Pod")
        problem = _failure(job, pods, now)
        if problem is not None:
            self._end(job, pods, "Failed", problem, now)
            return None
        if _succeeded(pods) >= _wanted(job):
            self._end(job, pods, "Complete", ("CompletionsReached", "Reached expected number of succeeded pods"), now)
            return None
        again = self._start_missing(job, pods, now)
        self._publish(job, now)
        return _soonest(again, _deadline_left(job, now))

    def _start_missing(self, job: JsonObject, pods: list[JsonObject], now: datetime) -> Again:
        active = [pod for pod in pods if is_active(pod)]
        if job["spec"].get("suspend"):
            for pod in active:
                self.store.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
            return None
        spec = job["spec"]
        room = (
            spec["parallelism"]
            if spec.get("completions") is None and not _succeeded(pods)
            else min(spec["parallelism"], _wanted(job) - _succeeded(pods))
        )
        missing = room - len(active)
        wait = _backoff_left(pods, now) if missing > 0 else None
        if wait is not None:
            return wait
        for index in _free_indexes(job, pods)[: max(missing, 0)]:
            if not self._start(job, index):
                return _RETRY
        return None

    def _start(self, job: JsonObject, index: int) -> bool:
        pod = pod_from(job, job["spec"]["template"])
        if job["spec"].get("completionMode") == "Indexed":
            meta, name = pod["metadata"], job["metadata"]["name"]
            meta["name"] = f"{name}-{index}-{random_suffix(self.store.random)}"
            meta.setdefault("annotations", {})[_INDEX] = str(index)
            meta.setdefault("labels", {})[_INDEX] = str(index)
            pod["spec"].setdefault("hostname", f"{name}-{index}")
        try:
            made = create_admitted(self.store, pod)
        except ApiError as error:
            self._tell(job, "FailedCreate", f"Error creating: {error.message}", warning=True)
            return False
        self._tell(job, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return True

    def _tell(self, job: JsonObject, reason: str, message: str, *, warning: bool = False) -> None:
        self.events.record(
            job, level="Warning" if warning else "Normal", reason=reason, message=message, component=_COMPONENT
        )

    def _publish(self, job: JsonObject, now: datetime) -> JsonObject:
        pods = self.store.peek_owned(job["metadata"]["uid"], "Pod")
        active = [pod for pod in pods if is_active(pod)]
        status: JsonObject = {
            "active": len(active),
            "ready": sum(is_ready(pod) for pod in active),
            "succeeded": _succeeded(pods),
            "failed": sum(pod["status"].get("phase") == "Failed" for pod in pods),
            "terminating": sum(is_deleting(pod) for pod in pods),
        }
        status = {name: count for name, count in status.items() if count or name in ("ready", "terminating")}
        old = job.get("status") or {}
        status["uncountedTerminatedPods"] = {}
        status["startTime"] = old.get("startTime", timestamp(now))
        if old.get("conditions"):
            status["conditions"] = old["conditions"]
        self.store.set_status("Job", job["metadata"]["namespace"], job["metadata"]["name"], status)
        return status

    def _end(self, job: JsonObject, pods: list[JsonObject], kind: str, why: tuple[str, str], now: datetime) -> None:
        for pod in pods:
            if is_active(pod):
                self.store.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
        status = dict(self._publish(job, now))
        reason, message = why
        at = timestamp(now)
        first = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
        status["conditions"] = [
            {
                "type": name,
                "status": "True",
                "lastProbeTime": at,
                "lastTransitionTime": at,
                "reason": reason,
                "message": message,
            }
            for name in (first, kind)
        ]
        if kind == "Complete":
            status["completionTime"] = at
        self.store.set_status("Job", job["metadata"]["namespace"], job["metadata"]["name"], status)
        if kind == "Complete":
            self._tell(job, "Completed", "Job completed")
        else:
            self._tell(job, reason, message, warning=True)

    def _expire(self, job: JsonObject, now: datetime) -> Again:
        lifetime = job["spec"].get("ttlSecondsAfterFinished")
        if lifetime is None:
            return None
        left = parse_time(job["status"]["conditions"][-1]["lastTransitionTime"]) + timedelta(seconds=lifetime) - now
        if left > timedelta():
            return left
        self.store.delete("Job", job["metadata"]["namespace"], job["metadata"]["name"])
        return None


def _finished(job: JsonObject) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(item["type"] in ("Complete", "Failed") and item["status"] == "True" for item in conditions)


def _succeeded(pods: list[JsonObject]) -> int:
    return sum(pod["status"].get("phase") == "Succeeded" for pod in pods)


def _wanted(job: JsonObject) -> int:
    return int(job["spec"].get("completions") or 1)


def _failure(job: JsonObject, pods: list[JsonObject], now: datetime) -> tuple[str, str] | None:
    left = _deadline_left(job, now)
    if left is not None and left <= timedelta():
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    failed = sum(pod["status"].get("phase") == "Failed" for pod in pods)
    restarts = 0
    if job["spec"]["template"]["spec"].get("restartPolicy") == "OnFailure":
        statuses = (status for pod in pods for status in pod["status"].get("containerStatuses") or ())
        restarts = sum(status.get("restartCount", 0) for status in statuses)
    if failed + restarts > job["spec"]["backoffLimit"]:
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    return None


def _deadline_left(job: JsonObject, now: datetime) -> timedelta | None:
    seconds, start = job["spec"].get("activeDeadlineSeconds"), (job.get("status") or {}).get("startTime")
    if seconds is None or not start:
        return None if seconds is None else timedelta(seconds=seconds)
    return parse_time(start) + timedelta(seconds=seconds) - now


def _ended_at(pod: JsonObject) -> str:
    for status in pod["status"].get("containerStatuses") or ():
        ended = (status.get("state") or {}).get("terminated") or {}
        if ended.get("finishedAt"):
            return str(ended["finishedAt"])
    return str(pod["metadata"]["creationTimestamp"])


def _backoff_left(pods: list[JsonObject], now: datetime) -> timedelta | None:
    failed = [_ended_at(pod) for pod in pods if pod["status"].get("phase") == "Failed"]
    if not failed:
        return None
    wait = min(_BACKOFF * (1 << min(len(failed) - 1, 8)), _LONGEST)
    left = parse_time(max(failed)) + wait - now
    return left if left > timedelta() else None


def _free_indexes(job: JsonObject, pods: list[JsonObject]) -> list[int]:
    if job["spec"].get("completionMode") != "Indexed":
        return list(range(job["spec"]["parallelism"]))
    held = {
        int(pod["metadata"]["annotations"][_INDEX])
        for pod in pods
        if is_active(pod) or pod["status"].get("phase") == "Succeeded"
    }
    return [index for index in range(_wanted(job)) if index not in held]


def _soonest(*waits: Again) -> Again:
    return min((wait for wait in waits if wait is not None), default=None)
