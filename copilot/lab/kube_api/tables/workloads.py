"""Cells of workloads."""

from datetime import datetime

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import condition, parse_time
from copilot.lab.kube_api.tables.text import NONE, UNKNOWN, age, containers, duration, labels, selector, since


def _template(obj: JsonObject) -> list[object]:
    return list(containers(obj["spec"]["template"]["spec"]))


def _status(obj: JsonObject, name: str) -> int:
    return int((obj.get("status") or {}).get(name, 0))


def _deployment(obj: JsonObject, now: datetime) -> list[object]:
    ready = f"{_status(obj, 'readyReplicas')}/{obj['spec']['replicas']}"
    counts = [_status(obj, "updatedReplicas"), _status(obj, "availableReplicas")]
    name = obj["metadata"]["name"]
    return [name, ready, *counts, age(obj, now), *_template(obj), selector(obj["spec"].get("selector"))]


def _replica_set(obj: JsonObject, now: datetime) -> list[object]:
    counts = [obj["spec"]["replicas"], _status(obj, "replicas"), _status(obj, "readyReplicas")]
    given = obj["spec"].get("selector")
    chosen = labels(given) if obj["kind"] == "ReplicationController" else selector(given)
    return [obj["metadata"]["name"], *counts, age(obj, now), *_template(obj), chosen]


def _stateful_set(obj: JsonObject, now: datetime) -> list[object]:
    ready = f"{_status(obj, 'readyReplicas')}/{obj['spec']['replicas']}"
    return [obj["metadata"]["name"], ready, age(obj, now), *_template(obj)]


def _daemon_set(obj: JsonObject, now: datetime) -> list[object]:
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    counts = [_status(obj, name) for name in names]
    where = labels(obj["spec"]["template"]["spec"].get("nodeSelector"))
    chosen = selector(obj["spec"].get("selector"))
    return [obj["metadata"]["name"], *counts, where, age(obj, now), *_template(obj), chosen]


def _job_state(obj: JsonObject) -> str:
    for kind, text in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        found = condition(obj, kind)
        if found is not None and found["status"] == "True":
            return text
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    return "Running"


def _job(obj: JsonObject, now: datetime) -> list[object]:
    spec, status = obj["spec"], obj.get("status") or {}
    done, wanted = _status(obj, "succeeded"), spec.get("completions")
    completions = f"{done}/{wanted}" if wanted is not None else f"{done}/1 of {spec.get('parallelism', 1)}"
    span = ""
    if status.get("startTime"):
        end = parse_time(status["completionTime"]) if status.get("completionTime") else now
        span = duration(end - parse_time(status["startTime"]))
    chosen = selector(spec.get("selector"))
    return [obj["metadata"]["name"], _job_state(obj), completions, span, age(obj, now), *_template(obj), chosen]


def _cron_job(obj: JsonObject, now: datetime) -> list[object]:
    spec, status = obj["spec"], obj.get("status") or {}
    last = since(status["lastScheduleTime"], now) if status.get("lastScheduleTime") else NONE
    job = spec["jobTemplate"]["spec"]
    return [
        obj["metadata"]["name"],
        spec["schedule"],
        spec.get("timeZone") or NONE,
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        last,
        age(obj, now),
        *containers(job["template"]["spec"]),
        selector(job.get("selector")),
    ]


def _target(obj: JsonObject, metric: JsonObject) -> str:
    resource = metric.get("resource") or {}
    goal = (resource.get("target") or {}).get("averageUtilization")
    if goal is None:
        return UNKNOWN
    seen = UNKNOWN
    for current in (obj.get("status") or {}).get("currentMetrics") or ():
        found = current.get("resource") or {}
        if found.get("name") == resource.get("name"):
            seen = f"{found['current'].get('averageUtilization', 0)}%"
    return f"{resource['name']}: {seen}/{goal}%"


def _autoscaler(obj: JsonObject, now: datetime) -> list[object]:
    spec = obj["spec"]
    reference = f"{spec['scaleTargetRef']['kind']}/{spec['scaleTargetRef']['name']}"
    targets = ", ".join(_target(obj, metric) for metric in spec.get("metrics") or ()) or NONE
    least = str(spec.get("minReplicas", "<unset>"))
    current = _status(obj, "currentReplicas")
    return [obj["metadata"]["name"], reference, targets, least, spec["maxReplicas"], current, age(obj, now)]


def _revision(obj: JsonObject, now: datetime) -> list[object]:
    owners = obj["metadata"].get("ownerReferences") or ()
    kinds = {"StatefulSet": "statefulset.apps", "DaemonSet": "daemonset.apps"}
    controller = next((f"{kinds.get(one['kind'], one['kind'])}/{one['name']}" for one in owners), NONE)
    return [obj["metadata"]["name"], controller, obj["revision"], age(obj, now)]


CELLS = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "ReplicationController": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "HorizontalPodAutoscaler": _autoscaler,
    "ControllerRevision": _revision,
}
