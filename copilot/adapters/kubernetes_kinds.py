"""The kinds that the product reads, and where an API server serves them."""

from dataclasses import dataclass
from urllib.parse import quote

from copilot.core.ref import Ref, plural
from copilot.errors import Unsupported


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource: its kind, ``group/version`` and whether it lives in namespaces."""

    name: str
    api_version: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of the collection, or of one object."""
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        scope = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        tail = f"/{quote(name, safe='')}" if name else ""
        return f"{root}{scope}/{plural(self.name)}{tail}"


_CORE = (
    *("Pod", "Service", "ConfigMap", "PersistentVolumeClaim"),
    *("ResourceQuota", "LimitRange", "ServiceAccount", "Event"),
)
_APPS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")

DUMPED: tuple[Kind, ...] = (
    *(Kind(name, "v1") for name in _CORE),
    *(Kind(name, "v1", namespaced=False) for name in ("Node", "Namespace", "PersistentVolume")),
    *(Kind(name, "apps/v1") for name in _APPS),
    *(Kind(name, "batch/v1") for name in ("Job", "CronJob")),
    Kind("EndpointSlice", "discovery.k8s.io/v1"),
    Kind("HorizontalPodAutoscaler", "autoscaling/v2"),
    Kind("PodDisruptionBudget", "policy/v1"),
    Kind("Ingress", "networking.k8s.io/v1"),
    Kind("NetworkPolicy", "networking.k8s.io/v1"),
    Kind("StorageClass", "storage.k8s.io/v1", namespaced=False),
    Kind("PriorityClass", "scheduling.k8s.io/v1", namespaced=False),
    Kind("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", namespaced=False),
    Kind("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", namespaced=False),
    Kind("IngressClass", "networking.k8s.io/v1", namespaced=False),
)
"""What a dump holds. Secrets are left out on purpose: a reader has no business with them."""

KINDS: dict[str, Kind] = {
    one.name: one
    for one in (
        *DUMPED,
        Kind("Endpoints", "v1"),
        Kind("ReplicationController", "v1"),
        Kind("Lease", "coordination.k8s.io/v1"),
    )
}


def kind_of(name: str) -> Kind:
    """Return what is known of a kind; raises ``Unsupported``."""
    try:
        return KINDS[name]
    except KeyError:
        hint = f"Known: {', '.join(sorted(KINDS))}."
        raise Unsupported(f"Kind {name!r} is not one that is read here.", hint=hint) from None


def path_of(ref: Ref) -> str:
    """Return the path of one object; a kind of ours, or any other whose ``api_version`` the reference carries."""
    if ref.kind not in KINDS and ref.api_version:
        return Kind(ref.kind, ref.api_version, namespaced=bool(ref.namespace)).path(ref.namespace, ref.name)
    return kind_of(ref.kind).path(ref.namespace, ref.name)
