"""The lab's etcd: objects by kind and key, optimistic concurrency, graceful deletion, and a log of every change.

Stored objects are never changed in place: a write replaces the whole object. ``peek*`` therefore hand out the stored
objects themselves at no cost (read only, by convention), while ``get`` and ``list`` return copies to edit.
Thread-safe; forks with the process; pickles without locks and subscribers.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from copilot.core.value import JsonObject
from copilot.lab.kube_api import addresses, deletion
from copilot.lab.kube_api.changes import Change, ChangeLog, Verb
from copilot.lab.kube_api.defaults import apply_defaults
from copilot.lab.kube_api.kinds import BY_KIND, Resource
from copilot.lab.kube_api.meta import Key, copied, key_of, labels_of, random_suffix, random_uid, timestamp
from copilot.lab.kube_api.selectors import FieldTerm, Selector, fields_match, parse_fields, parse_labels
from copilot.lab.kube_api.status import already_exists, conflict, not_found

Propagation = Literal["Background", "Foreground", "Orphan"]
_SERVER_OWNED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
_PICKLED_CHANGES = 2_000
_FIRST_VERSION = 1_000


class ObjectStore:
    """All objects of one cluster; ``clock`` gives the simulated time, ``seed`` decides uids and generated names."""

    def __init__(self, clock: Callable[[], datetime], *, seed: int = 0, keep: int = 20_000) -> None:
        self.clock = clock
        self.random = random.Random(seed)
        self.lock = threading.RLock()
        self._objects: dict[str, dict[Key, JsonObject]] = {kind: {} for kind in BY_KIND}
        self._owned: dict[str, dict[tuple[str, Key], None]] = {}
        self._log = ChangeLog(keep=keep, start=_FIRST_VERSION)
        self._subscribers: list[Callable[[], None]] = []

    # ---- reading

    @property
    def version(self) -> int:
        """The resourceVersion of the newest write."""
        return self._log.latest

    @property
    def oldest_version(self) -> int:
        """The oldest resourceVersion from which a watch can resume."""
        return self._log.oldest

    def peek(self, kind: str, namespace: str, name: str) -> JsonObject | None:
        """The stored object itself, or ``None``; do not change it."""
        return self._objects[kind].get(Key(namespace, name))

    def peek_all(self, kind: str, namespace: str = "") -> list[JsonObject]:
        """The stored objects themselves in creation order; do not change them."""
        with self.lock:
            found = self._objects[kind]
            if not namespace:
                return list(found.values())
            return [obj for key, obj in found.items() if key.namespace == namespace]

    def peek_owned(self, uid: str, kind: str = "") -> list[JsonObject]:
        """Objects that carry an ownerReference to ``uid``, optionally of one kind; do not change them."""
        with self.lock:
            return [self._objects[k][key] for k, key in self._owned.get(uid, ()) if not kind or k == kind]

    def get(self, kind: str, namespace: str, name: str) -> JsonObject:
        """Return a copy; raises :class:`ApiError` 404."""
        return copied(self._existing(kind, Key(namespace, name)))

    def list(
        self,
        kind: str,
        namespace: str = "",
        selector: Selector | str | None = None,
        field_selector: tuple[FieldTerm, ...] | str | None = None,
    ) -> list[JsonObject]:
        """Return copies in the API's order (namespace, name), filtered by labels and fields."""
        return [copied(obj) for obj in self.select(kind, namespace, selector, field_selector)]

    def select(
        self,
        kind: str,
        namespace: str = "",
        selector: Selector | str | None = None,
        field_selector: tuple[FieldTerm, ...] | str | None = None,
    ) -> Sequence[JsonObject]:
        """As :meth:`list`, without copying; do not change what it returns."""
        labels = parse_labels(selector) if isinstance(selector, str) else selector
        terms = parse_fields(field_selector) if isinstance(field_selector, str) else field_selector
        found = self.peek_all(kind, namespace)
        if labels is not None and labels.requirements:
            found = [obj for obj in found if labels.matches(labels_of(obj))]
        if terms:
            found = [obj for obj in found if fields_match(obj, terms)]
        return sorted(found, key=key_of)

    def changes_since(self, version: int) -> Sequence[Change]:
        """Every change after ``version`` in order; raises :class:`ApiError` 410 when too old."""
        with self.lock:
            return self._log.since(version)

    def subscribe(self, call: Callable[[], None]) -> Callable[[], None]:
        """Run ``call`` after every write, in the writer's thread; returns the function that ends it."""
        self._subscribers.append(call)

        def end() -> None:
            if call in self._subscribers:
                self._subscribers.remove(call)

        return end

    # ---- writing

    def create(self, obj: JsonObject, *, dry_run: bool = False) -> JsonObject:
        """Store a new object with defaults, uid and name; returns it. Raises :class:`ApiError` 409 if taken.

        Takes over a copy. Status is kept as given, for a world that creates things in their final state.
        """
        resource = BY_KIND[obj["kind"]]
        new = copied(obj)
        with self.lock:
            meta = self._new_meta(resource, new.setdefault("metadata", {}))
            new = {"apiVersion": resource.api_version, "kind": resource.kind, **new, "metadata": meta}
            new["apiVersion"] = resource.api_version
            apply_defaults(new)
            if resource.kind == "Service":
                addresses.assign(new, self._objects["Service"].values(), self.random)
            key = key_of(new)
            if key in self._objects[resource.kind]:
                raise already_exists(resource, key.name)
            if not dry_run:
                self._commit("ADDED", new, None)
        return new

    def update(
        self, obj: JsonObject, *, resource_version: str = "", dry_run: bool = False, keep_status: bool = False
    ) -> JsonObject:
        """Replace an object; returns the stored one. Raises :class:`ApiError` 404, or 409 when the version differs.

        The version compared is ``resource_version`` or else the object's own; none of both writes unconditionally.
        An update that changes nothing writes nothing. ``keep_status`` ignores the given status.
        """
        key = key_of(obj)
        with self.lock:
            before = self._existing(obj["kind"], key)
            asked = resource_version or obj["metadata"].get("resourceVersion", "")
            if asked and asked != before["metadata"]["resourceVersion"]:
                raise conflict(BY_KIND[obj["kind"]], key.name)
            return self._replace(before, copied(obj), dry_run=dry_run, keep_status=keep_status)

    def mutate(
        self, kind: str, key: Key, change: Callable[[JsonObject], object], *, keep_generation: bool = False
    ) -> JsonObject:
        """Let ``change`` edit a copy in place and store it; returns the stored object. Raises :class:`ApiError` 404.

        ``keep_generation`` is for controllers that annotate through the status path, as the real ones do.
        """
        with self.lock:
            before = self._existing(kind, key)
            new = copied(before)
            change(new)
            return self._replace(before, new, keep_generation=keep_generation)

    def patch(self, kind: str, namespace: str, name: str, body: JsonObject) -> JsonObject:
        """Apply a merge patch (RFC 7386); returns the stored object. Raises :class:`ApiError` 404 or 409."""
        return self.mutate(kind, Key(namespace, name), lambda obj: merge(obj, body))

    def set_status(self, kind: str, namespace: str, name: str, status: JsonObject) -> JsonObject:
        """Replace the status alone; returns the stored object. Raises :class:`ApiError` 404."""
        with self.lock:
            before = self._existing(kind, Key(namespace, name))
            if before.get("status") == status:
                return before
            return self._replace(before, {**before, "metadata": dict(before["metadata"]), "status": copied(status)})

    def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        grace: timedelta | None = None,
        propagation: Propagation = "Background",
        dry_run: bool = False,
    ) -> JsonObject:
        """Delete, or mark as deleting while grace or finalizers hold; returns the object as it was left.

        ``grace`` ``None`` takes the object's own period; zero removes a pod at once, as its kubelet does at the end.
        Raises :class:`ApiError` 404, or 409 when a precondition does not hold.
        """
        with self.lock:
            before = self._existing(kind, Key(namespace, name))
            deletion.check_preconditions(BY_KIND[kind], before, uid=uid, resource_version=resource_version)
            new = deletion.marked(before, now=self.clock(), grace=grace, propagation=propagation)
            if new is None:
                ended = deletion.ended(before, now=self.clock())
                return ended if dry_run else self._remove(ended)
            if dry_run or new == before:
                return new
            return self._store_update(before, new)

    # ---- inside

    def _existing(self, kind: str, key: Key) -> JsonObject:
        found = self._objects[kind].get(key)
        if found is None:
            raise not_found(BY_KIND[kind], key.name)
        return found

    def _new_meta(self, resource: Resource, given: JsonObject) -> JsonObject:
        meta = {field: value for field, value in given.items() if field not in _SERVER_OWNED}
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + random_suffix(self.random)
        if resource.namespaced:
            meta.setdefault("namespace", "default")
        else:
            meta.pop("namespace", None)
        meta["uid"] = random_uid(self.random)
        meta["creationTimestamp"] = timestamp(self.clock())
        meta.pop("generation", None)
        meta.pop("resourceVersion", None)
        if resource.generation:
            meta["generation"] = 1
        return meta

    def _replace(
        self,
        before: JsonObject,
        new: JsonObject,
        *,
        dry_run: bool = False,
        keep_status: bool = False,
        keep_generation: bool = False,
    ) -> JsonObject:
        _keep_identity(before, new)
        if keep_status:
            _keep_status(before, new)
        if _desired(new) != _desired(before):
            apply_defaults(new)
        if new == before:
            return before
        meta = new["metadata"]
        if "generation" in meta and not keep_generation and _counts_as_change(new, before):
            meta["generation"] += 1
        if dry_run:
            return new
        if deletion.is_finished(new):
            self._remove(new)
            return new
        return self._store_update(before, new)

    def _store_update(self, before: JsonObject, new: JsonObject) -> JsonObject:
        self._commit("MODIFIED", new, before)
        return new

    def _remove(self, last: JsonObject) -> JsonObject:
        gone = {**last, "metadata": dict(last["metadata"])}
        self._commit("DELETED", gone, self._objects[last["kind"]][key_of(last)])
        return gone

    def _commit(self, verb: Verb, obj: JsonObject, before: JsonObject | None) -> None:
        version = self._log.latest + 1
        obj["metadata"]["resourceVersion"] = str(version)
        kind, key = obj["kind"], key_of(obj)
        for owner in _owners(before):
            self._owned[owner].pop((kind, key), None)
            if not self._owned[owner]:
                del self._owned[owner]
        if verb == "DELETED":
            del self._objects[kind][key]
        else:
            self._objects[kind][key] = obj
            for owner in _owners(obj):
                self._owned.setdefault(owner, {})[(kind, key)] = None
        self._log.append(Change(version, verb, obj, before))
        for call in tuple(self._subscribers):
            call()

    def __getstate__(self) -> dict[str, Any]:
        with self.lock:
            state = dict(self.__dict__)
            log = ChangeLog(start=self._log.oldest)
            log.__dict__.update(self._log.__dict__, _changes=list(self._log.since(self._log.oldest)))
            log.trim(_PICKLED_CHANGES)
            state["_log"], state["_subscribers"] = log, []
            del state["lock"]
            return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.RLock()


