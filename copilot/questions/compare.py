"""Compare two things, or one thing with itself at another time."""

from datetime import timedelta

import numpy as np
from pydantic import Field

from copilot.core.case import Evidence
from copilot.core.ref import Ref
from copilot.core.series import Series
from copilot.errors import InvalidInput
from copilot.questions.base import Answer, Context, Cue, InWindow, OnTarget, Plot, Question, Table, code, local
from copilot.questions.gauges import BY_NAME, DEVICES, Gauge, suited
from copilot.questions.looking import about, amount, cite, read
from copilot.questions.times import Window
from copilot.questions.why_metric import window_of

_USUAL = timedelta(hours=1)
_MAIN = ("requests", "errors", "latency", "cpu", "memory", "restarts", "waiting", "gpu_utilization", "step_time")
_NODE = ("cpu", "memory", "disk", "gpu_utilization", "gpu_temperature", "gpu_power")
_DIFFERS = 1.1


class Arguments(OnTarget, InWindow):
    """What is compared with what: another object, or the same one a day (or ``shift``) earlier."""

    other: str = Field("", description="Name of the object to compare with; empty compares with an earlier time.")
    other_kind: str = ""
    other_namespace: str = ""
    metric: str = Field("", description="One metric; all main ones when empty.")
    shift_hours: float = Field(24.0, gt=0, description="How much earlier, when there is no other object.")


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Return a table of both sides with their ratio, and a plot when one metric is meant."""
    if not args.target:
        raise InvalidInput("Compare what with what?", hint="Say: compare cart with checkout.")
    now = await ctx.need_metrics().now()
    window = window_of(args, now, usual=_USUAL)
    left = await about(ctx, args)
    right, earlier = left, window
    if args.other:
        right = await about(ctx, OnTarget(target=args.other, kind=args.other_kind, namespace=args.other_namespace))
    else:
        shift = timedelta(hours=args.shift_hours)
        earlier = Window(window.start - shift, window.end - shift, "")
    sides = (Side(left, window, str(left)), Side(right, earlier, str(right)))
    if not args.other:
        sides = tuple(Side(s.of, s.window, local(s.window.end, ctx.zone)) for s in sides)  # type: ignore[assignment]
    return await _compared(ctx, sides, args.metric)


class Side:
    """One side of a comparison: an object over a window, and what to call it."""

    def __init__(self, of: Ref | None, window: Window, name: str) -> None:
        self.of, self.window, self.name = of, window, name


async def _compared(ctx: Context, sides: tuple[Side, Side], metric: str) -> Answer:
    evidence: list[Evidence] = []
    rows, plots, apart = [], [], []
    for gauge in _gauges(sides, metric):
        values, series = await _both(ctx, gauge, sides, evidence)
        if np.isnan(values).all():
            continue
        ratio = values[0] / values[1] if values[1] else float("nan")
        told = "" if np.isnan(ratio) else f"{ratio:.2g}x"
        rows.append((gauge.title, amount(values[0], gauge.unit), amount(values[1], gauge.unit), told))
        if not np.isnan(ratio) and not 1 / _DIFFERS <= ratio <= _DIFFERS:
            apart.append(f"{gauge.title} {told}")
        if metric:
            named = tuple((s.name, one) for s, one in zip(sides, series, strict=True) if one is not None)
            plots.append(Plot(gauge.title, gauge.unit, named))
    names = (code(sides[0].name), code(sides[1].name))
    if not rows:
        return Answer(f"There is no data to compare {names[0]} with {names[1]}.", evidence=tuple(evidence))
    differ = "; ".join(apart) if apart else "no metric differs by more than a tenth"
    text = f"{names[0]} against {names[1]}: {differ}."
    table = Table("Typical values", ("metric", sides[0].name, sides[1].name, "ratio"), tuple(rows))
    return Answer(text, tables=(table,), plots=tuple(plots), evidence=tuple(evidence))


def _gauges(sides: tuple[Side, Side], metric: str) -> tuple[Gauge, ...]:
    of = sides[0].of
    usual = _NODE if of is not None and of.kind == "Node" else _MAIN
    return tuple(suited(BY_NAME[n], of) for n in ((metric,) if metric in BY_NAME else usual))


async def _both(
    ctx: Context, gauge: Gauge, sides: tuple[Side, Side], evidence: list[Evidence]
) -> tuple[tuple[float, float], tuple[Series | None, Series | None]]:
    typical, series = [], []
    for side in sides:
        reading = await read(ctx, gauge, side.of, window=side.window)
        total = reading.total
        kept = total.values[np.isfinite(total.values)] if total is not None else np.empty(0)
        if gauge.labels == DEVICES and len(reading.lines) > 1 and gauge.unit == "ratio":
            kept = np.concatenate([s.values[np.isfinite(s.values)] for _, s in reading.lines])
        typical.append(float(np.median(kept)) if kept.size else float("nan"))
        series.append(total)
        if kept.size:
            found = cite(reading, f"{gauge.title} of {side.name} typically {amount(typical[-1], gauge.unit)}")
            evidence.append(found.model_copy(update={"id": f"{found.id}-{len(evidence)}"}))
    return (typical[0], typical[1]), (series[0], series[1])


QUESTION = Question(
    name="compare",
    summary="Two objects beside each other, or one beside itself at an earlier time.",
    arguments=Arguments,
    cues=(
        Cue(r"\bboth\b.{0,60}\b(?:same|equal\w*|alike)\b|\bthe same (?:amount|level|load) (?:of|as)\b", 3),
        Cue(r"\b(?:compar\w+|contrast)\b", 5),
        Cue(r"\b(?:versus|vs\.?|against|side by side|next to)\b", 3.5),
        Cue(r"\bdifferen(?:ce|ces|t|tly)\b", 1.8),
        Cue(r"\bdifferences?\b.{0,20}\bbetween\b|\bdiffer\w*\b.{0,20}\bfrom\b", 3.5),
        Cue(r"\b(?:than|relative to|as opposed to)\b", 2.2),
        Cue(r"\b(?:more|less|higher|lower|faster|slower|better|worse|hotter|busier|bigger)\b.{0,40}\b(?:than|"
            r"or)\b", 2.2),
        Cue(r"\b(?:which|who)\b.{0,30}\b(?:faster|slower|better|worse|hotter|busier|more|less|higher|"
            r"lower)\b.{0,40}\bor\b", 2),
        Cue(r"\b(?:which|who)\b.{0,15}\bof\b.{2,40}\band\b.{2,40}\bis\b.{0,10}\b\w+er\b", 3),
        Cue(r"\b(?:yesterday|last week|before|usual|the day before)\b", 0.5),
        Cue(r"\bsame (?:time|as)\b", 1),
    ),
    examples=("compare cart with checkout", "compare latency of cart today with yesterday"),
    answer=answer,
    wants=frozenset({"other"}),
)  # fmt: skip
