"""What fixing something would do: exact commands, differences, risk, what it disturbs, how it is checked and undone."""

from pydantic import Field

from copilot.core.case import Case, Evidence
from copilot.core.plan import Plan
from copilot.core.text import plural
from copilot.errors import NotFound
from copilot.questions.base import Answer, Context, Cue, OnTarget, Question, Table, cell, code, local, newest
from copilot.questions.looking import about
from copilot.questions.what_is_wrong import cited, concerning, findings, told


class Arguments(OnTarget):
    """The case, or the object whose case is meant; the newest open case when empty."""

    case: str = Field("", description="Case id or its unique beginning.")


async def answer(ctx: Context, args: Arguments) -> Answer:
    """Show the plan of a case without doing anything; without a plan, what the remedy would be."""
    case = await _case(ctx, args)
    if case is None:
        return await _no_case(ctx, args)
    head = f"Case {code(case.id)}: {cell(case.title)} ({case.status})."
    if case.plan is None:
        remedy = case.diagnosis.remedy if case.diagnosis else ""
        rest = (
            f"No plan is made yet; the remedy would be: {cell(remedy, 300)}."
            if remedy
            else "There is no plan and no known remedy."
        )
        return Answer(f"{head}\n\n{rest}", evidence=case.evidence)
    return Answer("\n".join([head, "", *_plan(ctx, case.plan)]), tables=(_steps(case.plan),), evidence=_evidence(case))


async def _case(ctx: Context, args: Arguments) -> Case | None:
    if ctx.cases is None:
        return None
    if args.case:
        return await ctx.cases.get(args.case)
    cases = newest(await ctx.cases.list(open_only=True))
    if not args.target:
        return cases[0] if cases else None
    return next((c for c in cases if _names(c, args.target)), None)


def _names(case: Case, target: str) -> bool:
    refs = [a.resource for a in case.anomalies]
    if case.diagnosis is not None:
        refs += [r for r in (case.diagnosis.object, *case.diagnosis.symptoms) if r is not None]
    return any(r.name == target or r.name.startswith(f"{target}-") for r in refs)


async def _no_case(ctx: Context, args: Arguments) -> Answer:
    """Without a case, diagnose and say what the remedy would be; nothing is proposed or changed."""
    where = await about(ctx, args)
    try:
        found = await findings(ctx, where)
    except NotFound:
        return Answer("There is no open case, and nothing to fix that I know of.")
    mine = concerning(found, where)[:3]
    if not mine:
        return Answer("There is nothing to fix that I can see.", missing=found.missing)
    lines = ["No case is open; what I find, and what would be done about it:", ""]
    lines += [f"- {told(d)} Remedy: {cell(d.remedy or 'none known', 200)}." for d in mine]
    return Answer("\n".join(lines), evidence=cited(found, mine), missing=found.missing)


def _plan(ctx: Context, plan: Plan) -> list[str]:
    blast = plan.blast
    disturbs = blast.summary or f"{plural(blast.pods, 'pod')}, {plural(blast.nodes, 'node')}"
    lost = f", {blast.gpu_hours_lost:.1f} GPU-hours of work lost" if blast.gpu_hours_lost else ""
    checks = "; ".join(cell(c.title) for c in plan.checks) or "none"
    undo = "each step can be taken back" if all(s.inverse for s in plan.steps) else "not every step can be taken back"
    return [
        f"**{cell(plan.title)}**: {cell(plan.reason, 300)}",
        "",
        f"- risk: {plan.risk.name.lower()}; disturbs {cell(disturbs)}{lost}",
        f"- checked by: {checks}; {undo}",
        f"- valid until {local(plan.expires, ctx.zone)}; digest {code(plan.digest[:12])}; nothing happens unapproved",
    ]


def _steps(plan: Plan) -> Table:
    rows = tuple((str(i), s.command, s.diff, s.risk.name.lower()) for i, s in enumerate(plan.steps, 1))
    return Table("Steps", ("", "command", "difference", "risk"), rows)


def _evidence(case: Case) -> tuple[Evidence, ...]:
    wanted = set(case.diagnosis.rests_on) if case.diagnosis else set()
    return tuple(e for e in case.evidence if not wanted or e.id in wanted)


_ACT = (
    r"fix\w*|apply\w*|approv\w+|remed\w+|plan\w*|propos\w+|execut\w+|repair\w*|resolv\w+|mitigat\w+|"
    r"rollback|rolling back|undo\w*|restart\w*|scal\w+|solution"
)

QUESTION = Question(
    name="fix",
    summary="What the fix of a case or of something broken would do, before anybody approves it.",
    arguments=Arguments,
    cues=(
        Cue(rf"\b(?:what|which|how)\b.{{0,20}}\b(?:would|will|does|do|can|could|should|"
            rf"happens?)\b.{{0,50}}\b(?:{_ACT})\b", 3.5),
        Cue(rf"\b(?:if|when|before|after)\b.{{0,20}}\b(?:i|we|you|somebody|someone)?\b.{{0,12}}\b(?:{_ACT})\b", 2.5),
        Cue(rf"\b(?:effect|impact|consequences?|blast radius|risks?|risky|side[- ]effects?|dry[- ]?run|preview|"
            rf"simulat\w+|cost|what'?s? in)\b.{{0,40}}\b(?:{_ACT}|case|change)\b", 3),
        Cue(r"\b(?:blast radius|dry[- ]?run|preview|remedy|remediation|side[- ]effects?)\b", 2.2),
        Cue(rf"\b(?:the|your|that|this|proposed|suggested|a) (?:{_ACT})\b", 2),
        Cue(r"\bhow (?:do|can|should|would|could|to) ?(?:i|we|you|one)?\b.{0,10}\b(?:fix|repair|resolve|solve|"
            r"mitigate|remedy|get .{1,20} back)\b", 3.5),
        Cue(r"\b(?:fix|fixing|repair\w*|remedy)\b", 2),
        Cue(r"\bwhat (?:do|would|should) (?:you|we|i) (?:suggest|propose|recommend|advise|do)\b", 3.5),
        Cue(r"\bcase\b", 1.2),
        Cue(r"\b(?:would|will|could|does)\b.{0,40}\b(?:help|solve|cure)\b", 2.5),
        Cue(r"\b(?:i|we) (?:say yes|approve|agree|confirm|accept|go ahead)\b", 3),
        Cue(r"\b(?:intend|plan|propose|want|going) to (?:do|fix|resolve|repair|change)\b", 2),
        Cue(r"\bis (?:it|this|that) (?:safe|ok|okay|dangerous|risky)(?:$| to (?:approve|apply|proceed|go ahead|deploy|"
            r"fix)\b)", 3),
        Cue(r"\b(?:proposed|suggested|planned) (?:\w+ ){0,2}(?:change|patch|diff|action|fix|plan|remedy)\b|"
            r"\bpatch\b", 3),
        Cue(r"\b(?:can|could) .{0,40}\b(?:undone|reverted|rolled back|taken back)\b", 2.5),
        Cue(r"\b(?:did|have|has)\b.{0,12}\byou\b|\byou(?:'ve| have)?\b.{0,12}\b(?:fixed|restarted|applied|did|"
            r"done)\b|\b(?:fixed|applied)\b.{0,20}\btoday\b", -3),
        Cue(r"\bwho\b|\bchanged\b", -1.5),
    ),
    examples=("what would fixing cart do?", "what does the plan of case 3f2a do?"),
    answer=answer,
    wants=frozenset({"case"}),
)  # fmt: skip
