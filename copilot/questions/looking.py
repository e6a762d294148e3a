"""What several questions need to look at: the inventory, one metric of one object, and what stands out in it."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from copilot.core.case import Evidence, Trust
from copilot.core.ref import Ref
from copilot.core.series import Float64, Series
from copilot.core.value import JsonObject
from copilot.errors import CopilotError, InvalidInput, NotFound
from copilot.ports.read import Cluster
from copilot.questions.base import Context, OnTarget, cell
from copilot.questions.gauges import NODES, Gauge, query, suited
from copilot.questions.names import KINDS, Inventory, similar
from copilot.questions.times import Window

_POINTS = 240
_MAD = 1.4826
_STANDS_OUT = 4.0
_LONG_MS = 10_000
_WORST_UP = ("ratio", "ms", "s", "°C", "XID")
"""Units whose values are not added up: of several the greatest counts."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge read over a window: its series by name, the evidence, and the query."""

    gauge: Gauge
    lines: tuple[tuple[str, Series], ...]
    evidence: Evidence

    @property
    def total(self) -> Series | None:
        """All lines as one: summed for amounts, the worst for ratios and times; None when there is no line."""
        if not self.lines:
            return None
        times = np.unique(np.concatenate([s.times for _, s in self.lines]))
        rows = np.full((len(self.lines), times.size), np.nan)
        for row, (_, one) in zip(rows, self.lines, strict=True):
            row[np.searchsorted(times, one.times)] = one.values
        with np.errstate(invalid="ignore"):
            values = _fold(rows, self.gauge)
        return Series({}, times, values)


@dataclass(frozen=True, slots=True)
class Change:
    """How a series moved: typical value before and extreme within a window, and when it left its band."""

    before: float
    during: float
    at: datetime | None
    spreads: float

    @property
    def stands_out(self) -> bool:
        """Whether it is more than the series' own noise."""
        return abs(self.spreads) >= _STANDS_OUT


async def inventory(ctx: Context) -> Inventory:
    """Return what there is to ask about; kinds that may not be listed are left out; empty without a cluster."""
    if ctx.cluster is None:
        return Inventory()
    found = await asyncio.gather(*(_listed(ctx.cluster, kind) for kind in KINDS))
    return Inventory(tuple(ref for refs in found for ref in refs))


async def _listed(cluster: Cluster, kind: str) -> list[Ref]:
    try:
        return [Ref.of({"kind": kind, **obj}) for obj in await cluster.all(kind)]
    except CopilotError:
        return []


async def about(ctx: Context, args: OnTarget) -> Ref | None:
    """Return the object that arguments name, None when they name none.

    Raises ``NotFound`` (with what may have been meant) when nothing is called so. Without a cluster the name is
    taken as given.
    """
    if not args.target:
        return Ref(kind="Namespace", name=args.namespace) if args.namespace else None
    if ctx.cluster is None:
        return Ref(kind=args.kind or "Workload", name=args.target, namespace=args.namespace)
    if args.kind:
        # What was matched names its kind: one read instead of a list of everything.
        meant = Ref(kind=args.kind, name=args.target, namespace=args.namespace)
        with contextlib.suppress(NotFound, InvalidInput):
            await ctx.cluster.get(meant)
            return meant
    known = await inventory(ctx)
    found = known.called(args.target, kind=args.kind, namespace=args.namespace)
    if found:
        return found[0]
    near = similar(args.target, known)
    hint = "Did you mean " + ", ".join(str(r) for r in near.refs[:3]) + "?" if near and near.refs else ""
    raise NotFound(f"Nothing is called {cell(args.target, 80)}.", hint=hint)


