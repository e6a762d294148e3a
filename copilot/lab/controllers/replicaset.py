"""ReplicaSets and ReplicationControllers: as many active pods as asked for, and why not when admission refuses."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in, owner_keys
from copilot.lab.controllers.replicas import is_available, least_useful_first, pod_from
from copilot.lab.kube_api.admission import create_admitted
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.events import EventRecorder
from copilot.lab.kube_api.meta import Key, is_active, is_ready, labels_of, timestamp
from copilot.lab.kube_api.status import ApiError
from copilot.lab.kube_api.store import ObjectStore

_FIRST_RETRY, _LAST_RETRY = timedelta(seconds=5), timedelta(seconds=320)


class ReplicaSetController(Controller):
    """Creates and deletes pods; publishes counts and the ReplicaFailure condition."""

    kinds: ClassVar[frozenset[str]] = frozenset(("ReplicaSet", "Pod"))
    kind: ClassVar[str] = "ReplicaSet"
    component: ClassVar[str] = "replicaset-controller"

    def __init__(self, store: ObjectStore, events: EventRecorder) -> None:
        super().__init__(store, events)
        self._failures: dict[Key, int] = {}

    def observe(self, change: Change) -> Iterable[Key]:
        """The object itself when more than its status moved, or the owner of a pod."""
        if change.kind == "Pod":
            return owner_keys(change, self.kind)
        before = change.before
        only_status = before is not None and before["spec"] == change.obj["spec"] and change.verb == "MODIFIED"
        return () if only_status and not is_deleting(change.obj) else (key_in(change),)

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Create or delete the difference, then publish the status."""
        owner = self.store.peek(self.kind, *key)
        if owner is None:
            self._failures.pop(key, None)
            return None
        failure = None if is_deleting(owner) else self._replicate(owner)
        again = self._publish(owner, failure, now)
        if failure is None:
            self._failures.pop(key, None)
            return again
        self._failures[key] = self._failures.get(key, 0) + 1
        doublings = min(self._failures[key] - 1, 8)
        return min(_FIRST_RETRY * (1 << doublings), _LAST_RETRY)

    def _pods(self, owner: JsonObject) -> list[JsonObject]:
        return [pod for pod in self.store.peek_owned(owner["metadata"]["uid"], "Pod") if is_active(pod)]

    def _replicate(self, owner: JsonObject) -> ApiError | None:
        pods = self._pods(owner)
        missing = owner["spec"]["replicas"] - len(pods)
        if missing > 0:
            return self._create(owner, missing)
        for pod in least_useful_first(pods, self._crowding(pods))[: -missing or 0] if missing < 0 else ():
            self._delete(owner, pod)
        return None

    def _crowding(self, pods: list[JsonObject]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for pod in pods:
            node = pod["spec"].get("nodeName", "")
            counts[node] = counts.get(node, 0) + 1
        return counts

    def _create(self, owner: JsonObject, count: int) -> ApiError | None:
        for _ in range(count):
            try:
                pod = create_admitted(self.store, pod_from(owner, owner["spec"]["template"]))
            except ApiError as error:
                self._tell(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
                return error
            self._tell(owner, "Normal", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return None

    def _delete(self, owner: JsonObject, pod: JsonObject) -> None:
        name = pod["metadata"]["name"]
        self.store.delete("Pod", pod["metadata"]["namespace"], name)
        self._tell(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")

    def _tell(self, owner: JsonObject, level: str, reason: str, message: str) -> None:
        self.events.record(
            owner,
            level="Warning" if level == "Warning" else "Normal",
            reason=reason,
            message=message,
            component=self.component,
        )

    def _publish(self, owner: JsonObject, failure: ApiError | None, now: datetime) -> Again:
        pods = self._pods(owner)
        minimum = owner["spec"].get("minReadySeconds", 0)
        labels = labels_of(owner["spec"]["template"]).items()
        ready = [pod for pod in pods if is_ready(pod)]
        available = [pod for pod in ready if is_available(pod, minimum=minimum, now=now)]
        status: JsonObject = {
            "replicas": len(pods),
            "fullyLabeledReplicas": sum(labels <= labels_of(pod).items() for pod in pods),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
            "observedGeneration": owner["metadata"]["generation"],
        }
        status = {name: count for name, count in status.items() if count or name == "replicas"}
        if failure is not None:
            status["conditions"] = [self._failed(owner, failure, now)]
        self.store.set_status(self.kind, owner["metadata"]["namespace"], owner["metadata"]["name"], status)
        return timedelta(seconds=minimum) if len(available) < len(ready) else None

    def _failed(self, owner: JsonObject, failure: ApiError, now: datetime) -> JsonObject:
        # As SetCondition does: the first message stays, or every retry's generated pod name would be a change.
        for old in (owner.get("status") or {}).get("conditions") or ():
            if old["type"] == "ReplicaFailure":
                kept: JsonObject = old
                return kept
        return {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": timestamp(now),
            "reason": "FailedCreate",
            "message": failure.message,
        }


class ReplicationControllerController(ReplicaSetController):
    """The same for the older kind."""

    kinds: ClassVar[frozenset[str]] = frozenset(("ReplicationController", "Pod"))
    kind: ClassVar[str] = "ReplicationController"
    component: ClassVar[str] = "replication-controller"
