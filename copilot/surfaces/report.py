"""The daily report: what was seen, done, undone, and what needs a person; Markdown, HTML and JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from copilot.actions import revive
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Approval, Decision, StepState
from copilot.core.text import human_seconds, in_words, one_line, plural, redact
from copilot.policy import POLICY, Mode

_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ report.title }}</title>
<style>
 body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
        color: #1b1f24; background: #fff }
 h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
 table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .35rem .8rem .35rem 0;
        border-bottom: 1px solid #d8dee4; vertical-align: top; white-space: pre-line; overflow-wrap: anywhere }
 .figures td { font-size: 1.4rem; border: 0 } .figures th { color: #57606a; font-weight: normal; border: 0 }
 code { background: #f3f4f6; padding: 0 .25rem } svg text { font: 11px system-ui; fill: #57606a }
 @media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 } td, th { border-color: #30363d }
        code { background: #161b22 } }
</style></head><body>
<h1>{{ report.title }}</h1>
<table class="figures"><tr>{% for name, value in report.figures %}<th>{{ name }}</th>{% endfor %}</tr>
<tr>{% for name, value in report.figures %}<td>{{ value }}</td>{% endfor %}</tr></table>
<h2>Cases by hour</h2>
<svg role="img" aria-label="Cases opened by hour" viewBox="0 0 600 120" width="100%">
{% for count in report.hours %}{% set height = 78 * count / report.most %}
<rect x="{{ loop.index0 * 25 + 3 }}" y="{{ 95 - height }}" width="19" height="{{ height }}" fill="#3b82f6"/>
{% if count %}<text x="{{ loop.index0 * 25 + 9 }}" y="{{ 91 - height }}">{{ count }}</text>{% endif %}
{% if loop.index0 % 3 == 0 %}<text x="{{ loop.index0 * 25 + 3 }}" y="112">{{ '%02d' % (
(report.begin.hour + loop.index0) % 24) }}</text>{% endif %}
{% endfor %}<line x1="0" y1="95" x2="600" y2="95" stroke="#8b949e"/></svg>
{% for section in report.sections %}<h2>{{ section.title }} ({{ section.rows | length }})</h2>
{% if section.rows %}<table><tr>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in section.rows %}<tr><td><code>{{ row[0] }}</code></td>
{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>{% else %}<p>None.</p>{% endif %}{% endfor %}
</body></html>
"""
Row = tuple[str, ...]
COLUMNS = ("case", "opened", "what", "cause", "outcome", "change", "decided by")
"""What stands in a row, in this order; a cell may have several lines."""
_MOMENT = "%A %d %B %Y, %H:%M %Z"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The report of 24 hours. ``hours``: cases opened in each of them, the first one beginning at ``begin``."""

    title: str
    begin: datetime
    figures: tuple[tuple[str, str], ...]
    hours: tuple[int, ...]
    sections: tuple[Section, ...]

    @property
    def most(self) -> int:
        """The busiest hour's count, at least 1."""
        return max(1, *self.hours)


