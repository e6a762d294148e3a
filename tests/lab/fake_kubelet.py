"""A kubelet for tests: runs every bound pod at once, and ends those that are being deleted."""

from datetime import UTC, datetime, timedelta

from copilot.core.value import JsonObject
from copilot.lab.controllers import ControllerSet
from copilot.lab.kube_api.meta import timestamp
from copilot.lab.kube_api.store import ObjectStore

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Cluster:
    """Store, controllers and kubelets of a small cluster; images in ``broken`` never become ready."""

    def __init__(self, *, nodes: int = 3, gpus: int = 0) -> None:
        self.clock = Clock()
        self.store = ObjectStore(self.clock)
        self.controllers = ControllerSet(self.store)
        self.broken: set[str] = set()
        self._addresses = 0
        for name in ("default", "kube-system", "shop"):
            self.store.create({"kind": "Namespace", "metadata": {"name": name}})
        for number in range(nodes):
            self.store.create(node(f"node-{number}", gpus=gpus))
        self.settle()

    def settle(self, *, steps: int = 12, dt: timedelta = timedelta(seconds=1)) -> None:
        """Let controllers and kubelets work for a while."""
        for _ in range(steps):
            self.clock.now += dt
            self.controllers.step(self.clock.now)
            for pod in self.store.peek_all("Pod"):
                self._run(pod)
            self.controllers.step(self.clock.now)

    def _run(self, pod: JsonObject) -> None:
        meta = pod["metadata"]
        if "deletionTimestamp" in meta:
            self.store.delete("Pod", meta["namespace"], meta["name"], grace=timedelta())
        elif pod["spec"].get("nodeName") and pod["status"].get("phase") == "Pending":
            self._addresses += 1
            address = f"10.244.0.{self._addresses}"
            self.store.set_status("Pod", meta["namespace"], meta["name"], self._status(pod, address))

    def _status(self, pod: JsonObject, address: str) -> JsonObject:
        at = timestamp(self.clock())
        ready = not any(container["image"] in self.broken for container in pod["spec"]["containers"])
        state = "True" if ready else "False"
        kinds = (("Initialized", "True"), ("Ready", state), ("ContainersReady", state))
        conditions = [{"type": kind, "status": value, "lastTransitionTime": at} for kind, value in kinds]
        containers = [
            {
                "name": one["name"],
                "image": one["image"],
                "imageID": f"sha256:{one['name']}",
                "ready": ready,
                "started": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": at}},
            }
            for one in pod["spec"]["containers"]
        ]
        scheduled = pod["status"].get("conditions") or []
        return {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": "10.0.0.1",
            "startTime": at,
            "qosClass": pod["status"]["qosClass"],
            "conditions": conditions + scheduled,
            "containerStatuses": containers,
        }

    def deployment(self, name: str = "web", *, replicas: int = 3, image: str = "web:1", **spec: object) -> JsonObject:
        """Create a Deployment in ``shop`` and let it settle."""
        self.store.create(deployment(name, replicas=replicas, image=image) | {})
        if spec:
            self.store.patch("Deployment", "shop", name, {"spec": spec})
        self.settle()
        return self.store.get("Deployment", "shop", name)

    def events(self, reason: str) -> list[str]:
        """Messages of the events with this reason."""
        return [event["message"] for event in self.store.peek_all("Event") if event["reason"] == reason]


def node(name: str, *, gpus: int = 0, cpu: str = "8") -> JsonObject:
    """A ready node."""
    capacity = {"cpu": cpu, "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    if gpus:
        capacity["nvidia.com/gpu"] = str(gpus)
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    times = {"lastHeartbeatTime": timestamp(START), "lastTransitionTime": timestamp(START)}
    info = {"kubeletVersion": "v1.33.13", "osImage": "Debian GNU/Linux 12", "kernelVersion": "6.1.0"}
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "status": {
            "capacity": capacity,
            "conditions": [ready | times],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "nodeInfo": info | {"containerRuntimeVersion": "containerd://1.7.2", "architecture": "amd64"},
        },
    }


def deployment(name: str, *, replicas: int = 3, image: str = "web:1") -> JsonObject:
    """A Deployment in ``shop`` with one container."""
    container = {
        "name": "app",
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"kind": "Deployment", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}
