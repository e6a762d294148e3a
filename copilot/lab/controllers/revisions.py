"""Revisions of a Deployment: which ReplicaSet is its current one, numbering, history and its limit."""

import hashlib

from copilot.core.value import JsonObject, canonical
from copilot.lab.kube_api.meta import copied, owner_reference
from copilot.lab.kube_api.store import ObjectStore, Propagation

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HASH_LABEL = "pod-template-hash"
_OWN = (REVISION, HISTORY, DESIRED, MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration")
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_GONE: Propagation = "Background"


def template_hash(template: JsonObject) -> str:
    """A hash of a pod template as controllers write it: a 32-bit number, its digits in the API server's alphabet."""
    number = int.from_bytes(hashlib.sha256(canonical(template)).digest()[:4])
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def without_hash(template: JsonObject) -> JsonObject:
    """The template as its Deployment wrote it."""
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {field: value for field, value in meta.items() if value}}


def revision_of(obj: JsonObject) -> int:
    """Revision annotation as a number, 0 when absent."""
    return int((obj["metadata"].get("annotations") or {}).get(REVISION, 0))


def current(deployment: JsonObject, sets: list[JsonObject]) -> JsonObject | None:
    """The ReplicaSet whose template equals the Deployment's, the oldest if several."""
    wanted = without_hash(deployment["spec"]["template"])
    found = [one for one in sets if without_hash(one["spec"]["template"]) == wanted]
    return min(found, key=lambda one: str(one["metadata"]["creationTimestamp"]), default=None)


def set_annotations(deployment: JsonObject, replica_set: JsonObject, *, revision: int, maximum: int) -> bool:
    """Copy the Deployment's annotations and counters onto its ReplicaSet in place; whether anything changed."""
    found = replica_set["metadata"].get("annotations") or {}
    own = {key: value for key, value in found.items() if key in (REVISION, HISTORY)}
    given = deployment["metadata"].get("annotations") or {}
    wanted = {key: value for key, value in given.items() if key not in _OWN} | own
    wanted[DESIRED], wanted[MAXIMUM] = str(deployment["spec"]["replicas"]), str(maximum)
    old = int(found.get(REVISION, 0))
    if revision and revision != old:
        if old:
            wanted[HISTORY] = ",".join(filter(None, (found.get(HISTORY), str(old))))
        wanted[REVISION] = str(revision)
    changed = wanted != found
    replica_set["metadata"]["annotations"] = wanted
    return changed


def new_replica_set(deployment: JsonObject, *, name_hash: str, replicas: int) -> JsonObject:
    """The ReplicaSet for the Deployment's present template."""
    spec, meta = deployment["spec"], deployment["metadata"]
    template = copied(spec["template"])
    labels = {**(template["metadata"].get("labels") or {}), HASH_LABEL: name_hash}
    template["metadata"]["labels"] = labels
    selector = copied(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: name_hash}
    made: JsonObject = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{name_hash}",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }
    if spec.get("minReadySeconds"):
        made["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    return made


def forget_old(store: ObjectStore, deployment: JsonObject, old: list[JsonObject]) -> None:
    """Delete idle ReplicaSets beyond revisionHistoryLimit, oldest revision first."""
    idle = [one for one in old if not one["spec"]["replicas"] and not (one.get("status") or {}).get("replicas")]
    excess = len(idle) - deployment["spec"].get("revisionHistoryLimit", 10)
    for one in sorted(idle, key=revision_of)[: max(excess, 0)]:
        store.delete("ReplicaSet", one["metadata"]["namespace"], one["metadata"]["name"], propagation=_GONE)