def daily(
    cases: Sequence[Case], *, begin: datetime, environment: str, cut: bool = False, asked: bool = False
) -> Report:
    """Return the report of the 24 hours from ``begin``, over cases opened in them; ``cut``: there were more.

    One that somebody ``asked`` for is called after its end, which is now, for them.
    """
    today = [c for c in cases if begin <= c.opened < begin + timedelta(days=1)]
    span = f"to {begin + timedelta(days=1):{_MOMENT}}" if asked else f"from {begin:{_MOMENT}}"
    hours = [0] * 24
    for case in today:
        hours[int((case.opened - begin).total_seconds() // 3600)] += 1
    return Report(
        title=f"infra-copilot, {environment}, 24 hours {span}",
        begin=begin,
        figures=_figures(today, cut=cut),
        hours=tuple(hours),
        sections=(
            Section("Needs a person", _rows(today, CaseStatus.NEEDS_PERSON, CaseStatus.FAILED, CaseStatus.WAITING)),
            Section("Done and verified", _rows(today, CaseStatus.RESOLVED)),
            Section("Undone", _rows(today, CaseStatus.UNDONE)),
            Section("Rejected", _rows(today, CaseStatus.REJECTED)),
            Section("In progress", _rows(today, CaseStatus.OPEN, CaseStatus.EXECUTING, CaseStatus.VERIFYING)),
            Section("No fault", _rows(today, CaseStatus.NO_FAULT)),
        ),
    )


def _figures(cases: Sequence[Case], *, cut: bool) -> tuple[tuple[str, str], ...]:
    fixed = [c for c in cases if c.status is CaseStatus.RESOLVED and c.results and c.outcome]
    times = [(c.outcome.at - c.opened).total_seconds() for c in fixed if c.outcome]
    return (
        ("cases", f"{len(cases)}, and more that are not listed" if cut else str(len(cases))),
        ("fixed and verified", str(len(fixed))),
        ("undone", str(sum(c.status is CaseStatus.UNDONE for c in cases))),
        ("median time to verified fix", human_seconds(median(times)) if times else "-"),
        ("model tokens", str(sum(c.llm_tokens for c in cases))),
    )


def _rows(cases: Sequence[Case], *statuses: CaseStatus) -> tuple[Row, ...]:
    return tuple(_row(c) for c in cases if c.status in statuses)


def _row(case: Case) -> Row:
    cause = ""
    if case.diagnosis:
        where = f" on {case.diagnosis.object}" if case.diagnosis.object else ""
        cause = f"{in_words(case.diagnosis.cause)}{where}"
    outcome = one_line(case.outcome.message, 200) if case.outcome else in_words(case.status.value)
    told = (redact(one_line(case.title, 120)), cause, redact(outcome))
    return case.id, f"{case.opened:%H:%M}", *told, _change(case), _decided(case)


def _change(case: Case) -> str:
    """Return what was run, a command a line, and what took it back; of a plan that was not run, what it would be."""
    if case.plan is None:
        return ""
    begun = {r.index for r in case.results if r.state is not StepState.INTENT}
    steps = [step for index, step in enumerate(case.plan.steps) if index in begun]
    if not steps:
        word = "refused" if case.status is CaseStatus.REJECTED else "proposed"
        return "\n".join(f"{word}: {_command(step.command)}" for step in case.plan.steps)
    lines = [_command(step.command) for step in steps]
    if case.status is CaseStatus.UNDONE:
        back = [revive(step.inverse) for step in reversed(steps) if step.inverse]
        lines += [f"taken back: {_command(action.command())}" for action in back]
    return "\n".join(lines)


def _command(command: str) -> str:
    return redact(one_line(command, 300))


def _decided(case: Case) -> str:
    """Return who said yes or no to the plan of a case, and in what role."""
    if case.plan is None:
        return ""
    signed = [a for a in case.approvals if a.plan_digest.partition("#")[0] == case.plan.digest]
    return "\n".join(_signer(a) for a in signed)


def _signer(approval: Approval) -> str:
    by = one_line(approval.by, 80)
    # The policy signs by itself in this one mode.
    who = f"policy, mode {Mode.ACT.value}" if approval.role == POLICY else f"{by} ({one_line(approval.role, 40)})"
    return who if approval.decision is Decision.APPROVE else f"rejected by {who}"


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    lines = [f"# {report.title}", ""]
    lines += [f"- {name}: **{value}**" for name, value in report.figures]
    for section in report.sections:
        lines += ["", f"## {section.title} ({plural(len(section.rows), 'case')})", ""]
        if section.rows:
            lines += ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
            lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in section.rows]
        else:
            lines.append("None.")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


def html(report: Report) -> str:
    """Return the report as one self-contained HTML page; everything is escaped, nothing is fetched."""
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(_HTML).render(report=report, columns=COLUMNS)


def as_json(report: Report) -> dict[str, Any]:
    """Return the report for a webhook."""
    return {
        "title": report.title,
        "begin": report.begin.isoformat(),
        "figures": dict(report.figures),
        "columns": list(COLUMNS),
        "sections": {section.title: [list(row) for row in section.rows] for section in report.sections},
    }
