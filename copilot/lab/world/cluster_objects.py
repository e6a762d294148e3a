"""Objects that belong to the cluster rather than to a workload: nodes, namespaces, DNS, system parts, policies."""

from typing import Any

from copilot.core.value import JsonObject
from copilot.lab.world.clock import stamp
from copilot.lab.world.design import Design
from copilot.lab.world.images import GIB
from copilot.lab.world.nodes import Node
from copilot.lab.world.quantities import whole_mebibytes
from copilot.lab.world.system import PARTS, SystemPart

COREFILE = """.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
}
"""
_DNS_PORT = 53
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


def cluster_objects(design: Design) -> list[JsonObject]:
    """Return namespaces, storage class, DNS, system parts and policies (nodes come from :func:`node_object`)."""
    spaces = {"kube-system", "kube-public", "kube-node-lease", "default"}
    spaces |= {one.namespace for one in design.workloads.values()} | {part.namespace for part in PARTS}
    made: list[JsonObject] = [
        {"kind": "Namespace", "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}
        for name in sorted(spaces)
    ]
    made.append(
        {
            "kind": "StorageClass",
            "metadata": {"name": "gp3", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "ebs.csi.aws.com",
            "volumeBindingMode": "WaitForFirstConsumer",
        }
    )
    for name, value in (("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)):
        made.append({"kind": "PriorityClass", "metadata": {"name": name}, "value": value})
    for part in PARTS:
        made += _system(part)
    return [*made, *_dns(), *_policies(design), *_extras(design)]


def _dns() -> list[JsonObject]:
    ports = [{"name": "dns", "port": _DNS_PORT, "targetPort": _DNS_PORT, "protocol": "UDP"}]
    ports.append({"name": "dns-tcp", "port": _DNS_PORT, "targetPort": _DNS_PORT, "protocol": "TCP"})
    return [
        {"kind": "ConfigMap", "metadata": _meta("coredns", "kube-system"), "data": {"Corefile": COREFILE}},
        {
            "kind": "Service",
            "metadata": _meta("kube-dns", "kube-system") | {"labels": {"k8s-app": "kube-dns"}},
            "spec": {"selector": {"k8s-app": "kube-dns"}, "clusterIP": "10.96.0.10", "ports": ports},
        },
    ]


def _policies(design: Design) -> list[JsonObject]:
    """The shop's stores accept connections from the shop alone."""
    made = []
    for role in ("database", "cache"):
        one = design.role(role)
        rule = {
            "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": one.namespace}}}],
            "ports": [{"protocol": "TCP", "port": one.port}],
        }
        spec = {"podSelector": {"matchLabels": {"app": one.name}}, "policyTypes": ["Ingress"], "ingress": [rule]}
        made.append({"kind": "NetworkPolicy", "metadata": _meta(f"{one.name}-clients", one.namespace), "spec": spec})
    return made


def _extras(design: Design) -> list[JsonObject]:
    names = design.names
    budgets = {"embedding_ms": "80", "vector_search_ms": "120", "rerank_ms": "200", "first_token_ms": "2000"}
    made: list[JsonObject] = [
        {"kind": "ConfigMap", "metadata": _meta("latency-budget", names.assistant), "data": budgets},
        _nightly(design),
    ]
    for space in (names.shop, names.assistant, names.research):
        hard = {"pods": "80", "requests.cpu": "400", "requests.memory": "2Ti"}
        made.append({"kind": "ResourceQuota", "metadata": _meta("team-quota", space), "spec": {"hard": hard}})
    return made


def _nightly(design: Design) -> JsonObject:
    names = design.names
    container = {
        "name": "job",
        "image": f"{names.registry}/{names.shop}/{names['nightly']}:2.0.1",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
    }
    pod = {"restartPolicy": "OnFailure", "nodeSelector": {"pool": "general"}, "containers": [container]}
    template = {"metadata": {"labels": {"app": names["nightly"]}}, "spec": pod}
    job = {"spec": {"parallelism": 2, "completions": 2, "template": template}}
    spec = {"schedule": "15 2 * * *", "jobTemplate": job, "concurrencyPolicy": "Forbid"}
    return {"kind": "CronJob", "metadata": _meta(names["nightly"], names.shop), "spec": spec}


def _meta(name: str, namespace: str) -> JsonObject:
    return {"name": name, "namespace": namespace}


def _container_ports(port: int) -> list[JsonObject]:
    if port != _DNS_PORT:
        return [{"containerPort": port}]
    both = (("dns", "UDP"), ("dns-tcp", "TCP"))
    return [{"name": name, "containerPort": port, "protocol": protocol} for name, protocol in both]


