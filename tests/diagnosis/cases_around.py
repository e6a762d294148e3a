"""For each cause in nodes, routes, databases, names and policies: a cluster that shows it, one that refutes it."""

from tests.builders import Cluster
from tests.diagnosis.cases_pods import pending
from tests.diagnosis.shop import shop


# --- nodes
def _daemon(unit: str, ok: bool, node: str = "worker-1") -> Cluster:
    from copilot.core.cluster import Observation

    c = shop()
    c.seen.append(Observation("daemon", node, unit, ok, "active (running)" if ok else "inactive (dead)"))
    return c


def _node(kind: str, status: str, message: str = "") -> Cluster:
    c = shop()
    c.condition("worker-1", kind, status, message)
    return c


def _sandbox(well: bool) -> Cluster:
    c = shop()
    pod = c.pods("cart")[0] if well else c.waiting("cart", "ContainerCreating")
    c.event(
        pod,
        "FailedCreatePodSandBox",
        ('failed to setup network for sandbox: plugin type="flannel" failed (add): open /run/flannel/subnet.env'),
    )
    return c


# --- routing
def _service(**spec: object) -> Cluster:
    c = shop()
    c.get("Service", "cart")["spec"].update(spec)
    return c


def _port(target: int | str = 7070, protocol: str = "TCP") -> list[dict[str, object]]:
    return [{"name": "web", "port": 7070, "targetPort": target, "protocol": protocol}]


def _addressed(value: str) -> Cluster:
    c = Cluster()
    c.app("cart", port=7070)
    c.app("front", env={"CART_ADDR": value})
    return c


def _without_service(there: bool) -> Cluster:
    c = shop()
    if not there:
        c.remove("Service", "cart")
    return c


def _ingress(backend: str, port: int = 8080) -> Cluster:
    c = shop()
    path = {"path": "/", "backend": {"service": {"name": backend, "port": {"number": port}}}}
    c.add("Ingress", "web", api="networking.k8s.io/v1", spec={"rules": [{"http": {"paths": [path]}}]})
    return c


# --- databases, DNS
def _client(
    *lines: str, env: dict[str, str] | None = None, crashed: bool = True, args: list[str] | None = None
) -> Cluster:
    c = Cluster()
    c.app("orders-db", port=3306, image="mysql:8", args=args or [])
    c.app("orders", port=8080, env=env or {"DB_URL": "jdbc:mysql://orders-db:3306/orders"})
    if crashed:
        c.crashed("orders")
    c.log("orders", *lines)
    return c


def _dns(**pod: object) -> Cluster:
    c = shop()
    c.get("Deployment", "front")["spec"]["template"]["spec"].update(pod)
    return c


# --- policy
def policy(allowed: str) -> Cluster:
    c = shop()
    rule = {"from": [{"podSelector": {"matchLabels": {"app": allowed}}}]}
    c.add(
        "NetworkPolicy",
        "lock",
        spec={"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Ingress"], "ingress": [rule]},
    )
    c.reach("cart:7070", ok=False)
    return c


# --- application
def _job(failed: bool) -> Cluster:
    c = Cluster()
    conditions = [
        {
            "type": "Failed" if failed else "Complete",
            "status": "True",
            "reason": "BackoffLimitExceeded",
            "message": "limit reached",
        }
    ]
    c.add("Job", "nightly", api="batch/v1", spec={}, status={"conditions": conditions, "failed": 1})
    return c


def _condition(kind: str, status: str) -> Cluster:
    c = shop()
    node = c.get("Node", "worker-1")["status"]["conditions"]
    node.append({"type": kind, "status": status, "reason": "KernelHasDeadlock", "message": "task blocked"})
    return c


CASES: dict[str, tuple[Cluster, Cluster]] = {
    "container_runtime_unavailable": (
        _node("Ready", "False", "container runtime is down"),
        _daemon("containerd", ok=True),
    ),
    "kubelet_unavailable": (_daemon("kubelet", ok=False), _daemon("kubelet", ok=True)),
    "node_not_ready": (_node("Ready", "Unknown", "Kubelet stopped posting node status."), _node("Ready", "True")),
    "kube_proxy_unavailable": (_daemon("kube-proxy", ok=False), _daemon("kube-proxy", ok=True)),
    "scheduler_unavailable": (_daemon("kube-scheduler", ok=False, node="control-1"), pending("2 Insufficient cpu")),
    "disk_pressure": (_node("DiskPressure", "True"), _node("DiskPressure", "False")),
    "memory_pressure": (_node("MemoryPressure", "True"), _node("MemoryPressure", "False")),
    "pid_pressure": (_node("PIDPressure", "True"), _node("PIDPressure", "False")),
    "network_unavailable": (_node("NetworkUnavailable", "True"), _node("NetworkUnavailable", "False")),
    "network_plugin_failed": (_sandbox(well=False), _sandbox(well=True)),
    "service_selector_mismatch": (_service(selector={"application": "cart"}), shop()),
    "service_target_port_mismatch": (_service(ports=_port("grpc")), shop()),
    "service_protocol_mismatch": (_service(ports=_port(protocol="UDP")), shop()),
    "service_missing": (_without_service(there=False), _without_service(there=True)),
    "service_address_mismatch": (_addressed("crat:7070"), _addressed("api.example.com:443")),
    "gateway_misroute": (_ingress("frnt"), _ingress("front")),
    "database_credentials_rejected": (
        _client("java.sql.SQLException: Access denied for user 'shop'@'10.0.0.9' (using password: YES)"),
        _client("Started in 4.2 seconds", crashed=False),
    ),
    "database_port_wrong": (
        _client(
            "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure",
            env={"DB_URL": "jdbc:mysql://orders-db:3307/orders"},
        ),
        _client("Started", crashed=False),
    ),
    "database_read_only": (
        _client("Error 1290 (HY000): The MySQL server is running with the --read-only option", crashed=False),
        _client("Started", crashed=False),
    ),
    "database_connections_exhausted": (
        _client("Error 1040: Too many connections", crashed=False),
        _client("Started", crashed=False),
    ),
    "connection_pool_exhausted": (
        _client("HikariPool-1 - Connection is not available, request timed out after 30000ms.", crashed=False),
        _client(
            ("Data source rejected: Too many connections; HikariPool-1 - Connection is not available"), crashed=False
        ),
    ),
    "dns_failure": (_dns(dnsPolicy="Default"), _dns(dnsPolicy="ClusterFirst")),
    "network_policy_blocks": (policy("nobody"), policy("front")),
    "job_failed": (_job(failed=True), _job(failed=False)),
    "node_condition": (_condition("KernelDeadlock", "True"), _condition("KernelDeadlock", "False")),
}
