"""For each cause that keeps a pod from starting or running well: a cluster that shows it, one that refutes it."""

from tests.builders import Cluster, ago
from tests.diagnosis.shop import shop

NONE = "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
TAIL = ". preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."


# --- admission
def quota_exceeded() -> Cluster:
    c = shop()
    c.add("ResourceQuota", "limit", status={"hard": {"requests.cpu": "1"}, "used": {"requests.cpu": "1"}})
    c.uncreated(
        "cart",
        (
            'pods "cart-1" is forbidden: exceeded quota: limit, requested: requests.cpu=1, used: requests.cpu=1, '
            "limited: requests.cpu=1"
        ),
    )
    return c


def quota_exceeded_not() -> Cluster:
    c = shop()
    c.event(
        c.objects["ReplicaSet"][0],
        "FailedCreate",
        ("forbidden: exceeded quota: limit, requested: pods=1, used: pods=1, limited: pods=1"),
    )
    return c


def _refused(message: str) -> Cluster:
    c = shop()
    c.uncreated("cart", message)
    return c


def missing_service_account_not() -> Cluster:
    c = _refused('error looking up service account prod/cart: serviceaccount "cart" not found')
    c.add("ServiceAccount", "cart")
    return c


def _webhook(ready: bool) -> Cluster:
    c = shop()
    hook = {
        "name": "check.example",
        "failurePolicy": "Fail",
        "clientConfig": {"service": {"namespace": "prod", "name": "cart" if ready else "gone"}},
    }
    c.add("ValidatingWebhookConfiguration", "check", namespaced=False, webhooks=[hook])
    return c


# --- scheduling
def pending(message: str, **spec: object) -> Cluster:
    c = shop()
    c.pending("cart", NONE + message + TAIL, **spec)
    return c


def _cordoned(node: bool) -> Cluster:
    c = pending(
        ("1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were unschedulable"),
        nodeSelector={"disk": "fast"},
    )
    if node:
        c.get("Node", "worker-1")["metadata"]["labels"]["disk"] = "fast"
    c.get("Node", "worker-1")["spec"]["unschedulable"] = True
    return c


def _taint() -> Cluster:
    c = pending("2 node(s) had untolerated taint {team: ml}")
    for name in ("worker-1", "worker-2"):
        c.get("Node", name)["spec"]["taints"] = [{"key": "team", "value": "ml", "effect": "NoSchedule"}]
    return c


def _affinity(key: str) -> dict[str, object]:
    term = {"matchExpressions": [{"key": key, "operator": "In", "values": ["a"]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def _gated(gates: list[dict[str, str]]) -> Cluster:
    c = shop()
    c.pending("cart", schedulingGates=gates)
    return c


# --- storage
def _claim(bound: bool = False, **spec: object) -> Cluster:
    c = Cluster()
    c.app("db", port=3306)
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    c.pending(
        "db", ("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims") + TAIL, volumes=volumes
    )
    wants = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}, "storageClassName": ""}
    c.add("PersistentVolumeClaim", "data", spec={**wants, **spec}, status={"phase": "Bound" if bound else "Pending"})
    has = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "5Gi"}, "storageClassName": ""}
    c.add("PersistentVolume", "disk", namespaced=False, spec=has, status={"phase": "Available"})
    return c


def _no_claim(there: bool) -> Cluster:
    c = _claim(bound=True)
    if not there:
        c.remove("PersistentVolumeClaim", "data")
    return c


def _denied(crashed: bool) -> Cluster:
    c = Cluster()
    c.app("db", port=5432, volumeMounts=[{"name": "data", "mountPath": "/var/lib/data"}])
    if crashed:
        c.crashed("db")
    c.log("db", "mkdir: cannot create directory '/var/lib/data/base': Permission denied")
    return c


