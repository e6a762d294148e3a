"""ControllerRevisions: the stored template history of StatefulSets and DaemonSets."""

from copilot.core.value import JsonObject
from copilot.lab.controllers.revisions import template_hash
from copilot.lab.kube_api.meta import Key, copied, labels_of, owner_reference
from copilot.lab.kube_api.store import ObjectStore

HASH_LABEL = "controller-revision-hash"


def _of(store: ObjectStore, owner: JsonObject) -> list[JsonObject]:
    found = store.peek_owned(owner["metadata"]["uid"], "ControllerRevision")
    return sorted(found, key=lambda one: int(one["revision"]))


def current(store: ObjectStore, owner: JsonObject) -> str:
    """Name of the revision of the owner's present template, created or renumbered where needed; trims the history."""
    template = owner["spec"]["template"]
    name = f"{owner['metadata']['name']}-{template_hash(template)}"
    have = _of(store, owner)
    newest = int(have[-1]["revision"]) if have else 0
    namespace = owner["metadata"]["namespace"]
    same = next((one for one in have if one["metadata"]["name"] == name), None)
    if same is None:
        store.create(_made(owner, name, newest + 1))
    elif int(same["revision"]) < newest:
        store.mutate("ControllerRevision", Key(namespace, name), lambda obj: obj.update(revision=newest + 1))
    limit = owner["spec"].get("revisionHistoryLimit", 10)
    old = [one for one in have if one["metadata"]["name"] != name]
    for one in old[: max(len(old) - limit, 0)]:
        store.delete("ControllerRevision", namespace, one["metadata"]["name"])
    return hash_of(owner, name)


def hash_of(owner: JsonObject, name: str) -> str:
    """What pods carry as revision: a StatefulSet's whole revision name, a DaemonSet's bare hash."""
    return name if owner["kind"] == "StatefulSet" else name.rpartition("-")[2]


def template_of(store: ObjectStore, owner: JsonObject, revision: str) -> JsonObject:
    """Pod template of a revision; the owner's present one when that revision is gone."""
    for one in _of(store, owner):
        if hash_of(owner, one["metadata"]["name"]) == revision:
            template = copied(one["data"]["spec"]["template"])
            template.pop("$patch", None)
            return template
    found: JsonObject = owner["spec"]["template"]
    return found


def _made(owner: JsonObject, name: str, number: int) -> JsonObject:
    template = {**copied(owner["spec"]["template"]), "$patch": "replace"}
    labels = {**labels_of(owner["spec"]["template"]), HASH_LABEL: hash_of(owner, name)}
    meta: JsonObject = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [owner_reference(owner)],
    }
    annotations = owner["metadata"].get("annotations")
    if annotations:
        meta["annotations"] = dict(annotations)
    return {
        "kind": "ControllerRevision",
        "metadata": meta,
        "data": {"spec": {"template": template}},
        "revision": number,
    }
