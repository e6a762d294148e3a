"""Show or plot a metric of something, now and over a stretch of time."""

from datetime import timedelta

import numpy as np

from copilot.core.series import Series
from copilot.core.text import plural
from copilot.questions.base import Answer, Context, Cue, InWindow, OnTarget, Plot, Question, Table, code, local
from copilot.questions.gauges import DEVICES, each_device, suited
from copilot.questions.looking import Reading, about, amount, capital, cite, read, singular
from copilot.questions.times import Window
from copilot.questions.why_metric import gauge_of, window_of

_USUAL = timedelta(hours=1)
_MOST_LINES = 12
_FEW = 5
"""Lines drawn of everything: the worst few say more than all."""
_COUNTERS = frozenset({"gpu_xid", "gpu_ecc", "gpu_nvlink_errors", "gpu_throttling", "gpu_power_throttling"})
"""Gauges of which zero is said in words."""
_IDLE = 0.05
"""Share of time below which a GPU computes nothing to speak of."""


class Arguments(OnTarget, InWindow):
    """Which metric of what, over which time; the last hour when empty."""

    metric: str = "latency"


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Return the series to plot and a table of newest, least, typical and greatest values."""
    now = await ctx.need_metrics().now()
    where = await about(ctx, args)
    gauge, window = suited(gauge_of(args.metric), where), window_of(args, now, usual=_USUAL)
    gauge = each_device(gauge) if where is None else gauge
    reading = await read(ctx, gauge, where, window=window)
    whose = f" of {code(where)}" if where else ""
    if not reading.lines:
        return Answer(f"There is no data on {gauge.title}{whose} in that time.", evidence=(reading.evidence,))
    lines = _worst_first(reading)
    if where is None and gauge.name in _COUNTERS:
        counted = [line for line in lines if np.nanmax(line[1].values, initial=0.0) > 0]
        if not counted:
            return _none(ctx, reading, window)
        lines = counted
    said, told = _headline(reading, lines, whose, everything=where is None)
    rows = tuple((name, *_summary(s.values, gauge.unit)) for name, s in lines)
    few = where is None and gauge.labels != DEVICES and len(rows) > 2 * _FEW
    title = f"The first {2 * _FEW} of {len(rows)}" if few else ""
    columns = ("series", "newest", "least", "typical", "greatest")
    drawn = tuple(lines[: _FEW if where is None else _MOST_LINES])
    return Answer(
        f"{said}; {local(window.start, ctx.zone)} to {local(window.end, ctx.zone)}:",
        tables=(Table(title, columns, rows[: 2 * _FEW] if few else rows),),
        plots=(Plot(f"{gauge.title}{f' of {where.name}' if where else ''}", gauge.unit, drawn),),
        evidence=(cite(reading, told),),
    )


def _none(ctx: Context, reading: Reading, window: Window) -> Answer:
    told = f"{capital(reading.gauge.title)}: none on any of {plural(len(reading.lines), 'GPU')}"
    span = f"{local(window.start, ctx.zone)} to {local(window.end, ctx.zone)}"
    return Answer(f"{told}, {span}.", evidence=(cite(reading, told),))


def _worst_first(reading: Reading) -> list[tuple[str, Series]]:
    """Return lines by their newest value, the worst first; amounts the greatest first, what has none last."""
    gauge = reading.gauge
    rising = gauge.bad == "down" and (singular(gauge) or gauge.labels == DEVICES)

    def order(line: tuple[str, Series]) -> tuple[bool, float]:
        newest = _last(line[1].values)
        return (not np.isfinite(newest), newest if rising else -newest)

    return sorted(reading.lines, key=order)


def _headline(reading: Reading, lines: list[tuple[str, Series]], whose: str, *, everything: bool) -> tuple[str, str]:
    """Return what is said first, and the finding: of everything the worst is named, not only its value."""
    gauge, total = reading.gauge, reading.total
    newest = [_last(s.values) for _, s in lines]
    if not everything or len(reading.lines) == 1 or not (singular(gauge) or gauge.labels == DEVICES):
        value = amount(_last(total.values), gauge.unit) if total is not None else "no data"
        return f"{capital(gauge.title)}{whose} is {value}", f"{gauge.title} is {value}"
    what = "GPUs" if gauge.labels == DEVICES else "series"
    end = "lowest" if gauge.bad == "down" else "highest"
    value, name = amount(newest[0], gauge.unit), code(lines[0][0])
    told = f"{gauge.title} is {value} on {name}" if what == "GPUs" else f"{gauge.title} of {name} is {value}"
    idle = sum(v < _IDLE for v in newest)
    more = f"; {plural(idle, 'GPU')} of {len(lines)} under {_IDLE:.0%}" if gauge.name == "gpu_utilization" else ""
    return f"{capital(told)}, the {end} of {len(reading.lines)} {what}{more}", told


def _last(values: "np.typing.NDArray[np.float64]") -> float:
    kept = values[np.isfinite(values)]
    return float(kept[-1]) if kept.size else float("nan")


def _summary(values: "np.typing.NDArray[np.float64]", unit: str) -> tuple[str, ...]:
    kept = values[np.isfinite(values)]
    if not kept.size:
        return ("no data",) * 4
    return tuple(amount(float(v), unit) for v in (kept[-1], kept.min(), np.median(kept), kept.max()))


QUESTION = Question(
    name="show",
    summary="A metric of something, as numbers and as a plot.",
    arguments=Arguments,
    cues=(
        Cue(r"\b(?:show|plot|graph|chart|draw|display|visuali[sz]e|render|pull up|bring up|let me see|"
            r"i want to see|"
            r"can i see|give me|get me|view)\b", 2.6),
        Cue(r"\b(?:plot|graph|chart|draw|curve|sparkline)\b", 2),
        Cue(r"\b(?:what(?:'s| is| are| was| were)|how (?:high|low|much|many|fast|slow|hot|long|big|large|busy)|"
            r"current\w*|tell me)\b", 1.2),
        Cue(r"\bhow (?:hot|warm)\b|\btemperatures? of\b", 1.5),
        Cue(r"\b(?:xids?|nvlinks?|ecc)\b|\b(?:thermal|power) (?:throttl\w+|violations?|capping)\b", 2.5),
        Cue(r"\b(?:any|are there)\b.{0,10}\b(?:xid|nvlink|ecc)\b", 1.5),
        Cue(r"\bgpus?\b.{0,20}\bthrottl\w+|\bthrottl\w+\b.{0,20}\bgpus?\b|\bgpus? errors?\b", 2.5),
        Cue(r"\b(?:which|what|any)\b.{0,15}\b(?:gpus?|cards?)\b.{0,15}\b(?:hot\w*|warm\w*|cool\w*|idle|idlest|"
            r"bus(?:y|iest)|overheat\w*|throttl\w*)$", 4),
        Cue(r"\b(?:hottest|warmest|coolest|busiest|idlest|overheat\w+) (?:gpus?|cards?)\b|^idle gpus?$", 4),
        Cue(r"\bover (?:time|the)\b|\bfor the (?:last|past)\b", 0.6),
        Cue(r"\b(?:right now|at the moment|these days)\b|\b(?:trend|history) (?:of|for|over|since)\b", 1.3),
        Cue(r"\b(?:why|compare\w*|versus|vs|who|forecast|predict\w*|tomorrow|will|pending|wrong|healthy)\b", -2),
        Cue(
            r"\b(?:problems?|issues?|incidents?|alerts?|failing|broken|deployments?|deployed|rollouts?|changes|"
            r"changed?|hogs?|"
            r"diff|patch|plan|fix|actions?|log|report|summary|recap|health|reason|users?|quota|unscheduled|"
            r"allocation)\b",
            -2,
        ),
        Cue(r"\b(?:usage|use|utili[sz]ation|level|rate|value|temperature|depth|length) (?:of|for|on|in)\b", 1.3),
        Cue(r"\b(?:spik\w+|jump\w*|drop(?:ped)?|fell|rose|caus\w+)\b", -1.5),
        Cue(r"\b(?:by|per) (?:namespace|team)\b|\bdid you\b", -1.5),
    ),
    examples=("plot latency of cart since 14:00", "show gpu utilization of trainer"),
    answer=answer,
    wants=frozenset({"metric"}),
)  # fmt: skip
