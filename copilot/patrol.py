"""One pass of looking: every signal's new columns through the detectors, and the cluster's state beside them.

The first pass reads back far enough for baselines; later passes read what is new. Time is the source's.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from copilot.core.case import Anomaly
from copilot.core.cluster import ClusterDump
from copilot.core.series import Panel
from copilot.errors import CopilotError
from copilot.ports.clock import Clock
from copilot.ports.read import Cluster, Metrics, Scope

STEP = timedelta(seconds=30)
"""Spacing of the columns that detectors see."""
HISTORY = timedelta(hours=6)
"""Read back on the first pass, at ``COARSE`` spacing: enough for a robust baseline (see ``detectors``)."""
COARSE = timedelta(minutes=1)
_AT_ONCE = 8
_OLD, _NEAR = timedelta(hours=1), timedelta(minutes=10)
_LONGEST_GAP = timedelta(hours=1)


class Signal(Protocol):
    """What is asked: a line of the signal catalogue."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def query(self) -> str:
        """Its PromQL."""
        ...


class Scan(Protocol):
    """Detectors and thresholds over panels by signal name."""

    def feed(self, panels: Mapping[str, Panel]) -> list[Anomaly]:
        """Take new columns; return what is anomalous now."""
        ...


StateScan = Callable[[ClusterDump], Sequence[Anomaly]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one pass saw. ``blind``: what could not be looked at, and why."""

    at: datetime
    anomalies: tuple[Anomaly, ...]
    dump: ClusterDump | None
    blind: tuple[str, ...]


@dataclass(slots=True)
class Memory:
    """What is known from one pass to the next. ``read_to``: metrics up to here were taken.

    ``states``: when each anomaly of the cluster's state that the last pass, at ``stated``, saw began.
    """

    scan: Scan
    read_to: datetime | None = None
    states: dict[str, datetime] = field(default_factory=dict)
    stated: datetime | None = None


class Patrol:
    """Looks again and again; its memory is kept between passes, one patrol per process."""

    def __init__(
        self,
        cluster: Cluster | None,
        metrics: Metrics | None,
        *,
        memory: Memory,
        state: StateScan,
        signals: Sequence[Signal],
        clock: Clock,
        history: timedelta = HISTORY,
        namespace: str = "",
    ) -> None:
        self._namespace = namespace
        self._cluster = cluster
        self._metrics = metrics
        self.memory = memory
        self._state = state
        self._signals = signals
        self._clock = clock
        self._history = history

    async def look(self, *, namespace: str = "") -> Seen:
        """Look once; a source that cannot be read is said in ``blind``, never taken for healthy."""
        namespace = namespace or self._namespace
        first = self.memory.stated is None
        (metric, blind, at), (dump, state, unseen) = await asyncio.gather(
            self._metric(), self._cluster_state(namespace)
        )
        if first and dump is not None:
            self.memory.states |= {a.fingerprint: _began(a, metric, dump.taken_at) for a in state}
            state = [a.model_copy(update={"onset": self.memory.states[a.fingerprint]}) for a in state]
        kept = [a for a in (*metric, *state) if not namespace or a.resource.namespace in ("", namespace)]
        return Seen(at, tuple(kept), dump, (*blind, *unseen))

    async def _cluster_state(self, namespace: str) -> tuple[ClusterDump | None, list[Anomaly], list[str]]:
        if self._cluster is None:
            return None, [], ["the cluster: no Kubernetes API is configured"]
        try:
            dump = await self._cluster.dump(Scope(namespace=namespace, logs=False))
        except CopilotError as error:
            return None, [], [f"the cluster: {error.message}"]
        missing = [f"{m.what}: {m.why}" for m in dump.missing]
        return dump, self._dated(dump), missing

    def _dated(self, dump: ClusterDump) -> list[Anomaly]:
        """Return the state's anomalies; one that the pass before did not see cannot have begun before that pass."""
        found = list(self._state(dump))
        floor = self.memory.stated or datetime.min.replace(tzinfo=UTC)
        self.memory.states = {a.fingerprint: self.memory.states.get(a.fingerprint, max(a.onset, floor)) for a in found}
        self.memory.stated = dump.taken_at
        return [a.model_copy(update={"onset": min(self.memory.states[a.fingerprint], a.seen)}) for a in found]

    async def _metric(self) -> tuple[list[Anomaly], list[str], datetime]:
        if self._metrics is None:
            return [], ["metrics: no metrics source is configured"], self._clock.now()
        try:
            now = await self._metrics.now()
        except CopilotError as error:
            return [], [f"metrics: {error.message}"], self._clock.now()
        blind: list[str] = []
        if self.memory.read_to is None or now - self.memory.read_to > _LONGEST_GAP:
            await self._feed(now - self._history, now - COARSE, COARSE, blind)
            self.memory.read_to = now - COARSE
        anomalies = await self._feed(self.memory.read_to + STEP, now, STEP, blind)
        self.memory.read_to = max(self.memory.read_to, now - (now - self.memory.read_to) % STEP)
        return anomalies, sorted(set(blind)), now

    async def _feed(self, start: datetime, end: datetime, step: timedelta, blind: list[str]) -> list[Anomaly]:
        if start > end:
            return self.memory.scan.feed({})
        gate = asyncio.Semaphore(_AT_ONCE)
        panels = await asyncio.gather(*(self._panel(s, start, end, step, gate) for s in self._signals))
        named: dict[str, Panel] = {}
        for signal, panel in zip(self._signals, panels, strict=True):
            if isinstance(panel, str):
                blind.append(panel)
            elif panel.values.size:
                named[signal.name] = panel
        return await asyncio.to_thread(self.memory.scan.feed, named)

    async def _panel(
        self, signal: Signal, start: datetime, end: datetime, step: timedelta, gate: asyncio.Semaphore
    ) -> Panel | str:
        if self._metrics is None:
            return "metrics: no metrics source is configured"
        async with gate:
            try:
                series = await self._metrics.range(signal.query, start, end, step=step)
            except CopilotError as error:
                return f"metric {signal.name}: {error.message}"
        return Panel.align(series, step.total_seconds())


def _began(state: Anomaly, metric: Sequence[Anomaly], now: datetime) -> datetime:
    """Return when a state that the very first look found began.

    Where the API keeps no moment of its own, a state is dated with the object's creation, long before the harm. So an
    old date counts only when metrics show harm after it; else that harm's date does, or a moment before the look.
    """
    if now - state.onset < _OLD:
        return state.onset
    spaces = ("", state.resource.namespace)
    harm = [a.onset for a in metric if not state.resource.namespace or a.resource.namespace in spaces]
    if any(-_NEAR <= one - state.onset <= _OLD for one in harm):
        return state.onset
    return max(state.onset, min(harm, default=now - _NEAR))
