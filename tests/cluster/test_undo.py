"""Taking changes back on the real API server, which defaults and normalises: ours is known, others' is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from copilot.app import App, Depth, open_app
from copilot.config import Settings
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import ActionCall, Approval, Decision, Plan, Proposal
from copilot.core.value import JsonObject
from copilot.errors import WorldChanged
from copilot.executor import Executor
from copilot.planning import Stamp
from copilot.ports.clock import SystemClock
from tests.cluster.client import ApiClient
from tests.cluster.control_plane import ControlPlane
from tests.cluster.play import await_account
from tests.cluster.processes import wait_until
from tests.cluster.workloads import deployment, gpu_node, namespace

pytestmark = pytest.mark.cluster

SPACE = "undone"
WEB = f"/apis/apps/v1/namespaces/{SPACE}/deployments/web"
NODE = "/api/v1/nodes/undone"
WORKLOAD = {"namespace": SPACE, "workload": "web"}
CONTAINER = {**WORKLOAD, "container": "app"}
CHANGES: dict[str, dict[str, object]] = {
    "set_image": {**CONTAINER, "image": "registry.example/app:0.9"},
    "set_resources": {**CONTAINER, "limits": {"memory": "2048Mi", "cpu": "1500m"}},
    "set_env": {**CONTAINER, "values": {"MODE": "safe"}},
    "scale": {**WORKLOAD, "replicas": 2},
    "cordon": {"node": "undone"},
    "taint": {"node": "undone", "key": "broken", "effect": "NoSchedule"},
}


@pytest.fixture(scope="module")
def ground(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The shared cluster with a Deployment and a node of our own."""
    admin = cluster.client()
    admin.create_all([namespace(SPACE), gpu_node("undone")])
    await_account(admin, SPACE)
    admin.create(deployment("web", namespace=SPACE))
    cluster.grant_executor(SPACE)
    wait_until(lambda: admin.get(WEB)["status"].get("observedGeneration") == 1, what="web is looked after")
    yield cluster
    for path in (f"/api/v1/namespaces/{SPACE}", NODE):
        admin.delete(path)


@pytest.mark.parametrize("touched", [False, True], ids=["as it was left", "touched"])
@pytest.mark.parametrize("name", CHANGES)
def test_ours_is_taken_back_and_others_is_left(ground: ControlPlane, tmp_path: Path, name: str, touched: bool) -> None:
    admin = ground.client()
    path = NODE if "node" in CHANGES[name] else WEB
    before = _spec(admin, path)
    asyncio.run(_there_and_back(ground, tmp_path, name, touched=touched))
    if touched:
        assert _marked(admin.get(path)), "the edit of somebody else stands"
        _unmark(admin, path, before)
    else:
        assert _spec(admin, path) == before


async def _there_and_back(plane: ControlPlane, folder: Path, name: str, *, touched: bool) -> None:
    settings = Settings(
        environment="undo", state_home=folder,
        kubeconfig=plane.kubeconfig("reader"), executor_kubeconfig=plane.kubeconfig("executor"),
    )  # fmt: skip
    async with open_app(settings, Depth.ACT) as app:
        executor = app.steps.executor
        assert isinstance(executor, Executor)
        plan = await _approved(app, ActionCall.model_validate({"action": name, "arguments": CHANGES[name]}))
        run = await executor.run(plan, case_id="c1")
        assert run.done
        # The controllers have their say: status, revision, and the taint of a cordon come after our write.
        await asyncio.sleep(timedelta(seconds=1).total_seconds())
        if touched:
            await asyncio.to_thread(_mark, plane.client(), NODE if "node" in CHANGES[name] else WEB, name)
            with pytest.raises(WorldChanged, match="Somebody changed"):
                await executor.undo(plan, case_id="c1")
        else:
            back = await executor.undo(plan, case_id="c1")
            assert back is not None
            assert back.done


async def _approved(app: App, call: ActionCall) -> Plan:
    now = SystemClock().now()
    wanted = Proposal(title="t", actions=(call,), reason="r", proposed_by="runbook:test")
    plan = await app.planner.plan(wanted, Stamp())
    case = Case(id="c1", environment="undo", opened=now, updated=now, title="t", plan=plan, status=CaseStatus.WAITING)
    await app.store.put(case, event="planned")
    signed = {"by": "ann", "role": "admin", "decision": Decision.APPROVE, "at": now, "expires": plan.expires}
    await app.store.decide(Approval(plan_digest=plan.digest, nonce="n", **signed), case_id="c1")
    return plan


def _spec(admin: ApiClient, path: str) -> JsonObject:
    """Return what people set of an object: the control plane's own taints come and go."""
    spec: JsonObject = admin.get(path)["spec"]
    taints = [t for t in spec.pop("taints", ()) if not t["key"].startswith("node.kubernetes.io/")]
    return {**spec, "taints": taints}


OWN = {"key": "maintenance", "effect": "NoSchedule"}


def _mark(admin: ApiClient, path: str, name: str) -> None:
    """Edit what a change is about, as somebody else would."""
    if path == NODE:
        admin.patch(NODE, {"spec": {"taints": [*admin.get(NODE)["spec"].get("taints", ()), OWN]}})
    elif name == "scale":
        admin.patch(WEB, {"spec": {"replicas": 4}})
    else:
        admin.patch(WEB, {"spec": {"template": {"metadata": {"annotations": {"by": "hand"}}}}})


def _marked(obj: JsonObject) -> bool:
    spec = obj["spec"]
    by_hand = (spec.get("template") or {}).get("metadata", {}).get("annotations", {}).get("by") == "hand"
    return by_hand or spec.get("replicas") == 4 or OWN in spec.get("taints", ())


def _unmark(admin: ApiClient, path: str, before: JsonObject) -> None:
    if path == NODE:
        admin.patch(NODE, {"spec": {"taints": before["taints"] or None, "unschedulable": None}})
        return
    template = {"metadata": {"annotations": None}, "spec": before["template"]["spec"]}
    admin.patch(WEB, {"spec": {"replicas": before["replicas"], "template": template}})
