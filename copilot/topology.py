"""What can make what suffer: nodes their pods' workloads, workloads their callers, claims and queues their users.

A *unit* is what breaks as one: a workload with its pods and Services, a node with its GPUs and ports, a claim, a queue.
Edges point from cause to effect. Calls come from mesh metrics, from what anomalies themselves say, and from the
addresses in the workloads' own configuration.
"""

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping

from copilot.core.case import Anomaly
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Plan
from copilot.core.ref import Ref
from copilot.core.references import addresses, config_maps, hosts
from copilot.core.value import JsonObject

Unit = tuple[str, str, str]
"""(kind, namespace, name); kind is Workload, Node, or the object's own."""

WORKLOADS = frozenset(
    {"Workload", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController"}
)
_NODE_KINDS = frozenset({"Node", "GPU", "Port"})
_HASHED = re.compile(r"-[bcdf0-9][bcdfghjklmnpqrstvwxz2456789]{4,9}$")
INSUFFICIENT = re.compile(r"Insufficient ([\w./-]*\w)")
_INDEX = re.compile(r"-\d+$")
FARTHEST = 3
"""Longest chain between two anomalies with nothing anomalous in between."""


class Topology:
    """Units and the edges between them; made once per pass."""

    def __init__(self, dump: ClusterDump | None = None, anomalies: Iterable[Anomaly] = ()) -> None:
        self._effects: dict[Unit, set[Unit]] = defaultdict(set)
        self._called: dict[Unit, set[Unit]] = defaultdict(set)
        self._users: dict[Unit, set[Unit]] = defaultdict(set)
        self._objects: dict[Unit, JsonObject] = {}
        self._unit_of_pod: dict[tuple[str, str], Unit] = {}
        self._selects: dict[Unit, Mapping[str, str]] = {}
        self._unit_of_service: dict[tuple[str, str], Unit] = {}
        self._addresses: dict[str, Unit] = {}
        self._accelerated: set[Unit] = set()
        self.lacking: dict[Unit, set[str]] = {}
        """What the scheduler finds too little of for pods of a unit."""
        self.shared: frozenset[Unit] = frozenset()
        """Units that everything rests on: cluster DNS."""
        if dump is not None:
            self._read(dump)
        for one in anomalies:
            self._calls_in([one.labels])
            if one.resource.kind == "GPU" and one.labels.get("pod"):
                pod = Ref(kind="Pod", name=one.labels["pod"], namespace=one.labels.get("namespace", ""))
                self._runs_on(self.unit_of(one.resource), self.unit_of(pod), accelerated=True)

    def moved(self, plan: Plan) -> None:
        """Remember where pods ran that a plan took off their node: what they suffered there began there."""
        for step in plan.steps:
            node = step.call.arguments.get("node")
            for change in step.changes if isinstance(node, str) else ():
                if change.target.kind == "Pod":
                    unit = self.unit_of(change.target)
                    self._runs_on(("Node", "", str(node)), unit, accelerated=unit in self._accelerated)

    def unit(self, anomaly: Anomaly) -> Unit:
        """Return the unit that an anomaly is about."""
        owner, _, name = anomaly.labels.get("owner", "").partition("/")
        if owner in WORKLOADS and name:
            return self._workload(owner, anomaly.resource.namespace, name)
        return self.unit_of(anomaly.resource)

    def unit_of(self, ref: Ref) -> Unit:
        """Return the unit that an object belongs to; itself when nothing more is known."""
        if ref.kind in WORKLOADS:
            return self._workload(ref.kind, ref.namespace, ref.name)
        if ref.kind in _NODE_KINDS:
            host = ref.name.partition("/")[0]
            return self._addresses.get(host, ("Node", "", host))
        if ref.kind == "Pod":
            known = self._unit_of_pod.get((ref.namespace, ref.name))
            return known or self._gone(ref.namespace, _family(ref.name))
        if ref.kind == "Service":
            known = self._unit_of_service.get((ref.namespace, ref.name))
            return known or ("Workload", ref.namespace, ref.name)
        if ref.kind == "Target":
            host = ref.name.rpartition("/")[2].rsplit(":", 1)[0]
            return self._addresses.get(host, (ref.kind, "", ref.name))
        return (ref.kind, ref.namespace, ref.name)

    def _gone(self, namespace: str, name: str) -> Unit:
        """Return the workload of a pod that is gone; the pods of an indexed Job carry their index as well."""
        plain = _INDEX.sub("", name)
        known = any((kind, namespace, name) in self._objects for kind in WORKLOADS)
        indexed = not known and ("Job", namespace, plain) in self._objects
        return ("Workload", namespace, plain if indexed else name)

    def reaches(self, unit: Unit, *, along_calls: bool = False, accelerated: bool = False) -> dict[Unit, int]:
        """Return the units that ``unit`` can make suffer, with their distance (1 to ``FARTHEST``).

        ``along_calls`` follows calls instead: who gets less to do when ``unit`` stops calling. ``accelerated`` begins
        with the unit's users of accelerators alone.
        """
        edges = self._called if along_calls else self._effects
        found: dict[Unit, int] = {}
        waiting = deque([(unit, 0)])
        while waiting:
            here, distance = waiting.popleft()
            if distance == FARTHEST:
                continue
            for there in self._users.get(here, ()) if accelerated and not distance else edges.get(here, ()):
                if there not in found and there != unit:
                    found[there] = distance + 1
                    waiting.append((there, distance + 1))
        return found

    def may_run(self, unit: Unit, node: Unit) -> bool:
        """Return whether a node's labels are what the unit's pods select; what is not known counts as yes."""
        labels = ((self._objects.get(node) or {}).get("metadata") or {}).get("labels") or {}
        wanted = self._selects.get(unit)
        return wanted is None or node not in self._objects or wanted.items() <= labels.items()

    def _workload(self, kind: str, namespace: str, name: str) -> Unit:
        plain = name if kind != "ReplicaSet" else _HASHED.sub("", name)
        return ("Workload", namespace, plain)

    def _read(self, dump: ClusterDump) -> None:
        self._objects = {Ref.of(o).key: o for kind, many in dump.objects.items() if kind != "Event" for o in many}
        for node in dump.objects.get("Node", ()):
            unit = ("Node", "", Ref.of(node).name)
            self._addresses[unit[2]] = unit
            for one in (node.get("status") or {}).get("addresses") or ():
                self._addresses[str(one.get("address"))] = unit
        for pod in dump.objects.get("Pod", ()):
            self._place(pod)
        for service in dump.objects.get("Service", ()):
            self._stand_behind(service, dump)
        for pod in dump.objects.get("Pod", ()):
            self._depend(pod)
        self._calls_in(window.labels for window in dump.metrics.get("call_rate", ()))
        for seen in dump.observations:
            if seen.kind == "dependency" and dump.namespace:
                labels = {"source": seen.subject, "destination": seen.object, "namespace": dump.namespace}
                self._calls_in([labels])
        dns = [
            unit
            for (space, name), unit in self._unit_of_service.items()
            if (space, name) == ("kube-system", "kube-dns")
        ]
        self.shared = frozenset({*dns, ("Workload", "kube-system", "coredns")})

    def _place(self, pod: JsonObject) -> None:
        ref, unit = Ref.of(pod), self._top(pod)
        self._unit_of_pod[(ref.namespace, ref.name)] = unit
        address = (pod.get("status") or {}).get("podIP")
        if address and not (pod.get("spec") or {}).get("hostNetwork"):
            self._addresses[str(address)] = unit
        self._wait_for_room(pod, unit)
        spec = pod.get("spec") or {}
        self._selects[unit] = spec.get("nodeSelector") or {}
        accelerated = _wants_accelerator(spec)
        if accelerated:
            self._accelerated.add(unit)
        if spec.get("nodeName"):
            self._runs_on(("Node", "", str(spec["nodeName"])), unit, accelerated=accelerated)

    def _wait_for_room(self, pod: JsonObject, unit: Unit) -> None:
        for one in (pod.get("status") or {}).get("conditions") or ():
            if one.get("type") == "PodScheduled" and one.get("status") == "False":
                self.lacking.setdefault(unit, set()).update(INSUFFICIENT.findall(str(one.get("message"))))

    def _runs_on(self, node: Unit, unit: Unit, *, accelerated: bool) -> None:
        self._effects[node].add(unit)
        if accelerated:
            self._users[node].add(unit)

    def _top(self, obj: JsonObject) -> Unit:
        ref = Ref.of(obj)
        kind, name = ref.kind, ref.name
        for _ in range(6):
            above = next(
                (o for o in (obj.get("metadata") or {}).get("ownerReferences") or () if o.get("controller")), None
            )
            if above is None or above.get("kind") == "Node":
                break
            kind, name = str(above.get("kind")), str(above.get("name"))
            parent = self._objects.get((kind, ref.namespace, name))
            if parent is None:
                break
            obj = parent
        return ("Pod", ref.namespace, name) if kind == "Pod" else self._workload(kind, ref.namespace, name)

    def _stand_behind(self, service: JsonObject, dump: ClusterDump) -> None:
        ref = Ref.of(service)
        selector = (service.get("spec") or {}).get("selector") or {}
        behind = {self._top(o) for o in _templated(dump, ref.namespace) if _matches(selector, _template_labels(o))}
        named = ("Workload", ref.namespace, ref.name)
        self._unit_of_service[(ref.namespace, ref.name)] = named if named in behind else min(behind, default=named)

    def _depend(self, pod: JsonObject) -> None:
        ref = Ref.of(pod)
        unit, spec = self._unit_of_pod[(ref.namespace, ref.name)], pod.get("spec") or {}
        for volume in spec.get("volumes") or ():
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim:
                self._effects[("PersistentVolumeClaim", ref.namespace, str(claim))].add(unit)
        maps = (self._objects.get(("ConfigMap", ref.namespace, name)) for name in config_maps(spec))
        for source in (pod, *(one for one in maps if one)):
            for text in addresses(source):
                for name, namespace in hosts(text):
                    callee = self._unit_of_service.get((namespace or ref.namespace, name))
                    if callee and callee != unit:
                        self._call(unit, callee)

    def _calls_in(self, labelled: Iterable[Mapping[str, str]]) -> None:
        for labels in labelled:
            source = labels.get("source") or labels.get("source_workload")
            target = labels.get("destination") or labels.get("destination_workload")
            namespace = labels.get("namespace") or labels.get("destination_workload_namespace") or ""
            if source and target and source != target:
                caller = ("Workload", labels.get("source_workload_namespace") or namespace, source)
                self._call(caller, ("Workload", namespace, target))

    def _call(self, caller: Unit, callee: Unit) -> None:
        self._effects[callee].add(caller)
        self._called[caller].add(callee)


def _wants_accelerator(spec: JsonObject) -> bool:
    """Return whether a pod asks for an extended resource (``nvidia.com/gpu``, ``amd.com/gpu``, MIG slices ...)."""
    for container in spec.get("containers") or ():
        resources = container.get("resources") or {}
        if any(("/" in name and "gpu" in name) or "/mig-" in name for name in resources.get("limits") or {}):
            return True
    return False


def _templated(dump: ClusterDump, namespace: str) -> Iterator[JsonObject]:
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "Pod"):
        for obj in dump.objects.get(kind, ()):
            if Ref.of(obj).namespace == namespace:
                yield obj


def _template_labels(obj: JsonObject) -> Mapping[str, str]:
    holder = obj if obj.get("kind") == "Pod" else (obj.get("spec") or {}).get("template") or {}
    labels: Mapping[str, str] = (holder.get("metadata") or {}).get("labels") or {}
    return labels


def _matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _family(pod: str) -> str:
    """Return the workload's name of a pod that the dump does not have, by how controllers name pods."""
    without_suffix = re.sub(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|\d+)$", "", pod)
    return _HASHED.sub("", without_suffix)
