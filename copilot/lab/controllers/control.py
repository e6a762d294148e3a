"""Running all controllers: changes in, dirty keys reconciled until quiet; costs nothing while nothing changes."""

import heapq
from datetime import datetime

from copilot.lab.controllers.autoscaler import CpuUsage, HorizontalAutoscaler
from copilot.lab.controllers.base import Controller
from copilot.lab.controllers.catalogue import CONTROLLERS
from copilot.lab.kube_api.events import EventRecorder
from copilot.lab.kube_api.meta import Key
from copilot.lab.kube_api.store import ObjectStore

_MOST_ROUNDS = 200


class ControllerSet:
    """The controllers of one cluster. ``cpu_usage`` gives a pod's CPU cores for autoscaling, ``None`` when unknown."""

    def __init__(self, store: ObjectStore, *, cpu_usage: CpuUsage | None = None) -> None:
        self.store = store
        self.events = EventRecorder(store)
        self._controllers: list[Controller] = [make(store, self.events) for make in CONTROLLERS]
        self._controllers.append(HorizontalAutoscaler(store, self.events, cpu_usage=cpu_usage))
        self._by_kind: dict[str, list[int]] = {}
        for number, controller in enumerate(self._controllers):
            for kind in controller.kinds:
                self._by_kind.setdefault(kind, []).append(number)
        self._dirty: list[dict[Key, None]] = [{} for _ in self._controllers]
        self._timers: list[tuple[datetime, int, Key]] = []
        self._due: dict[tuple[int, Key], datetime] = {}
        self._seen = store.oldest_version

    def step(self, now: datetime) -> int:
        """Reconcile everything that became dirty or due by ``now``; returns how many keys were reconciled."""
        with self.store.lock:
            done = 0
            for _ in range(_MOST_ROUNDS):
                self._take_changes()
                self._take_timers(now)
                count = self._reconcile(now)
                if not count:
                    break
                done += count
            return done

    def _take_changes(self) -> None:
        if self._seen == self.store.version:
            return
        for change in self.store.changes_since(self._seen):
            for number in self._by_kind.get(change.obj["kind"], ()):
                self._dirty[number].update(dict.fromkeys(self._controllers[number].observe(change)))
        self._seen = self.store.version

    def _take_timers(self, now: datetime) -> None:
        while self._timers and self._timers[0][0] <= now:
            due, number, key = heapq.heappop(self._timers)
            if self._due.get((number, key)) == due:
                del self._due[number, key]
                self._dirty[number][key] = None

    def _reconcile(self, now: datetime) -> int:
        count = 0
        for number, controller in enumerate(self._controllers):
            keys = self._dirty[number]
            if not keys:
                continue
            self._dirty[number] = {}
            for key in keys:
                self._reconcile_one(number, controller, key, now)
            count += len(keys)
        return count

    def _reconcile_one(self, number: int, controller: Controller, key: Key, now: datetime) -> None:
        again = controller.reconcile(key, now)
        if again is None:
            self._due.pop((number, key), None)
            return
        due = now + again
        self._due[number, key] = due
        heapq.heappush(self._timers, (due, number, key))
