"""What the GPUs cost and draw, and how much of it is idle: hours held, money, energy and carbon by who holds them."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from copilot.core.case import Evidence, Trust
from copilot.core.ref import Ref
from copilot.core.series import Series
from copilot.cost.allocation import GpuUse, allocate, by_namespace, by_pod, gpu_uses, node_of
from copilot.cost.energy import WORLD_INTENSITY, carbon_kg
from copilot.cost.prices import OWN, Price, price_per_gpu
from copilot.errors import InvalidInput
from copilot.questions.base import Answer, Context, Cue, InWindow, OnTarget, Question, Table, code, local
from copilot.questions.gauges import pods_of
from copilot.questions.looking import about, objects, seen
from copilot.questions.times import Window
from copilot.questions.why_metric import window_of

ACTIVE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE or DCGM_FI_DEV_GPU_UTIL / 100"
"""What each GPU computes, with who holds it; its readings are the time held. Not every GPU has the first."""
POWER = "DCGM_FI_DEV_POWER_USAGE"
_USUAL = timedelta(hours=24)
_LONGEST = timedelta(days=35)
_POINTS = 240
_MOST_OWNERS = 16
_NOBODY = "held by nobody"


class Arguments(OnTarget, InWindow):
    """Whose GPUs, over which time; everybody's, the last day when empty."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one owner comes to. ``active``: GPU-hours computed; ``idle``: US dollars held without computing.

    ``unmeasured``: GPU-hours without a reading of activity; how much of them was computed is unknown.
    """

    owner: str
    hours: float
    active: float
    cost: float
    idle: float
    kwh: float
    unmeasured: float


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Return a table by namespace, or by pod when something is named, and the prices it rests on."""
    where = await about(ctx, args) or (Ref(kind="Namespace", name=ctx.namespace) if ctx.namespace else None)
    window = _window(args, await ctx.need_metrics().now())
    step, active, power = await _read(ctx, window)
    evidence = [_cited("m-gpu-active", ACTIVE, active, window), _cited("m-gpu-power", POWER, power, window)]
    span = f"{local(window.start, ctx.zone)} to {local(window.end, ctx.zone)}"
    if not active and not power:
        told = f"DCGM has no readings of GPUs, {span}: what they cost is unknown. Does Prometheus scrape dcgm-exporter?"
        return Answer(told, evidence=tuple(evidence))
    missing = [] if active else [f"activity ({ACTIVE} has no readings)"]
    missing += [] if power else [f"energy ({POWER} has no readings)"]
    prices = await _prices(ctx, [*power, *active], evidence, missing)
    hourly = {name: price.hourly for name, price in prices.items()}
    uses = [u for u in gpu_uses(active, step=step.total_seconds(), power=power, prices=hourly) if _of(u, where)]
    if not uses:
        return Answer(f"{code(where)} held no GPU, {span}.", evidence=tuple(evidence), missing=tuple(missing))
    lines, whose = _lines(uses, where), "All GPUs" if where is None else f"GPUs of {code(where)}"
    own, begun = all(prices[u.node].source == OWN for u in uses), _begun(active or power, window, step, ctx)
    return Answer(
        f"{whose}, {span}{begun}: {_told(lines, ctx, own=own, measured=bool(power))}",
        tables=(_table(lines, where, ctx, measured=bool(power)), _price_table(uses, prices)),
        evidence=tuple(evidence),
        missing=tuple(missing),
    )


