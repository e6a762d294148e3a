"""Defaults of Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs and autoscalers."""

from collections.abc import Callable

from copilot.core.value import JsonObject
from copilot.lab.kube_api.defaults.fields import fill, section
from copilot.lab.kube_api.defaults.pods import fill_template

_JOB_UID, _JOB_NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"


def _spec(obj: JsonObject) -> JsonObject:
    spec = section(obj, "spec")
    fill_template(section(spec, "template"))
    return spec


def _deployment(obj: JsonObject) -> None:
    spec = _spec(obj)
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    strategy = spec["strategy"]
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(section(strategy, "rollingUpdate"), maxSurge="25%", maxUnavailable="25%")
    section(obj, "status")


def _replica_set(obj: JsonObject) -> None:
    fill(_spec(obj), replicas=1)
    fill(section(obj, "status"), replicas=0)


def _controller(obj: JsonObject) -> None:
    spec = _spec(obj)
    labels = spec["template"]["metadata"].get("labels") or {}
    fill(spec, replicas=1, selector=dict(labels))
    fill(section(obj, "status"), replicas=0)


def _claim_template(claim: JsonObject) -> None:
    fill(claim, apiVersion="v1", kind="PersistentVolumeClaim")
    section(claim, "metadata").setdefault("creationTimestamp", None)
    fill(section(claim, "spec"), volumeMode="Filesystem")
    fill(section(claim, "status"), phase="Pending")


def _stateful_set(obj: JsonObject) -> None:
    spec = _spec(obj)
    fill(
        spec,
        replicas=1,
        podManagementPolicy="OrderedReady",
        revisionHistoryLimit=10,
        serviceName="",
        updateStrategy={},
        persistentVolumeClaimRetentionPolicy={},
    )
    fill(spec["persistentVolumeClaimRetentionPolicy"], whenDeleted="Retain", whenScaled="Retain")
    strategy = spec["updateStrategy"]
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(section(strategy, "rollingUpdate"), partition=0)
    for claim in spec.get("volumeClaimTemplates") or ():
        _claim_template(claim)
    fill(section(obj, "status"), replicas=0, availableReplicas=0)


def _daemon_set(obj: JsonObject) -> None:
    spec = _spec(obj)
    fill(spec, revisionHistoryLimit=10, updateStrategy={})
    strategy = spec["updateStrategy"]
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        fill(section(strategy, "rollingUpdate"), maxSurge=0, maxUnavailable=1)
    counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    fill(section(obj, "status"), **dict.fromkeys(counts, 0))


def _job_spec(spec: JsonObject) -> None:
    fill_template(section(spec, "template"))
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    fill(
        spec,
        parallelism=1,
        backoffLimit=6,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy="TerminatingOrFailed",
    )


def _job(obj: JsonObject) -> None:
    spec = section(obj, "spec")
    _job_spec(spec)
    fill(spec, manualSelector=False)
    uid = obj["metadata"].get("uid")
    if uid and not spec["manualSelector"]:
        name = obj["metadata"]["name"]
        spec["selector"] = {"matchLabels": {_JOB_UID: uid}}
        labels = section(spec["template"]["metadata"], "labels")
        labels.update({_JOB_UID: uid, _JOB_NAME: name, "controller-uid": uid, "job-name": name})
    section(obj, "status")


def _cron_job(obj: JsonObject) -> None:
    spec = section(obj, "spec")
    fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = section(spec, "jobTemplate")
    section(template, "metadata").setdefault("creationTimestamp", None)
    job = section(template, "spec")
    fill_template(section(job, "template"))
    section(obj, "status")


def _autoscaler(obj: JsonObject) -> None:
    spec = section(obj, "spec")
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    fill(spec, minReplicas=1, metrics=[cpu])
    if spec.get("behavior") is not None:
        double = {"type": "Percent", "value": 100, "periodSeconds": 15}
        four = {"type": "Pods", "value": 4, "periodSeconds": 15}
        up, down = section(spec["behavior"], "scaleUp"), section(spec["behavior"], "scaleDown")
        fill(up, stabilizationWindowSeconds=0, selectPolicy="Max", policies=[four, double])
        fill(down, selectPolicy="Max", policies=[double])
    fill(section(obj, "status"), desiredReplicas=0, currentMetrics=None)


DEFAULTS: dict[str, Callable[[JsonObject], None]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "ReplicationController": _controller,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "HorizontalPodAutoscaler": _autoscaler,
}
