"""The resources that the lab serves: names, group, scope, verbs and subresources, as the API server declares them."""

from typing import NamedTuple

WRITES = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
NO_COLLECTION_DELETE = ("create", "delete", "get", "list", "patch", "update", "watch")


class Resource(NamedTuple):
    """One served resource; ``generation`` says whether its objects count changes of their spec."""

    kind: str
    plural: str
    group: str
    version: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = WRITES
    generation: bool = False

    @property
    def qualified(self) -> str:
        """The name used in messages: ``deployments.apps``, ``pods``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The singular name that discovery shows."""
        return self.kind.lower()


_ALL = ("all",)
_EXT = ("api-extensions",)

_CORE = (
    Resource("ConfigMap", "configmaps", "", "v1", short=("cm",)),
    Resource("Endpoints", "endpoints", "", "v1", short=("ep",)),
    Resource("Event", "events", "", "v1", short=("ev",)),
    Resource("LimitRange", "limitranges", "", "v1", short=("limits",)),
    Resource("Namespace", "namespaces", "", "v1", False, ("ns",), ("status", "finalize"), (), NO_COLLECTION_DELETE),
    Resource("Node", "nodes", "", "v1", False, ("no",), ("status",)),
    Resource("PersistentVolumeClaim", "persistentvolumeclaims", "", "v1", True, ("pvc",), ("status",)),
    Resource("PersistentVolume", "persistentvolumes", "", "v1", False, ("pv",), ("status",)),
    Resource("Pod", "pods", "", "v1", True, ("po",), ("status", "log", "eviction", "binding"), _ALL, WRITES, True),
    Resource(
        "ReplicationController",
        "replicationcontrollers",
        "",
        "v1",
        True,
        ("rc",),
        ("status", "scale"),
        _ALL,
        WRITES,
        True,
    ),
    Resource("ResourceQuota", "resourcequotas", "", "v1", True, ("quota",), ("status",)),
    Resource("Secret", "secrets", "", "v1"),
    Resource("ServiceAccount", "serviceaccounts", "", "v1", True, ("sa",)),
    Resource("Service", "services", "", "v1", True, ("svc",), ("status",), _ALL),
)

_APPS = (
    Resource("ControllerRevision", "controllerrevisions", "apps", "v1"),
    Resource("DaemonSet", "daemonsets", "apps", "v1", True, ("ds",), ("status",), _ALL, WRITES, True),
    Resource("Deployment", "deployments", "apps", "v1", True, ("deploy",), ("status", "scale"), _ALL, WRITES, True),
    Resource("ReplicaSet", "replicasets", "apps", "v1", True, ("rs",), ("status", "scale"), _ALL, WRITES, True),
    Resource("StatefulSet", "statefulsets", "apps", "v1", True, ("sts",), ("status", "scale"), _ALL, WRITES, True),
)

_MORE = (
    Resource(
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        "autoscaling",
        "v2",
        True,
        ("hpa",),
        ("status",),
        _ALL,
    ),
    Resource("CronJob", "cronjobs", "batch", "v1", True, ("cj",), ("status",), _ALL, WRITES, True),
    Resource("Job", "jobs", "batch", "v1", True, (), ("status",), _ALL, WRITES, True),
    Resource(
        "PodDisruptionBudget", "poddisruptionbudgets", "policy", "v1", True, ("pdb",), ("status",), (), WRITES, True
    ),
    Resource("Ingress", "ingresses", "networking.k8s.io", "v1", True, ("ing",), ("status",), (), WRITES, True),
    Resource("IngressClass", "ingressclasses", "networking.k8s.io", "v1", False, (), (), (), WRITES, True),
    Resource("NetworkPolicy", "networkpolicies", "networking.k8s.io", "v1", True, ("netpol",), (), (), WRITES, True),
    Resource("StorageClass", "storageclasses", "storage.k8s.io", "v1", False, ("sc",)),
    Resource("EndpointSlice", "endpointslices", "discovery.k8s.io", "v1", generation=True),
    Resource("ClusterRole", "clusterroles", "rbac.authorization.k8s.io", "v1", False),
    Resource("ClusterRoleBinding", "clusterrolebindings", "rbac.authorization.k8s.io", "v1", False),
    Resource("Role", "roles", "rbac.authorization.k8s.io", "v1"),
    Resource("RoleBinding", "rolebindings", "rbac.authorization.k8s.io", "v1"),
    Resource("Lease", "leases", "coordination.k8s.io", "v1"),
    Resource("PriorityClass", "priorityclasses", "scheduling.k8s.io", "v1", False, ("pc",), (), (), WRITES, True),
    Resource(
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "admissionregistration.k8s.io",
        "v1",
        False,
        categories=_EXT,
        generation=True,
    ),
    Resource(
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "admissionregistration.k8s.io",
        "v1",
        False,
        categories=_EXT,
        generation=True,
    ),
)

RESOURCES: tuple[Resource, ...] = _CORE + _APPS + _MORE
"""Everything that is stored; each kind once."""

EVENTS_V1 = Resource("Event", "events", "events.k8s.io", "v1", short=("ev",))
"""The second face of core events: same objects, other field names."""

BY_KIND: dict[str, Resource] = {resource.kind: resource for resource in RESOURCES}
"""Resource by kind; kinds are unique in what is served."""
