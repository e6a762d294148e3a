"""Cases, plans and findings drawn with rich: the same cards in the terminal, in ``demo`` and in the chat.

Text that came from outside is made inert first and is never read as markup.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from copilot.core.case import (
    Anomaly,
    Case,
    CaseStatus,
    Diagnosis,
    Evidence,
    Findings,
    Outcome,
    Severity,
    TimelineEntry,
    Verdict,
)
from copilot.core.plan import Check, Plan, Risk, Step
from copilot.core.ref import Ref
from copilot.core.text import human_seconds, in_words, inert, one_line, plural
from copilot.surfaces.precedents import precedent_lines

_VERDICT_STYLE = {
    Verdict.CONFIRMED: "bold red",
    Verdict.LIKELY: "bold yellow",
    Verdict.INCONCLUSIVE: "bold magenta",
    Verdict.NO_FAULT: "bold green",
}
_RISK_STYLE = {Risk.SAFE: "green", Risk.DISRUPTIVE: "yellow", Risk.DESTRUCTIVE: "red", Risk.IRREVERSIBLE: "bold red"}
_SEVERITY_STYLE = {Severity.INFO: "", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}
_DIFF_STYLE = {"+": "green", "-": "red", "@": "cyan"}
_MOST_DIFF_LINES = 40
_MOST_SHOWN = 3
_MOST_HURT = 8
_MOST_CHANGES = 20


def flag(environment: str) -> str:
    """Return what a command needs to be about this environment: nothing, or `` -e NAME``."""
    return "" if environment == "default" else f" -e {environment}"


def clock(at: datetime) -> str:
    """Return a moment as ``07:41:16``."""
    return at.strftime("%H:%M:%S")


def diagnosis_line(diagnosis: Diagnosis) -> Text:
    """Return one line: verdict, cause, object, confidence."""
    line = Text()
    line.append(diagnosis.verdict.value, style=_VERDICT_STYLE[diagnosis.verdict])
    line.append(f"  {in_words(diagnosis.cause)}", style="bold")
    if diagnosis.object:
        line.append(f"  {diagnosis.object}")
    line.append(f"  ({diagnosis.confidence:.0%})", style="dim")
    return line


def evidence_tree(diagnosis: Diagnosis, evidence: Iterable[Evidence], *, explain: bool = False) -> Tree:
    """Return the chain from symptom to cause; with ``explain``, also what was refuted and why."""
    known = {e.id: e for e in evidence}
    tree = Tree(diagnosis_line(diagnosis))
    if diagnosis.summary:
        tree.add(Text(one_line(diagnosis.summary, 400)))
    if diagnosis.symptoms:
        tree.add(Text(f"hurts {_hurt(diagnosis.symptoms)}", style="dim"))
    cited = [known[i] for i in diagnosis.rests_on if i in known]
    if cited:
        branch = tree.add(Text("rests on", style="bold"))
        for one in cited:
            leaf = branch.add(Text.assemble((f"[{one.id}] ", "cyan"), one_line(one.finding, 300)))
            leaf.add(_query(one.query, whole=explain))
    if diagnosis.next_look:
        tree.add(Text.assemble(("would decide it: ", "bold"), one_line(diagnosis.next_look, 300)))
    if explain:
        _add_alternatives(tree, diagnosis)
    return tree


def _hurt(refs: Sequence[Ref]) -> str:
    """Return objects in one line, those of a namespace together."""
    spaces: dict[str, dict[str, None]] = {}
    for ref in refs[:_MOST_HURT]:
        spaces.setdefault(ref.namespace, {})[ref.name if ref.namespace else f"{ref.kind.lower()} {ref.name}"] = None
    said = "; ".join(", ".join(names) + (f" -n {space}" if space else "") for space, names in spaces.items())
    more = len(refs) - _MOST_HURT
    return said + (f" and {more} more" if more > 0 else "")


def _query(query: str, *, whole: bool) -> Text:
    """Return the line that shows evidence again; cut to one row unless all of it is wanted."""
    if whole:
        return Text(f"$ {one_line(query, 1500)}", style="dim")
    return Text(f"$ {one_line(query, 400)}", style="dim", no_wrap=True, overflow="ellipsis")


def _add_alternatives(tree: Tree, diagnosis: Diagnosis) -> None:
    branch = tree.add(Text("considered and not chosen", style="bold"))
    for other in diagnosis.alternatives:
        where = f" on {other.object}" if other.object else ""
        why = f": {one_line(other.refuted_by, 200)}" if other.refuted_by else ""
        branch.add(Text(f"{in_words(other.cause)}{where} ({other.confidence:.0%}){why}"))
    if not diagnosis.alternatives:
        branch.add(Text("nothing else explained the symptoms", style="dim"))


def diff_text(diff: str) -> Text:
    """Return a unified difference in colour; a long one is cut in the middle of what did not change, never hidden."""
    text = Text()
    lines = inert(diff, len(diff)).splitlines()
    shown = lines if len(lines) <= _MOST_DIFF_LINES else _changed_only(lines)
    for line in shown:
        text.append(line + "\n", style=_DIFF_STYLE.get(line[:1], "dim"))
    return text


def _changed_only(lines: list[str]) -> list[str]:
    changed = [line for line in lines if line[:1] in "+-@"]
    return [*changed, f"({plural(len(lines) - len(changed), 'unchanged line')} not shown)"]


def plan_card(plan: Plan, *, now: datetime | None = None, decidable: bool = True) -> Panel:
    """Return the plan as a person approves it; riskiest steps first, so that nothing dangerous hides below.

    Until when it may be decided is left out of one that is not ``decidable`` any more.
    """
    rows: list[RenderableType] = [Text(one_line(plan.reason, 400)), Text()]
    rows.extend(_step(step) for step in sorted(plan.steps, key=lambda s: -s.risk))
    rows.append(_facts(plan, now, decidable))
    title = Text.assemble("plan ", (plan.digest[:12], "bold cyan"), "  ", one_line(plan.title, 100))
    return Panel(Group(*rows), title=title, title_align="left", border_style=_RISK_STYLE[plan.risk])


def _step(step: Step) -> RenderableType:
    head = Text.assemble(("$ ", "bold"), (inert(step.command, 2000), "bold"))
    head.append(f"   {step.risk.name.lower()}", style=_RISK_STYLE[step.risk])
    return Group(head, diff_text(step.diff))


def _facts(plan: Plan, now: datetime | None, decidable: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_row("disturbs", Text(plan.blast.summary or "nothing that runs"))
    if plan.blast.gpu_hours_lost and "GPU-hours" not in plan.blast.summary:
        table.add_row("loses", Text(f"{plan.blast.gpu_hours_lost:.1f} GPU-hours since the last checkpoint"))
    for assumption in plan.assumes:
        generation = f" (generation {assumption.generation})" if assumption.generation else ""
        table.add_row("assumes", Text(f"{assumption.target} is as it was read{generation}"))
    for line in check_lines(plan.checks):
        table.add_row("verified by", Text(line))
    undo = [step.inverse for step in plan.steps if step.inverse]
    table.add_row("undo", Text(", ".join(in_words(call.action) for call in undo) or "not possible"))
    if not decidable:
        return table
    left = f" (in {human_seconds((plan.expires - now).total_seconds())})" if now and now < plan.expires else ""
    table.add_row("expires", Text(f"{clock(plan.expires)} UTC{left}"))
    return table


def check_lines(checks: Iterable[Check]) -> list[str]:
    """Return how success is judged: one line for each metric and bound, with every object it is asked of."""
    alike: dict[tuple[object, ...], list[Check]] = {}
    for check in checks:
        metric, _ = check.metric_and_object
        alike.setdefault((metric, check.below, check.above, check.within, check.hold), []).append(check)
    return [check_line(*same) for same in alike.values()]


def check_line(check: Check, *alike: Check) -> str:
    """Return how success is judged, in one line; ``alike`` differ from ``check`` only in the object."""
    objects = ", ".join((check.title, *(c.metric_and_object[1] or c.title for c in alike)))
    bounded = f"{objects} {check.limit}".rstrip()
    window = human_seconds(check.within.total_seconds())
    return f"{bounded} for {human_seconds(check.hold.total_seconds())}, within {window}"


def timeline_table(entries: Iterable[TimelineEntry], *, about: Ref | None = None) -> Table:
    """Return what changed when, oldest first; of too many, what concerns ``about`` or was decided, then the newest."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_column(style="dim")
    known = sorted(entries, key=lambda e: e.at)
    shown = sorted(_nearest(known, about)[:_MOST_CHANGES], key=lambda e: e.at)
    if len(known) > len(shown):
        table.add_row("", Text(f"{plural(len(known) - len(shown), 'change')} not shown", style="dim"))
    shape = "%H:%M:%S" if len({entry.at.date() for entry in known}) < 2 else "%b %d %H:%M:%S"
    for entry in shown:
        table.add_row(entry.at.strftime(shape), Text(one_line(entry.what, 160)), Text(str(entry.object or "")))
    return table


