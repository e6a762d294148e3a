"""The shipped admission policy on a real API server: with every right there is, the executor can do little harm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cluster.client import JsonObject
from tests.cluster.control_plane import ControlPlane
from tests.cluster.processes import wait_until
from tests.cluster.workloads import deployment, gpu_node, namespace

pytestmark = pytest.mark.cluster

SHOP = "fenced-shop"
MERGE = {"Content-Type": "application/merge-patch+json"}
GRANT: JsonObject = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "granted-by-mistake"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "infra-copilot-executor", "namespace": "infra-copilot"}],
}


@pytest.fixture(scope="module")
def executor(cluster: ControlPlane) -> Iterator[httpx.Client]:
    """The executor with the rights of a cluster administrator, which only the fence holds back."""
    admin = cluster.client()
    admin.create_all([namespace(SHOP), gpu_node("fenced"), deployment("web", namespace=SHOP), GRANT])
    admin.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": SHOP}})
    admin.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": SHOP}})
    pods = f"/api/v1/namespaces/{SHOP}/pods"
    wait_until(lambda: bool(admin.get(pods)["items"]), what="a pod of web")
    http = cluster.client("executor").http
    # The API server compiles a new policy, and learns of a binding, within seconds of its creation.
    wait_until(lambda: "creates nothing" in _post(http, f"/api/v1/namespaces/{SHOP}/configmaps").text, what="the fence")
    yield http
    for path in (
        f"{RBAC}/clusterrolebindings/granted-by-mistake",
        f"/api/v1/namespaces/{SHOP}",
        "/api/v1/nodes/fenced",
    ):
        admin.delete(path)


def _post(http: httpx.Client, path: str, **body: Any) -> httpx.Response:
    return http.post(path, json={"metadata": {"name": "made"}, **body})


WEB = f"/apis/apps/v1/namespaces/{SHOP}/deployments/web"
CORE = f"/api/v1/namespaces/{SHOP}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
TOKEN: JsonObject = {"metadata": {"name": "default"}, "spec": {}}
POD: JsonObject = {"spec": {"containers": [{"name": "x", "image": "x"}]}}
RULES: JsonObject = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
SHELL: JsonObject = {"params": {"command": "id", "stdout": "true", "container": "app"}}
LABEL: JsonObject = {"metadata": {"labels": {"nvidia.com/mig.config": "all-1g.10gb"}}}
DENIED: dict[str, tuple[str, str, JsonObject, str]] = {
    "a pod is made": ("POST", f"{CORE}/pods", POD, "creates nothing but evictions"),
    "a role is made": ("POST", f"{RBAC}/clusterroles", RULES, "may not change objects of this kind"),
    "a token is made": ("POST", f"{CORE}/serviceaccounts/default/token", TOKEN, "creates nothing but evictions"),
    "a secret is changed": ("PATCH", f"{CORE}/secrets/s", {"stringData": {"a": "b"}}, "objects of this kind"),
    "a deployment is deleted": ("DELETE", WEB, {}, "deletes nothing but pods"),
    "all pods are deleted": ("DELETE", f"{CORE}/pods", {}, "never a collection"),
    "a namespace is deleted": ("DELETE", f"/api/v1/namespaces/{SHOP}", {}, "objects of this kind"),
    "a node is deleted": ("DELETE", "/api/v1/nodes/fenced", {}, "deletes nothing but pods"),
    "a node is labelled": ("PATCH", "/api/v1/nodes/fenced", LABEL, "no label of a node"),
    "a node's status is forged": ("PATCH", "/api/v1/nodes/fenced/status", {"status": {"phase": "x"}}, "no status"),
    "a status is forged": ("PATCH", f"{WEB}/status", {"status": {"replicas": 9}}, "no status"),
    "a pod is changed": ("PATCH", f"{CORE}/pods/POD", {"metadata": {"labels": {"a": "b"}}}, "catalogue knows"),
    "a shell is opened": ("EXEC", f"{CORE}/pods/POD/exec", SHELL, "opens no shell"),
    "its own namespace": ("PATCH", "/api/v1/namespaces/infra-copilot/serviceaccounts/default", {}, "protected"),
}


@pytest.mark.parametrize("case", DENIED)
def test_the_fence_denies_whatever_the_roles_allow(cluster: ControlPlane, executor: httpx.Client, case: str) -> None:
    verb, path, body, said = DENIED[case]
    # A dry run is admitted like any other request: were a hole there, nothing would be broken for the tests after.
    answer = _send(executor, verb, path.replace("POD", _pod(cluster)), body, dry=True)
    assert answer.status_code in (403, 422), answer.text
    assert said in answer.text


ALLOWED: dict[str, tuple[str, str, JsonObject]] = {
    "cordon": ("PATCH", "/api/v1/nodes/fenced", {"spec": {"unschedulable": True}}),
    "taint": ("PATCH", "/api/v1/nodes/fenced", {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}),
    "scale": ("PATCH", WEB, {"spec": {"replicas": 2}}),
    "scale by its subresource": ("PATCH", f"{WEB}/scale", {"spec": {"replicas": 3}}),
    "restart": ("PATCH", WEB, {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}),
    "a field of a ConfigMap": ("PATCH", f"{CORE}/configmaps/c", {"data": {"MODE": "safe"}}),
    "evict": ("POST", f"{CORE}/pods/POD/eviction", {"apiVersion": "policy/v1", "kind": "Eviction"}),
    "delete a pod": ("DELETE", f"{CORE}/pods/POD", {}),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_the_catalogue_does_passes(cluster: ControlPlane, executor: httpx.Client, case: str) -> None:
    verb, path, body = ALLOWED[case]
    name = _pod(cluster)
    if case == "evict":
        body = {**body, "metadata": {"name": name}}
    answer = _send(executor, verb, path.replace("POD", name), body)
    assert answer.status_code in (200, 201), answer.text


def _pod(cluster: ControlPlane) -> str:
    """Return a pod of web that is not going away."""
    admin = cluster.client()

    def alive() -> list[JsonObject]:
        return [p for p in admin.get(f"{CORE}/pods")["items"] if "deletionTimestamp" not in p["metadata"]]

    wait_until(lambda: bool(alive()), what="a pod of web")
    return str(alive()[0]["metadata"]["name"])


def _send(http: httpx.Client, verb: str, path: str, body: JsonObject, *, dry: bool = False) -> httpx.Response:
    query = {"dryRun": "All"} if dry else {}
    if verb == "EXEC":
        upgrade = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}
        return http.post(path, params=body["params"], headers=upgrade)
    if verb == "POST":
        return http.post(path, params=query, json={"metadata": {"name": "made"}, **body})
    if verb == "PATCH":
        return http.patch(path, params=query, json=body, headers=MERGE)
    return http.delete(path, params=query)
