"""The five steps, each ``Case -> Case``: investigate, propose, review, execute, verify. ``graph`` only wires them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

from copilot.agent import capacity
from copilot.agent.choice import choose
from copilot.agent.injection import FLAG, suspects
from copilot.agent.outcomes import REPLANNED, again, cut_short, ended, executed, merged, not_begun, verified
from copilot.agent.remedies import Found, Remedies, gitops
from copilot.agent.sight import Sight, earliest
from copilot.agent.verification import Verifier
from copilot.core.case import (
    Anomaly,
    Case,
    CaseStatus,
    Findings,
    TimelineEntry,
    Verdict,
    Verification,
)
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Approval, Decision, StepState
from copilot.core.text import one_line
from copilot.diagnosis.precedents import precedents, remembered
from copilot.errors import (
    Blocked,
    CopilotError,
    Fenced,
    NotApproved,
    Suspended,
    Unavailable,
    Unsupported,
    WorldChanged,
)
from copilot.execution.surroundings import Surroundings
from copilot.executor import Executor
from copilot.policy import POLICY, Judgement, Kind, Mode, PolicyDocument, judge
from copilot.ports.clock import Clock
from copilot.ports.read import Cluster
from copilot.ports.store import Store

MOST_PLANS = 5
"""Plans made for one case before a person is asked to look."""
PATIENCE = timedelta(minutes=10)
"""From the first symptom on, how long a case without a cause is looked at again before a person is asked."""
_LEFT_ALONE = timedelta(hours=1)
_REGAIN = timedelta(minutes=10)


class Diagnose(Protocol):
    """``copilot.diagnosis.diagnose.diagnose``."""

    def __call__(
        self, dump: ClusterDump, *, namespace: str = "", question: str = "", anomalies: Sequence[Anomaly] = ()
    ) -> Findings:
        """Return what is wrong in a dump."""
        ...


class Opinion(Protocol):
    """``copilot.agent.model.opinion.SecondOpinion``: what a model adds to a case that rules did not decide."""

    async def __call__(self, case: Case, dump: ClusterDump, findings: Findings) -> Case:
        """Return the case with what is supported by evidence; never raises for what a model does."""
        ...


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps and the ports they work through; without an executor nothing goes past ``review``."""

    store: Store
    cluster: Cluster | None
    clock: Clock
    sight: Sight
    diagnose: Diagnose
    remedies: Remedies
    surroundings: Surroundings
    verifier: Verifier
    policy: Callable[[], PolicyDocument]
    executor: Executor | None = None
    opinion: Opinion | None = None

    async def investigate(self, case: Case) -> Case:
        """Name the cause; close the case when there is no fault.

        A case that was opened with a proposal (by a forecast or a person) has no cause to name.
        """
        if case.proposal is not None and case.diagnosis is None:
            return case
        started = self.clock.now()
        dump, findings = await self._found_out(case)
        chosen, others = choose(findings.diagnoses, case)
        case = case.with_(
            diagnosis=chosen,
            others=others,
            evidence=findings.evidence,
            timeline=merged(case.timeline, findings.timeline),
            missing=findings.missing,
            title=one_line(chosen.summary) if chosen else case.title,
            seconds={**case.seconds, "diagnose": (self.clock.now() - started).total_seconds()},
        )
        case = await asyncio.to_thread(_marked, case, dump)
        case = case.with_(precedents=precedents(case, await self.store.pick(remembered)))
        if undecided(case) and self._patient(case):
            return case
        if undecided(case) and self.opinion is not None:
            case = await self.opinion(case, dump, findings)
            chosen = case.diagnosis
        if chosen is None:
            return self._ended(case, CaseStatus.NEEDS_PERSON, "Nothing that can be seen explains it.")
        if chosen.verdict is Verdict.NO_FAULT:
            return self._ended(case, CaseStatus.NO_FAULT, chosen.summary)
        if chosen.verdict is Verdict.INCONCLUSIVE:
            return self._ended(case, CaseStatus.NEEDS_PERSON, f"Not decided. {chosen.next_look}".strip())
        return case

    async def _found_out(self, case: Case) -> tuple[ClusterDump, Findings]:
        """Return a dump and what explains the case in it; from further back where the last hour explains nothing."""
        dump = await self.sight.look(case.id, since=case.opened)
        findings = await asyncio.to_thread(self.diagnose, dump, anomalies=case.anomalies)
        if findings.decided:
            return dump, findings
        wide = await self.sight.look(case.id, since=case.opened, began=earliest(case.anomalies))
        again = findings if wide is dump else await asyncio.to_thread(self.diagnose, wide, anomalies=case.anomalies)
        return (wide, again) if again.decided else (dump, findings)

    def _patient(self, case: Case) -> bool:
        """Whether more may show by itself: young by the source's clock, and not left alone by the wall's."""
        shown = max(a.seen for a in case.anomalies) - min(a.onset for a in case.anomalies)
        return shown < PATIENCE and self.clock.now() - case.opened < _LEFT_ALONE

    async def look_again(self, case: Case, newest: Case) -> Case | None:
        """Return the case to be investigated anew, or None while nothing new was seen and patience lasts."""
        if newest.occurrences == case.occurrences and self._patient(newest):
            return None
        self.sight.forget(case.id)
        return case.with_(anomalies=newest.anomalies, occurrences=newest.occurrences, severity=newest.severity)

    async def propose(self, case: Case) -> Case:
        """Make the plan of least risk for the cause, stamped with the world as it is now."""
        if case.diagnosis is None and case.proposal is None:
            return self._ended(case, CaseStatus.NEEDS_PERSON, "There is no diagnosis to act on.")
        if case.flags.count(REPLANNED) >= MOST_PLANS:
            return self._ended(case, CaseStatus.NEEDS_PERSON, "The world keeps changing under each plan.")
        dump = await self.sight.look(case.id, since=case.opened)
        found = await self._found(case, dump)
        if found.plan is None or found.proposal is None:
            why = (
                found.refused
                or (case.diagnosis.remedy if case.diagnosis else "")
                or "No runbook knows a safe change for this."
            )
            return self._ended(case.with_(proposal=None, plan=None), CaseStatus.NEEDS_PERSON, f"A person must: {why}")
        mode = self.policy().mode_of(found.plan)
        managed = gitops(found.plan, dump)
        if managed:
            flagged = case.with_(proposal=found.proposal, plan=None, flags=(*case.flags, "gitops"))
            message = f"{managed} Change it in Git: {found.plan.title}.\n{found.plan.steps[0].diff}"
            return self._ended(flagged, CaseStatus.NEEDS_PERSON, message)
        if mode is Mode.OBSERVE:
            await self.remedies.discard(found.plan)
            return self._ended(case.with_(plan=None), CaseStatus.NEEDS_PERSON, "The policy's mode is observe.")
        return case.with_(proposal=found.proposal, plan=found.plan, status=CaseStatus.WAITING, results=(), outcome=None)

    async def _found(self, case: Case, dump: ClusterDump) -> Found:
        if case.diagnosis is None:
            return await self.remedies.given(case, dump)
        found = await self.remedies.find(case, case.diagnosis, dump)
        suggested = case.proposal is not None and case.proposal.proposed_by.startswith("model:")
        return await self.remedies.given(case, dump) if suggested and found.plan is None else found

    async def review(self, case: Case) -> Case:
        """Let the policy or a person decide; WAITING means nobody has yet, OPEN that a new plan is needed."""
        if case.plan is None:
            return case.with_(status=CaseStatus.OPEN)
        judgement = judge(case.plan, self.policy(), await self.surroundings.of(case.id))
        if judgement.kind is Kind.FORBID:
            reasons = "; ".join(judgement.reasons)
            return self._ended(case, CaseStatus.NEEDS_PERSON, f"The policy forbids this plan: {reasons}.")
        decision = await self.store.decision(case.plan.digest)
        if decision is None and judgement.kind is Kind.ALLOW:
            await self.store.decide(self._by_policy(case, judgement), case_id=case.id)
            decision = await self.store.decision(case.plan.digest)
        if decision is not None:
            return self._decided(case, decision)
        if self.clock.now() < case.plan.expires:
            return case.with_(status=CaseStatus.WAITING)
        return self._anew(again(case, "The plan ran out.", at=self.clock.now()))

    async def execute(self, case: Case) -> Case:
        """Run the approved plan once; OPEN means that the world changed and a new plan is needed."""
        if self.executor is None or case.plan is None:
            raise Unsupported("No executor credential is configured here.")
        started = self.clock.now()
        try:
            await self._measure(case)
            run = await self.executor.run(case.plan, case_id=case.id)
        except (Suspended, Blocked, Fenced):
            raise
        except CopilotError as error:
            results = tuple(await self.store.results(case.plan.digest))
            if any(r.state is not StepState.INTENT for r in results):
                return cut_short(case.with_(results=results), error, at=self.clock.now())
            return self._anew(not_begun(case, case.plan, error, at=self.clock.now()))
        spent = (self.clock.now() - started).total_seconds()
        done = case.with_(results=run.results, seconds={**case.seconds, "execute": spent})
        return self._anew(executed(done, run, at=self.clock.now()))

    def _anew(self, case: Case) -> Case:
        """Let the next step look afresh at a world that is another one."""
        if case.status is CaseStatus.OPEN:
            self.sight.forget(case.id)
        return case

    async def verify(self, case: Case) -> Case:
        """Watch the metric that hurt; take the change back when it did not help."""
        if self.executor is None or case.plan is None:
            raise Unsupported("No executor credential is configured here.")
        started = self.clock.now()
        before = capacity.stored(await self.store.setting(_capacity_key(case.plan.digest))) or {}
        if await self.executor.undoing(case.plan):
            verification = Verification(verified=False, at=started, readings=("it was being taken back",))
        else:
            verification = await self.verifier.verify(case.plan, before)
        self.sight.forget(case.id)
        case = case.with_(seconds={**case.seconds, "verify": (self.clock.now() - started).total_seconds()})
        if verification.verified:
            return self._ended(case, CaseStatus.RESOLVED, verified(verification), verification)
        try:
            return await self.take_back(case, "It did not help", verification)
        except (Suspended, Blocked, Fenced, Unavailable):
            raise
        except CopilotError as error:
            message = f"It did not help, and it cannot be taken back: {error}"
            return self._ended(case, CaseStatus.FAILED, message, verification)

    async def take_back(self, case: Case, why: str, verification: Verification | None = None) -> Case:
        """Run the inverse under the original approval's undo clause, and say what became of it."""
        if self.executor is None or case.plan is None:
            raise Unsupported("No executor credential is configured here.")
        try:
            run = await self.executor.undo(case.plan, case_id=case.id)
        except (WorldChanged, NotApproved) as error:
            return self._ended(
                case, CaseStatus.NEEDS_PERSON, f"{why}, and it cannot be taken back: {error}", verification
            )
        if run is None:
            message = f"{why}, and it cannot be taken back. A person must look."
            return self._ended(case, CaseStatus.NEEDS_PERSON, message, verification)
        if not run.done:
            state = "; ".join(f"step {r.index}: {r.state.value} {r.message}".strip() for r in run.results)
            return self._ended(case, CaseStatus.FAILED, f"{why}, and taking it back failed: {state}", verification)
        before = capacity.stored(await self.store.setting(_capacity_key(case.plan.digest))) or {}
        whole = await self.verifier.regained(case.plan, before, within=_REGAIN)
        rest = "" if whole else " Capacity is still below what it was."
        return self._ended(case, CaseStatus.UNDONE, f"{why}; the change was taken back.{rest}", verification)

    async def _measure(self, case: Case) -> None:
        if case.plan is None or self.cluster is None:
            return
        key = _capacity_key(case.plan.digest)
        if await self.store.setting(key) is None:
            found = await capacity.measure(case.plan, self.cluster)
            await self.store.put_setting(key, {**found}, case_id=case.id)

    def _ended(self, case: Case, status: CaseStatus, message: str, verification: Verification | None = None) -> Case:
        return ended(case, status, message, at=self.clock.now(), verification=verification)

    def _decided(self, case: Case, decision: Approval) -> Case:
        known = case.approvals if decision in case.approvals else (*case.approvals, decision)
        verb = "Approved" if decision.decision is Decision.APPROVE else "Rejected"
        entry = TimelineEntry(at=decision.at, what=f"{verb} by {one_line(decision.by)}", source="decision")
        case = case.with_(approvals=known, timeline=merged(case.timeline, (entry,)))
        if decision.decision is Decision.REJECT:
            said = f"Rejected by {decision.by}. {decision.reason}".strip()
            return self._ended(case, CaseStatus.REJECTED, one_line(said))
        return case.with_(status=CaseStatus.EXECUTING if self.executor else CaseStatus.WAITING)

    def _by_policy(self, case: Case, judgement: Judgement) -> Approval:
        if case.plan is None:
            raise NotApproved("There is no plan.")
        return Approval(
            plan_digest=case.plan.digest,
            by=POLICY,
            role=POLICY,
            decision=Decision.APPROVE,
            at=self.clock.now(),
            expires=case.plan.expires,
            nonce=uuid4().hex,
            reason="; ".join(judgement.reasons),
        )


def _marked(case: Case, dump: ClusterDump) -> Case:
    """Return the case with a mark when text around it gives orders; the mark changes nothing that is done."""
    about = [a.resource for a in case.anomalies]
    if case.diagnosis is not None and case.diagnosis.object is not None:
        about.append(case.diagnosis.object)
    where = suspects(dump, case.anomalies, namespaces={r.namespace for r in about if r.namespace})
    if not where or FLAG in case.flags:
        return case
    entry = TimelineEntry(at=dump.taken_at, what=f"Text that gives orders: {'; '.join(where)}", source="copilot")
    return case.with_(flags=(*case.flags, FLAG), timeline=merged(case.timeline, (entry,)))


def undecided(case: Case) -> bool:
    """Whether a case was investigated and no cause could be named yet."""
    if case.status is not CaseStatus.OPEN or case.proposal is not None:
        return False
    return case.diagnosis is None or case.diagnosis.verdict is Verdict.INCONCLUSIVE


def _capacity_key(plan_digest: str) -> str:
    return f"capacity:{plan_digest}"
