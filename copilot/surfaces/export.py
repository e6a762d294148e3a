"""A case as a Markdown document that can be filed: timeline, evidence with its queries, decisions, outcome."""

from copilot.core.case import Case
from copilot.core.plan import Approval, Plan
from copilot.core.text import in_words, one_line, redact
from copilot.surfaces.precedents import told


def markdown(case: Case) -> str:
    """Return the whole case as Markdown, redacted; untrusted text stands in code spans."""
    parts = [
        _head(case),
        _cause(case),
        _evidence(case),
        _precedents(case),
        _timeline(case),
        _plan(case.plan),
        _decisions(case),
        _end(case),
    ]
    return redact("\n\n".join(part for part in parts if part)) + "\n"


def _code(text: str, limit: int = 300) -> str:
    return f"`{one_line(text, limit).replace('`', chr(39))}`"


def _head(case: Case) -> str:
    lines = [f"# {case.id}: {one_line(case.title)}", ""]
    status = f"Status **{in_words(case.status.value)}**, severity {case.severity.name.lower()}"
    lines.append(f"{status}, environment {case.environment}, opened {case.opened:%Y-%m-%d %H:%M:%S} UTC.")
    if case.anomalies:
        lines += ["", "## Symptoms", ""]
        lines += [f"- {a.onset:%H:%M:%S} {_code(a.summary or in_words(a.signal))}" for a in case.anomalies]
    return "\n".join(lines)


def _cause(case: Case) -> str:
    if case.diagnosis is None:
        return ""
    d = case.diagnosis
    where = f" on {_code(str(d.object))}" if d.object else ""
    lines = ["## Cause", f"**{d.verdict.value}**: {in_words(d.cause)}{where}, confidence {d.confidence:.0%}."]
    lines.append(_code(d.summary, 600))
    lines += [f"- not {in_words(a.cause)} ({a.confidence:.0%}): {_code(a.refuted_by)}" for a in d.alternatives]
    return "\n\n".join(lines[:3]) + "\n" + "\n".join(lines[3:])


def _evidence(case: Case) -> str:
    if not case.evidence:
        return ""
    rows = ["## Evidence", "", "| id | seen | finding | shows it again |", "|---|---|---|---|"]
    for e in case.evidence:
        finding, query = (_code(t).replace("|", "\\|") for t in (e.finding, e.query))
        rows.append(f"| {e.id} | {e.at:%H:%M:%S} | {finding} | {query} |")
    return "\n".join(rows)


def _precedents(case: Case) -> str:
    if not case.precedents:
        return ""
    rows = [f"- {_code(told(p), 500)}" for p in case.precedents]
    return "\n".join(["## Seen before", "", "Precedent, not proof: nothing was decided on it.", "", *rows])


def _timeline(case: Case) -> str:
    if not case.timeline:
        return ""
    rows = [f"- {t.at:%H:%M:%S} {_code(t.what)}" for t in sorted(case.timeline, key=lambda t: t.at)]
    return "\n".join(["## What changed", "", *rows])


def _plan(plan: Plan | None) -> str:
    if plan is None:
        return ""
    lines = ["## Plan", "", f"Digest `{plan.digest}`, risk {plan.risk.name.lower()}, {plan.blast.summary}"]
    for step in plan.steps:
        lines += ["", "```console", f"$ {step.command}", "```", "", "```diff", step.diff.strip("\n"), "```"]
    return "\n".join(lines)


def _decisions(case: Case) -> str:
    rows = [f"- {_decision(a)}" for a in case.approvals]
    rows += [
        f"- {r.at:%H:%M:%S} step {r.index + 1} {r.state.value} {r.message and _code(r.message)}" for r in case.results
    ]
    return "\n".join(["## Decisions and effects", "", *rows]) if rows else ""


def _decision(a: Approval) -> str:
    why = f" {_code(a.reason)}" if a.reason else ""
    return f"{a.at:%H:%M:%S} {a.decision.value} by {_code(a.by)} ({a.role}) of `{a.plan_digest[:12]}`{why}"


def _end(case: Case) -> str:
    if case.outcome is None:
        return ""
    lines = ["## Outcome", "", f"{in_words(case.outcome.status.value)}: {_code(case.outcome.message, 600)}"]
    if case.outcome.verification:
        lines += [f"- {_code(reading)}" for reading in case.outcome.verification.readings]
    return "\n".join(lines)