def _system(part: SystemPart) -> list[JsonObject]:
    label = part.labels
    container: dict[str, Any] = {"name": part.name, "image": part.image}
    container["resources"] = {"requests": {"cpu": "50m", "memory": whole_mebibytes(part.app.memory * 0.8)}}
    if part.app.listens:
        container["ports"] = [one for port in part.app.listens for one in _container_ports(port)]
    critical = "system-node-critical" if part.kind == "DaemonSet" else "system-cluster-critical"
    pod: JsonObject = {"containers": [container], "serviceAccountName": "default", "priorityClassName": critical}
    spec: JsonObject = {"selector": {"matchLabels": label}, "template": {"metadata": {"labels": label}, "spec": pod}}
    if part.kind == "DaemonSet":
        pod["tolerations"] = [{"operator": "Exists"}]
        if part.gpu_only:
            pod["nodeSelector"] = {"nvidia.com/gpu.present": "true"}
    else:
        pod["nodeSelector"] = {"pool": "general"}
        spec["replicas"] = part.replicas
    if part.kind == "StatefulSet":
        spec["serviceName"] = part.name
    made = [{"kind": part.kind, "metadata": _meta(part.name, part.namespace) | {"labels": label}, "spec": spec}]
    if part.port:
        service = {"selector": label, "ports": [{"name": "metrics", "port": part.port, "targetPort": part.port}]}
        made.append(
            {"kind": "Service", "metadata": _meta(part.name, part.namespace) | {"labels": label}, "spec": service}
        )
    return made


def node_object(node: Node, at: float, devices: dict[str, int]) -> JsonObject:
    """Return the Node object that a machine's kubelet registers; ``devices``: extended resources by name."""
    labels = {
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": node.instance_type,
        "topology.kubernetes.io/region": node.zone[:-1],
        "topology.kubernetes.io/zone": node.zone,
        "eks.amazonaws.com/nodegroup": node.group,
        "pool": node.pool,
    }
    spec: JsonObject = {"providerID": f"aws:///{node.zone}/i-{node.address.replace('.', '')}"}
    if node.gpu_kind is not None:
        labels |= {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.product": node.gpu_kind.product.replace(" ", "-")}
        labels["nvidia.com/gpu.count"] = str(node.gpu_count)
        spec["taints"] = [dict(GPU_TAINT)]
    metadata: JsonObject = {"name": node.name, "labels": labels}
    if node.gpu_kind is not None:
        metadata["annotations"] = {"infra-copilot.io/terraform": _owner(node)}
    return {"kind": "Node", "metadata": metadata, "spec": spec, "status": node_status(node, at, devices, devices)}


def variable_of(pool: str) -> str:
    """Return the Terraform variable that holds the number of machines of a pool."""
    return f"desired_{pool}"


def _owner(node: Node) -> str:
    """Machines with GPUs are bought through Terraform: directory, variable and address of their group."""
    return f'terraform#{variable_of(node.pool)}#terraform_data.node_group["{node.group}"]'


def node_status(node: Node, at: float, devices: dict[str, int], capacity: dict[str, int]) -> JsonObject:
    """Return the status that a healthy kubelet reports; ``devices`` are those healthy now."""
    plain = {"cpu": str(int(node.cpu)), "memory": f"{int(node.memory / 1024)}Ki", "pods": "110"}
    plain["ephemeral-storage"] = f"{int(node.disk / 1024)}Ki"
    allocatable = plain | {"memory": f"{int((node.memory - GIB) / 1024)}Ki"}
    return {
        "capacity": plain | {name: str(count) for name, count in capacity.items()},
        "allocatable": allocatable | {name: str(count) for name, count in devices.items()},
        "addresses": [{"type": "InternalIP", "address": node.address}, {"type": "Hostname", "address": node.name}],
        "conditions": conditions(node, at),
        "nodeInfo": {
            "kubeletVersion": "v1.33.4",
            "kubeProxyVersion": "v1.33.4",
            "containerRuntimeVersion": "containerd://2.1.4",
            "osImage": "Bottlerocket OS 1.44.0 (aws-k8s-1.33)",
            "kernelVersion": "6.12.40",
            "operatingSystem": "linux",
            "architecture": "amd64",
            "machineID": node.address.replace(".", "").ljust(32, "0"),
            "systemUUID": node.address.replace(".", "").ljust(32, "1"),
            "bootID": node.address.replace(".", "").ljust(32, "2"),
        },
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
    }


_HEALTHY = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def conditions(node: Node, at: float, *, since: float | None = None, disk_pressure: bool = False) -> list[JsonObject]:
    """Return the conditions a running kubelet reports."""
    beat, start = stamp(at), stamp(since if since is not None else at)
    times = {"lastHeartbeatTime": beat, "lastTransitionTime": start}
    found = []
    for kind, reason, message in _HEALTHY:
        bad = disk_pressure and kind == "DiskPressure"
        reason = "KubeletHasDiskPressure" if bad else reason
        message = "kubelet has disk pressure" if bad else message
        found.append(
            {"type": kind, "status": "True" if bad else "False", "reason": reason, "message": message, **times}
        )
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return [*found, {**ready, **times}]
