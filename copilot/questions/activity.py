"""What did you do: cases opened and ended, plans proposed, decisions, and every change that was applied."""

from datetime import datetime, timedelta

from copilot.core.case import Case, Evidence
from copilot.core.plan import StepState
from copilot.core.text import plural
from copilot.questions.base import Answer, Context, Cue, InWindow, Question, Table, cell, code, local, newest
from copilot.questions.times import Window

_MOST = 40


class Arguments(InWindow):
    """Since when; since midnight when empty."""


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Report from the state store; what was applied comes first."""
    now = ctx.clock.now()
    ahead = now - await ctx.now()  # The journal keeps this product's clock; people ask by the cluster's.
    midnight = now.astimezone(ctx.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    start = args.start + ahead if args.start else midnight
    end = args.end + ahead if args.end else now
    window = Window(start, end + timedelta(seconds=1), "")
    cases = [c for c in newest(await ctx.need_cases().list(since=window.start)) if _touched(c, window)]
    rows = [row for case in cases for row in _rows(ctx, case, window)]
    rows.sort(key=lambda row: row[0])
    applied = sum(
        1 for c in cases for r in c.results if r.state is StepState.APPLIED and window.start <= r.at < window.end
    )
    opened = sum(1 for c in cases if window.start <= c.opened < window.end)
    ended = sum(1 for c in cases if c.outcome is not None and window.start <= c.outcome.at < window.end)
    waiting = [c for c in cases if c.status == "waiting"]
    text = (
        f"Since {local(window.start, ctx.zone)}: {plural(opened, 'case')} opened, {ended} ended, "
        f"{plural(applied, 'change')} applied."
    )
    if waiting:
        text += " Waiting for a decision: " + ", ".join(f"{code(c.id)} {cell(c.title)}" for c in waiting[:5]) + "."
    evidence = Evidence(
        id="journal",
        source="memory",
        query="infra-copilot cases list",
        at=now,
        finding=f"{plural(len(cases), 'case')} in that time",
    )
    table = (Table("", ("when", "case", "what"), tuple(rows[-_MOST:])),) if rows else ()
    return Answer(text, tables=table, evidence=(evidence,))


def _touched(case: Case, window: Window) -> bool:
    return case.opened < window.end and case.updated >= window.start


def _rows(ctx: Context, case: Case, window: Window) -> list[tuple[str, ...]]:
    happened: list[tuple[datetime, str]] = [(case.opened, f"opened: {case.title}")]
    if case.plan is not None:
        happened.append((case.plan.created, f"proposed: {case.plan.title}"))
        for result in case.results:
            command = "".join(s.command for s in case.plan.steps[result.index : result.index + 1])
            happened.append((result.at, f"{result.state}: {command}"))
    happened += [(a.at, f"{a.decision} by {a.by}") for a in case.approvals]
    if case.outcome is not None:
        happened.append((case.outcome.at, f"{case.outcome.status}: {case.outcome.message}"))
    return [(local(at, ctx.zone), case.id, what) for at, what in happened if window.start <= at < window.end]


_DOING = (
    r"do|did|done|doing|change[ds]?|fix(?:ed)?|restart(?:ed)?|appl(?:y|ied)|take|taken|took|touch(?:ed)?|find|"
    r"found|act(?:ed)?|"
    r"execut\w+|detect(?:ed)?|handle[ds]?|resolve[ds]?|report(?:ed)?|achieve[ds]?|accomplish\w*|been (?:up to|"
    r"doing|busy)|see|seen|run|ran|"
    r"scale[ds]?|propose[ds]?|roll(?:ed)? back|undo|undone|work(?:ed)? on|notice[ds]?|make|made|catch|caught|"
    r"solve[ds]?|break|broke"
)

QUESTION = Question(
    name="activity",
    summary="What this product itself found, proposed, changed and undid, today or since some time.",
    arguments=Arguments,
    cues=(
        Cue(rf"\b(?:did|have|has)\b.{{0,20}}\b(?:you|copilot|the bot|the agent)\b.{{0,25}}\b(?:{_DOING})\b", 4),
        Cue(rf"\b(?:you|copilot|the bot|the agent)(?:'ve| have)?\b.{{0,12}}\b(?:{_DOING})\b", 2),
        Cue(r"\byou(?:r|'ve)?\b", 0.8),
        Cue(r"\b(?:will|would|do|can|could|should) you\b(?! (?:have|ever))|\byou (?:will|would|intend|propose|"
            r"suggest|recommend)\b", -3),
        Cue(r"\byour (?:actions?|activit\w+|work|changes|log|day|history|decisions?|shift|journal|interventions?|"
            r"last)\b", 4),
        Cue(r"\b(?:hand-?over|your watch|on shift|night shift)\b", 3),
        Cue(r"\b(?:actions?|activit\w+|journal|audit|interventions?|remediations?)\b", 2.2),
        Cue(r"\b(?:daily|day'?s|today'?s|shift|weekly) (?:report|summary|digest|log)\b|\b(?:summary|summari[sz]e|"
            r"recap|report|digest|rundown)\b", 2.4),
        Cue(r"\b(?:cases?|incidents?)\b.{0,40}\b(?:today|yesterday|this week|overnight|last night|handled|closed|"
            r"opened|resolved)\b", 2.2),
        Cue(r"\b(?:were|was|been|got)\b.{0,25}\b(?:executed|approved|rejected|rolled back|undone|applied|fixed|"
            r"resolved)\b", 2),
        Cue(r"\bwhat (?:would|do you (?:suggest|propose|recommend|think))\b|\bcan you\b|\bcould you\b|"
            r"\bwould you\b|\bshould you\b|\btell me if\b", -2.5),
        Cue(r"\b(?:will|tomorrow|plot|compare)\b", -1.5),
    ),
    examples=("what did you do today?", "what have you changed since yesterday?"),
    answer=answer,
)  # fmt: skip
