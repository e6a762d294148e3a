"""What changed in the logs: new and exploding templates per workload, and the first error in causal order."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

import numpy as np

from copilot.core.cluster import LogExcerpt
from copilot.diagnosis.callgraph import CallGraph
from copilot.diagnosis.golden import workload_of
from copilot.diagnosis.templates import Templates

_TIME = re.compile(r"^\[?(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?")
_KLOG = re.compile(r"^([IWEF])\d{4} ")
_LEVEL = re.compile(r"(?i)\b(?:level|lvl|severity)[\"']?\s*[=:]\s*[\"']?([a-z]+)|^[^a-z]{0,60}?\b([A-Z]{4,9})\b")
_CRASH = re.compile(
    r"^(panic:|fatal error:|Traceback \(most recent call last\)|Exception in thread|Segmentation fault)"
)
_WORDS = re.compile(r"(?i)\b(?:error|exception|failed|failure|refused|denied|timed? ?out|unavailable|cannot|fatal)\b")
_EXPLODES = 4.0
"""Standard deviations (Poisson, after the square-root transform of Anscombe 1948) that make more of it an explosion."""
_LEAST = 10
_TOGETHER = timedelta(seconds=5)
"""A callee's error that follows its caller's within this time may still be the cause: callers log on timeouts too."""


class Level(IntEnum):
    """How bad a line says it is; INFO when it says nothing."""

    INFO = 0
    WARNING = 1
    ERROR = 2
    FATAL = 3


_NAMES = {
    "warn": Level.WARNING, "warning": Level.WARNING, "w": Level.WARNING,
    "error": Level.ERROR, "err": Level.ERROR, "e": Level.ERROR, "severe": Level.ERROR,
    "fatal": Level.FATAL, "panic": Level.FATAL, "critical": Level.FATAL, "crit": Level.FATAL, "f": Level.FATAL,
    "alert": Level.FATAL, "emerg": Level.FATAL, "info": Level.INFO, "debug": Level.INFO, "trace": Level.INFO,
    "notice": Level.INFO,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One log line of a workload (``namespace/name``): when it was written and how bad it is, as far as it says."""

    workload: str
    pod: str
    container: str
    text: str
    at: datetime | None
    level: Level


@dataclass(frozen=True, slots=True)
class LogChange:
    """A template that is new or much more frequent than before. ``example`` is inert, redacted, untrusted text."""

    workload: str
    template: str
    example: str
    level: Level
    count: int
    before: int
    first: datetime | None
    query: str
    """The kubectl line that shows it again."""

    @property
    def new(self) -> bool:
        """Whether it was never seen before."""
        return self.before == 0


def lines(excerpts: Sequence[LogExcerpt]) -> Iterator[Line]:
    """Yield the lines of excerpts with their time and level; structured lines are read by their message."""
    for excerpt in excerpts:
        workload = f"{excerpt.namespace}/{workload_of(excerpt.pod)}"
        for raw in excerpt.lines:
            if raw.strip():
                text, at, level = read(raw)
                yield Line(workload, excerpt.pod, excerpt.container, text, at, level)


def read(raw: str) -> tuple[str, datetime | None, Level]:
    """Return the message, time and level of a line: plain, klog, logfmt or JSON."""
    structured = _structured(raw)
    if structured is not None:
        message = next((str(structured[k]) for k in ("msg", "message", "error", "err") if structured.get(k)), raw)
        stamp = next((str(structured[k]) for k in ("ts", "time", "timestamp", "@timestamp") if structured.get(k)), "")
        told = next((str(structured[k]) for k in ("level", "severity", "lvl") if structured.get(k)), "")
        return message, _time(stamp), _NAMES.get(told.lower(), _guess(message))
    return raw, _time(raw), _level(raw)


def _structured(raw: str) -> dict[str, object] | None:
    start = raw.find("{")
    if not 0 <= start <= 40 or not raw.rstrip().endswith("}"):
        return None
    try:
        found = json.loads(raw[start:])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _time(text: str) -> datetime | None:
    found = _TIME.match(text.strip())
    if found is None:
        return None
    year, month, day, clock, fraction, zone = found.groups()
    offset = "+00:00" if zone in (None, "Z") else zone
    try:
        at = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}.{(fraction or '0')[:6].ljust(6, '0')}{offset}")
    except ValueError:
        return None
    return at.astimezone(UTC)


