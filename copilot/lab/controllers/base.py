"""What a controller is: it names the keys that a change makes dirty, and brings one key to its desired state."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.core.value import JsonObject
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.events import EventRecorder
from copilot.lab.kube_api.meta import Key, controller_of
from copilot.lab.kube_api.store import ObjectStore

Again = timedelta | None
"""When to look at a key again although nothing changed; ``None`` for not before a change."""


class Controller(ABC):
    """One reconciler; ``kinds`` are the kinds whose changes it wants to see."""

    kinds: ClassVar[frozenset[str]]

    def __init__(self, store: ObjectStore, events: EventRecorder) -> None:
        self.store = store
        self.events = events

    @abstractmethod
    def observe(self, change: Change) -> Iterable[Key]:
        """Keys of this controller's own kind that the change makes dirty."""

    @abstractmethod
    def reconcile(self, key: Key, now: datetime) -> Again:
        """Bring one object to its desired state; must be idempotent. Absent objects are nothing to do."""


def key_in(change: Change) -> Key:
    """Key of the object that changed."""
    return Key(change.namespace, change.name)


def owner_keys(change: Change, kind: str) -> Iterable[Key]:
    """Keys of the controlling owners of this kind, before and after the change."""
    for obj in (change.obj, change.before):
        owner = controller_of(obj) if obj else None
        if owner is not None and owner["kind"] == kind:
            yield Key(change.namespace, owner["name"])


def is_deleting(obj: JsonObject) -> bool:
    """Whether deletion of the object has begun."""
    return "deletionTimestamp" in obj["metadata"]
