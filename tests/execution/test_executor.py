"""The only writer: each change once, and what it leaves behind whatever happens."""

from datetime import timedelta
from typing import Any

import pytest

from copilot.core.case import CaseStatus
from copilot.core.plan import ActionCall, KubernetesChange, Proposal, StepState
from copilot.errors import (
    Blocked,
    Fenced,
    Forbidden,
    NotApproved,
    OutcomeUnknown,
    Suspended,
    Unavailable,
)
from copilot.execution.sending import Pace
from copilot.executor import LEASE
from copilot.planning import Planner, Stamp
from copilot.ports.write import Applied
from tests.execution.stand import CORDON, IMAGE, SCALE, Stand, raising


async def test_an_approved_plan_runs_once_however_often_it_is_asked_for(stand: Stand) -> None:
    plan = await stand.ready(IMAGE, SCALE)
    for _ in range(3):
        run = await stand.runs_plans.run(plan, case_id="c1")
        assert run.done
    assert stand.writer.log == ["patch deployment/api -n shop"] * 2
    assert await stand.store.verify_chain() == 7


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


async def test_conflicts_are_counted_also_over_answers_that_never_came(stand: Stand) -> None:
    plan = await stand.ready()
    asked = []

    def busy(change: KubernetesChange) -> None:
        asked.append(change)
        stand.cluster.patch(change.target, {"metadata": {"labels": {"n": str(len(asked))}}})
        if len(asked) % 2:
            raise Blocked("a budget holds")

    stand.writer.before_apply = busy
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert run.world_changed and stand.writer.log == []
    assert len(asked) == 2 * Pace().conflicts


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
    lose = raising(OutcomeUnknown("no answer"))
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

    stand.writer.after_apply = raising(OutcomeUnknown("no answer"))
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

    stand.writer.after_apply = raising(OutcomeUnknown("no answer"))
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
            stand.writer.on_dry_run = raising(Forbidden("the token was revoked"))
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


async def test_secrets_in_answers_never_reach_the_journal(stand: Stand) -> None:
    plan = await stand.ready()
    stand.writer.before_apply = raising(Forbidden("denied: token=canary-5fbd2a, password: canary-5fbd2a"))
    await stand.runs_plans.run(plan, case_id="c1")
    await stand.store.close()
    kept = b"".join(f.read_bytes() for f in stand.directory.iterdir())
    assert b"canary-5fbd2a" not in kept
    assert b"denied" in kept
    stand.store = type(stand.store)(stand.directory / "state.db")
