"""What would have been done? A metrics source's past through the same detectors and diagnosis; read-only.

The cluster's past state is not kept by anybody, so causes are named from metrics alone, and it is said which runbook
would have been asked for a plan.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import numpy as np

from copilot.core.case import Anomaly, Diagnosis, Findings, Verdict
from copilot.core.cluster import ClusterDump, MetricWindow
from copilot.core.series import Panel
from copilot.errors import CopilotError
from copilot.ports.read import Metrics

STEP = timedelta(minutes=1)
CHUNK = timedelta(hours=6)
SLICE = 5
"""Columns fed at once: five minutes, the time resolution of an episode."""
_WINDOW = 60
_AT_ONCE = 8
_CALM = timedelta(minutes=30)
"""Anomalies that come back within this time belong to the same episode."""
_UNFOLDS = timedelta(minutes=30)
"""For this long an episode is looked at again until it has a cause: the first sign is seldom the telling one."""


class Signal(Protocol):
    """What is asked of the source."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def query(self) -> str:
        """Its PromQL."""
        ...

    def labels(self, raw: Mapping[str, str]) -> dict[str, str]:
        """Return the labels that name its resource."""
        ...


class Scan(Protocol):
    """Detectors over panels."""

    def feed(self, panels: Mapping[str, Panel]) -> list[Anomaly]:
        """Take new columns; return what is anomalous now."""
        ...


@dataclass(frozen=True, slots=True)
class Episode:
    """One incident of the past: when, what was out of bounds, the cause, and the runbooks that know it."""

    begin: datetime
    end: datetime
    anomalies: tuple[Anomaly, ...]
    diagnosis: Diagnosis | None = None
    runbooks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """What a replay found, back to ``asked``. ``since``: the earliest moment of which the source had anything."""

    episodes: tuple[Episode, ...]
    asked: datetime
    since: datetime | None


Diagnose = Callable[[ClusterDump, Sequence[Anomaly]], Findings]
Progress = Callable[[int, int], None]


async def replay(
    metrics: Metrics, scan: Scan, signals: Sequence[Signal], diagnose: Diagnose, span: timedelta, *, tell: Progress
) -> Past:
    """Return the episodes of the last ``span``, oldest first; raises what the source raises for its own clock."""
    end = await metrics.now()
    start = end - span
    chunks = int(np.ceil(span / CHUNK))
    episodes: list[Episode] = []
    before: dict[str, Panel] = {}
    since: datetime | None = None
    for number in range(chunks):
        begin = start + number * CHUNK
        panels = await _read(metrics, signals, begin, min(begin + CHUNK - STEP, end))
        first = min((float(p.times[0]) for p in panels.values()), default=None)
        since = since or (None if first is None else datetime.fromtimestamp(first, UTC))
        for moment, anomalies in _slices(scan, panels):
            _note(episodes, anomalies, moment, partial(_dump, signals, (before, panels)), diagnose)
        before = panels
        tell(number + 1, chunks)
    return Past(tuple(episodes), start, since)


async def _read(metrics: Metrics, signals: Sequence[Signal], start: datetime, end: datetime) -> dict[str, Panel]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(signal: Signal) -> Panel | None:
        async with gate:
            try:
                series = await metrics.range(signal.query, start, end, step=STEP)
            except CopilotError:
                return None
        return Panel.align(series, STEP.total_seconds())

    panels = await asyncio.gather(*(one(s) for s in signals))
    return {s.name: p for s, p in zip(signals, panels, strict=True) if p is not None and p.values.size}


def _slices(scan: Scan, panels: Mapping[str, Panel]) -> Iterator[tuple[datetime, list[Anomaly]]]:
    times = np.unique(np.concatenate([p.times for p in panels.values()])) if panels else np.empty(0)
    for first in range(0, len(times), SLICE):
        low, high = times[first], times[min(first + SLICE, len(times)) - 1]
        cut = {name: _between(panel, low, high) for name, panel in panels.items()}
        found = scan.feed({name: p for name, p in cut.items() if p.values.size})
        yield datetime.fromtimestamp(float(high), UTC), found


def _between(panel: Panel, low: float, high: float) -> Panel:
    kept = (panel.times >= low) & (panel.times <= high)
    return Panel(panel.labels, panel.times[kept], panel.values[:, kept])


def _note(
    episodes: list[Episode],
    anomalies: list[Anomaly],
    now: datetime,
    dump: Callable[[datetime], ClusterDump],
    diagnose: Diagnose,
) -> None:
    if not anomalies:
        return
    last = episodes[-1] if episodes else None
    if last is not None and now - last.end <= _CALM:
        known = {a.fingerprint: a for a in (*anomalies, *last.anomalies)}
        episodes[-1] = replace(last, end=now, anomalies=tuple(known.values()))
    else:
        episodes.append(Episode(min(a.onset for a in anomalies), now, tuple(anomalies)))
    one = episodes[-1]
    if one.diagnosis is None and now - one.begin <= _UNFOLDS:
        findings = diagnose(dump(now), one.anomalies)
        named = (d for d in findings.diagnoses if d.verdict in (Verdict.CONFIRMED, Verdict.LIKELY))
        episodes[-1] = replace(one, diagnosis=next(named, None))


def _dump(signals: Sequence[Signal], panels: Sequence[Mapping[str, Panel]], at: datetime) -> ClusterDump:
    windows: dict[str, list[MetricWindow]] = {}
    for signal in signals:
        for chunk in panels:
            panel = chunk.get(signal.name)
            if panel is not None:
                windows.setdefault(signal.name, []).extend(_windows(signal, panel, at))
    return ClusterDump(taken_at=at, objects={}, metrics=windows, source="replay")


def _windows(signal: Signal, panel: Panel, at: datetime) -> list[MetricWindow]:
    low = at.timestamp() - _WINDOW * STEP.total_seconds()
    cut = _between(panel, low, at.timestamp())
    return [
        MetricWindow(signal.labels(labels), cut.times.tolist(), row.tolist(), signal.query)
        for labels, row in zip(cut.labels, cut.values, strict=True)
        if not np.isnan(row).all()
    ]


def with_runbooks(episodes: Sequence[Episode], causes: Mapping[str, Sequence[str]]) -> list[Episode]:
    """Return episodes with the runbooks that know their cause; ``causes``: cause -> runbook names."""
    return [replace(e, runbooks=tuple(causes.get(e.diagnosis.cause, ())) if e.diagnosis else ()) for e in episodes]