def _nearest(known: Sequence[TimelineEntry], about: Ref | None) -> list[TimelineEntry]:
    """Return changes with the ones that explain a case first, each kind newest first."""
    near: list[TimelineEntry] = []
    far: list[TimelineEntry] = []
    for one in reversed(known):
        ours = one.object is None or (about is not None and one.object.key == about.key)
        (near if ours else far).append(one)
    return near + far


def case_view(
    case: Case,
    *,
    explain: bool = False,
    now: datetime | None = None,
    picture: RenderableType | None = None,
    head: bool = True,
) -> Group:
    """Return a whole case: what hurts, how it ended, why, what would be done, what was done, what changed around it.

    ``picture`` is the metric that hurts, drawn to fit (see ``surfaces.curves``); without ``head`` id and state are left
    out, for where they stand above it.
    """
    rows: list[RenderableType] = [_case_head(case, whole=head)]
    rows += [_symptom(a) for a in case.anomalies[:_MOST_SHOWN]]
    if len(case.anomalies) > _MOST_SHOWN:
        rows.append(Text(f"  and {plural(len(case.anomalies) - _MOST_SHOWN, 'symptom')} more", style="dim"))
    if case.outcome:
        rows += _outcome(case.outcome)
    if case.diagnosis:
        rows += [Text(), evidence_tree(case.diagnosis, case.evidence, explain=explain)]
    rows += precedent_lines(case.precedents)
    if picture is not None:
        rows += [Text(), picture]
    if case.missing:
        rows.append(Text("could not look at: " + "; ".join(case.missing), style="yellow"))
    if case.plan:
        rows += [Text(), plan_card(case.plan, now=now, decidable=_decidable(case))]
    rows += [Text(f"  {clock(r.at)}  step {r.index + 1}: {r.state.value} {one_line(r.message)}") for r in case.results]
    if case.timeline:
        rows += [
            Text("\nwhat changed", style="bold"),
            timeline_table(case.timeline, about=case.diagnosis.object if case.diagnosis else None),
        ]
    return Group(*rows)


