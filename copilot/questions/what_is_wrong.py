"""What is wrong, everywhere or in one place: open cases and what diagnosis names right now."""

from collections.abc import Sequence

from copilot.core.case import Diagnosis, Evidence, Findings
from copilot.core.ref import Ref
from copilot.core.text import in_words, plural
from copilot.errors import Unsupported
from copilot.ports.read import Scope
from copilot.questions.base import Answer, Context, Cue, OnTarget, Question, cell, code, newest
from copilot.questions.looking import about

_MOST = 8
_ALL = {"the cluster", "metrics"}
"""What diagnosis calls the sources of which it saw nothing at all."""


class Arguments(OnTarget):
    """Where to look; everything when empty."""


async def findings(ctx: Context, where: Ref | None) -> Findings:
    """Diagnose the namespace of an object, or everything; raises ``Unsupported`` without cluster or diagnosis."""
    if ctx.diagnose is None:
        raise Unsupported("Diagnosis is not available here.", hint="Ask for a metric or for open cases.")
    namespace = ""
    if where is not None:
        namespace = where.name if where.kind == "Namespace" else where.namespace
    scope, question = Scope(namespace=namespace or ctx.namespace), where.name if where else ""
    if ctx.survey is not None:
        dump, anomalies = await ctx.survey(scope)
        return ctx.diagnose(dump, namespace=namespace, question=question, anomalies=anomalies)
    dump = await (ctx.look or ctx.need_cluster().dump)(scope)
    return ctx.diagnose(dump, namespace=namespace, question=question)


def concerning(found: Findings, where: Ref | None) -> list[Diagnosis]:
    """Return the diagnoses about an object: it is the cause or one of the symptoms."""
    if where is None or where.kind == "Namespace":
        return list(found.diagnoses)
    return [d for d in found.diagnoses if any(_same(r, where) for r in (d.object, *d.symptoms) if r)]


def cited(found: Findings, diagnoses: Sequence[Diagnosis]) -> tuple[Evidence, ...]:
    """Return the evidence that some diagnoses rest on, each once."""
    return tuple({e.id: e for d in diagnoses for e in found.cited(d)}.values())


def told(diagnosis: Diagnosis) -> str:
    """Return one diagnosis as a line of markdown."""
    whom = f" on {code(diagnosis.object)}" if diagnosis.object else ""
    said = f"**{diagnosis.verdict}** {cell(in_words(diagnosis.cause))}{whom}: {cell(diagnosis.summary, 300)}"
    marks = "".join(f"[{i}]" for i in diagnosis.rests_on)
    look = f"Next look: {cell(diagnosis.next_look, 200)}." if diagnosis.next_look else ""
    return " ".join(part for part in (said, marks, look) if part)


async def answer(ctx: Context, args: Arguments) -> Answer:
    """List what diagnosis names about the target, most important first, and the open cases."""
    where = await about(ctx, args)
    found = await findings(ctx, where)
    mine = concerning(found, where)[:_MOST]
    if not mine and {one.partition(":")[0] for one in found.missing} >= _ALL:
        said = "I cannot say what is wrong: neither a cluster nor metrics could be looked at."
        return Answer(said, missing=found.missing, failed=True)
    place = f" with {code(where)}" if where else ""
    lines = (
        [f"{plural(len(mine), 'finding')}{place}:", ""] if mine else [f"Nothing is wrong{place}, as far as I can see."]
    )
    lines += [f"{i}. {told(d)}" for i, d in enumerate(mine, 1)]
    others = len(found.diagnoses) - len(mine)
    if where is not None and others > 0:
        lines += ["", f"Elsewhere: {plural(others, 'finding')}; ask what is wrong to see them."]
    lines += await _open_cases(ctx)
    return Answer("\n".join(lines), evidence=cited(found, mine), missing=found.missing)


async def _open_cases(ctx: Context) -> list[str]:
    if ctx.cases is None:
        return []
    cases = newest(await ctx.cases.list(open_only=True))[:_MOST]
    return ["", "Open cases:", *(f"- {code(c.id)} {cell(c.title)} ({c.status})" for c in cases)] if cases else []


