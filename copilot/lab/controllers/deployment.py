"""Deployments: rolling update and recreate over ReplicaSets, pause, rollback by template, progress and availability."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers import progress, revisions, rollout
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in, owner_keys
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.meta import Key, copied, is_active, key_of

_COMPONENT = "deployment-controller"


class DeploymentController(Controller):
    """Moves pods from old ReplicaSets to the current one within the strategy's bounds."""

    kinds: ClassVar[frozenset[str]] = frozenset(("Deployment", "ReplicaSet", "Pod"))

    def observe(self, change: Change) -> Iterable[Key]:
        """The Deployment itself, the owner of a ReplicaSet, or the one waiting for a pod to be gone (Recreate)."""
        if change.kind == "Deployment":
            return (key_in(change),)
        if change.kind == "ReplicaSet":
            return owner_keys(change, "Deployment")
        return self._owners_of_gone_pod(change) if change.verb == "DELETED" else ()

    def _owners_of_gone_pod(self, change: Change) -> Iterable[Key]:
        for key in owner_keys(change, "ReplicaSet"):
            replica_set = self.store.peek("ReplicaSet", *key)
            owners = replica_set["metadata"].get("ownerReferences") or () if replica_set else ()
            for owner in owners:
                yield Key(key.namespace, owner["name"])

    def reconcile(self, key: Key, now: datetime) -> Again:
        """One round: find or create the current set, move replicas, publish the status."""
        deployment = self.store.peek("Deployment", *key)
        if deployment is None or is_deleting(deployment):
            return None
        sets = [one for one in self._sets(deployment) if not is_deleting(one)]
        new = revisions.current(deployment, sets)
        old = [one for one in sets if one is not new]
        if deployment["spec"].get("paused"):
            self._scale_paused(deployment, sets)
        elif self._was_scaled(deployment, sets):
            self._apply(deployment, self._scaled_sizes(deployment, new, old), sets)
        elif deployment["spec"]["strategy"]["type"] == "Recreate":
            self._recreate(deployment, new, old)
        else:
            self._roll(deployment, new, old)
        return self._publish(key, now)

    def _sets(self, deployment: JsonObject) -> list[JsonObject]:
        return self.store.peek_owned(deployment["metadata"]["uid"], "ReplicaSet")

    def _was_scaled(self, deployment: JsonObject, sets: list[JsonObject]) -> bool:
        wanted = str(deployment["spec"]["replicas"])
        active = [one for one in sets if rollout.size(one) > 0]
        return any(
            (one["metadata"].get("annotations") or {}).get(revisions.DESIRED) not in (wanted, None) for one in active
        )

    def _scaled_sizes(self, deployment: JsonObject, new: JsonObject | None, old: list[JsonObject]) -> dict[str, int]:
        sets = [*old, new] if new else old
        active = [one for one in sets if rollout.size(one) > 0]
        wanted = int(deployment["spec"]["replicas"])
        if len(active) <= 1:
            return {one["metadata"]["name"]: wanted for one in active or sets[-1:]}
        if new and rollout.size(new) == rollout.available(new) == wanted:
            return {one["metadata"]["name"]: 0 for one in old}
        return rollout.proportional_sizes(deployment, active)

    def _scale_paused(self, deployment: JsonObject, sets: list[JsonObject]) -> None:
        if self._was_scaled(deployment, sets):
            new = revisions.current(deployment, sets)
            self._apply(deployment, self._scaled_sizes(deployment, new, [one for one in sets if one is not new]), sets)

    def _roll(self, deployment: JsonObject, new: JsonObject | None, old: list[JsonObject]) -> None:
        total = sum(rollout.size(one) for one in old) + (rollout.size(new) if new else 0)
        new = self._current_set(deployment, new, old, rollout.next_new_size(deployment, new, total))
        old = [one for one in old if rollout.size(one) > 0 or one]
        self._apply(deployment, rollout.next_old_sizes(deployment, new, old), old)

    def _recreate(self, deployment: JsonObject, new: JsonObject | None, old: list[JsonObject]) -> None:
        self._apply(deployment, {one["metadata"]["name"]: 0 for one in old if rollout.size(one)}, old)
        pods = [pod for one in old for pod in self.store.peek_owned(one["metadata"]["uid"], "Pod")]
        if any(is_active(pod) or is_deleting(pod) for pod in pods):
            return
        self._current_set(deployment, new, old, deployment["spec"]["replicas"])

    def _current_set(
        self, deployment: JsonObject, new: JsonObject | None, old: list[JsonObject], replicas: int
    ) -> JsonObject:
        revision = max((revisions.revision_of(one) for one in old), default=0) + 1
        surge, _ = rollout.bounds(deployment)
        maximum = deployment["spec"]["replicas"] + surge
        if new is None:
            name_hash = revisions.template_hash(revisions.without_hash(deployment["spec"]["template"]))
            made = revisions.new_replica_set(deployment, name_hash=name_hash, replicas=replicas)
            revisions.set_annotations(deployment, made, revision=revision, maximum=maximum)
            stored = self.store.create(made)
            if replicas:
                self._tell_scaled(deployment, stored, 0, replicas)
            self._set_revision(deployment, revision)
            return stored
        edited = copied(new)
        number = max(revision, revisions.revision_of(new))
        revisions.set_annotations(deployment, edited, revision=number, maximum=maximum)
        before, edited["spec"]["replicas"] = rollout.size(new), replicas
        minimum = deployment["spec"].get("minReadySeconds", 0)
        if minimum or "minReadySeconds" in edited["spec"]:
            edited["spec"]["minReadySeconds"] = minimum
        stored = self.store.update(edited)
        if before != replicas:
            self._tell_scaled(deployment, stored, before, replicas)
        self._set_revision(deployment, number)
        return stored

    def _set_revision(self, deployment: JsonObject, revision: int) -> None:
        def annotate(obj: JsonObject) -> None:
            annotations = obj["metadata"].get("annotations") or {}
            obj["metadata"]["annotations"] = {**annotations, revisions.REVISION: str(revision)}

        self.store.mutate("Deployment", key_of(deployment), annotate, keep_generation=True)

    def _apply(self, deployment: JsonObject, sizes: dict[str, int], sets: list[JsonObject]) -> None:
        surge, _ = rollout.bounds(deployment)
        maximum = deployment["spec"]["replicas"] + surge
        for one in sets:
            edited = copied(one)
            if rollout.size(one) > 0 or one["metadata"]["name"] in sizes:
                revisions.set_annotations(deployment, edited, revision=0, maximum=maximum)
            target = sizes.get(one["metadata"]["name"], rollout.size(one))
            edited["spec"]["replicas"] = target
            stored = self.store.update(edited)
            if target != rollout.size(one):
                self._tell_scaled(deployment, stored, rollout.size(one), target)

    def _tell_scaled(self, deployment: JsonObject, replica_set: JsonObject, before: int, after: int) -> None:
        direction = "up" if after > before else "down"
        name = replica_set["metadata"]["name"]
        self.events.record(
            deployment,
            level="Normal",
            reason="ScalingReplicaSet",
            message=f"Scaled {direction} replica set {name} from {before} to {after}",
            component=_COMPONENT,
        )

    def _publish(self, key: Key, now: datetime) -> Again:
        deployment = self.store.peek("Deployment", *key)
        if deployment is None:
            return None
        sets = [one for one in self._sets(deployment) if not is_deleting(one)]
        new = revisions.current(deployment, sets)
        status, again = progress.status(deployment, new, sets, now=now)
        self.store.set_status("Deployment", *key, status)
        if progress.is_complete(deployment, status):
            revisions.forget_old(self.store, deployment, [one for one in sets if one is not new])
        return again