async def read(ctx: Context, gauge: Gauge, of: Ref | None, *, window: Window) -> Reading:
    """Read a gauge of an object over a window; raises what the metrics port raises."""
    gauge = suited(gauge, of)
    text = query(gauge, of)
    seconds = max(30, int(window.length.total_seconds() / _POINTS) // 30 * 30)
    found = await ctx.need_metrics().range(text, window.start, window.end, step=timedelta(seconds=seconds))
    if of is not None and of.kind == "Node" and gauge.labels == NODES:
        addresses = await _addresses(ctx, of)
        found = [s for s in found if _host(s) in addresses]
    lines = tuple(sorted(((_label(s, of), s) for s in found), key=lambda pair: pair[0]))
    whose = str(of) if of else "the cluster"
    evidence = Evidence(
        id=f"m-{gauge.name}-{of.name if of else 'all'}",
        source="prometheus",
        query=text,
        at=window.end,
        finding=f"{gauge.title} of {whose}: " + (f"{len(lines)} series" if lines else "no data"),
        subject=of,
        trust=Trust.METRIC,
    )
    return Reading(gauge, lines, evidence)


def singular(gauge: Gauge) -> bool:
    """Return whether values of a gauge are not added up: one of them is the worst."""
    return gauge.unit in (*_WORST_UP, "MHz")


def cite(reading: Reading, finding: str) -> Evidence:
    """Return a reading's evidence with what was found in it."""
    return replace_finding(reading.evidence, finding)


def replace_finding(evidence: Evidence, finding: str) -> Evidence:
    """Return evidence that says something else about the same look."""
    return evidence.model_copy(update={"finding": finding})


def change(series: Series, window: Window, *, floor: float = 0.05) -> Change | None:
    """Return how a series moved within a window against what came before it; None without values on both sides.

    ``floor``: smallest spread taken seriously, as a share of the typical value before.
    """
    start, end = window.start.timestamp(), window.end.timestamp()
    past = _finite(series.values[series.times < start])
    inside = (series.times >= start) & (series.times <= end) & np.isfinite(series.values)
    if past.size < 3 or not inside.any():
        return None
    before = float(np.median(past))
    spread = max(_MAD * float(np.median(np.abs(past - before))), floor * abs(before), 1e-9)
    away = (series.values - before) / spread
    peak = int(np.argmax(np.where(inside, np.abs(away), -1.0)))
    out = inside & (np.abs(away) >= _STANDS_OUT) & (np.sign(away) == np.sign(away[peak]))
    within = np.flatnonzero(inside)
    begun = _begin(out[within], int(np.searchsorted(within, peak))) if out.any() else None
    at = datetime.fromtimestamp(float(series.times[within[begun]]), UTC) if begun is not None else None
    return Change(before, float(series.values[peak]), at, float(away[peak]))


def _begin(out: NDArray[np.bool_], at: int) -> int:
    """Return where the stretch of a move that reaches ``at`` began: one calm value does not end it, two do."""
    calm = np.flatnonzero(~out[1 : at + 1] & ~out[:at])
    first = int(calm[-1]) + 2 if calm.size else 0
    return first + int(np.argmax(out[first : at + 1]))


def onset(series: Series, how: Change, window: Window) -> datetime | None:
    """Return when a move that the beginning of a window cuts in two began; None when it lies within the window."""
    kept = np.isfinite(series.values) & (series.times <= window.end.timestamp())
    times, values = series.times[kept], series.values[kept]
    first = int(np.searchsorted(times, window.start.timestamp()))
    if how.at is None or not how.stands_out or first >= times.size or how.at.timestamp() > times[first]:
        return None
    spread = (how.during - how.before) / how.spreads
    out = (values[: first + 1] - how.before) / spread * np.sign(how.spreads) >= _STANDS_OUT
    return datetime.fromtimestamp(float(times[_begin(out, first)]), UTC)


def beyond_since(series: Series, most: float) -> datetime:
    """Return when the stretch above ``most`` that lasts until the end of a series began."""
    kept = np.isfinite(series.values)
    times, values = series.times[kept], series.values[kept]
    below = np.flatnonzero(values <= most)
    return datetime.fromtimestamp(float(times[min(below[-1] + 1, times.size - 1) if below.size else 0]), UTC)


def latest(series: Series | None, within: timedelta = timedelta(minutes=10)) -> float:
    """Return the typical value of the last minutes of a series; NaN when it has none."""
    if series is None or not np.isfinite(series.values).any():
        return float("nan")
    kept = np.isfinite(series.values)
    times, values = series.times[kept], series.values[kept]
    return float(np.median(values[times >= times[-1] - within.total_seconds()]))


def amount(value: float, unit: str) -> str:
    """Return a value with its unit as people read it (bytes in binary units, ratios as per cent)."""
    if not np.isfinite(value):
        return "no data"
    if unit == "ratio":
        return f"{100 * value:.3g} %"
    if unit == "XID":
        return f"XID {value:.0f}"
    if unit == "ms" and abs(value) >= _LONG_MS:
        return f"{value / 1000:.4g} s"
    if unit.startswith("B"):
        for size, name in ((2**40, "Ti"), (2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}{unit}"
    return f"{value:.4g} {unit}".strip() if abs(value) < 1e4 else f"{value:,.0f} {unit}".strip()


def capital(text: str) -> str:
    """Return text with its first letter in upper case, the rest as it is (GPU stays GPU)."""
    return text[:1].upper() + text[1:]


async def objects(ctx: Context, kind: str, missing: list[str], *, namespace: str = "") -> Sequence[JsonObject]:
    """Return all objects of a kind; what could not be read is added to ``missing`` instead of raised."""
    try:
        return await ctx.need_cluster().all(kind, namespace=namespace)
    except CopilotError as error:
        missing.append(f"{kind}: {cell(error, 160)}")
        return ()


def seen(identity: str, command: str, finding: str, at: datetime, *, subject: Ref | None = None) -> Evidence:
    """Return evidence from the Kubernetes API, with the kubectl line that shows it again."""
    return Evidence(id=identity, source="kubernetes", query=command, at=at, finding=cell(finding, 300), subject=subject)


def widened(window: Window, by: timedelta) -> Window:
    """Return a window that begins earlier, to see what was normal before."""
    return replace(window, start=window.start - by)


def _fold(rows: Float64, gauge: Gauge) -> Float64:
    empty = ~np.isfinite(rows).any(axis=0)
    if gauge.unit in _WORST_UP:
        folded = np.nanmax(np.where(np.isfinite(rows), rows, -np.inf), axis=0)
    elif gauge.unit == "MHz":
        folded = np.nanmin(np.where(np.isfinite(rows), rows, np.inf), axis=0)
    else:
        folded = np.nansum(rows, axis=0)
    return np.where(empty, np.nan, folded)


def _finite(values: Float64) -> Float64:
    return values[np.isfinite(values)]


def _label(series: Series, of: Ref | None) -> str:
    labels = series.labels
    names = ("pod", "destination_workload", "Hostname", "hostname", "node", "instance", "namespace")
    name = next((labels[n] for n in names if labels.get(n)), of.name if of else "all")
    return cell(f"{name} GPU {labels['gpu']}" if labels.get("gpu") else name, 80)


def _host(series: Series) -> str:
    return series.labels.get("node") or series.labels.get("instance", "").rsplit(":", 1)[0]


async def _addresses(ctx: Context, node: Ref) -> set[str]:
    found = {node.name}
    if ctx.cluster is not None:
        status = (await ctx.cluster.get(node)).get("status") or {}
        found |= {str(a.get("address")) for a in status.get("addresses") or []}
    return found
