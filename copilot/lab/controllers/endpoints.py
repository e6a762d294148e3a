"""Endpoints and EndpointSlices: which pods a Service sends traffic to, and on which port."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting, key_in
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.meta import Key, is_ready, key_of, labels_of, owner_reference, random_suffix
from copilot.lab.kube_api.selectors import from_map

_SERVICE_LABEL, _MANAGER_LABEL = "kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"
_MANAGER = "endpointslice-controller.k8s.io"
_FINISHED = ("Succeeded", "Failed")
_SLICE_SIZE = 100


def target_port(port: JsonObject, pod: JsonObject) -> int | None:
    """The container port that a Service port leads to on this pod; ``None`` when it has no port of that name."""
    target: int | str = port["targetPort"] if "targetPort" in port else port["port"]
    if isinstance(target, int):
        return target
    if str(target).isdigit():
        return int(target)
    for container in [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]:
        for offered in container.get("ports") or ():
            if offered.get("name") == target and offered.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return int(offered["containerPort"])
    return None


class EndpointsController(Controller):
    """Keeps one Endpoints object and the slices of every Service that has a selector."""

    kinds: ClassVar[frozenset[str]] = frozenset(("Service", "Pod"))

    def observe(self, change: Change) -> Iterable[Key]:
        """The Service, or those that select the pod now or did before, when an endpoint's facts moved."""
        if change.kind == "Service":
            return (key_in(change),)
        if change.before is not None and change.verb == "MODIFIED" and _facts(change.before) == _facts(change.obj):
            return ()
        labels = [labels_of(obj) for obj in (change.obj, change.before) if obj is not None]
        return [
            key_of(service)
            for service in self.store.peek_all("Service", change.namespace)
            if service["spec"].get("selector")
            and any(from_map(service["spec"]["selector"]).matches(one) for one in labels)
        ]

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Write the Endpoints and slices of one Service."""
        service = self.store.peek("Service", *key)
        if service is None or is_deleting(service):
            self._remove(key)
            return None
        if not service["spec"].get("selector") or service["spec"]["type"] == "ExternalName":
            return None
        pods = self._pods(service)
        self._write_endpoints(service, pods)
        self._write_slices(service, pods)
        return None

    def _pods(self, service: JsonObject) -> list[JsonObject]:
        selector = from_map(service["spec"]["selector"])
        return [
            pod
            for pod in self.store.select("Pod", service["metadata"]["namespace"], selector)
            if (pod.get("status") or {}).get("podIP") and pod["status"].get("phase") not in _FINISHED
        ]

    def _remove(self, key: Key) -> None:
        if self.store.peek("Endpoints", *key) is not None:
            self.store.delete("Endpoints", *key)
        for one in self._slices(key):
            self.store.delete("EndpointSlice", one["metadata"]["namespace"], one["metadata"]["name"])

    def _slices(self, key: Key) -> list[JsonObject]:
        found = self.store.peek_all("EndpointSlice", key.namespace)
        return [one for one in found if labels_of(one).get(_SERVICE_LABEL) == key.name]

    def _write_endpoints(self, service: JsonObject, pods: list[JsonObject]) -> None:
        meta = service["metadata"]
        labels = dict(meta.get("labels") or {})
        wanted: JsonObject = {"name": meta["name"], "namespace": meta["namespace"]}
        if labels:
            wanted["labels"] = labels
        subsets = _subsets(service, [pod for pod in pods if not is_deleting(pod)])
        made: JsonObject = {"apiVersion": "v1", "kind": "Endpoints", "metadata": wanted}
        if subsets:
            made["subsets"] = subsets
        old = self.store.peek("Endpoints", meta["namespace"], meta["name"])
        if old is None:
            self.store.create(made)
        elif old.get("subsets") != made.get("subsets"):
            made["metadata"] = old["metadata"] | wanted
            self.store.update(made)

    def _write_slices(self, service: JsonObject, pods: list[JsonObject]) -> None:
        """Write one slice per set of resolved ports and hundred endpoints."""
        have = self._slices(key_of(service))
        wanted = _slice_contents(service, pods)
        for number, (ports, endpoints) in enumerate(wanted):
            old = have[number] if number < len(have) else None
            self._write_slice(service, old, ports, endpoints)
        for extra in have[len(wanted) :]:
            self.store.delete("EndpointSlice", extra["metadata"]["namespace"], extra["metadata"]["name"])

    def _write_slice(
        self, service: JsonObject, old: JsonObject | None, ports: list[JsonObject], endpoints: list[JsonObject]
    ) -> None:
        if old is not None:
            if old.get("ports") != ports or old.get("endpoints") != endpoints:
                self.store.update({**old, "ports": ports, "endpoints": endpoints})
            return
        meta = service["metadata"]
        labels = {**(meta.get("labels") or {}), _SERVICE_LABEL: meta["name"], _MANAGER_LABEL: _MANAGER}
        made = {
            "name": f"{meta['name']}-{random_suffix(self.store.random)}",
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(service)],
        }
        self.store.create(
            {"kind": "EndpointSlice", "metadata": made, "addressType": "IPv4", "ports": ports, "endpoints": endpoints}
        )


def _facts(pod: JsonObject) -> tuple[object, ...]:
    status = pod.get("status") or {}
    return (
        is_ready(pod),
        is_deleting(pod),
        status.get("podIP"),
        status.get("phase") in _FINISHED,
        labels_of(pod),
        pod["spec"].get("nodeName"),
    )


def _reference(pod: JsonObject) -> JsonObject:
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


def _ports_on(service: JsonObject, pod: JsonObject) -> list[JsonObject]:
    ports = []
    for port in service["spec"].get("ports") or ():
        number = target_port(port, pod)
        if number is not None:
            ports.append({"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")})
    return ports


def _subsets(service: JsonObject, pods: list[JsonObject]) -> list[JsonObject]:
    """Group pods by what ports they resolve to; an address is ready, or it is listed as not ready."""
    groups: dict[str, JsonObject] = {}
    for pod in pods:
        ports = _ports_on(service, pod)
        if not ports and service["spec"].get("ports"):
            continue
        named = [{field: value for field, value in port.items() if value != ""} for port in ports]
        subset = groups.setdefault(repr(named), {"addresses": [], "notReadyAddresses": [], "ports": named})
        address = {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName"), "targetRef": _reference(pod)}
        ready = is_ready(pod) or service["spec"].get("publishNotReadyAddresses")
        subset["addresses" if ready else "notReadyAddresses"].append(address)
    for subset in groups.values():
        for name in ("addresses", "notReadyAddresses"):
            subset[name].sort(key=lambda address: address["ip"])
    return [{name: value for name, value in subset.items() if value} for _, subset in sorted(groups.items())]


def _endpoint(service: JsonObject, pod: JsonObject) -> JsonObject:
    ready = bool(is_ready(pod) or service["spec"].get("publishNotReadyAddresses"))
    leaving = is_deleting(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready and not leaving, "serving": ready, "terminating": leaving},
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": _reference(pod),
    }


def _slice_contents(service: JsonObject, pods: list[JsonObject]) -> list[tuple[list[JsonObject], list[JsonObject]]]:
    groups: dict[str, tuple[list[JsonObject], list[JsonObject]]] = {}
    for pod in pods:
        ports = _ports_on(service, pod)
        groups.setdefault(repr(ports), (ports, []))[1].append(_endpoint(service, pod))
    if not groups:
        return [([], [])]
    contents: list[tuple[list[JsonObject], list[JsonObject]]] = []
    for ports, endpoints in groups.values():
        starts = range(0, len(endpoints), _SLICE_SIZE)
        contents.extend((ports, endpoints[start : start + _SLICE_SIZE]) for start in starts)
    return contents