def _level(raw: str) -> Level:
    if _CRASH.match(raw):
        return Level.FATAL
    klog = _KLOG.match(raw)
    if klog:
        return _NAMES.get(klog[1].lower(), Level.INFO)
    told = _LEVEL.search(raw)
    name = ((told[1] or told[2]) if told else "").lower()
    return _NAMES[name] if name in _NAMES else _guess(raw)


def _guess(text: str) -> Level:
    """A line without a level is a warning when it talks of failure; only its writer can say that it is an error."""
    return Level.WARNING if _WORDS.search(text[:300]) else Level.INFO


@dataclass(slots=True)
class _Tally:
    now: Counter[tuple[str, int]]
    before: Counter[tuple[str, int]]
    first: dict[tuple[str, int], Line]
    lines_now: Counter[str]
    lines_before: Counter[str]


def changes(
    excerpts: Sequence[LogExcerpt],
    *,
    onset: datetime | None = None,
    baseline: Sequence[LogExcerpt] = (),
    most: int = 50,
) -> tuple[LogChange, ...]:
    """Return new and exploding templates per workload, worst and earliest first, at most ``most``.

    The baseline is ``baseline`` and every line that says it was written before ``onset``. A workload without any
    baseline has no news: only its warnings and worse are returned, as new.
    """
    parse = Templates()
    tally = _Tally(Counter(), Counter(), {}, Counter(), Counter())
    for line in lines(baseline):
        _count(tally, parse, line, old=True)
    for line in lines(excerpts):
        _count(tally, parse, line, old=onset is not None and line.at is not None and line.at < onset)
    found = [_change(key, tally, parse) for key in tally.now if _stands_out(key, tally)]
    return tuple(sorted((c for c in found if c), key=_worst_first)[:most])


def _count(tally: _Tally, parse: Templates, line: Line, *, old: bool) -> None:
    key = (line.workload, parse.add(line.text))
    (tally.before if old else tally.now)[key] += 1
    (tally.lines_before if old else tally.lines_now)[line.workload] += 1
    if not old:
        tally.first.setdefault(key, line)


def _stands_out(key: tuple[str, int], tally: _Tally) -> bool:
    count, before = tally.now[key], tally.before[key]
    known = tally.lines_before[key[0]]
    if not known:
        return tally.first[key].level >= Level.WARNING
    if not before:
        return True
    expected = before * tally.lines_now[key[0]] / known
    return count >= _LEAST and 2 * (np.sqrt(count) - np.sqrt(expected)) >= _EXPLODES


def _change(key: tuple[str, int], tally: _Tally, parse: Templates) -> LogChange | None:
    template, line = parse.template(key[1]), tally.first[key]
    if template is None:
        return None
    namespace, _, _ = line.workload.partition("/")
    query = f"kubectl logs -n {namespace} {line.pod}{f' -c {line.container}' if line.container else ''}"
    return LogChange(
        line.workload, template.text, template.example, line.level, tally.now[key], tally.before[key], line.at, query
    )


def _worst_first(change: LogChange) -> tuple[float, float, float, str, str]:
    at = change.first.timestamp() if change.first else np.inf
    return (-change.level, -float(change.new), at, change.workload, change.template)


def first_error(found: Sequence[LogChange], graph: CallGraph | None = None) -> LogChange | None:
    """Return the error that started it: not one whose callees erred about the same time, then the earliest.

    ``graph`` names workloads as the changes do. Warnings stand in when nobody wrote an error.
    """
    worst = [c for c in found if c.level >= Level.ERROR] or [c for c in found if c.level >= Level.WARNING]
    own = [c for c in worst if not _inherited(c, worst, graph)] or worst
    return min(own, key=lambda c: (c.first.timestamp() if c.first else np.inf, c.workload, c.template), default=None)


def _inherited(change: LogChange, among: Sequence[LogChange], graph: CallGraph | None) -> bool:
    if graph is None:
        return False
    below = graph.below(change.workload) - {change.workload}
    return any(
        c.workload in below
        and change.workload not in graph.below(c.workload)
        and (c.first is None or change.first is None or c.first <= change.first + _TOGETHER)
        for c in among
    )
