"""Garbage collection: dependents of absent owners go; foreground and orphan deletions are completed."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.controllers.base import Again, Controller, is_deleting
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.deletion import FOREGROUND, ORPHAN
from copilot.lab.kube_api.kinds import BY_KIND
from copilot.lab.kube_api.meta import Key, key_of


class GarbageCollector(Controller):
    """Keys are owner uids (in ``name``): of owners that are gone, or that wait for their dependents."""

    kinds: ClassVar[frozenset[str]] = frozenset(BY_KIND) - {"Event", "Node", "Lease"}

    def observe(self, change: Change) -> Iterable[Key]:
        """The uid of a deleted or deleting object, and the owners of a dependent that left."""
        meta = change.obj["metadata"]
        if change.verb == "DELETED":
            yield Key(change.kind, meta["uid"])
            for owner in meta.get("ownerReferences") or ():
                yield Key(owner["kind"], owner["uid"])
        elif is_deleting(change.obj) and meta.get("finalizers"):
            yield Key(change.kind, meta["uid"])
        elif change.verb == "ADDED":
            for owner in meta.get("ownerReferences") or ():
                yield Key(owner["kind"], owner["uid"])

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Delete or release what the owner with this uid leaves behind."""
        kind, uid = key
        dependents = self.store.peek_owned(uid)
        owner = self._find(kind, uid)
        if owner is None:
            for obj in dependents:
                self._release_or_delete(obj, uid)
            return None
        finalizers = owner["metadata"].get("finalizers") or ()
        if not is_deleting(owner):
            return None
        if ORPHAN in finalizers:
            for obj in dependents:
                self._drop_reference(obj, uid)
            self._drop_finalizer(owner, ORPHAN)
        elif FOREGROUND in finalizers:
            self._foreground(owner, dependents, uid)
        return None

    def _find(self, kind: str, uid: str) -> JsonObject | None:
        if kind not in BY_KIND:
            return None
        return next((obj for obj in self.store.peek_all(kind) if obj["metadata"]["uid"] == uid), None)

    def _foreground(self, owner: JsonObject, dependents: list[JsonObject], uid: str) -> None:
        blocking = [obj for obj in dependents if _blocks(obj, uid)]
        for obj in dependents:
            if not is_deleting(obj):
                meta = obj["metadata"]
                self.store.delete(obj["kind"], meta.get("namespace", ""), meta["name"], propagation="Foreground")
        if not blocking or not any(self.store.peek(obj["kind"], *key_of(obj)) for obj in blocking):
            self._drop_finalizer(owner, FOREGROUND)

    def _release_or_delete(self, obj: JsonObject, uid: str) -> None:
        others = [owner for owner in obj["metadata"]["ownerReferences"] if owner["uid"] != uid]
        if any(self._find(owner["kind"], owner["uid"]) for owner in others):
            self._drop_reference(obj, uid)
        elif not is_deleting(obj):
            self.store.delete(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])

    def _drop_reference(self, obj: JsonObject, uid: str) -> None:
        kept = [owner for owner in obj["metadata"]["ownerReferences"] if owner["uid"] != uid]
        body: JsonObject = {"metadata": {"ownerReferences": kept or None}}
        self.store.patch(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"], body)

    def _drop_finalizer(self, owner: JsonObject, finalizer: str) -> None:
        kept = [name for name in owner["metadata"].get("finalizers") or () if name != finalizer]
        body: JsonObject = {"metadata": {"finalizers": kept or None}}
        self.store.patch(owner["kind"], owner["metadata"].get("namespace", ""), owner["metadata"]["name"], body)


def _blocks(obj: JsonObject, uid: str) -> bool:
    owners = obj["metadata"]["ownerReferences"]
    return any(owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in owners)
