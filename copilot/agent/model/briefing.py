"""What a model is told first: about a question that a person asked, or about a case that rules did not decide."""

from collections.abc import Iterable

from copilot.agent.model.claims import Facts
from copilot.agent.model.conclusion import Exists
from copilot.agent.model.consult import Brief
from copilot.agent.model.ledger import Ledger
from copilot.agent.model.prompt import load
from copilot.agent.model.quoting import quoted
from copilot.agent.model.toolbox import shown
from copilot.core.case import Anomaly, Case, Evidence, Findings, Trust
from copilot.core.cluster import ClusterDump
from copilot.core.ref import Ref
from copilot.core.text import one_line
from copilot.diagnosis.diagnose import catalogue
from copilot.errors import CopilotError
from copilot.questions.base import Answer, Context
from copilot.questions.looking import inventory

_WORDS = frozenset({"default", "kubernetes", "main", "app", "web", "api-server", "system", "test", "kube-system"})
"""Names that sentences use without meaning an object."""


async def about_question(ctx: Context, text: str, answer: Answer) -> Brief:
    """Return the brief of a question and the answer that rules gave to it."""
    ledger = Ledger()
    told = shown(answer, ledger)
    opening = f"The question: {one_line(text, 500)}\n\nThe product's own answer:\n{told}"
    known = (r.name for r in (await inventory(ctx)).refs)
    return Brief(load("converse"), opening, ctx, _facts(ledger, known), live(ctx))


def about_case(ctx: Context, case: Case, dump: ClusterDump, findings: Findings) -> Brief:
    """Return the brief of a case that rules did not decide."""
    ledger = Ledger(findings.evidence)
    for one in findings.diagnoses:
        ledger.rests(one.cause, one.rests_on)
    seen = ledger.add(_seen(a, i) for i, a in enumerate(case.anomalies[:10], 1))
    told = [f"{d.verdict} {d.cause} on {d.object}: {d.summary}" for d in findings.diagnoses[:5]]
    lines = [f"The case: {case.title}", *told, *(f"Not looked at: {m}" for m in findings.missing[:10])]
    shown_first = {e.id: e for e in (*seen, *findings.evidence[:20])}
    names = (
        str((o.get("metadata") or {}).get("name") or "") for k in dump.objects if k != "Event" for o in dump.objects[k]
    )
    opening = quoted("\n".join(lines), shown_first.values())
    return Brief(load("investigate"), opening, ctx, _facts(ledger, names), within(dump))


def live(ctx: Context) -> Exists:
    """Return what tells whether an object exists in the cluster now."""

    async def exists(ref: Ref) -> bool:
        if ctx.cluster is None or ref.api_version.startswith("aws/"):
            return False
        try:
            return bool(await ctx.cluster.get(ref))
        except CopilotError:
            return False

    return exists


def within(dump: ClusterDump) -> Exists:
    """Return what tells whether an object is in a dump."""

    async def exists(ref: Ref) -> bool:
        return any(Ref.of({"kind": ref.kind, **o}).key == ref.key for o in dump.objects.get(ref.kind, ()))

    return exists


def _facts(ledger: Ledger, names: Iterable[str]) -> Facts:
    known = frozenset(n.lower() for n in names if len(n) > 2) - _WORDS
    return Facts(ledger, known, frozenset(c.name for c in catalogue()))


def _seen(anomaly: Anomaly, number: int) -> Evidence:
    """Return an anomaly as evidence; what an alert says was written by somebody else."""
    ways = {
        "detector": ("prometheus", Trust.METRIC),
        "state": ("kubernetes", Trust.CONTROL_PLANE),
        "alert": ("alert", Trust.WORKLOAD),
    }
    source, trust = ways[anomaly.source]
    value = "" if anomaly.value is None else f" is {anomaly.value:.4g} {anomaly.unit}".rstrip()
    bound = "" if anomaly.bound is None else f" (bound {anomaly.bound:.4g})"
    said = f"{anomaly.signal} of {anomaly.resource}{value}{bound}"
    finding = f"{said}: {one_line(anomaly.summary)}" if anomaly.summary else said
    return Evidence.model_validate(
        {
            "id": f"a{number}",
            "source": source,
            "query": anomaly.query,
            "at": anomaly.seen,
            "finding": finding,
            "subject": anomaly.resource,
            "trust": trust,
        }
    )
