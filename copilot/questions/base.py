"""What a read-only question is, what it may look at, and what an answer carries.

A question never changes anything. Its answer rests on evidence with the queries that show it again; text that came
from the cluster is made inert before it enters an answer. Surfaces draw ``Answer`` as they like; ``markdown`` is the
plain form.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from copilot.core.case import Anomaly, Case, Evidence, Findings
from copilot.core.cluster import ClusterDump
from copilot.core.series import Series
from copilot.core.text import one_line
from copilot.cost.prices import LIST_PRICES, PriceBook
from copilot.errors import CopilotError, Unsupported
from copilot.ports.clock import Clock
from copilot.ports.read import Cluster, Metrics, Scope
from copilot.ports.store import Cases

MOST_ROWS = 20
_CLOCK_SECONDS = 2.0
"""Longest wait for the time of what is looked at."""


class Arguments(BaseModel):
    """Base of all arguments: frozen, strict about names, so that a model's typo is refused rather than ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OnTarget(Arguments):
    """Arguments of a question about one object; without ``target`` it is about everything."""

    target: str = Field("", description="Name of a workload, service, pod, node or namespace; empty for everything.")
    kind: str = Field("", description="Kubernetes kind of the target, when known.")
    namespace: str = Field("", description="Namespace of the target or to stay within; empty for all.")


class InWindow(Arguments):
    """Arguments of a question about a stretch of time; without it each question takes its own."""

    start: datetime | None = Field(None, description="Beginning, with time zone.")
    end: datetime | None = Field(None, description="End, with time zone; may lie ahead for forecasts.")


@dataclass(frozen=True, slots=True)
class Table:
    """A small table; cells are text, made inert when drawn."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over time to draw; ``lines`` pairs a name with a series; ``band`` is a low and a high line."""

    title: str
    unit: str
    lines: tuple[tuple[str, Series], ...]
    band: tuple[Series, Series] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: markdown text, tables, plots, evidence; ``choices`` are phrases to say next (did you mean)."""

    text: str
    question: str = ""
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    choices: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    failed: bool = False
    """Whether there is no answer: it was not understood, or what it is about could not be looked at."""

    @property
    def queries(self) -> tuple[str, ...]:
        """The kubectl and PromQL lines that show the evidence again, each once."""
        return tuple(dict.fromkeys(e.query for e in self.evidence if e.query))

    def markdown(self, *, queries: bool = True) -> str:
        """Return everything but the plots as plain markdown; without ``queries`` where evidence is shown beside it."""
        parts = [self.text, *(_drawn(t) for t in self.tables)]
        if self.choices:
            parts.append("\n".join(f"- {c}" for c in self.choices))
        if self.missing:
            parts.append("Not looked at: " + "; ".join(self.missing) + ".")
        if queries and self.queries:
            parts.append("Shown again by:\n\n" + "\n".join(f"    {q}" for q in self.queries))
        return "\n\n".join(p for p in parts if p)

    def as_json(self) -> dict[str, Any]:
        """Return the answer as JSON-ready data; plots by name, unit and points."""
        return {
            "question": self.question,
            "text": self.text,
            "tables": [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in self.tables],
            "plots": [_points(p) for p in self.plots],
            "evidence": [e.model_dump(mode="json") for e in self.evidence],
            "choices": self.choices,
            "missing": self.missing,
            "failed": self.failed,
        }


@dataclass(frozen=True, slots=True)
class Outlook:
    """A forecast: ``expected``, ``low`` and ``high`` (80 % band) ahead; ``refused`` says why there is none."""

    expected: Series | None = None
    low: Series | None = None
    high: Series | None = None
    refused: str = ""
    method: str = ""


class Foresee(Protocol):
    """Forecasts a series ``ahead``; refuses rather than guesses."""

    def __call__(self, past: Series, *, ahead: timedelta) -> Outlook:
        """Return what is expected after the last value of ``past``."""
        ...


class Look(Protocol):
    """Reads what diagnosis needs, metrics around now included."""

    async def __call__(self, scope: Scope) -> ClusterDump:
        """Return a dump read now."""
        ...


class Diagnose(Protocol):
    """Names causes in a dump."""

    def __call__(
        self, dump: ClusterDump, *, namespace: str = "", question: str = "", anomalies: Sequence[Anomaly] = ()
    ) -> Findings:
        """Return the findings; none when nothing is wrong."""
        ...


Survey = Callable[[Scope], Awaitable[tuple[ClusterDump, Sequence[Anomaly]]]]
"""Reads what diagnosis needs, from as far back as it takes, and what is out of bounds in it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What questions may look at; anything but the clock may be absent, and the answer then says so."""

    clock: Clock
    cluster: Cluster | None = None
    metrics: Metrics | None = None
    cases: Cases | None = None
    diagnose: Diagnose | None = None
    look: Look | None = None
    """How to read a dump with metrics; the cluster's own dump, without metrics, when absent."""
    survey: Survey | None = None
    """How to read for a diagnosis; ``look``, and nothing known to be out of bounds, when absent."""
    foresee: Foresee | None = None
    zone: tzinfo = UTC
    namespace: str = ""
    prices: PriceBook = LIST_PRICES
    carbon_intensity: float | None = None
    """Grams of CO2 per kWh; the world's mean when None."""

    async def now(self) -> datetime:
        """Return the time of what is looked at: a lab's past, or a recording's, is not the machine's."""
        if self.metrics is not None:
            with suppress(CopilotError, TimeoutError):
                return await asyncio.wait_for(self.metrics.now(), _CLOCK_SECONDS)
        return self.clock.now()

    def need_cluster(self) -> Cluster:
        """Return the cluster; raises ``Unsupported`` when there is none to look at."""
        if self.cluster is None:
            raise Unsupported("No cluster is configured.", hint="Give a kubeconfig, or ask about metrics only.")
        return self.cluster

    def need_metrics(self) -> Metrics:
        """Return the metrics source; raises ``Unsupported`` when there is none."""
        if self.metrics is None:
            raise Unsupported("No metrics source is configured.", hint="Set the Prometheus URL.")
        return self.metrics

    def need_cases(self) -> Cases:
        """Return the case store; raises ``Unsupported`` when there is none."""
        if self.cases is None:
            raise Unsupported("No state directory is open.", hint="Name an environment whose state can be opened.")
        return self.cases


