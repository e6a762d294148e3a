"""The only writer: what it refuses before the first write, and what it leaves behind whatever happens."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copilot.core.case import Case, CaseStatus
from copilot.core.plan import ActionCall, Approval, Decision, KubernetesChange, Plan, Proposal, StepState
from copilot.errors import (
    Blocked,
    CopilotError,
    Fenced,
    Forbidden,
    NotApproved,
    OutcomeUnknown,
    PolicyRefused,
    Suspended,
    Unavailable,
    Unsupported,
    WorldChanged,
)
from copilot.execution.cover import seat
from copilot.execution.surroundings import Surroundings
from copilot.executor import LEASE, Executor
from copilot.planning import Planner, Stamp
from copilot.policy import POLICY, Approver, Mode, PolicyDocument, Risk, Rule
from copilot.ports.write import Applied
from tests.agent.world import Bench, deployment, node

WHERE = {"namespace": "shop", "workload": "api"}
IMAGE = ActionCall(action="set_image", arguments={**WHERE, "container": "app", "image": "shop/api:0.9"})
SCALE = ActionCall(action="scale", arguments={**WHERE, "replicas": 3})
CORDON = ActionCall(action="cordon", arguments={"node": "n1"})


class Stand(Bench):
    """A bench with one plan in one case, and an executor."""

    async def ready(self, *calls: ActionCall, approve: bool = True, **approval: Any) -> Plan:
        planner = Planner(self.cluster, clock=self.clock, policy=lambda: self.policy, environment="test")
        surroundings = Surroundings(self.store, self.cluster, clock=self.clock)
        self.runs_plans = self.executor(planner, surroundings)
        self.other = self.executor(planner, surroundings, name="other")
        proposal = Proposal(title="t", actions=calls or (IMAGE,), reason="r", proposed_by="runbook:test")
        plan = await planner.plan(proposal, Stamp())
        await self.keep(plan)
        if approve:
            await self.approve(plan, **approval)
        return plan

    async def keep(self, plan: Plan) -> None:
        now = self.clock.now()
        case = Case(
            id="c1", environment="test", opened=now, updated=now, title="t", plan=plan, status=CaseStatus.WAITING
        )
        await self.store.put(case, event="planned")

    async def approve(
        self, plan: Plan, *, by: str = "ann", role: str = "operator", key: str = "", **fields: Any
    ) -> None:
        given = {"decision": Decision.APPROVE, "at": self.clock.now(), "expires": plan.expires, "nonce": "n"}
        await self.store.decide(
            Approval(plan_digest=key or plan.digest, by=by, role=role, **(given | fields)), case_id="c1"
        )


@pytest.fixture
async def stand(tmp_path: Path) -> Any:
    made = Stand(tmp_path)
    yield made
    await made.store.close()


async def test_an_approved_plan_runs_once_however_often_it_is_asked_for(stand: Stand) -> None:
    plan = await stand.ready(IMAGE, SCALE)
    for _ in range(3):
        run = await stand.runs_plans.run(plan, case_id="c1")
        assert run.done
    assert stand.writer.log == ["patch deployment/api -n shop"] * 2
    assert await stand.store.verify_chain() == 7


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
    stand.writer.on_dry_run = _raise(Forbidden("no right"))
    return plan


async def _policy_and_no_dry_run(stand: Stand, plan: Plan) -> Plan:
    stand.policy = PolicyDocument(default_mode=Mode.ACT)
    await stand.approve(plan, by=POLICY, role=POLICY)
    stand.writer.on_dry_run = _raise(Unsupported("a webhook has side effects"))
    return plan


async def _policy_no_longer_allows(stand: Stand, plan: Plan) -> Plan:
    await stand.approve(plan, by=POLICY, role=POLICY)
    return plan


def _raise(error: CopilotError) -> Callable[[KubernetesChange], None]:
    def fail(change: KubernetesChange) -> None:
        raise error

    return fail


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


async def test_a_status_update_does_not_make_a_plan_stale(stand: Stand) -> None:
    plan = await stand.ready()
    stand.cluster.patch(plan.assumes[0].target, {"status": {"readyReplicas": 1}})
    assert (await stand.runs_plans.run(plan, case_id="c1")).done


async def test_a_conflict_that_changes_nothing_assumed_is_tried_again(stand: Stand) -> None:
    plan = await stand.ready()
    left = [2]

    def busy(change: KubernetesChange) -> None:
        if left[0]:
            left[0] -= 1
            stand.cluster.patch(change.target, {"metadata": {"labels": {"n": str(left[0])}}})

    stand.writer.before_apply = busy
    assert (await stand.runs_plans.run(plan, case_id="c1")).done
    assert len(stand.writer.log) == 1


async def test_an_edit_between_check_and_write_is_never_overwritten(stand: Stand) -> None:
    plan = await stand.ready()
    stand.writer.before_apply = lambda change: _edit_once(stand, change)
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert run.world_changed
    assert stand.writer.log == []
    assert stand.runs("somebody/elses:1")


def _edit_once(stand: Stand, change: KubernetesChange) -> None:
    containers = [{"name": "app", "image": "somebody/elses:1"}]
    stand.cluster.patch(change.target, {"spec": {"template": {"spec": {"containers": containers}}}})


async def test_a_failure_half_way_takes_the_rest_back(stand: Stand) -> None:
    plan = await stand.ready(CORDON, IMAGE)

    def refuse(change: KubernetesChange) -> None:
        if change.target.kind == "Deployment":
            raise Forbidden("the role may not patch deployments")

    stand.writer.before_apply = refuse
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert [r.state for r in run.results] == [StepState.APPLIED, StepState.FAILED]
    assert [r.state for r in run.undone] == [StepState.APPLIED]
    assert stand.writer.log == ["patch node/n1", "patch node/n1"]
    assert not stand.cluster.objects["Node", "", "n1"]["spec"].get("unschedulable")


async def test_a_disruption_budget_is_waited_for_then_given_up(stand: Stand) -> None:
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"nodeName": "n1"},
    }
    uid = stand.cluster.create(pod)["metadata"]["uid"]
    pods = [{"namespace": "shop", "pod": "p", "uid": uid}]
    drain = ActionCall(action="drain", arguments={"node": "n1", "pods": pods})
    plan = await stand.ready(CORDON, drain)
    tries = []

    def blocked(change: KubernetesChange) -> None:
        if change.verb == "evict":
            tries.append(stand.clock.now())
            raise Blocked("a budget")

    stand.writer.before_apply = blocked
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert run.results[1].state is StepState.FAILED
    assert len(tries) == 11, "every second for ten"
    assert not stand.cluster.objects["Node", "", "n1"]["spec"].get("unschedulable"), "uncordoned again"
    assert ("Pod", "shop", "p") in stand.cluster.objects


async def test_a_pod_that_is_gone_already_is_no_failure(stand: Stand) -> None:
    pods = [{"namespace": "shop", "pod": "gone", "uid": "u"}]
    plan = await stand.ready(ActionCall(action="drain", arguments={"node": "n1", "pods": pods}))
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert run.done
    assert stand.writer.log == []


@pytest.mark.parametrize("made", [True, False], ids=["it was made", "it was not made"])
async def test_a_lost_answer_is_resolved_by_looking(stand: Stand, made: bool) -> None:
    plan = await stand.ready()
    lose = _raise(OutcomeUnknown("no answer"))
    stand.writer.after_apply, stand.writer.before_apply = (lose, _pass) if made else (_pass, lose)
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert run.results[0].state is (StepState.APPLIED if made else StepState.FAILED)
    assert len(stand.writer.log) == int(made), "never sent twice"


def _pass(change: KubernetesChange) -> None:
    return None


async def test_an_api_server_that_is_away_for_a_moment_is_asked_again(stand: Stand, monkeypatch: Any) -> None:
    plan = await stand.ready()
    dry_run, asked = stand.writer.dry_run, 0

    async def away_at_first(change: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise Unavailable("the API server is away")
        return await dry_run(change)

    monkeypatch.setattr(stand.writer, "dry_run", away_at_first)
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert run.done
    assert len(stand.writer.log) == 1


async def test_what_cannot_be_told_stays_unknown_and_is_resolved_later(stand: Stand, monkeypatch: Any) -> None:
    plan = await stand.ready()

    async def nobody_knows(change: object) -> Applied:
        raise Unavailable("the API server is away")

    stand.writer.after_apply = _raise(OutcomeUnknown("no answer"))
    with monkeypatch.context() as patched:
        patched.setattr(stand.writer, "applied", nobody_knows)
        run = await stand.runs_plans.run(plan, case_id="c1")
        assert run.unknown
        assert run.results[0].state is StepState.UNKNOWN
    assert await stand.other.recover() == 1
    (found,) = await stand.store.results(plan.digest)
    assert found.state is StepState.APPLIED
    assert len(stand.writer.log) == 1


async def test_nothing_more_of_a_plan_is_done_once_its_case_has_ended(stand: Stand, monkeypatch: Any) -> None:
    plan = await stand.ready(CORDON, IMAGE)

    async def nobody_knows(change: object) -> Applied:
        return Applied.CANNOT_TELL

    stand.writer.after_apply = _raise(OutcomeUnknown("no answer"))
    with monkeypatch.context() as patched:
        patched.setattr(stand.writer, "applied", nobody_knows)
        assert (await stand.runs_plans.run(plan, case_id="c1")).unknown
        ended = (await stand.store.get("c1")).with_(status=CaseStatus.NEEDS_PERSON)
        await stand.store.put(ended, event="ended")
        await stand.other.recover()
        assert await stand.store.unfinished(), "still not known"
    stand.clock.moment += timedelta(hours=5)
    await stand.other.recover()
    assert [r.state for r in await stand.store.results(plan.digest)] == [StepState.APPLIED]
    assert stand.writer.log == ["patch node/n1"], "the second step was not begun hours after a person was told"
    assert not await stand.store.unfinished()


async def test_a_failure_whose_undo_is_refused_is_a_result_and_no_error(stand: Stand) -> None:
    plan = await stand.ready(CORDON, IMAGE)

    def refuse(change: KubernetesChange) -> None:
        if change.target.kind == "Deployment":
            stand.writer.on_dry_run = _raise(Forbidden("the token was revoked"))
            raise Forbidden("the token was revoked")

    stand.writer.before_apply = refuse
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert [r.state for r in run.results] == [StepState.APPLIED, StepState.FAILED]
    assert [r.state for r in run.undone] == [StepState.FAILED]
    assert "token was revoked" in run.undone[0].message


async def test_suspending_stops_between_steps_and_resuming_goes_on(stand: Stand) -> None:
    plan = await stand.ready(CORDON, IMAGE)
    suspended = stand.store._keep_setting
    stand.writer.after_apply = lambda change: suspended(stand.store._db, "suspended", '{"why": "stop", "by": "bob"}')
    with pytest.raises(Suspended):
        await stand.runs_plans.run(plan, case_id="c1")
    assert stand.writer.log == ["patch node/n1"]
    stand.writer.after_apply = _pass
    stand.clock.moment += timedelta(hours=1)
    await stand.store.suspend("", by="bob")
    assert (await stand.runs_plans.run(plan, case_id="c1")).done, "begun in time, so it may end later"
    assert stand.writer.log == ["patch node/n1", "patch deployment/api -n shop"]


async def test_a_process_that_slept_writes_nothing_more(stand: Stand) -> None:
    plan = await stand.ready(CORDON, IMAGE)

    def asleep(change: KubernetesChange) -> None:
        stand.store._db.execute("UPDATE leases SET holder = 'somebody', fence = fence + 1")

    stand.writer.after_apply = asleep
    with pytest.raises(Fenced):
        await stand.runs_plans.run(plan, case_id="c1")
    assert stand.writer.log == ["patch node/n1"]


async def test_another_process_that_executes_is_waited_for(stand: Stand) -> None:
    plan = await stand.ready()
    await stand.store.acquire(LEASE, "somebody", ttl=timedelta(hours=1))
    with pytest.raises(Blocked, match="Another process"):
        await stand.runs_plans.run(plan, case_id="c1")
    assert stand.writer.log == []


async def test_undo_runs_under_the_clause_of_the_approval(stand: Stand) -> None:
    plan = await stand.ready(CORDON, IMAGE)
    await stand.runs_plans.run(plan, case_id="c1")
    stand.clock.moment += timedelta(hours=5)
    for _ in range(2):
        run = await stand.other.undo(plan, case_id="c1")
        assert run is not None
        assert run.done
    assert stand.runs("shop/api:1.0")
    assert not stand.cluster.objects["Node", "", "n1"]["spec"].get("unschedulable")
    assert len(stand.writer.log) == 4, "undone once"


async def test_an_undo_may_not_do_more_than_was_said(stand: Stand) -> None:
    plan = await stand.ready()
    await stand.runs_plans.run(plan, case_id="c1")
    planner = Planner(stand.cluster, clock=stand.clock, policy=lambda: stand.policy, environment="test")
    wider = Proposal(title="t", actions=(SCALE,), reason="r", proposed_by="runbook:test")
    forged = await planner.plan(wider, Stamp(undoes=plan.digest))
    with pytest.raises(NotApproved, match="more than"):
        await stand.runs_plans.run(forged, case_id="c1")


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


async def test_secrets_in_answers_never_reach_the_journal(stand: Stand) -> None:
    plan = await stand.ready()
    stand.writer.before_apply = _raise(Forbidden("denied: token=canary-5fbd2a, password: canary-5fbd2a"))
    await stand.runs_plans.run(plan, case_id="c1")
    await stand.store.close()
    kept = b"".join(f.read_bytes() for f in stand.directory.iterdir())
    assert b"canary-5fbd2a" not in kept
    assert b"denied" in kept
    stand.store = type(stand.store)(stand.directory / "state.db")


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
