"""PodDisruptionBudgets: how many pods are healthy, and how many may be disrupted now."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in
from copilot.lab.controllers.replicas import scaled
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.meta import (
    Key,
    controller_of,
    is_active,
    is_ready,
    key_of,
    labels_of,
    timestamp,
    with_condition,
)
from copilot.lab.kube_api.selectors import from_spec

_WITH_SCALE = ("ReplicaSet", "StatefulSet", "ReplicationController", "Deployment")


class DisruptionController(Controller):
    """Publishes the status that evictions are decided by."""

    kinds: ClassVar[frozenset[str]] = frozenset(("PodDisruptionBudget", "Pod", "ReplicaSet", "StatefulSet"))

    def observe(self, change: Change) -> Iterable[Key]:
        """The budget itself, or those of the namespace when a pod or an owner moved."""
        if change.kind == "PodDisruptionBudget":
            return (key_in(change),)
        budgets = self.store.peek_all("PodDisruptionBudget", change.namespace)
        if change.kind != "Pod":
            return [key_of(budget) for budget in budgets]
        labels = labels_of(change.obj)
        return [key_of(one) for one in budgets if from_spec(one["spec"].get("selector")).matches(labels)]

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Count healthy pods and publish."""
        budget = self.store.peek("PodDisruptionBudget", *key)
        if budget is None or is_deleting(budget):
            return None
        selector = from_spec(budget["spec"].get("selector"))
        pods = [pod for pod in self.store.select("Pod", key.namespace, selector) if is_active(pod)]
        expected, wanted = self._expected(budget, pods)
        healthy = sum(is_ready(pod) for pod in pods)
        allowed = max(healthy - wanted, 0) if expected else 0
        self.store.set_status("PodDisruptionBudget", *key, _status(budget, (healthy, wanted, allowed, expected), now))
        return None

    def _expected(self, budget: JsonObject, pods: list[JsonObject]) -> tuple[int, int]:
        """``(expected pods, desired healthy)``; percentages and maxUnavailable count what the owners ask for."""
        spec = budget["spec"]
        if "maxUnavailable" in spec:
            expected = self._asked_by_owners(pods)
            return expected, max(expected - scaled(spec["maxUnavailable"], expected, round_up=True), 0)
        least = spec.get("minAvailable", 1)
        if isinstance(least, int):
            return len(pods), least
        expected = self._asked_by_owners(pods)
        return expected, scaled(least, expected, round_up=True)

    def _asked_by_owners(self, pods: list[JsonObject]) -> int:
        owners: dict[str, int] = {}
        for pod in pods:
            reference = controller_of(pod)
            if reference is None or reference["kind"] not in _WITH_SCALE:
                continue
            owner = self.store.peek(reference["kind"], pod["metadata"]["namespace"], reference["name"])
            above = controller_of(owner) if owner else None
            if above is not None and above["kind"] == "Deployment":
                owner = self.store.peek("Deployment", pod["metadata"]["namespace"], above["name"]) or owner
            if owner is not None:
                owners[owner["metadata"]["uid"]] = int(owner["spec"]["replicas"])
        return sum(owners.values())


def _status(budget: JsonObject, counts: tuple[int, int, int, int], now: datetime) -> JsonObject:
    healthy, wanted, allowed, expected = counts
    reason = "SufficientPods" if allowed else "InsufficientPods"
    made = {
        "type": "DisruptionAllowed",
        "status": "True" if allowed else "False",
        "reason": reason,
        "message": "",
        "lastTransitionTime": timestamp(now),
        "observedGeneration": budget["metadata"]["generation"],
    }
    return {
        "conditions": with_condition((budget.get("status") or {}).get("conditions") or (), made),
        "currentHealthy": healthy,
        "desiredHealthy": wanted,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": budget["metadata"]["generation"],
    }
