"""Why a metric spiked or dropped: when it moved, what moved with it, and what happened just before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from copilot.core.case import Evidence, Findings
from copilot.core.ref import Ref
from copilot.core.text import human_seconds
from copilot.errors import CopilotError
from copilot.questions.base import Answer, Context, Cue, InWindow, OnTarget, Plot, Question, Table, cell, code, local
from copilot.questions.gauges import BY_NAME, Gauge, suited
from copilot.questions.looking import (
    Change,
    Reading,
    about,
    amount,
    beyond_since,
    capital,
    change,
    cite,
    latest,
    onset,
    read,
    widened,
)
from copilot.questions.times import Window
from copilot.questions.what_is_wrong import cited, concerning, findings, told

USUAL = timedelta(hours=2)
_BEFORE = timedelta(hours=2)
_JUST_BEFORE = timedelta(minutes=20)
_FAR = timedelta(days=1)
_LEAD = timedelta(minutes=10)
_COARSE = timedelta(minutes=20)
"""How far before a move that was seen coarsely it is looked for again."""


class Arguments(OnTarget, InWindow):
    """Which metric of what moved, and when about."""

    metric: str = "latency"


def gauge_of(name: str) -> Gauge:
    """Return the gauge of a name; latency when nothing is called so (the schema lists the names)."""
    return BY_NAME.get(name, BY_NAME["latency"])


def window_of(args: InWindow, now: datetime, *, usual: timedelta = USUAL) -> Window:
    """Return the stretch that arguments name, else the last ``usual``; never beyond now."""
    end = min(args.end or now, now)
    start = args.start if args.start is not None and args.start < end else end - usual
    return Window(start, end, "")


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Find the move, compare related metrics at that moment, and name changes and causes near it."""
    now = await ctx.need_metrics().now()
    where = await about(ctx, args)
    gauge, window = suited(gauge_of(args.metric), where), window_of(args, now)
    whose = f" of {code(where)}" if where else ""
    reading, moved = await _moved(ctx, gauge, where, window)
    if reading.total is None:
        return await _unmeasured(ctx, where, reading, f"There is no data on {gauge.title}{whose} in that time.")
    earlier = await _earlier(ctx, gauge, where, window, reading, moved, told=args.start is not None)
    if earlier is not None:
        window = earlier
        reading, moved = await _moved(ctx, gauge, where, window)
    plot = Plot(f"{gauge.title}{f' of {where.name}' if where else ''}", gauge.unit, reading.lines[:8])
    if moved is not None and moved.stands_out:
        return await _explained(ctx, where, window, Moved(reading, moved, whose), plot)
    newest = latest(reading.total)
    if newest > gauge.most:
        span = human_seconds((window.end - _first(reading)).total_seconds())
        text = f"{capital(gauge.title)}{whose} is {amount(newest, gauge.unit)}, and was {span} ago already."
        return replace(await _unmeasured(ctx, where, reading, text), plots=(plot,))
    text = f"{capital(gauge.title)}{whose} did not move beyond its usual noise{_range(moved, gauge)}."
    return Answer(text, plots=(plot,), evidence=(cite(reading, "no move beyond noise"),))


async def _moved(ctx: Context, gauge: Gauge, where: Ref | None, window: Window) -> tuple[Reading, Change | None]:
    reading = await read(ctx, gauge, where, window=widened(window, _BEFORE))
    return reading, change(reading.total, window) if reading.total is not None else None


async def _earlier(
    ctx: Context,
    gauge: Gauge,
    where: Ref | None,
    window: Window,
    reading: Reading,
    moved: Change | None,
    *,
    told: bool,
) -> Window | None:
    """Return a window around the move when it began before the one looked at, else None.

    A value that stands at the edge of the window moved before it, and one that did not move at all may have moved
    long ago: then the day before is looked at too, once and coarsely, unless people told the time that they mean.
    """
    series = reading.total
    if series is not None and moved is not None and moved.stands_out:
        begun = onset(series, moved, window)
        return Window(begun - _LEAD, window.end, "") if begun is not None else None
    if told and not latest(series) > gauge.most:
        return None
    far = (await read(ctx, gauge, where, window=Window(window.end - _FAR, window.end, ""))).total
    if far is None:
        return None
    if latest(far) > gauge.most:
        begun = beyond_since(far, gauge.most)
        return Window(begun - _COARSE, window.end, "") if begun - _COARSE > window.end - _FAR else None
    how = change(far, window)
    begun = onset(far, how, window) if how is not None else None
    return Window(begun - _COARSE, window.end, "") if begun is not None else None


class Moved:
    """A reading that moved, and how."""

    def __init__(self, reading: Reading, how: Change, whose: str) -> None:
        self.reading, self.how, self.whose = reading, how, whose

    def told(self, ctx: Context) -> str:
        """Return the move as a sentence."""
        gauge = self.reading.gauge
        verb = "rose" if self.how.spreads > 0 else "fell"
        at = f" at {local(self.how.at, ctx.zone)}" if self.how.at else ""
        return (
            f"{capital(gauge.title)}{self.whose} {verb} from {amount(self.how.before, gauge.unit)} "
            f"to {amount(self.how.during, gauge.unit)}{at}."
        )


