"""Status of a Deployment: counts, and the conditions Available, Progressing and ReplicaFailure. Pure."""

from datetime import datetime, timedelta

from copilot.core.value import JsonObject
from copilot.lab.controllers import rollout
from copilot.lab.kube_api.meta import condition, parse_time, timestamp

_AVAILABLE = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
_UNAVAILABLE = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
_PAUSED = ("Unknown", "DeploymentPaused", "Deployment is paused")
_RESUMED = ("Unknown", "DeploymentResumed", "Deployment is resumed")
_NO_DEADLINE = 2**31 - 1
_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def _counts(deployment: JsonObject, new: JsonObject | None, sets: list[JsonObject]) -> dict[str, int]:
    def total(field: str) -> int:
        return sum(int((one.get("status") or {}).get(field, 0)) for one in sets)

    available = total("availableReplicas")
    asked = sum(rollout.size(one) for one in sets)
    return {
        "replicas": total("replicas"),
        "updatedReplicas": int((new.get("status") or {}).get("replicas", 0)) if new else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(asked - available, 0),
    }


def is_complete(deployment: JsonObject, status: JsonObject) -> bool:
    """Whether the rollout is done: everything updated and available, nothing old left."""
    wanted = deployment["spec"]["replicas"]
    observed = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counts = (status.get(field, 0) for field in ("updatedReplicas", "replicas", "availableReplicas"))
    return observed and all(count == wanted for count in counts)


def _condition(
    deployment: JsonObject, kind: str, wanted: tuple[str, str, str], *, now: datetime, moved: bool = False
) -> JsonObject:
    state, reason, message = wanted
    old = condition(deployment, kind)
    same_state = old is not None and old["status"] == state
    if old is not None and same_state and old["reason"] == reason and not moved:
        return old
    since = old["lastTransitionTime"] if old is not None and same_state else timestamp(now)
    return {
        "type": kind,
        "status": state,
        "lastUpdateTime": timestamp(now),
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }


def status(
    deployment: JsonObject, new: JsonObject | None, sets: list[JsonObject], *, now: datetime
) -> tuple[JsonObject, timedelta | None]:
    """Return the new status and when to look again for the progress deadline."""
    counts = _counts(deployment, new, sets)
    made: JsonObject = {"observedGeneration": deployment["metadata"]["generation"]}
    made.update({name: counts[name] for name in _COUNTS if counts[name]})
    _, unavailable = rollout.bounds(deployment)
    enough = counts["availableReplicas"] >= deployment["spec"]["replicas"] - unavailable
    conditions = [_condition(deployment, "Available", _AVAILABLE if enough else _UNAVAILABLE, now=now)]
    progressing = _progressing(deployment, new, made, now)
    if progressing is not None:
        conditions.append(progressing)
    failure = next((found for one in sets if (found := condition(one, "ReplicaFailure"))), None)
    if failure is not None:
        wanted = (failure["status"], failure["reason"], failure["message"])
        conditions.append(_condition(deployment, "ReplicaFailure", wanted, now=now))
    made["conditions"] = _in_old_order(deployment, conditions)
    return made, _deadline(deployment, made, now)


def _in_old_order(deployment: JsonObject, conditions: list[JsonObject]) -> list[JsonObject]:
    order = [item["type"] for item in (deployment.get("status") or {}).get("conditions") or ()]
    fresh = ["Progressing", "Available", "ReplicaFailure"]
    rank = {kind: number for number, kind in enumerate(dict.fromkeys([*order, *fresh]))}
    return sorted(conditions, key=lambda item: rank[item["type"]])


def _progressing(deployment: JsonObject, new: JsonObject | None, made: JsonObject, now: datetime) -> JsonObject | None:
    old = condition(deployment, "Progressing")
    if deployment["spec"].get("progressDeadlineSeconds") == _NO_DEADLINE:
        return None
    if deployment["spec"].get("paused"):
        return _condition(deployment, "Progressing", _PAUSED, now=now)
    name = new["metadata"]["name"] if new else ""
    subject = f'ReplicaSet "{name}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    if is_complete(deployment, made):
        wanted = ("True", "NewReplicaSetAvailable", f"{subject} has successfully progressed.")
        return _condition(deployment, "Progressing", wanted, now=now)
    if old is None or _template_moved(new, old):
        wanted = ("True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
        return _condition(deployment, "Progressing", wanted, now=now, moved=True)
    return _going_on(deployment, made, old, subject, now)


def _going_on(deployment: JsonObject, made: JsonObject, old: JsonObject, subject: str, now: datetime) -> JsonObject:
    if old["reason"] == "NewReplicaSetAvailable":
        return old
    if old["reason"] == "DeploymentPaused":
        return _condition(deployment, "Progressing", _RESUMED, now=now)
    if _moved(deployment, made):
        wanted = ("True", "ReplicaSetUpdated", f"{subject} is progressing.")
        return _condition(deployment, "Progressing", wanted, now=now, moved=True)
    if _timed_out(deployment, old, now):
        wanted = ("False", "ProgressDeadlineExceeded", f"{subject} has timed out progressing.")
        return _condition(deployment, "Progressing", wanted, now=now)
    return old


def _template_moved(new: JsonObject | None, old: JsonObject) -> bool:
    if new is None or old["reason"] in ("DeploymentPaused", "DeploymentResumed"):
        return False
    return f'"{new["metadata"]["name"]}"' not in old["message"]


def _moved(deployment: JsonObject, made: JsonObject) -> bool:
    before = deployment.get("status") or {}
    grew = any(
        made.get(name, 0) > before.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    old_after = made.get("replicas", 0) - made.get("updatedReplicas", 0)
    return bool(grew or old_after < before.get("replicas", 0) - before.get("updatedReplicas", 0))


def _timed_out(deployment: JsonObject, old: JsonObject, now: datetime) -> bool:
    if old["reason"] == "ProgressDeadlineExceeded":
        return True
    limit = timedelta(seconds=deployment["spec"].get("progressDeadlineSeconds", 600))
    return now - parse_time(old["lastUpdateTime"]) >= limit


def _deadline(deployment: JsonObject, made: JsonObject, now: datetime) -> timedelta | None:
    found = next((item for item in made["conditions"] if item["type"] == "Progressing"), None)
    if found is None or found["status"] != "True" or is_complete(deployment, made):
        return None
    limit = timedelta(seconds=deployment["spec"].get("progressDeadlineSeconds", 600))
    left = parse_time(found["lastUpdateTime"]) + limit - now
    return max(left, timedelta(seconds=1)) if found["reason"] != "NewReplicaSetAvailable" else None
