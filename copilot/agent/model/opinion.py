"""A second opinion on a case that rules did not decide: it may add a cause with evidence and a plan to ask for.

It never decides: the verdict is LIKELY at most, whatever rules named stays as an alternative, and a plan that comes
from it is executed without a person only where two independent sources besides an application's text bear it out
(``copilot.execution.surroundings``).
"""

from dataclasses import dataclass

from copilot.agent.model.briefing import about_case
from copilot.agent.model.claims import Claim
from copilot.agent.model.conclusion import Hypothesis, Suggestion
from copilot.agent.model.consult import Brief, Consultant, Ended
from copilot.core.case import Alternative, Case, Diagnosis, Evidence, Findings, TimelineEntry, Verdict
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.text import inert, one_line, plural
from copilot.execution.surroundings import NAMED_BY
from copilot.questions.base import Context

MISMATCH = "prose_mismatch"
"""Flag of a case whose model spoke of other changes than it proposed."""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """Asks a model about a case."""

    consultant: Consultant
    context: Context

    async def __call__(self, case: Case, dump: ClusterDump, findings: Findings) -> Case:
        """Return the case with what a model adds and code found supported; the same diagnosis when that is nothing."""
        brief = about_case(self.context, case, dump, findings)
        suggestion, ended = Suggestion(), None
        async for happened in self.consultant.consult(brief):
            if isinstance(happened, Suggestion):
                suggestion = happened
            elif isinstance(happened, Ended):
                ended = happened
        return case if ended is None else self._with(case, brief, suggestion, ended)

    def _with(self, case: Case, brief: Brief, suggestion: Suggestion, ended: Ended) -> Case:
        who = f"model:{ended.model}"
        diagnosis = case.diagnosis
        for hypothesis in suggestion.hypotheses:
            diagnosis = _beside(diagnosis, hypothesis, who, ended)
        entry = TimelineEntry(at=self.context.clock.now(), what=_told(suggestion, ended), source=who)
        cited = tuple(_cited(brief, suggestion))
        changed = case.with_(
            diagnosis=diagnosis,
            evidence=(*case.evidence, *(e for e in cited if e not in case.evidence)),
            timeline=(*case.timeline, entry),
            llm_tokens=case.llm_tokens + ended.tokens,
            seconds={**case.seconds, "model": ended.seconds},
        )
        return _proposed(changed, suggestion, who)


def _beside(before: Diagnosis | None, one: Hypothesis, who: str, ended: Ended) -> Diagnosis:
    """Return the diagnosis with a hypothesis: in front when it is LIKELY and rules were undecided, else behind."""
    decided = before is not None and before.verdict is not Verdict.INCONCLUSIVE
    if before is not None and (decided or one.verdict is not Verdict.LIKELY):
        why = f"{who} suggests it on {', '.join(one.rests_on)}; that does not decide it"
        other = Alternative(cause=one.cause.name, object=one.object, confidence=one.confidence, refuted_by=why)
        return before.model_copy(update={"alternatives": (*before.alternatives, other)})
    why = " ".join(claim.text for claim in one.why)
    look = "" if one.verdict is Verdict.LIKELY else (one.cause.must_see[0] if one.cause.must_see else "")
    return Diagnosis(
        verdict=one.verdict,
        cause=one.cause.name,
        family=one.cause.family,
        object=one.object,
        confidence=one.confidence,
        summary=inert(f"{one.cause.title} on {one.object}, {who} suggests. {why}".strip(), 600),
        rests_on=one.rests_on,
        alternatives=() if before is None else (_undecided(before), *before.alternatives),
        remedy=one.cause.remedy,
        details={NAMED_BY: who, "prompt": ended.prompt, "tools": ended.tools[:12]},
        next_look=look,
    )


def _undecided(before: Diagnosis) -> Alternative:
    why = "it was not decided by what could be seen"
    return Alternative(cause=before.cause, object=before.object, confidence=before.confidence, refuted_by=why)


def _proposed(case: Case, suggestion: Suggestion, who: str) -> Case:
    """Return the case with the actions as a proposal, when its diagnosis is the model's and no runbook is needed."""
    flags = (*case.flags, MISMATCH) if suggestion.mismatch else case.flags
    diagnosis = case.diagnosis
    mine = diagnosis is not None and diagnosis.details.get(NAMED_BY) == who and diagnosis.verdict is Verdict.LIKELY
    if not mine or not suggestion.actions or diagnosis is None:
        return case.with_(flags=flags)
    title = "; ".join(one_line(a.command(), 120) for a in suggestion.actions)
    reason = " ".join(c.text for c in suggestion.reason) or diagnosis.summary
    calls = tuple(a.call() for a in suggestion.actions)
    proposal = Proposal(title=title, actions=calls, reason=reason, proposed_by=who)
    return case.with_(flags=flags, proposal=proposal)


def _told(suggestion: Suggestion, ended: Ended) -> str:
    names = ", ".join(h.cause.name for h in suggestion.hypotheses)
    found = f"suggests {names}" if names else "adds nothing"
    left = f"; left out: {'; '.join(suggestion.dropped)}" if suggestion.dropped else ""
    note = f" ({ended.note})" if ended.note else ""
    asked = f"{plural(ended.questions, 'question')}, {plural(ended.tokens, 'token')}, prompt {ended.prompt}"
    return one_line(f"Asked {ended.model}: it {found}{note}; {asked}{left}", 500)


def _cited(brief: Brief, suggestion: Suggestion) -> list[Evidence]:
    claims: list[Claim] = [*suggestion.reason, *(c for h in suggestion.hypotheses for c in h.why)]
    ids = {i for h in suggestion.hypotheses for i in h.rests_on} | {e.id for c in claims for e in c.cites}
    return [e for e in brief.facts.ledger.all if e.id in ids]