def _attach(running: bool) -> Cluster:
    c = shop()
    pod = c.pods("cart")[0] if running else c.waiting("cart", "ContainerCreating")
    c.event(pod, "FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) old')
    return c


# --- images
def _pull(
    message: str, image: str = "registry.example/cart:2.0", *, well: bool = False, reason: str = "ImagePullBackOff"
) -> Cluster:
    c = Cluster()
    c.app("front", image="registry.example/front:1.0")
    c.app("cart", port=7070, image=image)
    pod = c.pods("cart")[0] if well else c.waiting("cart", reason, f'Back-off pulling image "{image}"')
    c.event(pod, "Failed", f'Failed to pull image "{image}": {message}')
    return c


# --- configuration
def _config(message: str, *, there: str = "") -> Cluster:
    c = shop()
    c.waiting("cart", "CreateContainerConfigError", message)
    if there:
        kind, _, name = there.partition("/")
        c.add(kind, name, data={"a": "b"})
    return c


def _crash(code: int = 1, *lines: str, message: str = "", reason: str = "Error", **container: object) -> Cluster:
    c = Cluster()
    c.app("cart", port=7070, **container)
    c.crashed("cart", code, reason, message)
    c.log("cart", *lines)
    return c


def _init(seconds: float) -> Cluster:
    c = shop()
    pod = c.waiting("cart", "PodInitializing")
    pod["status"]["initContainerStatuses"] = [
        {"name": "wait", "ready": False, "state": {"running": {"startedAt": ago(seconds)}}}
    ]
    return c


# --- probes
def _probe(
    kind: str, probe: dict[str, object], message: str, *, killed: bool = False, well: bool = False, **other: object
) -> Cluster:
    c = Cluster()
    c.app("cart", port=7070, **{f"{kind}Probe": probe}, **other)
    if well:
        pod = c.pods("cart")[0]
    elif killed:
        pod = c.crashed("cart", 137)
        c.event(pod, "Killing", f"Container main failed {kind} probe, will be restarted", kind="Normal")
    else:
        pod = c.unready("cart")
    c.event(pod, "Unhealthy", f"{kind.capitalize()} probe failed: {message}")
    return c


_REFUSED = 'Get "http://10.0.0.9:7071/": dial tcp 10.0.0.9:7071: connect: connection refused'
_MALFORMED = (
    'Get "http://10.0.0.9:7070/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x00"'
)
_HTTP = {"httpGet": {"port": 7070, "path": "/"}, "initialDelaySeconds": 30, "periodSeconds": 10, "failureThreshold": 3}
_WRONG = {**_HTTP, "httpGet": {"port": 7071, "path": "/"}}
_HASTY = {"tcpSocket": {"port": 7070}, "initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 1}


def _probes(kind: str) -> dict[str, tuple[Cluster, Cluster]]:
    rows = {
        "port": (_WRONG, _REFUSED),
        "protocol": (_HTTP, _MALFORMED),
        "path": (_HTTP, "HTTP probe failed with statuscode: 404"),
    }
    return {
        f"{kind}_probe_{what}": (
            _probe(kind, probe, message, killed=kind != "readiness"),
            _probe(kind, probe, message, well=True),
        )
        for what, (probe, message) in rows.items()
    }


# --- runtime
def _shared(conflict: bool) -> Cluster:
    c = Cluster()
    c.app("cart", port=7070)
    side = {"name": "proxy", "image": "proxy:1", "ports": [{"containerPort": 7070 if conflict else 9090}]}
    pod = c.pods("cart")[0]
    pod["spec"]["containers"].append(side)
    pod["status"]["containerStatuses"].append(
        {"name": "proxy", "ready": True, "restartCount": 0, "state": {"running": {}}}
    )
    c.crashed("cart", 1)
    return c


def _zero(replicas: int) -> Cluster:
    c = shop()
    if not replicas:
        c.get("Deployment", "cart")["spec"]["replicas"] = 0
        c.objects["Pod"] = [p for p in c.objects["Pod"] if p["metadata"]["labels"]["app"] != "cart"]
    return c


def _evicted(lacking: bool) -> Cluster:
    c = shop()
    pod = c.unready("cart") if lacking else c.pods("cart")[0]
    if lacking:
        pod["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    return c


def evicted_before_a_bad_image() -> Cluster:
    """An eviction that was made good, and later pods on nodes of their own that cannot pull their image."""
    c = _evicted(lacking=True)
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "shop/cart:none": not found'}
    owner = c.pods("cart")[0]["metadata"]["ownerReferences"][0]
    template = c.get("Deployment", "cart")["spec"]["template"]
    new = c.pod("cart", ("ReplicaSet", owner["name"]), template, index=4, age=120)
    new["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    for one in new["status"]["containerStatuses"]:
        one.update(ready=False, state={"waiting": waiting})
    return c


CASES: dict[str, tuple[Cluster, Cluster]] = {
    "quota_exceeded": (quota_exceeded(), quota_exceeded_not()),
    "quota_needs_requests": (_refused("failed quota: limit: must specify limits.cpu"), shop()),
    "missing_service_account": (
        _refused('error looking up service account prod/cart: serviceaccount "cart" not found'),
        missing_service_account_not(),
    ),
    "limit_range_violated": (_refused("maximum cpu usage per Container is 500m, but limit is 1"), quota_exceeded()),
    "pod_security_rejected": (
        _refused('violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'),
        quota_exceeded(),
    ),
    "missing_priority_class": (_refused("no PriorityClass with name urgent was found"), quota_exceeded()),
    "admission_webhook_failed": (
        _refused('failed calling webhook "check.example": connection refused'),
        quota_exceeded(),
    ),
    "admission_denied": (_refused('admission webhook "check.example" denied the request: no'), quota_exceeded()),
    "admission_webhook_unbacked": (_webhook(ready=False), _webhook(ready=True)),
    "insufficient_cpu": (pending("2 Insufficient cpu"), pending("2 Insufficient memory")),
    "insufficient_memory": (pending("2 Insufficient memory"), pending("2 Insufficient cpu")),
    "insufficient_gpu": (pending("2 Insufficient nvidia.com/gpu"), pending("2 Insufficient cpu")),
    "insufficient_storage": (pending("2 Insufficient ephemeral-storage"), pending("2 Insufficient cpu")),
    "node_selector_unsatisfied": (
        pending("2 node(s) didn't match Pod's node affinity/selector", nodeSelector={"disk": "fast"}),
        _cordoned(node=True),
    ),
    "node_affinity_unsatisfied": (
        pending("2 node(s) didn't match Pod's node affinity/selector", affinity=_affinity("zone")),
        pending("2 node(s) didn't match Pod's node affinity/selector", nodeSelector={"disk": "fast"}),
    ),
    "taint_not_tolerated": (_taint(), pending("2 Insufficient cpu")),
    "node_cordoned": (_cordoned(node=True), _cordoned(node=False)),
    "pod_anti_affinity_conflict": (
        pending("2 node(s) didn't match pod anti-affinity rules"),
        pending("2 Insufficient cpu"),
    ),
    "pod_affinity_unsatisfied": (pending("2 node(s) didn't match pod affinity rules"), pending("2 Insufficient cpu")),
    "topology_spread_unsatisfied": (
        pending("2 node(s) didn't match pod topology spread constraints"),
        pending("2 Insufficient cpu"),
    ),
    "volume_node_affinity_conflict": (
        pending("2 node(s) had volume node affinity conflict"),
        pending("2 Insufficient cpu"),
    ),
    "host_port_taken": (
        pending("2 node(s) didn't have free ports for the requested pod ports"),
        pending("2 Insufficient cpu"),
    ),
    "too_many_pods": (pending("2 Too many pods"), pending("2 Insufficient cpu")),
    "scheduling_gated": (_gated([{"name": "wait"}]), _gated([])),
    "pvc_unbound": (_claim(resources={"requests": {"storage": "9Gi"}}), _claim(bound=True)),
    "pvc_missing": (_no_claim(there=False), _no_claim(there=True)),
    "volume_permission_denied": (_denied(crashed=True), _denied(crashed=False)),
    "volume_attach_failed": (_attach(running=False), _attach(running=True)),
    "image_not_found": (_pull("rpc error: code = NotFound desc = manifest unknown"), _pull("not found", well=True)),
    "missing_image_pull_secret": (
        _pull("failed to authorize: failed to fetch anonymous token: 401 Unauthorized", "private.example/team/cart:1"),
        _pull("failed to authorize: failed to fetch anonymous token: 401 Unauthorized", "registry.example/frnot:1"),
    ),
    "image_registry_unreachable": (
        _pull("dial tcp: lookup registry.example on 10.0.0.2:53: no such host"),
        _pull("manifest unknown"),
    ),
    "image_rate_limited": (_pull("toomanyrequests: You have reached your pull rate limit"), _pull("manifest unknown")),
    "image_architecture": (_pull("no match for platform in manifest: not found"), _pull("manifest unknown")),
    "image_pull_failed": (_pull("unexpected media type"), _pull("manifest unknown")),
    "missing_secret": (_config('secret "keys" not found'), _config('secret "keys" not found', there="Secret/keys")),
    "missing_configmap": (
        _config('configmap "conf" not found'),
        _config('configmap "conf" not found', there="ConfigMap/conf"),
    ),
    "missing_config_key": (_config("couldn't find key url in ConfigMap prod/conf", there="ConfigMap/conf"), shop()),
    "wrong_command": (
        _crash(128, message='exec: "wge": executable file not found in $PATH', reason="StartError"),
        _crash(1, "some other failure"),
    ),
    "bad_environment": (
        _crash(1, ("panic: environment variable DEPLOY_ENV is not set")),
        _crash(1, "some other failure"),
    ),
    "init_container_hangs": (_init(1200), _init(60)),
    **_probes("liveness"),
    **_probes("readiness"),
    **_probes("startup"),
    "liveness_probe_timing": (
        _probe("liveness", _HASTY, "dial tcp 10.0.0.9:7070: connect: connection refused", killed=True),
        _probe("liveness", _HASTY, "dial tcp 10.0.0.9:7070: connect: connection refused", well=True),
    ),
    "startup_probe_timing": (
        _probe("startup", _HASTY, "dial tcp 10.0.0.9:7070: connect: connection refused", killed=True),
        _probe("startup", _HASTY, "dial tcp 10.0.0.9:7070: connect: connection refused", well=True),
    ),
    "not_ready": (
        _probe("readiness", _HTTP, "HTTP probe failed with statuscode: 503"),
        _probe("readiness", _WRONG, _REFUSED),
    ),
    "oom_killed": (_crash(137, reason="OOMKilled"), _crash(137)),
    "port_conflict": (_shared(conflict=True), _shared(conflict=False)),
    "scaled_to_zero": (_zero(0), _zero(1)),
    "pod_evicted": (_evicted(lacking=True), _evicted(lacking=False)),
    "crash_loop": (_crash(3, "boom"), _crash(143, "bye")),
}
