"""What is refused before the first write: no valid signature, another world, no right, a switch, a budget."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from copilot.core.plan import ActionCall, Decision, Plan
from copilot.errors import (
    CopilotError,
    Forbidden,
    NotApproved,
    PolicyRefused,
    Suspended,
    Unsupported,
    WorldChanged,
)
from copilot.execution.cover import seat
from copilot.execution.surroundings import Surroundings
from copilot.executor import Executor
from copilot.policy import POLICY, Approver, Mode, PolicyDocument, Risk, Rule
from tests.agent.world import deployment, node
from tests.execution.stand import Stand, raising

Spoil = Callable[[Stand, Plan], Awaitable[Plan]]


async def _not_approved(stand: Stand, plan: Plan) -> Plan:
    return plan


async def _rejected(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan, decision=Decision.REJECT)
    return plan


async def _other_digest(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    return plan.model_copy(update={"title": "another"})


async def _expired(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    stand.clock.moment += timedelta(minutes=16)
    return plan


async def _approval_expired(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan, expires=stand.clock.now() + timedelta(minutes=1))
    stand.clock.moment += timedelta(minutes=2)
    return plan


async def _clock_went_back(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    stand.clock.moment -= timedelta(hours=1)
    return plan


async def _lost_rights(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    stand.policy = PolicyDocument(people={"bob": "operator"})
    return plan


async def _own_request(stand: Stand, plan: Plan) -> Plan:
    mine = plan.model_copy(update={"proposed_by": "person:ann"})
    await stand.keep(mine)
    await stand.approve(mine)
    return mine


async def _edited_object(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    stand.cluster.patch(plan.assumes[0].target, {"spec": {"paused": True}})
    return plan


async def _recreated_object(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    stand.cluster.create(deployment())
    return plan


async def _suspended(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    await stand.store.suspend("maintenance", by="bob")
    return plan


async def _policy_says_observe(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    stand.policy = PolicyDocument(default_mode=Mode.OBSERVE)
    return plan


async def _protected(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    stand.policy = PolicyDocument(protected_namespaces=("shop",))
    return plan


async def _forbidden_in_dry_run(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan)
    stand.writer.on_dry_run = raising(Forbidden("no right"))
    return plan


async def _policy_and_no_dry_run(stand: Stand, plan: Plan) -> Plan:
    stand.policy = PolicyDocument(default_mode=Mode.ACT)
    await stand.approve(plan, by=POLICY, role=POLICY)
    stand.writer.on_dry_run = raising(Unsupported("a webhook has side effects"))
    return plan


async def _policy_no_longer_allows(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan, by=POLICY, role=POLICY)
    return plan


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_not_approved, NotApproved),
        (_rejected, NotApproved),
        (_other_digest, NotApproved),
        (_expired, NotApproved),
        (_approval_expired, NotApproved),
        (_clock_went_back, NotApproved),
        (_lost_rights, NotApproved),
        (_own_request, NotApproved),
        (_edited_object, WorldChanged),
        (_recreated_object, WorldChanged),
        (_suspended, Suspended),
        (_policy_says_observe, PolicyRefused),
        (_protected, PolicyRefused),
        (_forbidden_in_dry_run, Forbidden),
        (_policy_and_no_dry_run, PolicyRefused),
        (_policy_no_longer_allows, PolicyRefused),
    ],
    ids=lambda v: v.__name__.strip("_"),
)
async def test_nothing_is_written_unless_all_holds(stand: Stand, spoil: Spoil, error: type[CopilotError]) -> None:
    plan = await spoil(stand, await stand.ready(approve=False))
    with pytest.raises(error):
        await stand.runs_plans.run(plan, case_id="c1")
    assert stand.writer.log == []
    assert await stand.store.results(plan.digest) == []


async def test_irreversible_needs_two_different_people(stand: Stand) -> None:
    stand.policy = PolicyDocument(
        two_approvers_from=Risk.DISRUPTIVE, approvers=(Approver(role="operator", max_risk=Risk.IRREVERSIBLE),)
    )
    plan = await stand.ready()
    with pytest.raises(NotApproved):
        await stand.runs_plans.run(plan, case_id="c1")
    await stand.approve(plan, by="bob", key=seat(plan.digest, 2))
    assert (await stand.runs_plans.run(plan, case_id="c1")).done


async def test_one_person_signing_twice_is_one_person(stand: Stand) -> None:
    stand.policy = PolicyDocument(two_approvers_from=Risk.DISRUPTIVE)
    plan = await stand.ready()
    await stand.approve(plan, key=seat(plan.digest, 2))
    with pytest.raises(NotApproved, match="2 different people"):
        await stand.runs_plans.run(plan, case_id="c1")
    assert stand.writer.log == []


async def test_a_policy_that_acts_signs_for_itself(stand: Stand) -> None:
    stand.policy = PolicyDocument(rules=(Rule(runbook="test", namespace="shop", mode=Mode.ACT),))
    plan = await stand.ready(approve=False)
    await stand.approve(plan, by=POLICY, role=POLICY)
    with pytest.raises(PolicyRefused, match="nothing would tell"):
        await stand.runs_plans.run(plan, case_id="c1")


async def test_no_credential_means_no_write(stand: Stand) -> None:
    plan = await stand.ready()
    stand.writer.via = "other"
    blind = Executor(
        stand.store,
        stand.runs_plans._planner,
        writers=(stand.writer,),
        policy=lambda: stand.policy,
        surroundings=Surroundings(stand.store, stand.cluster, clock=stand.clock),
        clock=stand.clock,
        holder="blind",
    )
    with pytest.raises(Unsupported, match="No credential"):
        await blind.run(plan, case_id="c1")
    assert stand.writer.log == []
    assert await stand.store.results(plan.digest) == []


async def test_nodes_that_are_taken_away_count_against_the_breaker(stand: Stand) -> None:
    for name in ("n4", "n5"):
        stand.cluster.create(node(name))
    cordons = [ActionCall(action="cordon", arguments={"node": f"n{i}"}) for i in range(1, 4)]
    plan = await stand.ready(*cordons, approve=False)
    wide = plan.model_copy(update={"blast": plan.blast.model_copy(update={"nodes": 3})})
    await stand.keep(wide)
    await stand.approve(wide)
    with pytest.raises(PolicyRefused, match="breaker"):
        await stand.runs_plans.run(wide, case_id="c1")
    assert stand.writer.log == []
