"""Events older than an hour are forgotten, as the API server's TTL does."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar

from copilot.lab.controllers.base import Again, Controller
from copilot.lab.kube_api.changes import Change
from copilot.lab.kube_api.events import TTL, EventRecorder, last_seen
from copilot.lab.kube_api.meta import Key, parse_time
from copilot.lab.kube_api.store import ObjectStore

_SWEEP = Key("", "")
_EVERY = timedelta(minutes=10)


class EventExpiry(Controller):
    """One key stands for the sweep; it wakes while there are events."""

    kinds: ClassVar[frozenset[str]] = frozenset(("Event",))

    def __init__(self, store: ObjectStore, events: EventRecorder) -> None:
        super().__init__(store, events)
        self._armed = False

    def observe(self, change: Change) -> Iterable[Key]:
        """The first event starts the clock."""
        if self._armed or change.verb == "DELETED":
            return ()
        self._armed = True
        return (_SWEEP,)

    def reconcile(self, key: Key, now: datetime) -> Again:
        """Delete what is too old; look again while anything is left."""
        old = [event["metadata"] for event in self.store.peek_all("Event") if now - parse_time(last_seen(event)) >= TTL]
        for meta in old:
            self.store.delete("Event", meta["namespace"], meta["name"])
        if old:
            self.events.forget({Key(one["metadata"]["namespace"], one["metadata"]["name"]) for one in self._left()})
        self._armed = bool(self._left())
        return _EVERY if self._armed else None

    def _left(self) -> list[dict[str, dict[str, str]]]:
        return self.store.peek_all("Event")