async def _unmeasured(ctx: Context, where: Ref | None, reading: Reading, no_data: str) -> Answer:
    """Say that there is no data, and what diagnosis names all the same: not every program measures that."""
    found, missing = await _findings(ctx, where)
    mine = concerning(found, where)[:3]
    lines = [no_data, *(["", "Diagnosis:", *(f"- {told(d)}" for d in mine)] if mine else [])]
    return Answer("\n".join(lines), evidence=(reading.evidence, *cited(found, mine)), missing=missing)


async def _explained(ctx: Context, where: Ref | None, window: Window, moved: Moved, plot: Plot) -> Answer:
    evidence = [cite(moved.reading, moved.told(ctx))]
    rows = await _related(ctx, where, window, moved, evidence)
    found, missing = await _findings(ctx, where)
    mine = concerning(found, where)[:3]
    lines = [moved.told(ctx)]
    at = moved.how.at or window.start
    before = [e for e in found.timeline if at - _JUST_BEFORE <= e.at <= at + timedelta(minutes=2)]
    if before:
        lines += ["", "Just before:", *(f"- {local(e.at, ctx.zone)} {cell(e.what)}" for e in before[-5:])]
    if mine:
        lines += ["", "Diagnosis:", *(f"- {told(d)}" for d in mine)]
    if not mine and not before and not rows:
        lines.append("Nothing else moved at that time and no cause is known; I will not guess one.")
    table = (Table("What moved with it", ("metric", "before", "then", "from"), tuple(rows)),) if rows else ()
    return Answer(
        "\n".join(lines), tables=table, plots=(plot,), evidence=(*evidence, *cited(found, mine)), missing=missing
    )


async def _related(
    ctx: Context, where: Ref | None, window: Window, moved: Moved, evidence: list[Evidence]
) -> list[tuple[str, ...]]:
    """Return rows of related gauges that moved in the same window, the earliest first."""
    rows = []
    for name in moved.reading.gauge.related:
        gauge = suited(BY_NAME[name], where)
        reading = await read(ctx, gauge, where, window=widened(window, _BEFORE))
        how = change(reading.total, window) if reading.total is not None else None
        if how is not None and how.stands_out:
            evidence.append(cite(reading, Moved(reading, how, moved.whose).told(ctx)))
            when = local(how.at, ctx.zone) if how.at else ""
            rows.append((gauge.title, amount(how.before, gauge.unit), amount(how.during, gauge.unit), when))
    return sorted(rows, key=lambda row: row[3])


async def _findings(ctx: Context, where: Ref | None) -> tuple[Findings, tuple[str, ...]]:
    try:
        found = await findings(ctx, where)
    except CopilotError as error:
        return Findings(), (cell(error, 200),)
    return found, found.missing


def _first(reading: Reading) -> datetime:
    return datetime.fromtimestamp(min(float(s.times[0]) for _, s in reading.lines if s.times.size), UTC)


def _range(moved: Change | None, gauge: Gauge) -> str:
    return "" if moved is None else f" (about {amount(moved.before, gauge.unit)})"


QUESTION = Question(
    name="why_metric",
    summary="Why a metric of something spiked or dropped, at or since some time.",
    arguments=Arguments,
    cues=(
        Cue(r"\b(?:why|how come|what (?:caused|made|makes|drove|is causing|explains?|was behind|led to|triggered|"
            r"is behind)|explain|reason for|"
            r"cause of|what'?s (?:causing|behind|driving)|root cause of)\b", 1.5),
        Cue(r"\b(?:spik\w+|jump\w*|ros[et]|rise\w*|rising|surg\w+|increas\w+|climb\w*|grew|grow\w*|shot up|"
            r"went up|go(?:es|ing)? up|went through|"
            r"doubl\w+|tripl\w+|explod\w+|peak\w*|higher|so high|elevated|high)\b", 1.8),
        Cue(r"\b(?:drop\w*|fell|fall\w*|declin\w+|decreas\w+|went down|go(?:es|ing)? down|collaps\w+|plung\w+|"
            r"sank|dip\w*|crater\w*|tank\w+|"
            r"lower|so low|low|degrad\w+|slow(?:er)?|slowed|dived?)\b", 1.8),
        Cue(r"\bwhy\b.{0,40}\b(?:slow|high|low|hot|busy|idle)\b", 1),
        Cue(r"\bwhat happened (?:to|with)\b", 2),
        Cue(r"\b(?:through the roof|off a cliff|gone (?:up|down)|cooler|hotter|warmer|worse)\b", 1.8),
        Cue(r"\b(?:alert|alarm|page[ds]?|incident|outage|notready|crash\w*|broke|broken|die[sd]?|dying)\b", -2),
        Cue(r"^(?:is|are|was|were|does|do|did|has|have|can) (?!.*\bwhy\b)", -2),
        Cue(r"\b(?:right now|currently|at the moment)\b", -1),
        Cue(r"\bwill\b|\btomorrow\b|\bwould\b", -2),
        Cue(r"\bcompare|versus|\bvs\b", -2),
        Cue(r"\b(?:show|plot|graph|chart|draw)\b", -1.5),
    ),
    examples=("why did latency of cart spike last night?", "what caused the drop in tokens of chat since 14:00?"),
    answer=answer,
    wants=frozenset({"metric"}),
)  # fmt: skip
