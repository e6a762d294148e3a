"""Cases as Block Kit, within Slack's limits; text from outside is ``plain_text``, so that nothing in it is a link.

Limits (Slack's reference, and bolt-js issue 2509 for the total): 50 blocks a message, 3,000 characters a section,
150 a header, about 13,200 characters in all, 2,000 in a button's value, 75 on a button.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Plan
from copilot.core.text import human_seconds, in_words, inert, one_line, redact
from copilot.surfaces.cards import check_lines

Block = dict[str, Any]
MOST_BLOCKS = 50
MOST_SECTION = 3000
MOST_TOTAL = 12_000
_MARK = {
    CaseStatus.WAITING: "waits for a decision",
    CaseStatus.EXECUTING: "executing",
    CaseStatus.VERIFYING: "verifying on the metric that hurt",
    CaseStatus.RESOLVED: "resolved",
    CaseStatus.UNDONE: "undone, a person is needed",
    CaseStatus.NEEDS_PERSON: "needs a person",
}


def case_blocks(case: Case, *, now: datetime) -> list[Block]:
    """Return the whole card of a case: what hurts, why, what would be done, buttons while a decision is open."""
    blocks = [_header(f"{case.id}: {case.title}"), context(_status(case))]
    blocks += [_text(f"{a.onset:%H:%M:%S}  {a.summary or a.signal}") for a in case.anomalies[:5]]
    blocks += _diagnosis(case)
    if case.plan and case.status is not CaseStatus.NO_FAULT:
        blocks += plan_blocks(case.plan, now=now)
    blocks += [context(f"step {r.index + 1}: {r.state.value} {r.message}") for r in case.results[-5:]]
    if case.outcome:
        blocks.append(_text(f"Outcome: {case.outcome.message}"))
    return bounded(blocks, buttons(case, now=now), cut=buttons(case, now=now, whole=False))


def _status(case: Case) -> str:
    words = _MARK.get(case.status, in_words(case.status.value))
    return f"{words} · {case.severity.name.lower()} · {case.environment} · since {case.opened:%H:%M:%S} UTC"


def _diagnosis(case: Case) -> list[Block]:
    if case.diagnosis is None:
        return []
    d = case.diagnosis
    where = f" on {d.object}" if d.object else ""
    blocks = [_text(f"{d.verdict.value}: {in_words(d.cause)}{where} ({d.confidence:.0%})\n{d.summary}")]
    known = {e.id: e for e in case.evidence}
    cited = [known[i] for i in d.rests_on if i in known][:6]
    blocks += [context(f"[{e.id}] {one_line(e.finding, 300)}\n$ {one_line(e.query, 300)}") for e in cited]
    return blocks


def plan_blocks(plan: Plan, *, now: datetime) -> list[Block]:
    """Return the plan as it was signed: riskiest step first, no step left out."""
    blocks: list[Block] = [{"type": "divider"}, _text(f"Plan {plan.digest[:12]}: {plan.title}\n{plan.reason}")]
    for step in sorted(plan.steps, key=lambda s: -s.risk):
        diff = "\n".join(line for line in step.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---"))
        blocks += _code(f"$ {step.command}\n[{step.risk.name.lower()}]\n{diff}")
    left = human_seconds((plan.expires - now).total_seconds()) if plan.expires > now else "expired"
    facts = [f"disturbs: {plan.blast.summary or 'nothing that runs'}"]
    facts += [f"verified by: {line}" for line in check_lines(plan.checks)]
    facts.append(f"expires: {plan.expires:%H:%M:%S} UTC ({left})")
    return [*blocks, context("\n".join(facts))]


def buttons(case: Case, *, now: datetime, whole: bool = True) -> Block | None:
    """Return the buttons that make sense now; a value holds the case and the plan's digest, never the change.

    Without ``whole`` a part of the plan is not shown above them, and nobody may approve what was not shown.
    """
    value = f"{case.id}|{case.plan.digest}" if case.plan else f"{case.id}|"
    offered: list[Block] = []
    if case.status is CaseStatus.WAITING and case.plan and case.plan.expires > now:
        offered += [_button("Approve", "approve", value, style="primary")] if whole else []
        offered.append(_button("Reject", "reject", value, style="danger"))
    if case.diagnosis:
        offered.append(_button("Why?", "why", value))
    if case.status in (CaseStatus.RESOLVED, CaseStatus.FAILED) and case.results:
        offered.append(_button("Undo", "undo", value))
    return {"type": "actions", "block_id": f"case:{case.id}", "elements": offered} if offered else None


def home_blocks(cases: Sequence[Case], suspended: str) -> list[Block]:
    """Return the home tab: open cases and the suspend switch."""
    switch = (
        _button("Resume", "resume", "all", style="primary")
        if suspended
        else _button("Suspend", "suspend", "all", style="danger")
    )
    state = f"Suspended: {suspended}" if suspended else "Actions are allowed by policy."
    blocks = [_header("infra-copilot"), _text(state), {"type": "actions", "elements": [switch]}, _header("Open cases")]
    blocks += [_text(f"{c.id}  {_MARK.get(c.status, c.status.value)}\n{c.title}") for c in cases[:30]]
    if not cases:
        blocks.append(_text("None."))
    return bounded(blocks, None)


def why_text(case: Case) -> str:
    """Return the chain of evidence and what was refuted, as plain text."""
    if case.diagnosis is None:
        return "There is no diagnosis yet."
    d = case.diagnosis
    lines = [d.summary]
    known = {e.id: e for e in case.evidence}
    lines += [f"[{i}] {known[i].finding}\n    $ {known[i].query}" for i in d.rests_on if i in known]
    lines += [f"not {in_words(a.cause)}: {a.refuted_by}" for a in d.alternatives]
    return clean("\n".join(lines), MOST_SECTION)


def bounded(blocks: list[Block], last: Block | None, *, cut: Block | None = None) -> list[Block]:
    """Return blocks within the limits, ``last`` below them; what is left out is said, and ``cut`` stands below it."""
    room = MOST_BLOCKS - 2
    kept: list[Block] = []
    total = 0
    for block in blocks:
        size = len(str(block))
        if len(kept) >= room or total + size > MOST_TOTAL:
            left = len(blocks) - len(kept)
            kept.append(context(f"{left} more parts: read 'infra-copilot cases show', decide with 'cases approve'"))
            last = cut
            break
        kept.append(block)
        total += size
    return [*kept, last] if last else kept


def clean(text: str, limit: int) -> str:
    """Return inert, redacted text cut at ``limit``, never empty (Slack refuses empty text)."""
    safe = redact(inert(text, 10_000)).strip()
    return (safe if len(safe) <= limit else safe[: limit - 1] + "…") or "-"


def escaped(text: str, limit: int) -> str:
    """Return clean text for where Slack reads markup: no link, no mention of anybody can be made of it."""
    return clean(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain_section(text: str, limit: int = MOST_SECTION) -> Block:
    """Return a section in which nothing is a link or a mention."""
    return {"type": "section", "text": _plain(text, limit)}


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(one_line(text, 400), 150)}


def _text(text: str) -> Block:
    return {"type": "section", "text": _plain(text, MOST_SECTION)}


def _code(text: str) -> list[Block]:
    """Return a text in as many parts as it takes: none of it may be cut off unseen."""
    safe = redact(inert(text, len(text))).strip() or "-"
    parts = [safe[at : at + MOST_SECTION] for at in range(0, len(safe), MOST_SECTION)]
    return [preformatted(part) for part in parts[:MOST_BLOCKS]]


def preformatted(text: str) -> Block:
    """Return text whose columns and lines stay as they are."""
    element = {"type": "text", "text": text.strip() or "-"}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [element]}]}


def context(text: str) -> Block:
    """Return small print."""
    return {"type": "context", "elements": [_plain(text, MOST_SECTION)]}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": clean(text, limit), "emoji": False}


def _button(label: str, action: str, value: str, *, style: str = "") -> Block:
    button: Block = {"type": "button", "action_id": action, "text": _plain(label, 75), "value": value}
    return {**button, "style": style} if style else button
