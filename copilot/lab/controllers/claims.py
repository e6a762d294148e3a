"""Volume claims as the scheduler sees them: unbound, missing, or bound to a volume that a node cannot reach."""

from collections.abc import Iterator

from copilot.core.value import JsonObject
from copilot.lab.controllers import affinity
from copilot.lab.kube_api.store import ObjectStore

SELECTED_NODE = "volume.kubernetes.io/selected-node"


def claim_names(pod: JsonObject) -> Iterator[str]:
    """Names of the claims that a pod mounts."""
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            yield volume["persistentVolumeClaim"]["claimName"]


def waits_for_consumer(store: ObjectStore, claim: JsonObject) -> bool:
    """Whether the claim's class binds only once a pod is scheduled."""
    name = claim["spec"].get("storageClassName")
    found = store.peek("StorageClass", "", name) if name else None
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def problem(store: ObjectStore, pod: JsonObject) -> str:
    """Why no node can take the pod because of its claims, or the empty string."""
    for name in claim_names(pod):
        claim = store.peek("PersistentVolumeClaim", pod["metadata"]["namespace"], name)
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        if "deletionTimestamp" in claim["metadata"]:
            return f'persistentvolumeclaim "{name}" is being deleted'
        if not claim["spec"].get("volumeName") and not waits_for_consumer(store, claim):
            return "pod has unbound immediate PersistentVolumeClaims"
    return ""


def reachable(store: ObjectStore, pod: JsonObject, node: JsonObject) -> bool:
    """Whether every bound volume of the pod allows this node."""
    for name in claim_names(pod):
        claim = store.peek("PersistentVolumeClaim", pod["metadata"]["namespace"], name)
        volume = store.peek("PersistentVolume", "", (claim or {}).get("spec", {}).get("volumeName", ""))
        required = ((volume or {}).get("spec", {}).get("nodeAffinity") or {}).get("required")
        if required is not None:
            rules = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
            if not affinity.node_matches({"affinity": rules}, node):
                return False
    return True


def select_node(store: ObjectStore, pod: JsonObject, node: str) -> None:
    """Tell the volume binder where the pod of a waiting claim goes."""
    namespace = pod["metadata"]["namespace"]
    for name in claim_names(pod):
        claim = store.peek("PersistentVolumeClaim", namespace, name)
        if claim is not None and not claim["spec"].get("volumeName"):
            body = {"metadata": {"annotations": {SELECTED_NODE: node}}}
            store.patch("PersistentVolumeClaim", namespace, name, body)