def _decidable(case: Case) -> bool:
    """Return whether the plan of a case still waits for somebody's word."""
    return case.status is CaseStatus.WAITING and not any(
        case.plan and a.plan_digest == case.plan.digest for a in case.approvals
    )


def _case_head(case: Case, *, whole: bool) -> Text:
    head = Text.assemble((case.id, "bold cyan"), "  ", (_state(case), "bold"), "  ") if whole else Text()
    head.append(one_line(case.title, 160), style="" if whole else "bold")
    if whole and case.occurrences > 1:
        head.append(f"  (seen {case.occurrences} times)", style="dim")
    for flag in case.flags:
        head.append(f"  {in_words(flag)}", style="bold magenta")
    return head


def _symptom(anomaly: Anomaly) -> Text:
    """Return a symptom in one row, its value first: what is cut off at the right matters least."""
    said = one_line(anomaly.summary or anomaly.signal, 160)
    what, _, value = said.rpartition(": ")
    row = Text(no_wrap=True, overflow="ellipsis").append(f"  {clock(anomaly.onset)}  ", style="dim")
    if anomaly.value is None or not what:
        return row.append(said)
    now, _, bound = value.partition(" (")
    return row.append(f"{now:>8}", style="bold").append(f"  {what}").append(f" ({bound}" if bound else "", style="dim")


def _outcome(outcome: Outcome) -> list[RenderableType]:
    """Return how a case ended: what was read of each check, a line each; else the words of it."""
    readings = outcome.verification.readings if outcome.verification else ()
    good = outcome.status is CaseStatus.RESOLVED
    if not (good and readings):
        return [Text.assemble(("\noutcome: ", "bold"), one_line(outcome.message, 400))]
    lines = [Text(f"  ✓ {one_line(reading, 150)}", style="green") for reading in readings]
    return [Text("\nverified", style="bold green"), *lines]


def _state(case: Case) -> str:
    return in_words(case.status.value)


def anomalies_view(anomalies: Iterable[Anomaly]) -> Table:
    """Return what left its band or is in a bad state, one row each."""
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column()
    for one in anomalies:
        table.add_row(
            Text(f"since {clock(one.onset)}", style="dim"), str(one.resource), Text(one_line(one.summary, 120))
        )
    return table


def findings_view(findings: Findings, *, explain: bool = False, unexplained: bool = False) -> Group:
    """Return ranked findings as trees, or one line that says that nothing is wrong, or ``unexplained``."""
    rows: list[RenderableType] = []
    faults = [d for d in findings.diagnoses if d.verdict is not Verdict.NO_FAULT]
    for diagnosis in faults:
        rows += [evidence_tree(diagnosis, findings.evidence, explain=explain), Text()]
    if not faults and unexplained:
        rows.append(Text("No cause can be named for that; it is out of bounds all the same.", style="bold yellow"))
    elif not faults:
        whole = not findings.missing
        said = "No fault found." if whole else "No fault found in what could be looked at."
        rows.append(Text(said, style="bold green" if whole else "bold yellow"))
    rows += precedent_lines(findings.precedents)
    rows += [Text(f"could not look at {one_line(m)}", style="yellow") for m in findings.missing]
    rows.append(Text(f"{plural(len(faults), 'finding')} in {human_seconds(findings.seconds)}, 0 tokens", style="dim"))
    return Group(*rows)
