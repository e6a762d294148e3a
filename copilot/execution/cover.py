"""Whether somebody who may has approved exactly this plan, and it has not run out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from copilot.core.case import Case
from copilot.core.plan import Approval, Decision, Plan, StepState, TerraformChange
from copilot.core.resources import restores
from copilot.errors import NotApproved, PolicyRefused, Suspended
from copilot.policy import POLICY, Circumstances, Judgement, Kind, PolicyDocument, judge, may_approve
from copilot.ports.store import Store

SKEW = timedelta(minutes=1)
"""How far a clock may go back before approvals from its future are refused."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What a plan rests on."""

    approval: Approval
    judgement: Judgement


def seat(plan_digest: str, number: int) -> str:
    """Return the key under which the n-th signature is kept; the last to sign takes seat 1, which decides."""
    return plan_digest if number == 1 else f"{plan_digest}#{number}"


async def cover(plan: Plan, *, case_id: str, store: Store, policy: PolicyDocument, at: Circumstances) -> Cover:
    """Return the approval that covers a plan; raises ``NotApproved`` or ``PolicyRefused``.

    Rights are checked as they are now, not as they were when the button was pressed.
    """
    judgement = judge(plan, policy, at)
    if judgement.kind is Kind.FORBID:
        raise PolicyRefused(f"The policy forbids this plan: {'; '.join(judgement.reasons)}.")
    if plan.undoes:
        return Cover(await _undo_clause(plan, case_id, store), judgement)
    begun = await _begun(plan, store)
    approval = await _signature(plan, 1, store)
    _check_times(plan, approval, begun or at.now, at.now)
    if approval.by == POLICY:
        if judgement.kind is not Kind.ALLOW and begun is None:
            raise PolicyRefused(f"The policy no longer allows this by itself: {'; '.join(judgement.reasons)}.")
        return Cover(approval, judgement)
    signers = [approval] + [await _signature(plan, n, store) for n in range(2, judgement.signatures + 1)]
    if len({s.by for s in signers}) < judgement.signatures:
        raise NotApproved(f"This plan needs {judgement.signatures} different people.")
    for one in signers:
        why = may_approve(plan, policy, by=one.by, role=one.role)
        if why:
            raise NotApproved(f"The approval does not count: {why}.", hint="Somebody else must approve.")
    return Cover(approval, judgement)


async def _signature(plan: Plan, number: int, store: Store) -> Approval:
    found = await store.decision(seat(plan.digest, number))
    if found is None or found.plan_digest != seat(plan.digest, number):
        raise NotApproved(f"Plan {plan.digest[:12]} is not approved.", hint="Approve the digest that is shown.")
    if found.decision is not Decision.APPROVE:
        raise NotApproved(f"Plan {plan.digest[:12]} was rejected by {found.by}.")
    return found


def _check_times(plan: Plan, approval: Approval, begun: datetime, now: datetime) -> None:
    if begun >= min(plan.expires, approval.expires):
        raise NotApproved(f"Plan {plan.digest[:12]} ran out before it was begun.", hint="A new plan is needed.")
    if now < max(plan.created, approval.at) - SKEW:
        raise NotApproved("The clock went back; approvals from its future are not used.", hint="Set the clock.")


async def _begun(plan: Plan, store: Store) -> datetime | None:
    results = await store.results(plan.digest)
    return min((r.at for r in results if r.state is not StepState.INTENT), default=None)


def _no_further(plan: Plan, original: Plan) -> bool:
    """Whether each resource that an undo changes goes back to what the approved plan found, and to nothing else."""
    done = {r["address"]: r for r in _resources(original)}
    return all(r["address"] in done and restores(r, done[r["address"]]) for r in _resources(plan))


def _resources(plan: Plan) -> list[dict[str, JsonValue]]:
    saved = (c for s in plan.steps for c in s.changes if isinstance(c, TerraformChange))
    return [r for c in saved for r in c.resource_changes]


async def _undo_clause(plan: Plan, case_id: str, store: Store) -> Approval:
    original = (await store.get(case_id)).plan
    if original is None or original.digest != plan.undoes:
        raise NotApproved(f"Case {case_id} has no plan {plan.undoes[:12]} that this would take back.")
    allowed = [s.inverse for s in reversed(original.steps) if s.inverse]
    wanted = [s.call for s in plan.steps]
    if not wanted or any(call not in allowed for call in wanted):
        raise NotApproved("This undo does more than the approved plan said it would.")
    if not _no_further(plan, original):
        raise NotApproved("Terraform would do more than put back what the approved plan changed.")
    approval = await store.decision(plan.undoes)
    if approval is None or approval.decision is not Decision.APPROVE:
        raise NotApproved(f"Plan {plan.undoes[:12]} was never approved, so there is nothing to take back.")
    return approval


async def not_suspended(store: Store) -> None:
    """Raise ``Suspended`` while the switch is on."""
    why = await store.suspended()
    if why:
        raise Suspended(f"Everything is suspended: {why}.", hint="Resume with 'infra-copilot resume' and the same -e.")


def shown(case: Case, plan_digest: str) -> Plan:
    """Return the plan that somebody read and decides on; raises ``NotApproved`` when it is not the case's plan."""
    if case.plan is None:
        raise NotApproved(f"Case {case.id} has no plan.")
    if case.plan.digest != plan_digest:
        hint = "Read the new one, then decide on its digest."
        raise NotApproved(f"The plan of case {case.id} is {case.plan.digest[:12]} by now.", hint=hint)
    return case.plan
