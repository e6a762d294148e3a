"""CronJobs: Jobs at their times, concurrency policy, suspension, and history limits."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in, owner_keys
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.meta import Key, condition, copied, owner_reference, parse_time, timestamp

_COMPONENT = "cronjob-controller"
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_UNREADABLE_RETRY = timedelta(hours=1)


class CronJobController(Controller):
    """Starts Jobs when they are due."""

    kinds: ClassVar[frozenset[str]] = frozenset(("CronJob", "Job"))

    def observe(self, change: Change) -> Iterable[Key]:
        """The CronJob, or the owner of a Job."""
        return owner_keys(change, "CronJob") if change.kind == "Job" else (key_in(change),)

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Start the newest missed Job, publish, trim the history; look again at the next time."""
        cron = self.store.peek("CronJob", *key)
        if cron is None or is_deleting(cron):
            return None
        jobs = self.store.peek_owned(cron["metadata"]["uid"], "Job")
        self._trim(cron, jobs)
        due, following = _times(cron, now)
        if due is not None and not cron["spec"].get("suspend"):
            self._start(cron, jobs, due)
        self._publish(cron, due)
        return following - now

    def _start(self, cron: JsonObject, jobs: list[JsonObject], due: datetime) -> None:
        active = [job for job in jobs if _outcome(job) is None]
        policy = cron["spec"]["concurrencyPolicy"]
        if active and policy == "Forbid":
            self._tell(
                cron,
                "JobAlreadyActive",
                "Not starting job because prior execution is running and concurrency policy is Forbid",
            )
            return
        for job in active if policy == "Replace" else ():
            self.store.delete("Job", job["metadata"]["namespace"], job["metadata"]["name"])
        name = f"{cron['metadata']['name']}-{int(due.timestamp()) // 60}"
        if self.store.peek("Job", cron["metadata"]["namespace"], name) is not None:
            return
        template = copied(cron["spec"]["jobTemplate"])
        given = template.get("metadata") or {}
        meta = {
            "name": name,
            "namespace": cron["metadata"]["namespace"],
            "labels": given.get("labels") or {},
            "annotations": {**(given.get("annotations") or {}), _SCHEDULED: timestamp(due)},
            "ownerReferences": [owner_reference(cron)],
        }
        self.store.create({"kind": "Job", "metadata": meta, "spec": template["spec"]})
        self._tell(cron, "SuccessfulCreate", f"Created job {name}")

    def _publish(self, cron: JsonObject, due: datetime | None) -> None:
        jobs = self.store.peek_owned(cron["metadata"]["uid"], "Job")
        status: JsonObject = {}
        active = [_reference(job) for job in jobs if _outcome(job) is None]
        if active:
            status["active"] = active
        old = cron.get("status") or {}
        last = timestamp(due) if due is not None and not cron["spec"].get("suspend") else old.get("lastScheduleTime")
        if last:
            status["lastScheduleTime"] = last
        done = [job["status"]["completionTime"] for job in jobs if _outcome(job) == "Complete"]
        success = max([*done, *filter(None, [old.get("lastSuccessfulTime")])], default=None)
        if success:
            status["lastSuccessfulTime"] = success
        self.store.set_status("CronJob", cron["metadata"]["namespace"], cron["metadata"]["name"], status)

    def _trim(self, cron: JsonObject, jobs: list[JsonObject]) -> None:
        limits = {"Complete": "successfulJobsHistoryLimit", "Failed": "failedJobsHistoryLimit"}
        for outcome, field in limits.items():
            ended = [job for job in jobs if _outcome(job) == outcome and not is_deleting(job)]
            ended.sort(key=lambda job: str(job["metadata"]["creationTimestamp"]))
            for job in ended[: max(len(ended) - cron["spec"][field], 0)]:
                self.store.delete("Job", job["metadata"]["namespace"], job["metadata"]["name"])
                self._tell(cron, "SuccessfulDelete", f"Deleted job {job['metadata']['name']}")

    def _tell(self, cron: JsonObject, reason: str, message: str) -> None:
        self.events.record(cron, level="Normal", reason=reason, message=message, component=_COMPONENT)


def _outcome(job: JsonObject) -> str | None:
    for kind in ("Complete", "Failed"):
        found = condition(job, kind)
        if found is not None and found["status"] == "True":
            return kind
    return None


def _reference(job: JsonObject) -> JsonObject:
    meta = job["metadata"]
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }


def _times(cron: JsonObject, now: datetime) -> tuple[datetime | None, datetime]:
    """``(newest time missed since the last start, next time)`` of the schedule, in UTC."""
    from croniter import croniter

    if not croniter.is_valid(cron["spec"]["schedule"]):
        return None, now + _UNREADABLE_RETRY
    status = cron.get("status") or {}
    since = parse_time(status.get("lastScheduleTime") or cron["metadata"]["creationTimestamp"])
    newest: datetime = croniter(cron["spec"]["schedule"], now + timedelta(seconds=1)).get_prev(datetime)
    following: datetime = croniter(cron["spec"]["schedule"], now).get_next(datetime)
    due = newest.astimezone(UTC)
    return (due if since < due <= now else None), following.astimezone(UTC)
