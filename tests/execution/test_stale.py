"""A plan whose surroundings moved on is not run: pods that came to a node, taints that others set."""

from typing import Any

import pytest

from copilot.core.plan import ActionCall, KubernetesChange, StepState
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import WorldChanged
from tests.agent.world import node
from tests.execution.stand import CORDON, Stand

NODE = Ref(kind="Node", name="n1")
SICK = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}
OLD = {"key": "forgotten", "effect": "NoSchedule"}
UNTAINT = ActionCall(action="untaint", arguments={"node": "n1", **OLD})


class Died(BaseException):
    """What ends a process ends."""


def pod(name: str, *, on: str = "n1", namespace: str = "shop", **fields: Any) -> JsonObject:
    meta = {"name": name, "namespace": namespace, **fields.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": on}, **fields}


def drain(stand: Stand, *names: str) -> ActionCall:
    uids = [stand.cluster.create(pod(name))["metadata"]["uid"] for name in names]
    pods = [{"namespace": "shop", "pod": n, "uid": u} for n, u in zip(names, uids, strict=True)]
    return ActionCall(action="drain", arguments={"node": "n1", "pods": pods})


GANG = {"labels": {"job-name": "train"}, "ownerReferences": [{"kind": "Job", "name": "train"}]}


@pytest.mark.parametrize("meta", [{}, GANG], ids=["a pod", "a pod of a gang"])
async def test_a_pod_that_came_to_the_node_makes_a_drain_stale(stand: Stand, meta: JsonObject) -> None:
    plan = await stand.ready(CORDON, drain(stand, "a", "b"))
    stand.cluster.create(pod("late", metadata=meta))
    with pytest.raises(WorldChanged, match=r"1 pod came to node/n1 .*pod/late"):
        await stand.runs_plans.run(plan, case_id="c1")
    assert stand.writer.log == []


async def test_a_pod_replaced_under_its_name_is_another_pod(stand: Stand) -> None:
    plan = await stand.ready(CORDON, drain(stand, "a"))
    stand.cluster.create(pod("a"))
    with pytest.raises(WorldChanged, match="pod/a"):
        await stand.runs_plans.run(plan, case_id="c1")
    assert stand.writer.log == []


STAYS = {
    "of a DaemonSet": pod("d", metadata={"ownerReferences": [{"kind": "DaemonSet", "name": "agent"}]}),
    "static": pod("s", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}}),
    "of the system": pod("k", namespace="kube-system"),
    "elsewhere": pod("e", on="n2"),
    "ended": pod("c", status={"phase": "Succeeded"}),
}


@pytest.mark.parametrize("other", STAYS.values(), ids=STAYS)
async def test_pods_that_a_drain_leaves_alone_are_no_matter(stand: Stand, other: JsonObject) -> None:
    plan = await stand.ready(CORDON, drain(stand, "a", "b"))
    stand.cluster.create(other)
    stand.cluster.objects.pop(("Pod", "shop", "b"))
    assert (await stand.runs_plans.run(plan, case_id="c1")).done
    assert stand.writer.log == ["patch node/n1", "evict pod/a -n shop"]


async def test_a_pod_that_slips_in_before_the_cordon_is_seen_after_it(stand: Stand) -> None:
    plan = await stand.ready(CORDON, drain(stand, "a"))

    def slip_in(change: KubernetesChange) -> None:
        if change.target.kind == "Node" and not stand.writer.log:
            stand.cluster.create(pod("late"))

    stand.writer.before_apply = slip_in
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert run.world_changed
    assert [r.state for r in run.results] == [StepState.APPLIED, StepState.FAILED]
    assert [r.state for r in run.undone] == [StepState.APPLIED]
    assert ("Pod", "shop", "a") in stand.cluster.objects
    assert not stand.cluster.find(NODE)["spec"].get("unschedulable")


async def test_a_drain_that_was_begun_goes_on_after_a_restart(stand: Stand) -> None:
    plan = await stand.ready(CORDON, drain(stand, "a", "b"))

    def die(change: KubernetesChange) -> None:
        if change.target.name == "a":
            raise Died

    stand.writer.after_apply = die
    with pytest.raises(Died):
        await stand.runs_plans.run(plan, case_id="c1")
    stand.writer.after_apply = lambda change: None
    stand.cluster.create(pod("late"))
    assert (await stand.other.run(plan, case_id="c1")).done
    assert [w for w in stand.writer.log if w.startswith("evict")] == ["evict pod/a -n shop", "evict pod/b -n shop"]
    assert ("Pod", "shop", "late") in stand.cluster.objects, "only what was approved is evicted"


@pytest.mark.parametrize("taints", [[OLD, SICK], [OLD, {"key": "mine", "effect": "NoSchedule"}]], ids=["sick", "mine"])
async def test_a_taint_that_came_since_is_never_written_over(stand: Stand, taints: list[JsonObject]) -> None:
    stand.cluster.create(node("n1", taints=[OLD]))
    plan = await stand.ready(UNTAINT)
    stand.cluster.patch(NODE, {"spec": {"taints": taints}})
    with pytest.raises(WorldChanged):
        await stand.runs_plans.run(plan, case_id="c1")
    assert stand.cluster.find(NODE)["spec"]["taints"] == taints
    again = await stand.ready(UNTAINT)
    assert (await stand.runs_plans.run(again, case_id="c1")).done
    assert stand.cluster.find(NODE)["spec"]["taints"] == taints[1:]


async def test_a_taint_that_comes_while_the_request_is_under_way_is_kept(stand: Stand) -> None:
    stand.cluster.create(node("n1", taints=[OLD]))
    plan = await stand.ready(UNTAINT)

    def flap(change: KubernetesChange) -> None:
        stand.cluster.patch(NODE, {"spec": {"taints": [OLD, SICK]}})

    stand.writer.before_apply = flap
    run = await stand.runs_plans.run(plan, case_id="c1")
    assert run.world_changed
    assert stand.cluster.find(NODE)["spec"]["taints"] == [OLD, SICK]
