"""Small manifests for tests on the control plane: namespaces, KWOK nodes, Deployments that are well or broken."""

from __future__ import annotations

from collections.abc import Mapping

from tests.cluster.client import JsonObject

FAULT = "kwok.infra-copilot/fault"
"""Annotation that breaks a pod or node; see kwok/pod-faults.yaml and kwok/nodes.yaml."""


COMMON = "common"
"""The node of whatever has none of its own."""


def namespace(name: str) -> JsonObject:
    """Return a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def gpu_node(name: str, *, gpus: int = 8) -> JsonObject:
    """Return a node with GPUs for KWOK to bring to life."""
    room = {"cpu": "64", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": str(gpus)}
    labels = {"kubernetes.io/hostname": name, "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": room, "capacity": room},
    }


def deployment(
    name: str,
    *,
    namespace: str,
    replicas: int = 1,
    gpus: int = 0,
    image: str = "registry.example/app:1.0",
    annotations: Mapping[str, str] | None = None,
) -> JsonObject:
    """Return a Deployment of one container; `annotations` go on its pods, where the KWOK stages read them."""
    limits = {"cpu": "1", "memory": "1Gi"} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    container = {"name": "app", "image": image, "resources": {"limits": limits}}
    template = {"metadata": {"labels": {"app": name}, "annotations": dict(annotations or {})}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template | {"spec": {"containers": [container]}},
        },
    }


def workload(name: str, *, image: str, port: int = 0, own_node: bool = False) -> JsonObject:
    """Return a Deployment of one pod, without a namespace; with `own_node` it runs only on its namespace's node.

    Without, it runs on the node `common`: a node that another fault breaks would break it as well.
    """
    made = deployment(name, namespace="", image=image)
    del made["metadata"]["namespace"]
    pod = made["spec"]["template"]["spec"]
    if port:
        pod["containers"][0]["ports"] = [{"containerPort": port, "name": "http"}]
    pod["nodeSelector"] = {"kubernetes.io/hostname": "{node}" if own_node else COMMON}
    return made
