"""Who reaches whom: addresses, DNS, Services, endpoints, policies and ports, read from the objects as they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import labels_of
from copilot.lab.kube_api.selectors import from_spec
from copilot.lab.world.blueprint import Call, Workload
from copilot.lab.world.kubelet import Kubelet
from copilot.lab.world.runtime import PodRun

CLUSTER_ZONE = "cluster.local"


@dataclass(slots=True)
class External:
    """A dependency outside the cluster; ``latency`` in seconds."""

    name: str
    latency: float = 0.09
    error_ratio: float = 0.001
    up: bool = True


@dataclass(slots=True)
class Route:
    """What one call meets now. ``ok``: share of attempts that reach a listening process of the right workload.

    The rest fails as ``why`` says: at once (``fast``) or by waiting for the caller's timeout. ``pods`` are the uids
    that answer.
    """

    ok: float = 1.0
    why: str = ""
    fast: bool = True
    pods: tuple[str, ...] = ()
    address: str = ""
    external: External | None = None


@dataclass
class Network:
    """Name resolution and reachability over the objects of the store."""

    kubelet: Kubelet
    externals: dict[str, External] = field(default_factory=dict)

    def dns_state(self) -> str:
        """``ok``, ``nxdomain`` (CoreDNS does not serve the cluster's zone) or ``down`` (no server is ready)."""
        store = self.kubelet.site.store
        config = store.peek("ConfigMap", "kube-system", "coredns")
        corefile = str((config or {}).get("data", {}).get("Corefile", ""))
        zones = [line.split() for line in corefile.splitlines() if line.strip().startswith("kubernetes ")]
        servers = [run for run in self.kubelet.pods.values() if run.workload == "kube-system/coredns" and run.ready]
        if not servers:
            return "down"
        return "ok" if any(CLUSTER_ZONE in words for words in zones) else "nxdomain"

    def from_outside(self, workload: Workload, call: Call) -> Route:
        """Resolve what the load balancer reaches of a workload: its Service, no DNS and no policies."""
        service = self.kubelet.site.store.peek("Service", workload.namespace, workload.name)
        if service is None:
            return Route(0.0, "no such service")
        return self._through(service, workload.service_port, call, None)

    def route(self, caller: Workload, call: Call, pods: list[PodRun], dns: str) -> Route:
        """Resolve one call as the caller's running pods (not empty) would."""
        process = pods[0].main.process
        address = process.env.get(call.env, "") if process is not None else ""
        host, port = split_address(address)
        found = self._resolve(caller, call, pods[0], (host, port, dns))
        found.address = address
        return found

    def _resolve(self, caller: Workload, call: Call, source: PodRun, to: tuple[str, int, str]) -> Route:
        host, port, dns = to
        if call.external or host in self.externals:
            outside = self.externals.get(host)
            return Route(external=outside) if outside else Route(0.0, f"lookup {host}: no such host")
        if dns == "down":
            return Route(0.0, f"lookup {host}: i/o timeout", fast=False)
        if dns == "nxdomain":
            return Route(0.0, f"lookup {host} on 10.96.0.10:53: no such host")
        service = self._service(host, caller.namespace)
        if service is None:
            return Route(0.0, f"lookup {host}: no such host")
        return self._through(service, port, call, source)

    def _service(self, host: str, namespace: str) -> JsonObject | None:
        parts = host.split(".")
        if len(parts) > 2 and parts[2] != "svc":
            return None
        space = parts[1] if len(parts) > 1 else namespace
        return self.kubelet.site.store.peek("Service", space, parts[0])

    def _through(self, service: JsonObject, port: int, call: Call, source: PodRun | None) -> Route:
        ports = [one for one in service["spec"].get("ports") or () if one["port"] == port]
        name = service["metadata"]["name"]
        if not ports:
            return Route(0.0, f"dial tcp: connect to {name}:{port}: i/o timeout", fast=False)
        backends = self.backends(service)
        if not backends:
            return Route(0.0, f"dial tcp {service['spec'].get('clusterIP')}:{port}: connect: connection refused")
        wanted = ports[0].get("targetPort", port)
        right, why, fast = [], "", True
        for run in backends:
            target = target_port(wanted, run)
            trouble = self._trouble(source, run, target, call)
            if not trouble:
                right.append(run.uid)
            else:
                why, fast = trouble
        return Route(len(right) / len(backends), why, fast, tuple(right))

    def _trouble(self, source: PodRun | None, run: PodRun, port: int, call: Call) -> tuple[str, bool] | None:
        process = run.main.process
        if source is not None and not self.allowed(source, run, port):
            return f"dial tcp {run.ip}:{port}: i/o timeout", False
        if not self.kubelet.site.nodes[run.node].kubelet_up:
            return f"dial tcp {run.ip}:{port}: connect: no route to host", False
        if process is None or port not in process.listens or self.kubelet.site.now < process.serving_from:
            return f"dial tcp {run.ip}:{port}: connect: connection refused", True
        if run.workload != call.callee:
            return "unexpected status 404 Not Found", True
        if process.hung:
            return "context deadline exceeded (awaiting response headers)", False
        if process.broken:
            return f"unexpected status 500: {process.broken}", True
        return None

    def backends(self, service: JsonObject) -> list[PodRun]:
        """Pods behind a Service: those that its Endpoints object lists as ready."""
        meta = service["metadata"]
        endpoints = self.kubelet.site.store.peek("Endpoints", meta["namespace"], meta["name"])
        found = []
        for subset in (endpoints or {}).get("subsets") or ():
            for one in subset.get("addresses") or ():
                run = self.kubelet.pods.get(str((one.get("targetRef") or {}).get("uid", "")))
                if run is not None:
                    found.append(run)
        return found

    def allowed(self, source: PodRun, target: PodRun, port: int) -> bool:
        """Whether NetworkPolicies let ``source`` connect to ``target`` on a port (ingress there, egress here)."""
        return self._direction("Ingress", target, source, port) and self._direction("Egress", source, target, port)

    def _direction(self, kind: str, subject: PodRun, peer: PodRun, port: int) -> bool:
        policies = [one for one in self._policies(subject.namespace) if _governs(one, kind, subject)]
        if not policies:
            return True
        field_name, peers = ("ingress", "from") if kind == "Ingress" else ("egress", "to")
        rules = [rule for one in policies for rule in one["spec"].get(field_name) or ()]
        return any(self._admits(rule, peers, subject, peer, port) for rule in rules)

    def _policies(self, namespace: str) -> list[JsonObject]:
        return self.kubelet.site.store.peek_all("NetworkPolicy", namespace)

    def _admits(self, rule: JsonObject, peers: str, subject: PodRun, peer: PodRun, port: int) -> bool:
        ports = rule.get("ports")
        if ports and not any(one.get("port") in (None, port) for one in ports):
            return False
        given = rule.get(peers)
        return not given or any(self._is_peer(one, subject, peer) for one in given)

    def _is_peer(self, one: JsonObject, subject: PodRun, peer: PodRun) -> bool:
        if "ipBlock" in one:
            return bool(one["ipBlock"].get("cidr") == "0.0.0.0/0")
        spaces = one.get("namespaceSelector")
        if spaces is None:
            if peer.namespace != subject.namespace:
                return False
        else:
            space = self.kubelet.site.store.peek("Namespace", "", peer.namespace)
            if space is None or not from_spec(spaces).matches(labels_of(space)):
                return False
        return "podSelector" not in one or from_spec(one["podSelector"]).matches(peer.labels)


def _governs(policy: JsonObject, kind: str, subject: PodRun) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return kind in types and from_spec(spec.get("podSelector")).matches(subject.labels)


def target_port(wanted: int | str, run: PodRun) -> int:
    """Return the number of a ``targetPort``; a name is looked up in the pod's container ports, 0 if it has none."""
    if isinstance(wanted, int):
        return wanted
    ports: list[Mapping[str, object]] = run.main.spec.get("ports") or []
    return next((int(str(one["containerPort"])) for one in ports if one.get("name") == wanted), 0)


def split_address(address: str) -> tuple[str, int]:
    """Return (host, port) of ``host:port`` or a URL; port 0 when it cannot be read."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        port = parts.port
    except ValueError:
        return parts.hostname or "", 0
    return parts.hostname or "", port or {"http": 80, "https": 443}.get(parts.scheme, 0)
