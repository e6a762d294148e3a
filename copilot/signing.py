"""Signatures under plans: who may give one, and each given once, under exactly one digest."""

from collections.abc import Callable
from uuid import uuid4

from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Approval, Decision, Plan
from copilot.core.text import one_line, redact
from copilot.errors import NotApproved, PolicyRefused
from copilot.execution.cover import not_suspended, seat
from copilot.execution.surroundings import Surroundings
from copilot.policy import Kind, PolicyDocument, judge, may_approve, refusal
from copilot.ports.clock import Clock
from copilot.ports.store import Store


class RanOut(NotApproved):
    """The plan was not decided in its time."""


class Signing:
    """Records what people decide, under the policy as it is at that moment."""

    def __init__(
        self, store: Store, surroundings: Surroundings, *, policy: Callable[[], PolicyDocument], clock: Clock
    ) -> None:
        self._store = store
        self._surroundings = surroundings
        self._policy = policy
        self._clock = clock

    async def may_decide(self, case: Case, plan: Plan, decision: Decision, *, by: str, role: str) -> None:
        """Raise ``NotApproved`` (``RanOut`` when it is too late) or ``Suspended`` unless they may decide so now."""
        if case.status is not CaseStatus.WAITING:
            raise NotApproved(f"Case {case.id} waits for no decision; it is {case.status.value}.")
        why = refusal(decision, plan, self._policy(), by=by, role=role)
        if why:
            raise NotApproved(f"{why}.")
        if decision is Decision.REJECT:
            return
        await not_suspended(self._store)
        if self._clock.now() >= plan.expires:
            said = f"The plan {plan.digest[:12]} of case {case.id} ran out at {plan.expires:%H:%M:%S %Z}."
            raise RanOut(said, hint="Read the case again: a plan of now takes its place.")

    async def sign(self, case: Case, plan: Plan, decision: Decision, *, by: str, role: str, reason: str) -> bool:
        """Record a signature; return whether the plan is decided now."""
        judgement = judge(plan, self._policy(), await self._surroundings.of(case.id))
        if judgement.kind is Kind.FORBID and decision is Decision.APPROVE:
            raise PolicyRefused(f"The policy forbids this plan: {'; '.join(judgement.reasons)}.")
        for number in range(judgement.signatures if decision is Decision.APPROVE else 1, 0, -1):
            approval = self._approval(seat(plan.digest, number), plan, decision, by, role, reason)
            if await self._store.decide(approval, case_id=case.id):
                await self._store.emit("signed", case_id=case.id, data={"by": by, "missing": number - 1})
                return number == 1
            taken = await self._store.decision(seat(plan.digest, number))
            if number > 1 and taken is not None and taken.by == by:
                raise NotApproved(f"{by} has signed already; somebody else must sign too.")
        taken = await self._store.decision(plan.digest)
        if taken is not None and taken.decision is not decision:
            raise NotApproved(f"The plan was already decided: {taken.decision.value} by {taken.by}.")
        return True

    async def sign_undo(self, case: Case, plan: Plan, *, by: str, role: str) -> None:
        """Record who takes a plan back; raises ``NotApproved``."""
        why = may_approve(plan, self._policy(), by=by, role=role)
        if why:
            raise NotApproved(f"{why}.")
        approval = self._approval(f"{plan.digest}#undo", plan, Decision.APPROVE, by, role, "undo")
        await self._store.decide(approval, case_id=case.id)

    def _approval(self, key: str, plan: Plan, decision: Decision, by: str, role: str, reason: str) -> Approval:
        return Approval(
            plan_digest=key,
            by=by,
            role=role,
            decision=decision,
            at=self._clock.now(),
            expires=plan.expires,
            nonce=uuid4().hex,
            reason=one_line(redact(reason)),
        )