def _owners(obj: JsonObject | None) -> Iterator[str]:
    if obj is not None:
        for owner in obj["metadata"].get("ownerReferences") or ():
            yield owner["uid"]


def _keep_identity(before: JsonObject, new: JsonObject) -> None:
    old, meta = before["metadata"], new["metadata"]
    for field in ("resourceVersion", "generation", *_SERVER_OWNED):
        meta.pop(field, None)
        if field in old:
            meta[field] = old[field]


def _keep_status(before: JsonObject, new: JsonObject) -> None:
    new.pop("status", None)
    if "status" in before:
        new["status"] = before["status"]


def _desired(obj: JsonObject) -> JsonObject:
    return {field: value for field, value in obj.items() if field not in ("metadata", "status")}


def _counts_as_change(new: JsonObject, before: JsonObject) -> bool:
    """Whether a write raises the generation: any change of the spec, and of a Deployment's annotations."""
    if new["kind"] == "Deployment" and new["metadata"].get("annotations") != before["metadata"].get("annotations"):
        return True
    return _desired(new) != _desired(before)


def merge(target: JsonObject, patch: JsonObject) -> JsonObject:
    """Apply a JSON merge patch to ``target`` in place and return it (RFC 7386: null removes, lists replace)."""
    for field, value in patch.items():
        if value is None:
            target.pop(field, None)
        elif isinstance(value, dict):
            inner = target.get(field)
            target[field] = merge(inner if isinstance(inner, dict) else {}, value)
        else:
            target[field] = value
    return target
