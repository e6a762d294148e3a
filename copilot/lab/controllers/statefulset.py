"""StatefulSets: ordered, named pods with their own claims, and rolling update from the highest ordinal down."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers import controller_revisions
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in, owner_keys
from copilot.lab.controllers.replicas import is_available, pod_from
from copilot.lab.kube_api.admission import create_admitted
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.meta import Key, copied, is_ready, labels_of
from copilot.lab.kube_api.status import ApiError

_COMPONENT = "statefulset-controller"
_REVISION = controller_revisions.HASH_LABEL
_POD_NAME, _POD_INDEX = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"
_RETRY = timedelta(seconds=10)
_FINISHED = ("Succeeded", "Failed")


class StatefulSetController(Controller):
    """Brings ordinals 0..n-1 into being, one at a time unless Parallel."""

    kinds: ClassVar[frozenset[str]] = frozenset(("StatefulSet", "Pod"))

    def observe(self, change: Change) -> Iterable[Key]:
        """The set, or the owner of a pod."""
        return owner_keys(change, "StatefulSet") if change.kind == "Pod" else (key_in(change),)

    def reconcile(self, key: Key, now: datetime) -> Again:
        """One round: replace finished pods, create, scale down, update, publish."""
        owner = self.store.peek("StatefulSet", *key)
        if owner is None or is_deleting(owner):
            return None
        revision = controller_revisions.current(self.store, owner)
        pods = self._pods(owner)
        again = self._scale(owner, pods, revision, now)
        self._publish(owner, revision, now)
        return again

    def _pods(self, owner: JsonObject) -> dict[int, JsonObject]:
        found = self.store.peek_owned(owner["metadata"]["uid"], "Pod")
        return {ordinal(pod): pod for pod in found if ordinal(pod) >= 0}

    def _scale(self, owner: JsonObject, pods: dict[int, JsonObject], revision: str, now: datetime) -> Again:
        ordered = owner["spec"]["podManagementPolicy"] == "OrderedReady"
        for index in range(owner["spec"]["replicas"]):
            pod = pods.get(index)
            if pod is None:
                if not self._create(owner, index, self._revision_for(owner, index, revision)):
                    return _RETRY
            elif pod["status"].get("phase") in _FINISHED and not is_deleting(pod):
                self.store.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"], grace=timedelta())
                return timedelta(seconds=1)
            if ordered and (pod is None or not is_ready(pod) or is_deleting(pod)):
                return None
        return self._shrink_or_update(owner, pods, revision, ordered=ordered)

    def _shrink_or_update(
        self, owner: JsonObject, pods: dict[int, JsonObject], revision: str, *, ordered: bool
    ) -> Again:
        extra = [index for index in sorted(pods, reverse=True) if index >= owner["spec"]["replicas"]]
        for index in extra:
            if not is_deleting(pods[index]):
                self._delete(owner, pods[index])
            if ordered:
                return None
        return None if extra else self._update(owner, pods, revision)

    def _revision_for(self, owner: JsonObject, index: int, revision: str) -> str:
        rolling = owner["spec"]["updateStrategy"].get("rollingUpdate") or {}
        old = (owner.get("status") or {}).get("currentRevision")
        return old if old and index < rolling.get("partition", 0) else revision

    def _create(self, owner: JsonObject, index: int, revision: str) -> bool:
        name = f"{owner['metadata']['name']}-{index}"
        template = controller_revisions.template_of(self.store, owner, revision)
        pod = pod_from(owner, template, name=name)
        extra = {_REVISION: revision, _POD_NAME: name, _POD_INDEX: str(index)}
        pod["metadata"]["labels"] = {**(pod["metadata"].get("labels") or {}), **extra}
        pod["spec"] |= {"hostname": name, "subdomain": owner["spec"]["serviceName"]}
        self._claims(owner, pod, name)
        try:
            create_admitted(self.store, pod)
        except ApiError as error:
            message = f"create Pod {name} in StatefulSet {owner['metadata']['name']} failed error: {error.message}"
            self._tell(owner, "FailedCreate", message, warning=True)
            return False
        self._tell(
            owner, "SuccessfulCreate", f"create Pod {name} in StatefulSet {owner['metadata']['name']} successful"
        )
        return True

    def _claims(self, owner: JsonObject, pod: JsonObject, pod_name: str) -> None:
        namespace = owner["metadata"]["namespace"]
        volumes = pod["spec"].setdefault("volumes", [])
        for template in owner["spec"].get("volumeClaimTemplates") or ():
            kind_name = template["metadata"]["name"]
            claim = f"{kind_name}-{pod_name}"
            volumes[:] = [volume for volume in volumes if volume["name"] != kind_name]
            volumes.append({"name": kind_name, "persistentVolumeClaim": {"claimName": claim}})
            if self.store.peek("PersistentVolumeClaim", namespace, claim) is None:
                labels = dict(owner["spec"]["selector"].get("matchLabels") or {})
                meta = {"name": claim, "namespace": namespace, "labels": labels}
                made = {"kind": "PersistentVolumeClaim", "metadata": meta, "spec": copied(template["spec"])}
                self.store.create(made)

    def _delete(self, owner: JsonObject, pod: JsonObject) -> None:
        name = pod["metadata"]["name"]
        self.store.delete("Pod", pod["metadata"]["namespace"], name)
        self._tell(
            owner, "SuccessfulDelete", f"delete Pod {name} in StatefulSet {owner['metadata']['name']} successful"
        )

    def _update(self, owner: JsonObject, pods: dict[int, JsonObject], revision: str) -> Again:
        strategy = owner["spec"]["updateStrategy"]
        if strategy["type"] == "OnDelete":
            return None
        partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        for index in sorted(pods, reverse=True):
            pod = pods[index]
            if index < partition:
                break
            if labels_of(pod).get(_REVISION) != revision and not is_deleting(pod):
                self._delete(owner, pod)
                return None
            if not is_ready(pod) or is_deleting(pod):
                return None
        return None

    def _tell(self, owner: JsonObject, reason: str, message: str, *, warning: bool = False) -> None:
        self.events.record(
            owner, level="Warning" if warning else "Normal", reason=reason, message=message, component=_COMPONENT
        )

    def _publish(self, owner: JsonObject, revision: str, now: datetime) -> None:
        pods = list(self._pods(owner).values())
        minimum = owner["spec"].get("minReadySeconds", 0)
        old = owner.get("status") or {}
        updated = sum(labels_of(pod).get(_REVISION) == revision for pod in pods)
        ready = sum(is_ready(pod) for pod in pods)
        wanted = owner["spec"]["replicas"]
        done = updated == ready == wanted == len(pods)
        before = old.get("currentRevision") or revision
        status: JsonObject = {
            "observedGeneration": owner["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": ready,
            "currentReplicas": updated if done else sum(labels_of(pod).get(_REVISION) == before for pod in pods),
            "updatedReplicas": updated,
            "availableReplicas": sum(is_available(pod, minimum=minimum, now=now) for pod in pods),
            "currentRevision": revision if done else before,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        kept = ("replicas", "availableReplicas", "collisionCount")
        status = {name: value for name, value in status.items() if value or name in kept}
        self.store.set_status("StatefulSet", owner["metadata"]["namespace"], owner["metadata"]["name"], status)


def ordinal(pod: JsonObject) -> int:
    """Number at the end of a stateful pod's name, -1 when it has none."""
    tail = str(pod["metadata"]["name"]).rpartition("-")[2]
    return int(tail) if tail.isdigit() else -1
