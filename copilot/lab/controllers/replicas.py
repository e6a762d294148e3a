"""Readings of pods that every workload controller shares: availability, deletion order, pods from templates."""

from datetime import datetime, timedelta

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import condition, copied, is_ready, owner_reference, parse_time


def is_available(pod: JsonObject, *, minimum: int, now: datetime) -> bool:
    """Whether a pod has been ready for ``minimum`` seconds."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True" or "deletionTimestamp" in pod["metadata"]:
        return False
    return minimum <= 0 or now - parse_time(ready["lastTransitionTime"]) >= timedelta(seconds=minimum)


def pod_from(owner: JsonObject, template: JsonObject, *, name: str = "") -> JsonObject:
    """A pod that ``owner`` controls, named or with a generated name."""
    meta: JsonObject = {"namespace": owner["metadata"]["namespace"], "ownerReferences": [owner_reference(owner)]}
    if name:
        meta["name"] = name
    else:
        meta["generateName"] = f"{owner['metadata']['name']}-"
    given = template.get("metadata") or {}
    for field in ("labels", "annotations", "finalizers"):
        if given.get(field):
            meta[field] = copied({"value": given[field]})["value"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": copied(template["spec"])}


_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def _restarts(pod: JsonObject) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((status.get("restartCount", 0) for status in statuses), default=0)


def least_useful_first(pods: list[JsonObject], crowding: dict[str, int] | None = None) -> list[JsonObject]:
    """Order in which pods are given up: unscheduled, pending, not ready, crowded node, restarting, then the newest.

    Source: k8s.io/kubernetes pkg/controller/controller_utils.go, ActivePodsWithRanks.
    """

    def rank(pod: JsonObject) -> tuple[object, ...]:
        node = (pod.get("spec") or {}).get("nodeName", "")
        phase = _PHASES.get((pod.get("status") or {}).get("phase", ""), 0)
        return (bool(node), phase, is_ready(pod), -(crowding or {}).get(node, 0), -_restarts(pod))

    newest = sorted(pods, key=lambda pod: int(pod["metadata"]["resourceVersion"]), reverse=True)
    newest.sort(key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)
    return sorted(newest, key=rank)


def scaled(value: object, total: int, *, round_up: bool) -> int:
    """An IntOrString that may be a percentage of ``total``."""
    if isinstance(value, str) and value.endswith("%"):
        share = int(value[:-1]) * total
        return -(-share // 100) if round_up else share // 100
    return int(str(value or 0))
