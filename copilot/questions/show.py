"""Show or plot a metric of something, now and over a stretch of time."""

from datetime import timedelta

import numpy as np

from copilot.questions.base import Answer, Context, Cue, InWindow, OnTarget, Plot, Question, Table, code, local
from copilot.questions.gauges import suited
from copilot.questions.looking import about, amount, capital, cite, read
from copilot.questions.why_metric import gauge_of, window_of

_USUAL = timedelta(hours=1)
_MOST_LINES = 12


class Arguments(OnTarget, InWindow):
    """Which metric of what, over which time; the last hour when empty."""

    metric: str = "latency"


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Return the series to plot and a table of newest, least, typical and greatest values."""
    now = await ctx.need_metrics().now()
    where = await about(ctx, args)
    gauge, window = suited(gauge_of(args.metric), where), window_of(args, now, usual=_USUAL)
    reading = await read(ctx, gauge, where, window=window)
    whose = f" of {code(where)}" if where else ""
    lines = sorted(reading.lines, key=lambda pair: -_last(pair[1].values))
    if not lines:
        return Answer(f"There is no data on {gauge.title}{whose} in that time.", evidence=(reading.evidence,))
    total = reading.total
    newest = amount(_last(total.values), gauge.unit) if total is not None else "no data"
    rows = tuple((name, *_summary(s.values, gauge.unit)) for name, s in lines)
    span = f"{local(window.start, ctx.zone)} to {local(window.end, ctx.zone)}"
    text = f"{capital(gauge.title)}{whose} is {newest}; {span}:"
    return Answer(
        text,
        tables=(Table("", ("series", "newest", "least", "typical", "greatest"), rows),),
        plots=(Plot(f"{gauge.title}{f' of {where.name}' if where else ''}", gauge.unit, tuple(lines[:_MOST_LINES])),),
        evidence=(cite(reading, f"{gauge.title} is {newest}"),),
    )


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
