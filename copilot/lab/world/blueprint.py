"""The static design of one world: workloads, who calls whom, node pools; drawn once from the seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from copilot.lab.world.images import App, Image, ImageCatalog

Kind = Literal["Deployment", "StatefulSet", "DaemonSet", "Job"]


@dataclass(frozen=True, slots=True)
class Call:
    """One dependency of a workload. ``env`` names the variable that holds its address; ``timeout`` in seconds.

    ``optional`` calls degrade the answer instead of failing it; ``pool_env`` names the variable with the size of the
    caller's connection pool per pod, and ``hold`` is how long a connection stays out beside the call itself.
    """

    callee: str
    env: str
    per_request: float = 1.0
    timeout: float = 2.0
    retries: int = 0
    optional: bool = False
    pool_env: str = ""
    external: bool = False
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class Releases:
    """Tags of one repository: what runs, what ran before, and the releases that turn out bad."""

    repository: str
    current: str
    previous: str
    slow: str
    failing: str
    leaking: str
    private: str

    def ref(self, tag: str) -> str:
        """Return the full reference of a tag."""
        return f"{self.repository}:{tag}"


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload as its owner wants it. CPU in cores, memory in bytes; ``pool`` is the node pool it selects.

    ``budget`` gives it a PodDisruptionBudget, ``autoscale`` > 0 an autoscaler up to that many replicas.
    """

    name: str
    namespace: str
    app: App
    releases: Releases
    replicas: int
    kind: Kind = "Deployment"
    port: int = 8080
    service_port: int = 80
    cpu: tuple[float, float] = (0.25, 1.0)
    memory: tuple[float, float] = (256.0 * 2**20, 512.0 * 2**20)
    calls: tuple[Call, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    pool: str = "general"
    gpus: Mapping[str, int] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    claim: str = ""
    probes: bool = True
    liveness: bool = True
    protocol: str = "http"
    strategy: str = "RollingUpdate"
    budget: bool = False
    autoscale: int = 0

    @property
    def key(self) -> str:
        """Identity across the world: ``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def image(self) -> str:
        """Reference of the image it is deployed with."""
        return self.releases.ref(self.releases.current)

    @property
    def address(self) -> str:
        """Cluster DNS name and port of its Service."""
        return f"{self.name}.{self.namespace}.svc.cluster.local:{self.service_port}"


def publish(catalog: ImageCatalog, releases: Releases, app: App, *, size: float) -> None:
    """Publish the tags of one repository, with the behaviour of each."""
    tags = {
        releases.current: app,
        releases.previous: app,
        releases.slow: replace(app, work=app.work * 9 + 0.25, cpu=app.cpu * 5),
        releases.failing: replace(app, error_ratio=0.34),
        releases.leaking: replace(app, leak_per_request=40 * 2.0**10),
        releases.private: app,
    }
    for tag, behaviour in tags.items():
        catalog.add(Image(releases.ref(tag), behaviour, size, private=tag == releases.private))
