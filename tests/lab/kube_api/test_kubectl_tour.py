"""An engineer's day with stock kubectl against a cluster that answers back."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from copilot.lab.kube_api.meta import is_active
from tests.lab.kube_api.live import Live, live

_VENV = Path(sys.executable).parent / "kubectl"
KUBECTL = str(_VENV) if _VENV.exists() else shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="no kubectl on this machine")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def kubectl(cluster: Live) -> Run:
    def run(*argv: str, role: str = "admin", ok: bool = True, text: str = "") -> subprocess.CompletedProcess[str]:
        common = ["--kubeconfig", str(cluster.kubeconfig(role)), "--cache-dir", str(cluster.folder / "cache")]
        done = subprocess.run(
            [str(KUBECTL), *common, *argv], capture_output=True, text=True, timeout=60, input=text, check=False
        )
        assert (done.returncode == 0) == ok, f"kubectl {' '.join(argv)}: {done.stdout}{done.stderr}"
        return done

    return run


def images(cluster: Live) -> set[str]:
    pods = [pod for pod in cluster.cluster.store.peek_all("Pod", "shop") if is_active(pod)]
    return {pod["spec"]["containers"][0]["image"] for pod in pods}


@pytest.mark.parametrize("what", ["pods", "deployments", "services", "nodes", "events", "endpoints", "rs"])
def test_get_in_every_form(kubectl: Run, what: str) -> None:
    assert kubectl("get", what, "-o", "wide").stdout.count("\n") > 1
    assert json.loads(kubectl("get", what, "-o", "json").stdout)["items"]
    assert "apiVersion: v1" in kubectl("get", what, "-o", "yaml").stdout


def test_describe(kubectl: Run, cluster: Live) -> None:
    pod = cluster.cluster.store.peek_all("Pod", "shop")[0]["metadata"]["name"]
    assert "Successfully assigned" in kubectl("describe", "pod", pod).stdout
    assert "ScalingReplicaSet" in kubectl("describe", "deploy", "web").stdout
    assert "nvidia.com/gpu" in kubectl("describe", "node", "node-0").stdout
    assert "Endpoints:" in kubectl("describe", "svc", "web").stdout


def test_logs(kubectl: Run, cluster: Live) -> None:
    name = cluster.cluster.store.peek_all("Pod", "shop")[0]["metadata"]["name"]
    assert kubectl("logs", name).stdout == "one of app\ntwo of app\nthree of app\n"
    assert kubectl("logs", name, "--tail=1").stdout == "three of app\n"
    assert kubectl("logs", name, "--previous").stdout.startswith("old of app")
    assert "is not valid for pod" in kubectl("logs", name, "-c", "ghost", ok=False).stderr


def test_scale_and_wait(kubectl: Run, cluster: Live) -> None:
    assert kubectl("scale", "deploy/web", "--replicas=4").stdout == "deployment.apps/web scaled\n"
    kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    assert cluster.cluster.store.get("Deployment", "shop", "web")["status"]["availableReplicas"] == 4
    kubectl("scale", "deploy/web", "--replicas=3")
    kubectl("wait", "--for=jsonpath={.status.availableReplicas}=3", "deploy/web", "--timeout=20s")


def test_rollout_and_undo(kubectl: Run, cluster: Live) -> None:
    kubectl("annotate", "deploy/web", "kubernetes.io/change-cause=second")
    kubectl("set", "image", "deploy/web", "app=web:2")
    kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    assert images(cluster) == {"web:2"}
    history = kubectl("rollout", "history", "deploy/web").stdout
    assert "second" in history
    kubectl("rollout", "undo", "deploy/web")
    kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    assert images(cluster) == {"web:1"}
    kubectl("rollout", "restart", "deploy/web")
    kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    assert cluster.cluster.store.get("Deployment", "shop", "web")["status"]["updatedReplicas"] == 3


def test_set_and_patch(kubectl: Run, cluster: Live) -> None:
    kubectl("set", "env", "deploy/web", "MODE=fast")
    kubectl("set", "resources", "deploy/web", "--limits=memory=128Mi")
    strategic = {
        "spec": {"template": {"spec": {"containers": [{"name": "app", "env": [{"name": "B", "value": "2"}]}]}}}
    }
    kubectl("patch", "deploy", "web", "-p", json.dumps(strategic))
    kubectl("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"minReadySeconds":1}}')
    kubectl(
        "patch", "deploy", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/minReadySeconds","value":0}]'
    )
    spec = cluster.cluster.store.get("Deployment", "shop", "web")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert {variable["name"]: variable["value"] for variable in container["env"]} == {"MODE": "fast", "B": "2"}
    assert container["resources"]["limits"] == {"memory": "128Mi"}
    refused = kubectl("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":-1}}', ok=False)
    assert "must be greater than or equal to 0" in refused.stderr


def test_label_annotate_taint(kubectl: Run) -> None:
    kubectl("label", "node", "node-2", "disk=ssd")
    assert "node-2" in kubectl("get", "nodes", "-l", "disk=ssd", "-o", "name").stdout
    kubectl("annotate", "node", "node-2", "note=hello")
    kubectl("taint", "node", "node-2", "dedicated=db:NoSchedule")
    assert "dedicated=db:NoSchedule" in kubectl("describe", "node", "node-2").stdout
    kubectl("taint", "node", "node-2", "dedicated=db:NoSchedule-")


def test_rehearsals_change_nothing(kubectl: Run, cluster: Live) -> None:
    before = cluster.cluster.store.get("Deployment", "shop", "web")["spec"]
    kubectl("scale", "deploy/web", "--replicas=9", "--dry-run=server")
    kubectl("set", "image", "deploy/web", "app=web:9", "--dry-run=server")
    kubectl("delete", "deploy", "web", "--dry-run=server")
    assert cluster.cluster.store.get("Deployment", "shop", "web")["spec"] == before
    assert any(entry.dry_run for entry in cluster.log.entries())


def test_cordon_drain_uncordon(kubectl: Run, cluster: Live) -> None:
    kubectl("cordon", "node-1")
    assert "SchedulingDisabled" in kubectl("get", "node", "node-1").stdout
    kubectl("drain", "node-1", "--timeout=30s")
    pods = cluster.cluster.store.peek_all("Pod", "shop")
    assert all(pod["spec"].get("nodeName") != "node-1" for pod in pods)
    kubectl("uncordon", "node-1")
    assert any(entry.path.endswith("/eviction") for entry in cluster.log.changes())


def test_drain_waits_for_a_budget(kubectl: Run) -> None:
    kubectl("create", "pdb", "web", "--selector=app=web", "--min-available=3")
    kubectl("wait", "--for=jsonpath={.status.currentHealthy}=3", "pdb/web", "--timeout=20s")
    held = [name for name in ("node-0", "node-1", "node-2") if "web-" in kubectl("describe", "node", name).stdout]
    refused = kubectl("drain", held[0], "--timeout=1s", ok=False)
    assert "would violate the pod's disruption budget" in refused.stderr
    kubectl("uncordon", held[0])
    kubectl("delete", "pdb", "web")


def test_create_and_delete(kubectl: Run) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}, "data": {"a": "b"}}
    kubectl("create", "-f", "-", text=json.dumps(manifest))
    kubectl("create", "deployment", "other", "--image=other:1", "--replicas=0")
    assert "AlreadyExists" in kubectl("create", "-f", "-", text=json.dumps(manifest), ok=False).stderr
    kubectl("delete", "deploy/other", "configmap/made", "--wait=true")
    assert "NotFound" in kubectl("get", "configmap", "made", ok=False).stderr


def test_deleted_pod_is_replaced(kubectl: Run, cluster: Live) -> None:
    name = cluster.cluster.store.peek_all("Pod", "shop")[0]["metadata"]["name"]
    kubectl("delete", "pod", name)
    kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    assert cluster.cluster.store.peek("Pod", "shop", name) is None


def test_what_there_is_and_what_one_may_do(kubectl: Run) -> None:
    assert "deployments" in kubectl("api-resources").stdout
    assert kubectl("auth", "can-i", "delete", "pods").stdout == "yes\n"
    assert kubectl("auth", "can-i", "delete", "pods", role="reader", ok=False).stdout == "no\n"
    assert "error" in kubectl("top", "pods", ok=False).stderr
    assert "the server doesn't have a resource type" in kubectl("get", "widgets", ok=False).stderr


def test_roles(kubectl: Run) -> None:
    assert "Forbidden" in kubectl("scale", "deploy/web", "--replicas=1", role="reader", ok=False).stderr
    assert "Forbidden" in kubectl("get", "secrets", role="reader", ok=False).stderr
    assert "Forbidden" in kubectl("delete", "pod", "x", "-n", "kube-system", role="executor", ok=False).stderr
    kubectl("scale", "deploy/web", "--replicas=3", role="executor")


def test_watch_prints_what_happens(cluster: Live) -> None:
    common = ["--kubeconfig", str(cluster.kubeconfig("admin")), "get", "pods", "-w", "-o", "name"]
    with subprocess.Popen([str(KUBECTL), *common], stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        first = [watching.stdout.readline() for _ in range(3)]
        cluster.cluster.store.patch("Deployment", "shop", "web", {"spec": {"replicas": 4}})
        later = watching.stdout.readline()
        watching.terminate()
    assert all(line.startswith("pod/web-") for line in [*first, later])