@dataclass(frozen=True, slots=True)
class Cue:
    """A sign in a phrase, with its weight; negative ones speak against the question."""

    pattern: str
    weight: float


@dataclass(frozen=True, slots=True)
class Question:
    """One question: ``cues`` find it in plain words, ``arguments`` is the schema a model calls it by.

    ``examples`` are phrases that show people what can be asked. ``answer`` raises what the ports it uses raise.
    """

    name: str
    summary: str
    arguments: type[Arguments]
    cues: tuple[Cue, ...]
    examples: tuple[str, ...]
    answer: Callable[[Context, Any], Awaitable[Answer]]
    wants: frozenset[str] = field(default_factory=frozenset)
    """What a phrase should name: ``metric``, ``other``, ``future``, ``case``, ``resource``; each speaks for it."""


def cell(text: object, limit: int = 120) -> str:
    """Return text for one table cell or one markdown line: inert, no pipes, no backticks, on one line."""
    return one_line(str(text), limit).replace("|", "\\|").replace("`", "'")


def code(text: object, limit: int = 120) -> str:
    """Return a name as inline code."""
    return f"`{cell(text, limit)}`"


def local(at: datetime, zone: tzinfo) -> str:
    """Return a moment as people of ``zone`` write it, with the zone's name."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def newest(cases: Sequence[Case]) -> list[Case]:
    """Return cases, newest first."""
    return sorted(cases, key=lambda c: c.updated, reverse=True)


def _drawn(table: Table) -> str:
    head = [f"**{cell(table.title)}**", ""] if table.title else []
    rows = [table.columns, tuple("---" for _ in table.columns), *table.rows[:MOST_ROWS]]
    body = ["| " + " | ".join(cell(c) if c != "---" else c for c in row) + " |" for row in rows]
    rest = len(table.rows) - MOST_ROWS
    return "\n".join([*head, *body, *([f"… and {rest} more"] if rest > 0 else [])])


def _points(plot: Plot) -> dict[str, Any]:
    return {
        "title": plot.title,
        "unit": plot.unit,
        "lines": [
            {
                "name": name,
                "points": [[t, v] for t, v in zip(s.times.tolist(), s.values.tolist(), strict=True) if v == v],
            }
            for name, s in plot.lines
        ],
    }
