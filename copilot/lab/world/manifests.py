"""Kubernetes objects of a workload, written as its owner would have applied them."""

from typing import Any

from copilot.core.value import JsonObject
from copilot.lab.world.blueprint import Workload
from copilot.lab.world.quantities import whole_mebibytes

CONFIG_KEYS = {"LOG_LEVEL": "info", "REGION": "primary", "FEATURE_FLAGS": "recommendations,wishlist"}


def labels(workload: Workload) -> dict[str, str]:
    """Labels of a workload and its pods."""
    return {"app": workload.name, "app.kubernetes.io/part-of": workload.namespace, **workload.labels}


def objects(workload: Workload, addresses: dict[str, str]) -> list[JsonObject]:
    """Return every object of a workload; ``addresses`` gives the address behind each callee."""
    made = [_config(workload), _controller(workload, addresses)]
    if workload.app.listens:
        made.append(_service(workload))
    if workload.budget:
        made.append(_budget(workload))
    if workload.autoscale:
        made.append(_autoscaler(workload))
    return made


def meta(workload: Workload, name: str = "") -> JsonObject:
    """Metadata of an object that belongs to a workload."""
    return {"name": name or workload.name, "namespace": workload.namespace, "labels": labels(workload)}


def _config(workload: Workload) -> JsonObject:
    return {"kind": "ConfigMap", "metadata": meta(workload, f"{workload.name}-config"), "data": dict(CONFIG_KEYS)}


def _service(workload: Workload) -> JsonObject:
    port = {"name": workload.protocol, "port": workload.service_port, "targetPort": workload.port, "protocol": "TCP"}
    spec = {"selector": {"app": workload.name}, "ports": [port]}
    return {"kind": "Service", "metadata": meta(workload), "spec": spec}


def _budget(workload: Workload) -> JsonObject:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": workload.name}}}
    return {"kind": "PodDisruptionBudget", "metadata": meta(workload), "spec": spec}


def _autoscaler(workload: Workload) -> JsonObject:
    target = {"type": "Utilization", "averageUtilization": 65}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": workload.kind, "name": workload.name},
        "minReplicas": workload.replicas,
        "maxReplicas": workload.autoscale,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return {"kind": "HorizontalPodAutoscaler", "metadata": meta(workload), "spec": spec}


def _controller(workload: Workload, addresses: dict[str, str]) -> JsonObject:
    spec: JsonObject = {"template": template(workload, addresses)}
    if workload.kind == "Job":
        spec |= {"completionMode": "Indexed", "completions": workload.replicas, "parallelism": workload.replicas}
        spec |= {"backoffLimit": 1000}
        return {"kind": "Job", "metadata": meta(workload), "spec": spec}
    spec |= {"replicas": workload.replicas, "selector": {"matchLabels": {"app": workload.name}}}
    if workload.kind == "Deployment":
        spec["strategy"] = _strategy(workload)
    else:
        spec |= {"serviceName": workload.name, "podManagementPolicy": "Parallel"}
    if workload.claim and workload.kind == "StatefulSet":
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": _claim_spec(workload)}]
    return {"kind": workload.kind, "metadata": meta(workload), "spec": spec}


def _strategy(workload: Workload) -> JsonObject:
    if workload.strategy != "RollingUpdate":
        return {"type": workload.strategy}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}


def template(workload: Workload, addresses: dict[str, str]) -> JsonObject:
    """Return the pod template of a workload."""
    spec: JsonObject = {
        "containers": [_container(workload, addresses)],
        "nodeSelector": {"pool": workload.pool},
        "terminationGracePeriodSeconds": 30,
    }
    if workload.tolerations:
        spec["tolerations"] = [dict(one) for one in workload.tolerations]
    if workload.kind == "Job":
        spec["restartPolicy"] = "OnFailure"
    return {"metadata": {"labels": labels(workload)}, "spec": spec}


def _container(workload: Workload, addresses: dict[str, str]) -> JsonObject:
    container: JsonObject = {
        "name": workload.name,
        "image": workload.image,
        "imagePullPolicy": "IfNotPresent",
        "env": _environment(workload, addresses),
        "resources": _resources(workload),
    }
    if workload.args:
        container["args"] = list(workload.args)
    if workload.app.listens:
        container["ports"] = [{"name": workload.protocol, "containerPort": workload.port}]
    if workload.claim and workload.kind == "StatefulSet":
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    if workload.probes and workload.app.listens:
        container |= _probes(workload)
    return container


def _environment(workload: Workload, addresses: dict[str, str]) -> list[JsonObject]:
    plain = {call.env: addresses[call.callee] for call in workload.calls} | dict(workload.env)
    env: list[JsonObject] = [{"name": name, "value": value} for name, value in plain.items()]
    for key in ("LOG_LEVEL", "REGION"):
        source = {"configMapKeyRef": {"name": f"{workload.name}-config", "key": key}}
        env.append({"name": key, "valueFrom": source})
    return env


def _resources(workload: Workload) -> JsonObject:
    asked = {"cpu": _cpu(workload.cpu[0]), "memory": whole_mebibytes(workload.memory[0])}
    limits = {"cpu": _cpu(workload.cpu[1]), "memory": whole_mebibytes(workload.memory[1])}
    devices = {name: str(count) for name, count in workload.gpus.items()}
    return {"requests": asked | devices, "limits": limits | devices}


def _cpu(cores: float) -> str:
    return str(int(cores)) if cores == int(cores) else f"{round(cores * 1000)}m"


def _probes(workload: Workload) -> JsonObject:
    check: dict[str, Any] = {"tcpSocket": {"port": workload.port}}
    if workload.app.paths:
        check = {"httpGet": {"path": workload.app.paths[-1], "port": workload.port}}
    probes: JsonObject = {"readinessProbe": {**check, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3}}
    if not workload.liveness:
        return probes
    live = {**check, "httpGet": {**check["httpGet"], "path": workload.app.paths[0]}} if workload.app.paths else check
    patience = int(workload.app.startup) + 40
    probes["livenessProbe"] = {**live, "initialDelaySeconds": patience, "periodSeconds": 10, "timeoutSeconds": 5}
    return probes


def _claim_spec(workload: Workload) -> JsonObject:
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "gp3",
        "resources": {"requests": {"storage": workload.claim}},
    }
