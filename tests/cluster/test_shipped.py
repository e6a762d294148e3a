"""What `deploy/` ships is accepted by a real API server, field by field, and its pods by the admission it asks for."""

from __future__ import annotations

import pytest

from tests.cluster.client import JsonObject
from tests.cluster.control_plane import ControlPlane
from tests.cluster.processes import wait_until
from tests.cluster.shipped import FENCE, kinds_shipped, shipped
from tests.cluster.workloads import gpu_node

pytestmark = pytest.mark.cluster

REST = ("ConfigMap", "Secret", "PersistentVolumeClaim", "Service", "Deployment", "PodDisruptionBudget", "NetworkPolicy")


@pytest.mark.parametrize(
    "manifest", shipped((*FENCE, *REST)), ids=lambda each: f"{each['kind']}/{each['metadata']['name']}"
)
def test_the_api_server_accepts_it_without_a_warning(cluster: ControlPlane, manifest: JsonObject) -> None:
    admin = cluster.client()
    path = f"{admin.path_of(manifest)}/{manifest['metadata']['name']}"
    query = {"fieldManager": "test", "fieldValidation": "Strict", "dryRun": "All", "force": "true"}
    headers = {"Content-Type": "application/apply-patch+yaml"}
    answer = admin.http.patch(path, params=query, json=manifest, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    assert "warning" not in answer.headers


def test_every_kind_that_is_shipped_is_among_these() -> None:
    assert kinds_shipped() == set(FENCE) | set(REST)


def test_its_pods_run_under_the_pod_security_of_its_namespace(cluster: ControlPlane) -> None:
    admin = cluster.client()
    admin.create(gpu_node("home", gpus=0))
    admin.create_all(shipped(("ConfigMap", "Secret", "Deployment")))
    pods = "/api/v1/namespaces/infra-copilot/pods"
    wait_until(lambda: bool(admin.get(pods)["items"]), what=f"a pod of the shipped Deployment in {pods}")