def _same(one: Ref, other: Ref) -> bool:
    """A workload is also meant by its Service and its pods."""
    if one.namespace and other.namespace and one.namespace != other.namespace:
        return False
    return one.name == other.name or one.name.startswith(f"{other.name}-") or other.name.startswith(f"{one.name}-")


QUESTION = Question(
    name="what_is_wrong",
    summary="What is wrong in the cluster, a namespace or a workload, with causes and evidence.",
    arguments=Arguments,
    cues=(
        Cue(r"\b(?:what|anything|something|whats|what's|is anything|somethin)\b.{0,20}\b(?:wrong|broken|"
            r"the matter|up with|amiss)\b", 3),
        Cue(r"\b(?:trouble\w*|red flags?|complain\w*|hiccups?|degraded|suffering)\b", 2.2),
        Cue(r"\b(?:wrong|broken|malfunction\w*|misbehav\w*|on fire|busted)\b", 2),
        Cue(r"\b(?:problems?|issues?|incidents?|outages?|alerts?|findings|failures|faults?)\b", 2.4),
        Cue(r"\bany(?:thing)?\b.{0,25}\b(?:problems?|issues?|incidents?|alerts?|failing|broken|attention|"
            r"worr\w+)\b", 1.5),
        Cue(r"\b(?:failing|fails?|crash\w*|down|dying|unavailable|not working|not responding|doesn'?t work|"
            r"erroring|dead|died|dies|throwing errors|oomkilled|evicted)\b", 1.3),
        Cue(r"\bwhy (?:is|isn'?t|are|aren'?t|doesn'?t|does|do|can'?t|won'?t|did|has|have)\b.{0,60}\b(?:fail\w*|"
            r"crash\w*|down|broken|"
            r"unavailable|(?:not )?(?:working|ready|"
            r"responding)|restart\w*|die\w*|dying|unreachable|red|stuck|unhealthy|oom\w*)\b", 2),
        Cue(r"\b(?:diagnos\w+|troubleshoot|debug|root[- ]cause|investigate|triage|find the (?:cause|fault))\b", 2.5),
        Cue(r"\bwhat(?:'s| is| has)? (?:happen\w*|going on|going wrong|gone wrong|breaking|failing)\b(?! (?:to|"
            r"with) )", 2.2),
        Cue(r"\b(?:which|what|any|some)\b.{0,15}\b(?:gpus?|cards?|nodes?|pods?|services?|workloads?)\b.{0,12}"
            r"\b(?:broken|bad|faulty|dead|dying|wrong|sick|defective|damaged)\b", 4),
        Cue(r"\boom(?:s|ed|ing)?\b|\boom[- ]?kill\w*|\bkilled for memory\b|\bran out of memory\b", 2.6),
        Cue(r"\b(?:training|train|job|jobs|run)\b.{0,15}\b(?:stuck|hung|hanging|hangs|frozen|stall(?:ed|s|ing)?)\b"
            r"(?! (?:in|on|at|for|waiting|pending)\b)", 4),
        Cue(r"\bpods?\b(?: \w+)? (?:not|aren'?t|isn'?t) running$", 4),
        Cue(r"\bwhat needs (?:my |our )?attention\b", 3),
        Cue(r"\bwhat broke\b", 3),
        Cue(r"\b(?:alert|alarm|page[ds]?|pager)\b|\bnot ?ready\b", 2.2),
        Cue(r"\bkeeps? (?:on )?(?:restart|crash|fail|dy|stopp|break)\w*ing\b", 2.2),
        Cue(r"\bstatus (?:report|of (?:the cluster|everything))\b", 1),
        Cue(r"\bpending|unschedul\w+\b", -1),
        Cue(r"\bchanged?\b|\bwhat happens if\b|\bwould\b", -1.5),
        Cue(r"\bdid you\b|\byou (?:do|did|fix)\b", -2),
    ),
    examples=("what is wrong?", "what is wrong in shop?", "why is cart crashing?"),
    answer=answer,
)  # fmt: skip
