"""A real Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, fake kubelets, metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx

from tests.cluster import credentials
from tests.cluster.client import ApiClient, JsonObject
from tests.cluster.processes import Process, free_ports, wait_until
from tests.cluster.programs import HERE, require
from tests.cluster.prometheus import Prometheus, ScrapeTarget, start_prometheus
from tests.cluster.shipped import ACCESS, executor_binding, shipped

KWOK_STAGES = tuple(sorted((HERE / "kwok").glob("*.yaml")))
KWOK_FLAGS = (
    "--manage-all-nodes=true",
    "--node-ip=10.1.0.1",
    "--cidr=10.244.0.0/16",
    "--node-lease-duration-seconds=40",
)


@dataclass(frozen=True)
class Parts:
    """Which parts to start beside etcd and the API server, and with what."""

    controllers: bool = True
    """controller-manager, scheduler and KWOK; without them nothing happens by itself and answers repeat."""
    kube_state_metrics: bool = False
    prometheus: bool = False
    scrape: tuple[ScrapeTarget, ...] = ()
    """More targets for Prometheus, beside kube-state-metrics."""
    shipped: tuple[str, ...] = ACCESS
    """Kinds of objects from `deploy/` to create at the start."""
    api_server_flags: tuple[str, ...] = ()
    stages: tuple[Path, ...] = KWOK_STAGES
    ready_within: timedelta = timedelta(seconds=60)


BARE = Parts(controllers=False)
"""An API server with nobody working behind it: every answer follows from the requests alone."""


@dataclass
class ControlPlane:
    """A running control plane: where it answers, who may ask, what it has been asked."""

    folder: Path
    parts: Parts
    users: dict[str, credentials.User] = field(default_factory=credentials.users)
    processes: list[Process] = field(default_factory=list)
    clients: dict[str, ApiClient] = field(default_factory=dict)
    server: str = ""
    kube_state_metrics: str = ""
    prometheus: Prometheus | None = None

    @property
    def authority(self) -> Path:
        """The file with the API server's certificates."""
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, one JSON object a line."""
        return self.folder / "audit.log"

    def kubeconfig(self, role: str) -> Path:
        """Return the kubeconfig file of a role: admin, reader or executor (or a component)."""
        path = self.folder / f"{role}.kubeconfig"
        if not path.exists():
            credentials.write_kubeconfig(path, self.users[role], server=self.server, authority=self.authority)
        return path

    def client(self, role: str = "admin") -> ApiClient:
        """Return the client of a role; it is closed with the control plane."""
        if role not in self.clients:
            self.clients[role] = ApiClient(self.server, self.users[role].token, authority=self.authority)
        return self.clients[role]

    def writes_by(self, role: str) -> list[JsonObject]:
        """Return the audit events of every writing request that the role made so far, dry runs included, in order."""
        name = self.users[role].name
        events = [json.loads(line) for line in self.audit_log.read_text().splitlines()]
        return [
            each for each in events if each["user"]["username"] == name and each["verb"] not in ("get", "list", "watch")
        ]

    def grant_executor(self, *namespaces: str) -> None:
        """Let the executor act in these namespaces, with the binding that `deploy/` ships for it."""
        self.client().create_all(executor_binding(namespace) for namespace in namespaces)

    def stop(self) -> None:
        """Close the clients and stop every process, the last started first."""
        for client in self.clients.values():
            client.close()
        for process in reversed(self.processes):
            process.stop()


@contextmanager
def control_plane(folder: Path, parts: Parts | None = None) -> Iterator[ControlPlane]:
    """Run a control plane whose state and logs live in `folder`; it is ready when the block starts.

    Raises:
        ProgramMissingError: a program is not built; says what to run.
        ClusterError: a part died or was not ready in time; holds the end of its log.
    """
    plane = ControlPlane(folder, parts or Parts())
    try:
        _start(plane)
        yield plane
    finally:
        plane.stop()


def _start(plane: ControlPlane) -> None:
    parts = plane.parts
    _start_etcd_and_api_server(plane)
    if parts.controllers:
        _start_controllers(plane)
    plane.client().create_all(shipped(parts.shipped))
    if parts.kube_state_metrics:
        _start_kube_state_metrics(plane)
    if parts.prometheus:
        own = (ScrapeTarget("kube-state-metrics", plane.kube_state_metrics),) if parts.kube_state_metrics else ()
        plane.prometheus = start_prometheus(plane.folder / "prometheus", scrape=(*own, *parts.scrape))
        plane.processes.append(plane.prometheus.process)


def _start_etcd_and_api_server(plane: ControlPlane) -> None:
    etcd_port, peer_port, port = free_ports(3)
    etcd = f"http://127.0.0.1:{etcd_port}"
    plane.server = f"https://127.0.0.1:{port}"
    (plane.folder / "certificates").mkdir(parents=True)
    peers = f"http://127.0.0.1:{peer_port}"
    _spawn(plane, "etcd", _etcd_flags(plane.folder / "etcd", etcd, peers))
    _spawn(plane, "kube-apiserver", _api_server_flags(plane, etcd, port))
    _wait(plane, lambda: plane.authority.exists() and _answers(plane), "the API server's /readyz")


def _etcd_flags(data: Path, clients: str, peers: str) -> list[str]:
    return [
        *("--name=test", f"--data-dir={data}", "--unsafe-no-fsync"),
        *(f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}"),
        *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=test={peers}"),
    ]


def _api_server_flags(plane: ControlPlane, etcd: str, port: int) -> list[str]:
    folder = plane.folder
    tokens, key, policy = folder / "tokens.csv", folder / "service-account.key", folder / "audit-policy.yaml"
    credentials.write_tokens(tokens, plane.users)
    credentials.write_signing_key(key)
    credentials.write_audit_policy(policy, plane.users)
    return [
        *(f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={port}"),
        *(f"--cert-dir={plane.authority.parent}", f"--token-auth-file={tokens}", "--authorization-mode=RBAC"),
        *(f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"),
        *(f"--service-account-issuer={plane.server}", "--service-cluster-ip-range=10.0.0.0/24"),
        *(f"--audit-log-path={plane.audit_log}", f"--audit-policy-file={policy}"),
        *plane.parts.api_server_flags,
    ]


def _start_controllers(plane: ControlPlane) -> None:
    manager_port, scheduler_port, kwok_port = free_ports(3)
    # The defaults (20 requests a second) make a Deployment of some hundred pods wait half a minute.
    rates = ["--kube-api-qps=500", "--kube-api-burst=1000", "--leader-elect=false", "--bind-address=127.0.0.1"]
    key = plane.folder / "service-account.key"
    _spawn(
        plane,
        "kube-controller-manager",
        [
            *(f"--kubeconfig={plane.kubeconfig('controller-manager')}", f"--secure-port={manager_port}", *rates),
            f"--service-account-private-key-file={key}",
            f"--cert-dir={plane.folder / 'controller-manager'}",
        ],
    )
    _spawn(
        plane,
        "kube-scheduler",
        [
            *(f"--kubeconfig={plane.kubeconfig('scheduler')}", f"--secure-port={scheduler_port}", *rates),
            f"--cert-dir={plane.folder / 'scheduler'}",
        ],
    )
    stages = [f"--config={path}" for path in plane.parts.stages]
    address = f"--server-address=127.0.0.1:{kwok_port}"
    _spawn(plane, "kwok", [f"--kubeconfig={plane.kubeconfig('kwok')}", *KWOK_FLAGS, address, *stages])
    _wait(plane, lambda: _has_default_account(plane), "the controllers' first work (service account default/default)")


def _start_kube_state_metrics(plane: ControlPlane) -> None:
    port, telemetry = free_ports(2)
    plane.kube_state_metrics = f"http://127.0.0.1:{port}"
    flags = ["--host=127.0.0.1", f"--port={port}", "--telemetry-host=127.0.0.1", f"--telemetry-port={telemetry}"]
    _spawn(plane, "kube-state-metrics", [f"--kubeconfig={plane.kubeconfig('kube-state-metrics')}", *flags])
    _wait(plane, lambda: _get(f"{plane.kube_state_metrics}/healthz") == 200, "kube-state-metrics' /healthz")


def _spawn(plane: ControlPlane, name: str, flags: Sequence[str]) -> None:
    plane.processes.append(Process(name, [require(name), *flags], log=plane.folder / f"{name}.log"))


def _wait(plane: ControlPlane, ready: Callable[[], bool], what: str) -> None:
    wait_until(ready, what=what, processes=plane.processes, within=plane.parts.ready_within)


def _answers(plane: ControlPlane) -> bool:
    try:
        return plane.client().http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _has_default_account(plane: ControlPlane) -> bool:
    return plane.client().http.get("/api/v1/namespaces/default/serviceaccounts/default").status_code == 200


def _get(url: str) -> int:
    try:
        return httpx.get(url, trust_env=False).status_code
    except httpx.TransportError:
        return 0
