"""One typed, indexed view of a cluster dump: owners, selectors, events, logs and metric windows, each read once."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from copilot.core.case import Anomaly
from copilot.core.cluster import ClusterDump, LogExcerpt, MetricWindow, Observation
from copilot.core.ref import Ref
from copilot.core.selectors import matches, subset
from copilot.core.value import JsonObject
from copilot.diagnosis.objects import claims_of, event_time, labels_of, meta, name_of, namespace_of, spec
from copilot.diagnosis.symptoms import Symptoms
from copilot.diagnosis.windows import Shift, merged, shifts

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet")
_HOUR = timedelta(hours=1)
"""How far back the metric windows of an ordinary look go."""
_UNKNOWN = datetime.fromtimestamp(0, UTC)
_HASHED = re.compile(r"-[bcdf0-9][bcdfghjklmnpqrstvwxz2456789]{4,9}(?:-[a-z0-9]{5})?$")


class Facts:
    """The dump, indexed. Everything is computed once, on first use; nothing here changes the dump."""

    def __init__(self, dump: ClusterDump, *, anomalies: Sequence[Anomaly] = (), namespace: str = "") -> None:
        self.dump = dump
        self.anomalies = tuple(anomalies)
        self.namespace = namespace or dump.namespace
        self.symptoms = Symptoms(self)
        self._owners: dict[int, Ref] = {}
        self._tops: dict[tuple[str, str, str], Ref] = {}
        self._behind: dict[int, list[JsonObject]] = {}
        self._once: dict[Callable[[Facts], Iterable[Any]], list[Any]] = {}
        self.now = dump.taken_at if dump.taken_at.tzinfo else dump.taken_at.replace(tzinfo=UTC)

    def once(self, compute: Callable[["Facts"], Iterable[Any]]) -> list[Any]:
        """Return what ``compute`` yields for these facts, computed once."""
        if compute not in self._once:
            self._once[compute] = list(compute(self))
        return self._once[compute]

    def all(self, kind: str) -> Sequence[JsonObject]:
        """Return every object of a kind, in any namespace."""
        return self.dump.objects.get(kind, ())

    @cached_property
    def _scoped(self) -> dict[str, list[JsonObject]]:
        return {}

    def scoped(self, kind: str) -> Sequence[JsonObject]:
        """Return objects of a kind in the namespace that was asked for (cluster-wide kinds: all)."""
        if not self.namespace:
            return self.all(kind)
        if kind not in self._scoped:
            wanted = (self.namespace, "")
            self._scoped[kind] = [o for o in self.all(kind) if namespace_of(o) in wanted]
        return self._scoped[kind]

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, str], JsonObject]:
        return {(kind, namespace_of(o), name_of(o)): o for kind, objs in self.dump.objects.items() for o in objs}

    def get(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """Return one object, None when it is not in the dump."""
        return self._by_key.get((kind, namespace, name))

    def has_kind(self, kind: str) -> bool:
        """Return whether that kind could be looked at: listed, even if empty."""
        return kind in self.dump.objects

    @property
    def pods(self) -> Sequence[JsonObject]:
        """Pods in scope."""
        return self.scoped("Pod")

    def owner(self, obj: JsonObject) -> Ref:
        """Return the top controller of an object: Pod -> ReplicaSet -> Deployment, Job -> CronJob."""
        known = self._owners.get(id(obj))
        if known is None:
            known = self._owners[id(obj)] = self._top(obj)
        return known

    def _top(self, obj: JsonObject) -> Ref:
        above = _controller(obj)
        if above is None:
            return Ref.of(obj)
        key = (str(above.get("kind", "")), namespace_of(obj), str(above.get("name", "")))
        if key not in self._tops:
            self._tops[key] = Ref(kind=key[0], namespace=key[1], name=key[2])  # Ends a circle of owners.
            parent = self.get(*key)
            self._tops[key] = self._top(parent) if parent is not None else self._guessed(self._tops[key])
        return self._tops[key]

    def _guessed(self, found: Ref) -> Ref:
        """A ReplicaSet that is not in the dump is named after its Deployment."""
        if found.kind == "ReplicaSet":
            name = _HASHED.sub("", found.name)
            if self.get("Deployment", found.namespace, name):
                return Ref(kind="Deployment", name=name, namespace=found.namespace, api_version="apps/v1")
        return found

    @cached_property
    def _pods_by_owner(self) -> dict[tuple[str, str, str], list[JsonObject]]:
        found: dict[tuple[str, str, str], list[JsonObject]] = defaultdict(list)
        for pod in self.all("Pod"):
            found[self.owner(pod).key].append(pod)
        return found

    def pods_of(self, owner: Ref) -> Sequence[JsonObject]:
        """Return the pods that a workload controls, directly or through a ReplicaSet or Job."""
        return self._pods_by_owner.get(owner.key, ())

    @cached_property
    def workloads(self) -> list[JsonObject]:
        """Deployments, StatefulSets, DaemonSets and bare ReplicaSets and Jobs in scope."""
        found = [o for kind in ("Deployment", "StatefulSet", "DaemonSet", "Job") for o in self.scoped(kind)]
        bare = [o for o in self.scoped("ReplicaSet") if not meta(o).get("ownerReferences")]
        return [*(o for o in found if not meta(o).get("ownerReferences")), *bare]

    def template(self, obj: JsonObject) -> JsonObject:
        """Return the pod spec of a pod or of a workload's template."""
        return spec(obj) if obj.get("kind") == "Pod" else spec(spec(obj).get("template") or {})

    def template_labels(self, obj: JsonObject) -> dict[str, str]:
        """Return the labels that the workload's pods carry."""
        return labels_of(obj) if obj.get("kind") == "Pod" else labels_of(spec(obj).get("template") or {})

    @cached_property
    def _pods_by_namespace(self) -> dict[str, list[JsonObject]]:
        found: dict[str, list[JsonObject]] = defaultdict(list)
        for pod in self.all("Pod"):
            found[namespace_of(pod)].append(pod)
        return found

    @cached_property
    def _pods_by_label(self) -> dict[tuple[str, str, str], list[JsonObject]]:
        found: dict[tuple[str, str, str], list[JsonObject]] = defaultdict(list)
        for pod in self.all("Pod"):
            for key, value in labels_of(pod).items():
                found[(namespace_of(pod), key, value)].append(pod)
        return found

    def pods_in(self, namespace: str) -> Sequence[JsonObject]:
        """Return every pod of a namespace."""
        return self._pods_by_namespace.get(namespace, ())

    def selected(self, namespace: str, wanted: dict[str, str]) -> list[JsonObject]:
        """Return the pods of a namespace that carry all the wanted labels; an empty wish selects nothing."""
        if not wanted:
            return []
        candidates = min((self._pods_by_label.get((namespace, k, v), []) for k, v in wanted.items()), key=len)
        return [p for p in candidates if subset(wanted, labels_of(p))]

    def selected_by(self, namespace: str, selector: JsonObject | None) -> list[JsonObject]:
        """Return the pods of a namespace that a LabelSelector selects."""
        return [p for p in self.pods_in(namespace) if matches(selector, labels_of(p))]

    def behind(self, service: JsonObject) -> list[JsonObject]:
        """Return the pods that a Service selects."""
        found = self._behind.get(id(service))
        if found is None:
            wanted = spec(service).get("selector") or {}
            found = self._behind[id(service)] = self.selected(namespace_of(service), wanted)
        return found

    @cached_property
    def _slices(self) -> dict[tuple[str, str], list[JsonObject]]:
        found: dict[tuple[str, str], list[JsonObject]] = defaultdict(list)
        for one in self.all("EndpointSlice"):
            found[(namespace_of(one), labels_of(one).get("kubernetes.io/service-name", ""))].append(one)
        return found

    def slices_of(self, service: JsonObject) -> Sequence[JsonObject]:
        """Return the EndpointSlices of a Service."""
        return self._slices.get((namespace_of(service), name_of(service)), ())

    @cached_property
    def _services_by_owner(self) -> dict[tuple[str, str, str], list[JsonObject]]:
        found: dict[tuple[str, str, str], list[JsonObject]] = defaultdict(list)
        for service in self.all("Service"):
            wanted = spec(service).get("selector") or {}
            for owner in {self.owner(p).key for p in self.behind(service)} | self._templates(service, wanted):
                found[owner].append(service)
        return found

    def _templates(self, service: JsonObject, wanted: dict[str, str]) -> set[tuple[str, str, str]]:
        return {Ref.of(w).key for w in self.workloads_labelled(namespace_of(service), wanted)}

    @cached_property
    def _workloads_by_label(self) -> dict[tuple[str, str, str], list[JsonObject]]:
        found: dict[tuple[str, str, str], list[JsonObject]] = defaultdict(list)
        for objs in self._workloads_in.values():
            for obj in objs:
                for key, value in self.template_labels(obj).items():
                    found[(namespace_of(obj), key, value)].append(obj)
        return found

    def workloads_labelled(self, namespace: str, wanted: dict[str, str]) -> list[JsonObject]:
        """Return the workloads whose pods carry all the wanted labels; an empty wish selects nothing."""
        if not wanted:
            return []
        candidates = min((self._workloads_by_label.get((namespace, k, v), []) for k, v in wanted.items()), key=len)
        return [w for w in candidates if subset(wanted, self.template_labels(w))]

    @cached_property
    def _services_in(self) -> dict[str, list[JsonObject]]:
        found: dict[str, list[JsonObject]] = defaultdict(list)
        for service in self.all("Service"):
            found[namespace_of(service)].append(service)
        return found

    def services_in(self, namespace: str) -> Sequence[JsonObject]:
        """Return the Services of a namespace."""
        return self._services_in.get(namespace, ())

    @cached_property
    def _workloads_in(self) -> dict[str, list[JsonObject]]:
        found: dict[str, list[JsonObject]] = defaultdict(list)
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            for obj in self.all(kind):
                found[namespace_of(obj)].append(obj)
        return found

    def workloads_in(self, namespace: str) -> Sequence[JsonObject]:
        """Return Deployments, StatefulSets and DaemonSets of a namespace."""
        return self._workloads_in.get(namespace, ())

    def services_of(self, owner: Ref) -> Sequence[JsonObject]:
        """Return the Services that select a workload's pods or its template's labels."""
        return self._services_by_owner.get(owner.key, ())

    def workload_named(self, namespace: str, name: str) -> JsonObject | None:
        """Return the workload of that name, or the one behind the Service of that name."""
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            found = self.get(kind, namespace, name)
            if found:
                return found
        service = self.get("Service", namespace, name)
        wanted = spec(service).get("selector") or {} if service else {}
        return next(iter(self.workloads_labelled(namespace, wanted)), None)

    def named(self, ref: Ref) -> Ref:
        """Return the workload that metrics call by its name alone (kind ``Workload``) as the object it is."""
        found = self.workload_named(ref.namespace, ref.name) if ref.kind == "Workload" else None
        return Ref.of(found) if found else ref

    @cached_property
    def _events(self) -> dict[tuple[str, str, str], list[JsonObject]]:
        found: dict[tuple[str, str, str], list[JsonObject]] = defaultdict(list)
        for event in self.all("Event"):
            about = event.get("involvedObject") or event.get("regarding") or {}
            key = (str(about.get("kind", "")), str(about.get("namespace") or ""), str(about.get("name", "")))
            found[key].append(event)
        for events in found.values():
            events.sort(key=lambda e: str(event_time(e) or ""))
        return found

    def events(self, obj: JsonObject | Ref, *reasons: str) -> list[JsonObject]:
        """Return the events of an object, oldest first; with reasons, only those."""
        kind, namespace, name = obj.key if isinstance(obj, Ref) else Ref.of(obj).key
        found = self._events.get((kind, namespace, name)) or []
        if not found and kind == "Node":
            found = self._events.get((kind, "default", name)) or []
        return [e for e in found if not reasons or e.get("reason") in reasons]

    def recent(self, events: Iterable[JsonObject], within: timedelta = timedelta(minutes=30)) -> list[JsonObject]:
        """Return the events last seen within a time before the dump was taken; undated ones count as recent."""
        edge = self.now - within
        return [e for e in events if (event_time(e) or self.now) >= edge]

    @cached_property
    def _logs(self) -> dict[tuple[str, str], list[LogExcerpt]]:
        found: dict[tuple[str, str], list[LogExcerpt]] = defaultdict(list)
        for excerpt in self.dump.logs:
            found[(excerpt.namespace, excerpt.pod)].append(excerpt)
        return found

    def logs(self, pod: JsonObject) -> Sequence[LogExcerpt]:
        """Return the log excerpts of a pod."""
        return self._logs.get((namespace_of(pod), name_of(pod)), ())

    def logs_of(self, owner: Ref) -> Iterator[LogExcerpt]:
        """Yield the log excerpts of a workload: of its pods, and of pods that are gone but bear its name."""
        yield from self._logs_by_owner.get(owner.key, ())
        yield from self._orphans.get((owner.namespace, owner.name), ())

    @cached_property
    def _logs_by_owner(self) -> dict[tuple[str, str, str], list[LogExcerpt]]:
        found: dict[tuple[str, str, str], list[LogExcerpt]] = defaultdict(list)
        for pod in self.all("Pod") if self._logs else ():
            excerpts = self.logs(pod)
            if excerpts:
                found[self.owner(pod).key] += excerpts
        return found

    @cached_property
    def _orphans(self) -> dict[tuple[str, str], list[LogExcerpt]]:
        """Log excerpts of pods that are gone, by the workload name that is left when the hash is cut."""
        found: dict[tuple[str, str], list[LogExcerpt]] = defaultdict(list)
        for (namespace, pod), excerpts in self._logs.items():
            if self.get("Pod", namespace, pod) is None:
                found[(namespace, _HASHED.sub("", pod))] += excerpts
        return found

    def observed(self, kind: str) -> Iterator[Observation]:
        """Yield the observations of a kind."""
        return (o for o in self.dump.observations if o.kind == kind)

    @cached_property
    def calls(self) -> dict[str, set[str]]:
        """Who calls whom, by workload name: declared dependencies and mesh call metrics."""
        found: dict[str, set[str]] = defaultdict(set)
        for one in self.observed("dependency"):
            found[one.subject].add(one.object)
        for window in self.dump.metrics.get("call_rate", ()):
            found[window.labels.get("source", "")].add(window.labels.get("destination", ""))
        return found

    def windows(self, *signals: str) -> Iterator[MetricWindow]:
        """Yield the metric windows of some signals."""
        for signal in signals:
            yield from self.dump.metrics.get(signal, ())

    @cached_property
    def reach(self) -> timedelta:
        """How far back the metric windows go, an hour at least."""
        first = min((w.times[0] for some in self.dump.metrics.values() for w in some if len(w.times)), default=None)
        return _HOUR if first is None else max(_HOUR, timedelta(seconds=self.now.timestamp() - first))

    @cached_property
    def onset(self) -> datetime | None:
        """When the trouble began, by the earliest anomaly within the metric windows; None when nobody said."""
        edge = self.now - self.reach
        return min((a.onset for a in self.anomalies if edge < a.onset <= self.now), default=None)

    def shifts(self, *signals: str, since: datetime | None = None) -> list[Shift]:
        """Return how the series of some signals moved with the onset, or with another moment."""
        return shifts(self.windows(*signals), (since or self.onset or _UNKNOWN).timestamp() or None)

    def merged(self, signal: str, owner: Callable[[MetricWindow], Ref | None]) -> list[tuple[Ref, Shift]]:
        """Return how a signal moved per owner, over all its pods: those before a rollout and those after it."""
        found: dict[Ref, list[MetricWindow]] = defaultdict(list)
        for window in self.windows(signal):
            ref = owner(window)
            if ref:
                found[ref].append(window)
        onset = (self.onset or _UNKNOWN).timestamp() or None
        both = ((ref, merged(windows, onset)) for ref, windows in found.items())
        return [(ref, one) for ref, one in both if one]

    @cached_property
    def _claim_users(self) -> dict[tuple[str, str], list[Ref]]:
        found: dict[tuple[str, str], list[Ref]] = defaultdict(list)
        for obj in [*self.all("Pod"), *(w for objs in self._workloads_in.values() for w in objs)]:
            owner = self.owner(obj)
            for name in claims_of(self.template(obj)):
                users = found[(namespace_of(obj), name)]
                if owner not in users:
                    users.append(owner)
        return found

    @property
    def claimed(self) -> Iterable[tuple[str, str]]:
        """Namespace and name of every claim that a pod or template mounts."""
        return self._claim_users

    def claim_users(self, claim: Ref) -> Sequence[Ref]:
        """Return the workloads that mount a claim."""
        return self._claim_users.get((claim.namespace, claim.name), ())

    @property
    def nodes(self) -> Sequence[JsonObject]:
        """All nodes."""
        return self.all("Node")


def _controller(obj: JsonObject) -> JsonObject | None:
    """Return the owner reference that controls an object; old API servers do not say which does."""
    return next((o for o in meta(obj).get("ownerReferences") or () if o.get("controller", True)), None)
