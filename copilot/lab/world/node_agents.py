"""What the nodes' kubelets report about the machines: heartbeats, conditions, devices; and eviction under pressure."""

from copilot.core.value import JsonObject
from copilot.lab.world.clock import stamp
from copilot.lab.world.cluster_objects import conditions, node_object, node_status
from copilot.lab.world.kubelet import Kubelet
from copilot.lab.world.nodes import Node
from copilot.lab.world.runtime import PodRun
from copilot.lab.world.site import Site

GRACE = 40.0
"""Seconds of silence after which a node's state is unknown (node-monitor-grace-period)."""
DISK_LIMIT = 0.85
_EVICT_EVERY = 20.0
_LEASE_EVERY = 10.0
_UNKNOWN = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}


class NodeAgents:
    """Reports for all machines; ``beats`` says whether leases are renewed (not while warming up)."""

    def __init__(self, site: Site, kubelet: Kubelet) -> None:
        self.site = site
        self.kubelet = kubelet
        self.beats = False
        self._reported: dict[str, tuple[object, ...]] = {}
        self._looked: dict[str, tuple[object, ...]] = {}
        self._since: dict[tuple[str, str], float] = {}
        self._evicted: dict[str, float] = {}
        self._beat = 0.0

    def register(self, node: Node) -> None:
        """A machine joins: its kubelet creates the Node object."""
        node.heard = node.started = self.site.now
        node.images.update(one.image for one in self.site.design.workloads.values() if one.pool == node.pool)
        self.site.store.create(node_object(node, self.site.now, self._devices(node)))
        self._reported[node.name] = self._facts(node)

    def _devices(self, node: Node) -> dict[str, int]:
        fleet = self.site.fleet
        kinds = sorted({fleet.rows[i].resource for i in fleet.of_node.get(node.name, ())})
        found = {kind: fleet.healthy(node.name, kind) for kind in kinds}
        if node.plugin_stuck in self.kubelet.pods and "nvidia.com/gpu" in found:
            found["nvidia.com/gpu"] = max(found["nvidia.com/gpu"] - node.plugin_hides, 0)
        return found

    def _facts(self, node: Node) -> tuple[object, ...]:
        return (node.kubelet_up, node.disk_ratio > DISK_LIMIT, tuple(self._devices(node).items()))

    def tick(self) -> None:
        """Report what changed and evict where the disk is full."""
        now, fleet = self.site.now, self.site.fleet
        sound = (fleet.present & fleet.usable).tobytes()
        for node in list(self.site.nodes.values()):
            if node.kubelet_up:
                node.heard = now
                self._look(node, sound)
                if node.disk_ratio > DISK_LIMIT:
                    self._evict(node)
            elif now - node.heard > GRACE:
                self._look(node, sound)
        if self.beats and now - self._beat >= _LEASE_EVERY:
            self._beat = now
            self._renew()

    def _look(self, node: Node, sound: bytes) -> None:
        """Report, unless nothing that a report is made of can have changed; ``sound`` is the health of all devices."""
        hidden = node.plugin_hides if node.plugin_stuck in self.kubelet.pods else 0
        seen = (node.kubelet_up, node.disk_ratio > DISK_LIMIT, hidden, sound)
        if self._looked.get(node.name) != seen:
            self._looked[node.name] = seen
            self._report(node)

    def _report(self, node: Node) -> None:
        facts = self._facts(node)
        if self._reported.get(node.name) == facts:
            return
        self._reported[node.name] = facts
        obj = self.site.store.peek("Node", "", node.name)
        if obj is None:
            return
        capacity = {name: int(n) for name, n in obj["status"]["capacity"].items() if name.startswith("nvidia.com/")}
        status = node_status(node, self.site.now, self._devices(node), capacity)
        status["conditions"] = self._conditions(node, obj)
        self.site.store.set_status("Node", "", node.name, status)
        self._announce(node, obj, status)

    def _conditions(self, node: Node, obj: JsonObject) -> list[JsonObject]:
        now = self.site.now
        if node.kubelet_up:
            made = conditions(node, now, disk_pressure=node.disk_ratio > DISK_LIMIT)
        else:
            made = [{**one, **_UNKNOWN} for one in obj["status"]["conditions"]]
        before = {one["type"]: one for one in obj["status"]["conditions"]}
        for one in made:
            old = before.get(one["type"])
            same = old is not None and old["status"] == one["status"]
            one["lastTransitionTime"] = old["lastTransitionTime"] if same and old else stamp(now)
        return made

    def _announce(self, node: Node, before: JsonObject, status: JsonObject) -> None:
        old = {one["type"]: one["status"] for one in before["status"]["conditions"]}
        for one in status["conditions"]:
            if one["type"] == "DiskPressure" and one["status"] == "True" and old.get("DiskPressure") != "True":
                self._tell(node, before, "NodeHasDiskPressure", "status is now: NodeHasDiskPressure")
            if one["type"] == "Ready" and one["status"] == "True" and old.get("Ready") != "True":
                self._tell(node, before, "NodeReady", "status is now: NodeReady")

    def _tell(self, node: Node, obj: JsonObject, reason: str, what: str) -> None:
        self.site.events.record(
            obj, level="Normal", reason=reason, message=f"Node {node.name} {what}", component="kubelet", host=node.name
        )

    def _evict(self, node: Node) -> None:
        now = self.site.now
        if now - self._evicted.get(node.name, 0.0) < _EVICT_EVERY:
            return
        victims = [run for run in self.kubelet.pods.values() if run.node == node.name and self._can_evict(run)]
        if not victims:
            return
        self._evicted[node.name] = now
        run = victims[0]
        message = (
            "The node was low on resource: ephemeral-storage. Threshold quantity: 32212254720, available: "
            f"{int((1 - node.disk_ratio) * node.disk / 1024)}Ki. "
        )
        self.kubelet.tell(run, "Warning", "Evicted", message)
        self.kubelet.fail(run, "Evicted", message)

    def _can_evict(self, run: PodRun) -> bool:
        tolerations = run.spec.get("tolerations") or ()
        everywhere = any(one.get("operator") == "Exists" and not one.get("key") for one in tolerations)
        return run.phase in ("Pending", "Running") and not run.deleting and not everywhere

    def _renew(self) -> None:
        store, now = self.site.store, self.site.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for node in self.site.nodes.values():
            if not node.kubelet_up:
                continue
            spec = {"holderIdentity": node.name, "leaseDurationSeconds": 40, "renewTime": now}
            if store.peek("Lease", "kube-node-lease", node.name) is None:
                meta = {"name": node.name, "namespace": "kube-node-lease"}
                store.create({"kind": "Lease", "metadata": meta, "spec": spec})
            else:
                store.patch("Lease", "kube-node-lease", node.name, {"spec": spec})
