"""Looking once for a case: the cluster's dump and the last hour of every signal, kept for a minute.

A dump is large, and cases come in bursts. So there is one at a time, which all cases share that it is new enough for,
and none when nobody is at work.
"""

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from copilot.agent.checks import Signal
from copilot.agent.groups import with_groups
from copilot.core.cluster import ClusterDump, MetricWindow, Missing
from copilot.core.series import Float64
from copilot.errors import CopilotError
from copilot.ports.clock import Clock
from copilot.ports.read import Cloud, Cluster, Metrics, Scope

WINDOW = timedelta(hours=1)
STEP = timedelta(seconds=30)
_FRESH = timedelta(minutes=1)
_AT_ONCE = 8


class Sight:
    """Reads what diagnosis and runbooks need; what cannot be read is said in ``missing``."""

    def __init__(
        self,
        cluster: Cluster | None,
        metrics: Metrics | None,
        *,
        clock: Clock,
        signals: Sequence[Signal],
        cloud: Cloud | None = None,
    ) -> None:
        self._cloud = cloud
        self._cluster = cluster
        self._metrics = metrics
        self._clock = clock
        self._signals = signals
        self._reading = asyncio.Lock()
        self._reads = 0
        self._after: dict[str, int] = {}
        """Who is at work, and how many reads had begun when they last wished for a later one."""
        self._kept: tuple[int, datetime, ClusterDump] | None = None

    async def look(self, key: str, *, since: datetime) -> ClusterDump:
        """Return a dump not older than a minute, nor than ``since``; ``key`` is whose it is (a case)."""
        self._after.setdefault(key, 0)
        async with self._reading:
            now = self._clock.now()
            if (
                self._kept is not None
                and self._kept[0] > self._after[key]
                and self._kept[1] >= max(since, now - _FRESH)
            ):
                return self._kept[2]
            self._kept = None  # Before the next one is read, so that there are never two.
            self._reads += 1
            number = self._reads
            dump = await self.read(Scope())
            self._kept = (number, now, dump)
            return dump

    def forget(self, key: str) -> None:
        """Look afresh next time."""
        self._after[key] = self._reads

    def leave(self, key: str) -> None:
        """Keep nothing for this one any more."""
        self._after.pop(key, None)
        if not self._after:
            self._kept = None

    async def read(self, scope: Scope) -> ClusterDump:
        """Return a dump read now."""
        dump, (windows, missing) = await asyncio.gather(self._cluster_dump(scope), self._windows())
        return replace(dump, metrics=windows, missing=(*dump.missing, *missing))

    async def _cluster_dump(self, scope: Scope) -> ClusterDump:
        if self._cluster is None:
            absent = (Missing("the cluster", "no Kubernetes API is configured"),)
            return ClusterDump(taken_at=self._clock.now(), objects={}, missing=absent, namespace=scope.namespace)
        return await with_groups(await self._cluster.dump(scope), self._cloud)

    async def _windows(self) -> tuple[dict[str, list[MetricWindow]], list[Missing]]:
        if self._metrics is None:
            return {}, [Missing("metrics", "no metrics source is configured")]
        try:
            end = await self._metrics.now()
        except CopilotError as error:
            return {}, [Missing("metrics", error.message)]
        gate = asyncio.Semaphore(_AT_ONCE)
        read = await asyncio.gather(*(self._window(s, end, gate) for s in self._signals))
        found = {s.name: w for s, w in zip(self._signals, read, strict=True) if isinstance(w, list)}
        return found, [w for w in read if isinstance(w, Missing)]

    async def _window(self, signal: Signal, end: datetime, gate: asyncio.Semaphore) -> list[MetricWindow] | Missing:
        if self._metrics is None:
            return []
        async with gate:
            try:
                series = await self._metrics.range(signal.query, end - WINDOW, end, step=STEP)
            except CopilotError as error:
                return Missing(f"metric {signal.name}", error.message)
        # Arrays, not lists: a quarter of the room, and windows are most of a dump.
        known = (signal.query, signal.title, signal.unit)
        return [MetricWindow(signal.labels(s.labels), _floats(s.times), _floats(s.values), *known) for s in series]


def _floats(values: Float64) -> Sequence[float]:
    return array("d", values.astype(np.float64).tobytes())
