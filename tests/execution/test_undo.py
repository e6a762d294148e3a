"""Taking a plan back never overwrites what somebody changed since: it is left as it is, and a person is asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copilot.core.case import CaseStatus
from copilot.core.plan import ActionCall, Decision, KubernetesChange, Plan, StepState
from copilot.core.ref import Ref
from copilot.errors import OutcomeUnknown, WorldChanged
from tests.agent.world import Bench, anomaly
from tests.execution.stand import CORDON, IMAGE, SCALE, Stand

API = Ref(kind="Deployment", namespace="shop", name="api")
NODE = Ref(kind="Node", name="n1")
SICK = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
TAINT = ActionCall(action="taint", arguments={"node": "n1", "key": "broken", "effect": "NoSchedule"})
Edit = Callable[[Stand], object]


def _image(stand: Stand) -> object:
    containers = [{"name": "app", "image": "somebody/elses:1"}]
    return stand.cluster.patch(API, {"spec": {"template": {"spec": {"containers": containers}}}})


def _template(stand: Stand) -> object:
    annotations = {"kubectl.kubernetes.io/restartedAt": "2026-01-05T12:00:00Z"}
    return stand.cluster.patch(API, {"spec": {"template": {"metadata": {"annotations": annotations}}}})


def _recreated(stand: Stand) -> object:
    return stand.cluster.create(stand.cluster.find(API))


def _deleted(stand: Stand) -> object:
    return stand.cluster.objects.pop(API.key)


def _replicas(stand: Stand) -> object:
    return stand.cluster.patch(API, {"spec": {"replicas": 7}})


def _back_by_hand(stand: Stand) -> object:
    return stand.cluster.patch(API, {"spec": {"replicas": 2}})


def _own_taint(stand: Stand) -> object:
    return stand.cluster.patch(NODE, {"spec": {"taints": [{"key": "maintenance", "effect": "NoSchedule"}]}})


@pytest.mark.parametrize(
    ("call", "edit"),
    [
        (IMAGE, _image),
        (IMAGE, _template),
        (IMAGE, _recreated),
        (IMAGE, _deleted),
        (SCALE, _replicas),
        (SCALE, _back_by_hand),
        (CORDON, _own_taint),
        (TAINT, _own_taint),
    ],
    ids=lambda v: getattr(v, "action", "") or v.__name__.strip("_"),
)
async def test_what_somebody_changed_since_is_not_overwritten(stand: Stand, call: ActionCall, edit: Edit) -> None:
    plan = await stand.ready(call)
    await stand.runs_plans.run(plan, case_id="c1")
    edit(stand)
    before, wrote = dict(stand.cluster.objects), len(stand.writer.log)
    for _ in range(2):
        with pytest.raises(WorldChanged, match="after the plan was executed"):
            await stand.other.undo(plan, case_id="c1")
    assert stand.cluster.objects == before
    assert len(stand.writer.log) == wrote


async def test_one_touched_object_keeps_the_whole_undo_back(stand: Stand) -> None:
    plan = await stand.ready(CORDON, IMAGE)
    await stand.runs_plans.run(plan, case_id="c1")
    _image(stand)
    with pytest.raises(WorldChanged, match="deployment/api"):
        await stand.other.undo(plan, case_id="c1")
    assert len(stand.writer.log) == 2, "half an undo is no undo"


async def test_what_controllers_change_meanwhile_is_no_edit(stand: Stand) -> None:
    plan = await stand.ready(CORDON, TAINT, IMAGE)
    await stand.runs_plans.run(plan, case_id="c1")
    _replicas(stand)
    own = stand.cluster.find(NODE)["spec"]["taints"]
    stand.cluster.patch(NODE, {"spec": {"taints": [*own, SICK]}, "status": {"conditions": []}})
    run = await stand.other.undo(plan, case_id="c1")
    assert run is not None
    assert run.done
    assert stand.cluster.find(NODE)["spec"].get("taints") == [SICK], "the control plane's taint is kept"
    assert stand.runs("shop/api:1.0")


async def test_an_edit_while_the_undo_is_made_is_seen(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await stand.ready()
    await stand.runs_plans.run(plan, case_id="c1")
    planner = stand.other._planner
    planned = planner.plan

    async def interrupted(*given: Any) -> Plan:
        _image(stand)
        return await planned(*given)

    monkeypatch.setattr(planner, "plan", interrupted)
    with pytest.raises(WorldChanged):
        await stand.other.undo(plan, case_id="c1")
    assert stand.runs("somebody/elses:1")


@pytest.mark.parametrize("touched", [False, True], ids=["as it was left", "touched"])
async def test_a_lost_answer_leaves_a_trace_of_what_was_found(stand: Stand, touched: bool) -> None:
    plan = await stand.ready()

    def lose(change: KubernetesChange) -> None:
        if touched:
            _image(stand)
        raise OutcomeUnknown("no answer")

    stand.writer.after_apply = lose
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert run.results[0].state is StepState.APPLIED
    assert bool(run.results[0].left) is not touched
    stand.writer.after_apply = lambda change: None
    if touched:
        with pytest.raises(WorldChanged, match="cannot be told"):
            await stand.other.undo(plan, case_id="c1")
        assert stand.runs("somebody/elses:1")
    else:
        assert await stand.other.undo(plan, case_id="c1")
        assert stand.runs("shop/api:1.0")


async def test_a_failure_half_way_leaves_alone_what_somebody_changed(stand: Stand) -> None:
    plan = await stand.ready(CORDON, IMAGE)

    def fail(change: KubernetesChange) -> None:
        if change.target.kind == "Deployment":
            _own_taint(stand)
            raise WorldChanged("somebody was faster")

    stand.writer.before_apply = fail
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert [r.state for r in run.undone] == [StepState.FAILED]
    assert "Somebody changed node/n1" in run.undone[0].message
    assert stand.cluster.find(NODE)["spec"]["unschedulable"]


@pytest.mark.parametrize("by_person", [False, True], ids=["did not help", "asked for"])
async def test_the_case_goes_to_a_person_and_says_so(tmp_path: Path, by_person: bool) -> None:
    bench = Bench(tmp_path)
    seen: list[int] = []

    def healthy(cluster: Any) -> bool:
        if not seen and not by_person:
            _image(bench)  # type: ignore[arg-type]
        seen.append(1)
        return by_person

    async with bench.checkpoints() as saver:
        copilot = bench.copilot(saver)
        case = await copilot.settle((await copilot.open([anomaly()])).id)
        assert case.plan is not None
        bench.healthy = healthy
        done = await copilot.decide(case.id, case.plan.digest, Decision.APPROVE, by="ann", role="operator")
        if by_person:
            assert done.status is CaseStatus.RESOLVED
            _image(bench)  # type: ignore[arg-type]
            done = await copilot.undo(case.id, by="ann")
    assert done.status is CaseStatus.NEEDS_PERSON
    assert done.outcome is not None
    assert "Somebody changed deployment/api" in done.outcome.message
    assert bench.runs("somebody/elses:1")
    assert len(bench.writer.log) == 1
    await bench.store.close()
