"""Looking once for a case: the cluster's dump and the last hour of every signal, kept for a minute.

A dump is large, and cases come in bursts. So there is one at a time, which all cases share that it is new enough for,
and none when nobody is at work.
"""

import asyncio
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from copilot.agent.checks import Signal
from copilot.agent.groups import with_groups
from copilot.core.case import Anomaly
from copilot.core.cluster import ClusterDump, MetricWindow, Missing
from copilot.core.series import Float64
from copilot.errors import CopilotError
from copilot.ports.clock import Clock
from copilot.ports.read import Cloud, Cluster, Metrics, Scope

WINDOW = timedelta(hours=1)
STEP = timedelta(seconds=30)
LONGEST = timedelta(hours=32)
_BEFORE = timedelta(minutes=10)
"""Least time before something began that tells what was usual."""
Detect = Callable[[ClusterDump], Sequence[Anomaly]]
Explains = Callable[[ClusterDump, Sequence[Anomaly]], bool]
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
        self._kept: tuple[int, datetime, timedelta, ClusterDump] | None = None

    async def look(self, key: str, *, since: datetime, began: datetime | None = None) -> ClusterDump:
        """Return a dump not older than a minute, nor than ``since``; ``key`` is whose it is (a case).

        ``began``: when what it is about began, by the metrics' clock; the metrics reach back well beyond that.
        """
        self._after.setdefault(key, 0)
        span = await self._span(began)
        async with self._reading:
            now = self._clock.now()
            if (
                self._kept is not None
                and self._kept[0] > self._after[key]
                and self._kept[1] >= max(since, now - _FRESH)
                and self._kept[2] == span
            ):
                return self._kept[3]
            self._kept = None  # Before the next one is read, so that there are never two.
            self._reads += 1
            number = self._reads
            dump = await self.read(Scope(), span=span)
            self._kept = (number, now, span, dump)
            return dump

    def forget(self, key: str) -> None:
        """Look afresh next time."""
        self._after[key] = self._reads

    def leave(self, key: str) -> None:
        """Keep nothing for this one any more."""
        self._after.pop(key, None)
        if not self._after:
            self._kept = None

    async def read(self, scope: Scope, *, span: timedelta = WINDOW) -> ClusterDump:
        """Return a dump read now, with the last ``span`` of the metrics."""
        dump, (windows, missing) = await asyncio.gather(self._cluster_dump(scope), self._windows(span))
        return replace(dump, metrics=windows, missing=(*dump.missing, *missing))

    async def survey(self, scope: Scope, detect: Detect, explains: Explains) -> tuple[ClusterDump, tuple[Anomaly, ...]]:
        """Return a dump read now and what is out of bounds in it.

        Where ``explains`` finds no cause in it for what began before its metrics do, they are read from further back:
        what is compared with an hour of the outage itself looks as usual.
        """
        dump = await self.read(scope)
        found = tuple(await asyncio.to_thread(detect, dump))
        if await self._span(earliest(found)) == WINDOW or await asyncio.to_thread(explains, dump, found):
            return dump, found
        far, _ = await self._windows(LONGEST)
        good = [edges[0] for one in found if (edges := _edges(one, far))]
        windows, missing = await self._windows(await self._span(min(good, default=None)))
        wide = replace(dump, metrics=windows, missing=tuple(dict.fromkeys((*dump.missing, *missing))))
        dated = tuple(_dated(one, windows) for one in found)
        return (wide, dated) if await asyncio.to_thread(explains, wide, dated) else (dump, found)

    async def _span(self, began: datetime | None) -> timedelta:
        """Return how far back to look for what began then: an hour, doubled until what was before it shows."""
        span = WINDOW
        if began is None or self._metrics is None:
            return span
        try:
            since = await self._metrics.now() - began
        except CopilotError:
            return span
        while span < LONGEST and since > span - _BEFORE:
            span = min(2 * span, LONGEST)
        return span

    async def _cluster_dump(self, scope: Scope) -> ClusterDump:
        if self._cluster is None:
            absent = (Missing("the cluster", "no Kubernetes API is configured"),)
            return ClusterDump(taken_at=self._clock.now(), objects={}, missing=absent, namespace=scope.namespace)
        return await with_groups(await self._cluster.dump(scope), self._cloud)

    async def _windows(self, span: timedelta) -> tuple[dict[str, list[MetricWindow]], list[Missing]]:
        if self._metrics is None:
            return {}, [Missing("metrics", "no metrics source is configured")]
        try:
            end = await self._metrics.now()
        except CopilotError as error:
            return {}, [Missing("metrics", error.message)]
        gate = asyncio.Semaphore(_AT_ONCE)
        read = await asyncio.gather(*(self._window(s, end, span, gate) for s in self._signals))
        found = {s.name: w for s, w in zip(self._signals, read, strict=True) if isinstance(w, list)}
        return found, [w for w in read if isinstance(w, Missing)]

    async def _window(
        self, signal: Signal, end: datetime, span: timedelta, gate: asyncio.Semaphore
    ) -> list[MetricWindow] | Missing:
        if self._metrics is None:
            return []
        async with gate:
            try:
                series = await self._metrics.range(signal.query, end - span, end, step=STEP * (span / WINDOW))
            except CopilotError as error:
                return Missing(f"metric {signal.name}", error.message)
        # Arrays, not lists: a quarter of the room, and windows are most of a dump.
        known = (signal.query, signal.title, signal.unit)
        return [MetricWindow(signal.labels(s.labels), _floats(s.times), _floats(s.values), *known) for s in series]


def earliest(found: Sequence[Anomaly]) -> datetime | None:
    """Return when the first of what metrics show began; None when they show nothing."""
    return min((a.onset for a in found if a.source == "detector"), default=None)


def _edges(anomaly: Anomaly, metrics: Mapping[str, Sequence[MetricWindow]]) -> tuple[datetime, datetime] | None:
    """Return when the anomaly's series was last within its bound, and when it has been beyond it since.

    Both are the beginning of a series that was never within it; None where its series or its bound is not known.
    """
    window = next((w for w in metrics.get(anomaly.signal, ()) if w.labels == anomaly.labels and len(w.times)), None)
    if window is None or anomaly.bound is None or anomaly.value is None:
        return None
    sign = 1 if anomaly.value >= anomaly.bound else -1
    good = bad = window.times[-1]
    for good, value in zip(reversed(window.times), reversed(window.values), strict=True):
        if (value - anomaly.bound) * sign < 0:
            break
        bad = good
    return datetime.fromtimestamp(good, UTC), datetime.fromtimestamp(bad, UTC)


def _dated(anomaly: Anomaly, metrics: Mapping[str, Sequence[MetricWindow]]) -> Anomaly:
    edges = _edges(anomaly, metrics)
    return anomaly if edges is None else anomaly.model_copy(update={"onset": min(edges[1], anomaly.onset)})


def _floats(values: Float64) -> Sequence[float]:
    return array("d", values.astype(np.float64).tobytes())