async def _read(ctx: Context, window: Window) -> tuple[timedelta, list[Series], list[Series]]:
    """Return the step, and what each GPU computes and draws in that window."""
    metrics = ctx.need_metrics()
    step = timedelta(seconds=min(300, max(30, int(window.length.total_seconds() / _POINTS) // 30 * 30)))
    # Every reading stands for the step before it; energy is summed between readings and needs the first one too.
    active, power = await asyncio.gather(
        metrics.range(ACTIVE, window.start + step, window.end, step=step),
        metrics.range(POWER, window.start, window.end, step=step),
    )
    return step, active, power


async def _prices(
    ctx: Context, found: Sequence[Series], evidence: list[Evidence], missing: list[str]
) -> dict[str, Price]:
    """Return what one GPU of each node costs an hour."""
    nodes = await objects(ctx, "Node", missing)
    if nodes:
        evidence.append(seen("k-nodes", "kubectl get nodes --show-labels", f"{len(nodes)} nodes", ctx.clock.now()))
    known = {n["metadata"]["name"]: n for n in nodes}
    models = {node_of(s.labels): s.labels.get("modelName", "") for s in found}
    return {name: price_per_gpu(known.get(name), model, ctx.prices) for name, model in models.items()}


def _window(args: Arguments, now: datetime) -> Window:
    if args.start is not None and args.start >= now:
        raise InvalidInput("What GPUs will cost is not foreseen.", hint="Ask about today, last night or this week.")
    window = window_of(args, now, usual=_USUAL)
    if window.length > _LONGEST:
        raise InvalidInput(f"That is more than {_LONGEST.days} days at once.", hint="Ask about a month or less.")
    return window


def _cited(identity: str, query: str, found: Sequence[Series], window: Window) -> Evidence:
    what = "power" if query == POWER else "activity"
    finding = f"{what} of GPUs by holder: {len(found)} series" if found else "no data"
    return Evidence(id=identity, source="prometheus", query=query, at=window.end, finding=finding, trust=Trust.METRIC)


def _of(use: GpuUse, where: Ref | None) -> bool:
    """Whether a use belongs to what was asked about."""
    if where is None:
        return True
    if where.kind in ("Namespace", "Node"):
        return where.name == (use.namespace if where.kind == "Namespace" else use.node)
    if where.namespace and use.namespace != where.namespace:
        return False
    names = re.compile(pods_of(where).replace("\\\\", "\\"))
    return use.pod == where.name if where.kind == "Pod" else names.fullmatch(use.pod) is not None


def _pod(use: GpuUse) -> str:
    return use.pod


def _lines(uses: Sequence[GpuUse], where: Ref | None) -> list[Line]:
    """Return owners, dearest first, those of many beyond a screen as one, then what nobody held."""
    owner = by_namespace if where is None else by_pod if where.kind == "Node" else _pod
    held = allocate(uses, owner=owner)
    busy = {one.owner: one for one in allocate(uses, basis="active", owner=owner).shares}
    lines = [
        Line(s.owner, s.hours, busy[s.owner].hours - s.unmeasured, s.cost, s.cost - busy[s.owner].cost, s.kwh,
             s.unmeasured)
        for s in held.shares
    ]  # fmt: skip
    if len(lines) > _MOST_OWNERS:
        rest = lines[_MOST_OWNERS - 1 :]
        lines[_MOST_OWNERS - 1 :] = [_sum(f"{len(rest)} others", rest)]
    idle = held.idle
    nobody = Line(_NOBODY, idle.hours, 0.0, idle.cost, idle.cost, idle.kwh, idle.unmeasured)
    return [*lines, nobody] if idle.hours else lines


def _sum(name: str, lines: Sequence[Line]) -> Line:
    amounts = ("hours", "active", "cost", "idle", "kwh", "unmeasured")
    return Line(name, *(sum(getattr(one, what) for one in lines) for what in amounts))


def _told(lines: Sequence[Line], ctx: Context, *, own: bool, measured: bool) -> str:
    total, nobody = _sum("total", lines), sum(one.cost for one in lines if one.owner == _NOBODY)
    price = "your own prices" if own else "list price"
    parts = f" ({_money(total.idle - nobody)} held without computing, {_money(nobody)} {_NOBODY})" if nobody else ""
    told = [
        f"**{_money(total.cost)}** at {price} for {total.hours:,.1f} GPU-hours, {_money(total.idle)} of it idle{parts}."
    ]
    owners = [one for one in lines if one.owner != _NOBODY]
    worst = max((one for one in owners if _known(one)), key=lambda one: one.idle, default=None)
    if worst is not None and worst.cost and len(lines) > 1:
        share = f"{worst.idle / worst.cost:.0%} of what it holds"
        told.append(f"- Most idle money: {code(worst.owner)}, {_money(worst.idle)}, {share}.")
    unknown = sum(one.unmeasured for one in owners)
    if unknown:
        told.append(f"- {unknown:,.1f} GPU-hours held have no reading of activity: none of their cost is called idle.")
    if measured:
        told.append(
            f"- The GPUs alone drew {total.kwh:,.1f} kWh: {_carbon(total, ctx):,.1f} kg of CO2 at {_grid(ctx)}."
        )
    if not own:
        told.append("- List prices are not your contract: set `gpu_prices` to yours.")
    return "\n".join(told)


def _grid(ctx: Context) -> str:
    if ctx.carbon_intensity is not None:
        return f"your {ctx.carbon_intensity:g} g/kWh"
    return f"the world's mean of {WORLD_INTENSITY:g} g/kWh (Ember, 2023; set `carbon_intensity` to yours)"


def _begun(found: Sequence[Series], window: Window, step: timedelta, ctx: Context) -> str:
    """Say so when readings begin well after the window does: what was before is not counted."""
    first = datetime.fromtimestamp(min(float(s.times[0]) for s in found if s.times.size), UTC)
    return f" (readings begin at {local(first, ctx.zone)})" if first - window.start > 3 * step else ""


def _table(lines: Sequence[Line], where: Ref | None, ctx: Context, *, measured: bool) -> Table:
    rows = tuple(
        (
            one.owner,
            f"{one.hours:,.1f}",
            _activity(one),
            _money(one.cost),
            _money(one.idle),
            f"{one.kwh:,.1f}" if measured else "no data",
            f"{_carbon(one, ctx):,.1f}" if measured else "no data",
        )
        for one in (*lines, _sum("total", lines))
    )
    owner = "namespace" if where is None else "pod"
    return Table("", (owner, "GPU-hours", "active", "cost", "idle cost", "kWh", "kg CO2"), rows)


def _known(line: Line) -> float:
    """Return the GPU-hours of which the activity is known."""
    return line.hours - line.unmeasured


def _activity(line: Line) -> str:
    if line.owner == _NOBODY or not line.hours:
        return ""
    return f"{line.active / _known(line):.0%}" if _known(line) else "no data"


def _price_table(uses: Sequence[GpuUse], prices: dict[str, Price]) -> Table:
    cards = {(u.node, u.gpu): (u.model, prices[u.node].hourly, prices[u.node].source) for u in uses}
    rows = tuple(
        (model, str(count), _money(hourly), source)
        for (model, hourly, source), count in Counter(cards.values()).items()
    )
    return Table("Prices", ("GPU", "cards", "per hour", "from"), rows)


def _carbon(line: Line, ctx: Context) -> float:
    return carbon_kg(line.kwh, WORLD_INTENSITY if ctx.carbon_intensity is None else ctx.carbon_intensity)


def _money(dollars: float) -> str:
    return f"${dollars:,.0f}" if dollars >= 100 else f"${dollars:,.2f}"


QUESTION = Question(
    name="cost",
    summary="What GPUs cost, how much of it is idle, and the energy and carbon they took, by who holds them.",
    arguments=Arguments,
    cues=(
        Cue(r"\b(?:costs?|costing|costly|spend|spends|spending|spent|bills?|billed|pric(?:e|es|ey|ing)|expensive|"
            r"money|dollars?|usd|budget|charge-?back|show-?back|invoices?|pay|paying|paid)\b|\$", 2.2),
        Cue(r"\b(?:energy|kwh|kilowatt\W?hours?|electricity|carbon|co2e?|emissions?|footprint)\b", 2.5),
        Cue(r"\b(?:wast\w+)\b.{0,30}\b(?:money|dollars?|budget|energy|electricity)\b", 2),
        # Memory has a footprint, errors have a budget and time is spent: no money, unless GPUs or money are named.
        Cue(r"^(?!.*\b(?:gpus?(?! mem)|[abh]\d00s?|accelerators?|cards|money|dollars?|usd|bill(?:s|ed)?|invoices?|"
            r"pay|paying|paid|pric\w+|charge-?back|show-?back|energy|kwh|electricity|carbon|co2e?|emissions?)\b)"
            r"(?!.*\$).*\b(?:memory|mem|v?ram|cpus?|cores|disks?|storage|bandwidth|latency|errors?|failures?|"
            r"timeouts?|retries|restarts?|time spent|time (?:\w+ ){1,3}spen[dt])\b", -6),
        Cue(r"\b(?:forecast|predict\w*|plot|graph|chart|compare\w*|versus|vs|why|healthy|pending)\b", -2),
    ),
    examples=("what do the GPUs cost?", "how much are idle GPUs costing us?", "how much energy did the GPUs use?"),
    answer=answer,
    wants=frozenset({"resource"}),
)  # fmt: skip
