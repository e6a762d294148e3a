"""What is wrong right now, object by object: the trouble that causes have to explain.

Only the present counts: a Warning event whose object has recovered is history, and a desired count of zero is a wish.
"""

import weakref
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis.objects import (
    condition,
    container_statuses,
    moment,
    name_of,
    namespace_of,
    spec,
    status,
)

if TYPE_CHECKING:
    from copilot.diagnosis.facts import Facts

RECENT_RESTART = timedelta(minutes=30)
"""A container that last died longer ago than this and is ready is taken as recovered."""
SETTLE = timedelta(minutes=10)
"""The default progress deadline of a Deployment: a pod that has been starting for less may just be starting."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """One object in trouble: what, since when, and the object that suffers (its workload when it is a pod)."""

    object: Ref
    owner: Ref
    what: str
    text: str
    since: datetime | None = None


class Symptoms:
    """All present trouble, by object and by owner."""

    def __init__(self, facts: "Facts") -> None:
        # Weak: the facts hold this, and in a circle a whole dump would stay until the next full collection.
        self._weak = weakref.ref(facts)

    @property
    def _facts(self) -> "Facts":
        facts = self._weak()
        assert facts is not None, "symptoms are asked through their facts"
        return facts

    @cached_property
    def all(self) -> tuple[Symptom, ...]:
        """Every symptom, in the order of the checks."""
        checks = (self._pods, self._workloads, self._services, self._claims, self._nodes, self._observed, self._alarms)
        return tuple(s for check in checks for s in check())

    @cached_property
    def _by_owner(self) -> dict[tuple[str, str, str], list[Symptom]]:
        found: dict[tuple[str, str, str], list[Symptom]] = defaultdict(list)
        for one in self.all:
            found[one.owner.key].append(one)
            if one.object.key != one.owner.key:
                found[one.object.key].append(one)
        return found

    def of(self, ref: Ref) -> list[Symptom]:
        """Return the symptoms of an object, or of what it owns."""
        return self._by_owner.get(ref.key, [])

    @cached_property
    def troubled_pods(self) -> list[JsonObject]:
        """Pods in scope that are not as they should be."""
        return [p for p in self._facts.pods if pod_trouble(p, self._facts)]

    def _pods(self) -> Iterator[Symptom]:
        for pod in self.troubled_pods:
            what, text = pod_trouble(pod, self._facts) or ("", "")
            since = moment(condition(pod, "Ready").get("lastTransitionTime"))
            yield Symptom(Ref.of(pod), self._facts.owner(pod), what, text, since)

    def _workloads(self) -> Iterator[Symptom]:
        for obj in self._facts.workloads:
            missing = missing_replicas(obj)
            if missing:
                ref = Ref.of(obj)
                yield Symptom(ref, ref, "unavailable", f"{missing} of {desired(obj)} replicas are not ready")

    def _services(self) -> Iterator[Symptom]:
        for service in self._facts.scoped("Service"):
            if without_endpoints(service, self._facts):
                ref = Ref.of(service)
                yield Symptom(ref, ref, "no endpoints", "the Service has no ready endpoint")

    def _claims(self) -> Iterator[Symptom]:
        for claim in self._facts.scoped("PersistentVolumeClaim"):
            if status(claim).get("phase") in ("Pending", "Lost"):
                ref = Ref.of(claim)
                yield Symptom(ref, ref, "unbound", f"the claim is {status(claim)['phase']}")

    def _nodes(self) -> Iterator[Symptom]:
        for node in self._facts.nodes:
            ref = Ref.of(node)
            ready = condition(node, "Ready")
            if ready and ready.get("status") != "True":
                since = moment(ready.get("lastTransitionTime"))
                yield Symptom(ref, ref, "not ready", str(ready.get("message") or "the node is not ready"), since)
            for name in ("DiskPressure", "MemoryPressure", "PIDPressure", "NetworkUnavailable"):
                if condition(node, name).get("status") == "True":
                    yield Symptom(ref, ref, name, str(condition(node, name).get("message") or name))

    def _observed(self) -> Iterator[Symptom]:
        for one in self._facts.dump.observations:
            if one.ok or one.kind not in ("reachability", "daemon"):
                continue
            namespace = self._facts.namespace
            if one.kind == "daemon":
                ref = Ref(kind="Node", name=one.subject)
                yield Symptom(ref, ref, "daemon down", f"{one.object} is not running on {one.subject}")
            else:
                ref = Ref(kind="Service", name=one.object.partition(":")[0], namespace=namespace)
                yield Symptom(ref, ref, "unreachable", f"{one.object} could not be reached")

    def _alarms(self) -> Iterator[Symptom]:
        for one in self._facts.anomalies:
            yield Symptom(one.resource, one.resource, one.signal, one.summary or one.signal, one.onset)
        for seen in self._facts.observed("alert"):
            namespace = "" if self._facts.get("Node", "", seen.subject) else self._facts.namespace
            found = self._facts.workload_named(namespace, seen.subject) if namespace else None
            kind = "Workload" if namespace else "Node"
            ref = Ref.of(found) if found else Ref(kind=kind, name=seen.subject, namespace=namespace)
            yield Symptom(ref, ref, "alert", seen.text or seen.object)


def pod_trouble(pod: JsonObject, facts: "Facts") -> tuple[str, str] | None:
    """Return what is wrong with a pod in a word and in a sentence; None when it is well, done or being deleted."""
    phase = status(pod).get("phase")
    if (pod.get("metadata") or {}).get("deletionTimestamp") or phase == "Succeeded":
        return None
    if phase == "Failed":
        reason = status(pod).get("reason") or "Failed"
        return "failed", f"the pod failed: {reason} {status(pod).get('message') or ''}".strip()
    for one in container_statuses(pod):
        found = _container_trouble(one, facts)
        if found:
            return found
    if phase == "Pending":
        return "pending", str(condition(pod, "PodScheduled").get("message") or "the pod is pending")
    if condition(pod, "Ready").get("status") == "False" or _unready(pod):
        return "not ready", "the pod runs but is not ready"
    return None


def _unready(pod: JsonObject) -> bool:
    return any(not one.get("ready") for one in status(pod).get("containerStatuses") or [])


def _container_trouble(one: JsonObject, facts: "Facts") -> tuple[str, str] | None:
    waiting = (one.get("state") or {}).get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    if reason and reason not in ("PodInitializing", "ContainerCreating"):
        return "waiting", f"container {one.get('name')} is waiting: {reason} {waiting.get('message') or ''}".strip()
    ended = (one.get("state") or {}).get("terminated") or {}
    if ended.get("exitCode"):
        return "terminated", f"container {one.get('name')} exited with {ended['exitCode']}"
    if restarted_lately(one, facts):
        last = (one.get("lastState") or {}).get("terminated") or {}
        count = one.get("restartCount")
        why = last.get("reason") or "unknown"
        return "restarting", f"container {one.get('name')} has restarted {count} times, last: {why}"
    return None


def restarted_lately(one: JsonObject, facts: "Facts", within: timedelta = RECENT_RESTART) -> bool:
    """Return whether a container died within a time before the dump (with a failure, not by finishing)."""
    last = (one.get("lastState") or {}).get("terminated") or {}
    if not one.get("restartCount") or not last or last.get("exitCode") == 0:
        return False
    ended = moment(last.get("finishedAt"))
    return ended is None or facts.now - ended <= within


def desired(obj: JsonObject) -> int:
    """Return how many pods a workload wants."""
    if obj.get("kind") == "DaemonSet":
        return int(status(obj).get("desiredNumberScheduled") or 0)
    if obj.get("kind") == "Job":
        return 0
    wanted = spec(obj).get("replicas")
    return 1 if wanted is None else int(wanted)


def missing_replicas(obj: JsonObject) -> int:
    """Return how many wanted pods are not ready; 0 when the status is not known."""
    if not status(obj):
        return 0
    ready = status(obj).get("numberReady" if obj.get("kind") == "DaemonSet" else "readyReplicas") or 0
    return max(0, desired(obj) - int(ready))


def without_endpoints(service: JsonObject, facts: "Facts") -> bool:
    """Return whether a Service with a selector has no ready address (by slices, Endpoints or pods)."""
    if not spec(service).get("selector") or spec(service).get("type") == "ExternalName":
        return False
    namespace, name = namespace_of(service), name_of(service)
    slices = facts.slices_of(service)
    if slices:
        return not any(ready_endpoint(e) for s in slices for e in s.get("endpoints") or [])
    endpoints = facts.get("Endpoints", namespace, name)
    if endpoints is not None:
        return not any(s.get("addresses") for s in endpoints.get("subsets") or [])
    return not any(condition(p, "Ready").get("status") == "True" for p in facts.behind(service))


def ready_endpoint(endpoint: JsonObject) -> bool:
    """Return whether an EndpointSlice endpoint takes traffic (unknown readiness counts as ready)."""
    return (endpoint.get("conditions") or {}).get("ready") is not False
