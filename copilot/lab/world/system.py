"""What every cluster runs beside its workloads: DNS, device plugin, exporters, monitoring."""

from dataclasses import dataclass

from copilot.lab.world.images import GIB, MIB, App, Image


@dataclass(frozen=True, slots=True)
class SystemPart:
    """One system workload; ``gpu_only`` restricts a DaemonSet to GPU nodes."""

    name: str
    namespace: str
    image: str
    app: App
    kind: str = "DaemonSet"
    replicas: int = 2
    gpu_only: bool = False
    port: int = 0
    k8s_app: str = ""
    """The label that the part is known by, where other things select it by that."""

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the workload and its pods, which it selects them by."""
        return {"app": self.name} | ({"k8s-app": self.k8s_app} if self.k8s_app else {})


def _app(*listens: int, memory: float = 60 * MIB, cpu: float = 0.02, startup: float = 3.0) -> App:
    paths = ("/health", "/ready", "/metrics", "/-/ready")
    return App("system", listens, paths, startup, 0.0, 0.0, cpu, 64, memory, 0.0, error_ratio=0.0)


PARTS = (
    SystemPart(
        "coredns",
        "kube-system",
        "registry.k8s.io/coredns/coredns:v1.12.1",
        _app(53, 8080, 8181, 9153),
        "Deployment",
        k8s_app="kube-dns",
    ),
    SystemPart("kube-proxy", "kube-system", "registry.k8s.io/kube-proxy:v1.33.4", _app(10249)),
    SystemPart(
        "nvidia-device-plugin", "gpu-operator", "nvcr.io/nvidia/k8s-device-plugin:v0.17.4", _app(), gpu_only=True
    ),
    SystemPart(
        "dcgm-exporter",
        "gpu-operator",
        "nvcr.io/nvidia/k8s/dcgm-exporter:4.4.1-4.6.0-ubuntu22.04",
        _app(9400, memory=420 * MIB, cpu=0.08, startup=6.0),
        gpu_only=True,
        port=9400,
    ),
    SystemPart("node-exporter", "monitoring", "quay.io/prometheus/node-exporter:v1.9.1", _app(9100), port=9100),
    SystemPart(
        "kube-state-metrics",
        "monitoring",
        "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.17.0",
        _app(8080, 8081, memory=140 * MIB),
        "Deployment",
        1,
        port=8080,
    ),
    SystemPart(
        "prometheus",
        "monitoring",
        "quay.io/prometheus/prometheus:v3.5.0",
        _app(9090, memory=2.4 * GIB, cpu=0.5, startup=20.0),
        "StatefulSet",
        1,
        port=9090,
    ),
)


def system_images() -> list[Image]:
    """The images of all system parts."""
    return [Image(part.image, part.app, 80 * MIB) for part in PARTS]
