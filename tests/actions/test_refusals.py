"""What single actions refuse, and why: secrets, bounds, things that nobody would bring back."""

from typing import Any

import pytest

from copilot.actions import revive
from copilot.blast import disturbed, radius
from copilot.core.cluster import ClusterDump
from copilot.core.plan import ActionCall, Risk
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput, NotFound
from tests.agent.world import START
from tests.contracts.test_actions import CONTAINER, SEEN, WORKLOAD

CANARY = "canary-5fbd2a"


def act(name: str, **arguments: Any) -> Any:
    return revive(ActionCall(action=name, arguments=arguments))


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("set_env", {**CONTAINER, "values": {"DB_PASSWORD": CANARY}}, "secret"),
        ("set_env", {**CONTAINER, "values": {"URL": "postgres://me:canary-5fbd2a@db/x"}}, "secret"),
        ("set_env", CONTAINER, "nothing to set"),
        ("set_resources", CONTAINER, "neither"),
        ("set_resources", {**CONTAINER, "limits": {"memory": "lots"}}, "memory"),
        ("set_resources", {**CONTAINER, "limits": {"nvidia.com/gpu": "1"}}, "limits"),
        ("scale", {**WORKLOAD, "replicas": -1}, "replicas"),
        ("scale", {**WORKLOAD, "replicas": 10**9}, "replicas"),
        ("scale", {**WORKLOAD, "replicas": "3"}, "replicas"),
        ("scale", {**WORKLOAD, "replicas": True}, "replicas"),
        ("set_hpa", {"namespace": "shop", "hpa": "api", "min_replicas": 5, "max_replicas": 3}, "above"),
        ("patch_service", {"namespace": "shop", "service": "api", "port": 80}, "belong together"),
        ("patch_probe", {**CONTAINER, "probe": "readiness"}, "no field"),
        ("patch_field", {"kind": "Deployment", "namespace": "shop", "object": "api", "pointer": "/spec/template",
                         "value": {}}, "may be set"),
        ("patch_field", {"kind": "Secret", "namespace": "shop", "object": "s", "pointer": "/data/x",
                         "value": ""}, "kind"),
        ("patch_field", {"kind": "ConfigMap", "namespace": "shop", "object": "c", "pointer": "/data/api_key",
                         "value": CANARY}, "secret"),
        ("terraform_apply", {"directory": "../x", "resource": "a.b", "variables": {"n": 1}}, "directory"),
        ("terraform_apply", {"directory": "a/../../x", "resource": "a.b", "variables": {"n": 1}}, "root"),
        ("terraform_apply", {"directory": "x", "resource": "a.b", "variables": {"token": CANARY}}, "secret"),
        ("terraform_apply", {"directory": "x", "resource": "a.b", "variables": {"-x": 1}}, "variable name"),
    ],
)  # fmt: skip
def test_arguments_that_cannot_be_used(name: str, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as error:
        act(name, **arguments)
    assert CANARY not in str(error.value)


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("scale", {**WORKLOAD, "replicas": 2}, "already"),
        ("set_image", {**CONTAINER, "image": "shop/api:1"}, "already"),
        ("set_image", {**WORKLOAD, "container": "sidecar", "image": "x"}, "no container"),
        ("set_env", {**CONTAINER, "remove": ["ABSENT"]}, "no environment variable"),
        ("patch_service", {"namespace": "shop", "service": "api", "port": 81, "target_port": 1}, "no port"),
        ("patch_probe", {**CONTAINER, "probe": "liveness", "period": 3}, "no such"),
        ("untaint", {"node": "n1", "key": "absent", "effect": "NoSchedule"}, "no taint"),
        ("set_hpa", {"namespace": "shop", "hpa": "api", "min_replicas": 9}, "exceed"),
        ("set_asg_capacity", {"group": "general", "region": "eu-west-1", "desired": 6}, "bounds"),
        ("set_asg_capacity", {"group": "general", "region": "eu-west-1", "desired": 2}, "already"),
    ],
)
def test_changes_that_make_no_sense_for_what_is_there(name: str, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        act(name, **arguments).changes(SEEN)


def test_a_bare_pod_is_not_deleted() -> None:
    bare: JsonObject = {"kind": "Pod", "metadata": {"name": "p", "namespace": "shop", "uid": "u"}}
    with pytest.raises(InvalidInput, match="no controller"):
        act("delete_pod", namespace="shop", pod="p").changes({("Pod", "shop", "p"): bare})


def test_risk_follows_the_world() -> None:
    assert act("scale", **WORKLOAD, replicas=5).risk_in(SEEN) is Risk.SAFE
    assert act("scale", **WORKLOAD, replicas=1).risk_in(SEEN) is Risk.DISRUPTIVE
    assert act("scale", **WORKLOAD, replicas=0).risk_in(SEEN) is Risk.DESTRUCTIVE
    assert act("set_asg_capacity", group="general", region="eu-west-1", desired=1).risk_in(SEEN) is Risk.DESTRUCTIVE


def test_bounds_that_are_raised_stop_nothing() -> None:
    hpa = {"namespace": "shop", "hpa": "api"}
    old = SEEN["HorizontalPodAutoscaler", "shop", "api"]["spec"]
    least, most = old["minReplicas"], old["maxReplicas"]
    assert act("set_hpa", **hpa, min_replicas=least + 1).risk_in(SEEN) is Risk.SAFE
    assert act("set_hpa", **hpa, max_replicas=most + 1).risk_in(SEEN) is Risk.SAFE
    assert act("set_hpa", **hpa, min_replicas=least + 1, max_replicas=most - 1).risk_in(SEEN) is Risk.DISRUPTIVE
    assert act("taint", node="n1", key="x", effect="NoExecute").risk is Risk.DESTRUCTIVE
    pods = [{"namespace": "shop", "pod": "p", "uid": "u"}]
    assert act("drain", node="n1", pods=pods, uncontrolled=True).risk is Risk.DESTRUCTIVE


JOB: JsonObject = {"kind": "Job", "metadata": {"name": "train", "namespace": "ml"}, "spec": {"parallelism": 8}}


@pytest.mark.parametrize(
    ("field", "value", "risk", "stopped"),
    [
        ("suspend", True, Risk.DESTRUCTIVE, 8),
        ("suspend", False, Risk.DISRUPTIVE, 0),
        ("parallelism", 5, Risk.DESTRUCTIVE, 3),
        ("parallelism", 9, Risk.DISRUPTIVE, 0),
        ("activeDeadlineSeconds", 60, Risk.DESTRUCTIVE, 8),
        ("activeDeadlineSeconds", None, Risk.DISRUPTIVE, 0),
    ],
)
def test_stopping_a_job_loses_its_work(field: str, value: Any, risk: Risk, stopped: int) -> None:
    where = {"kind": "Job", "namespace": "ml", "object": "train"}
    action = act("patch_field", **where, pointer=f"/spec/{field}", value=value)
    assert action.risk_in({("Job", "ml", "train"): JOB}) is risk
    pods = [_gpu_pod(n) for n in range(8)]
    dump = ClusterDump(taken_at=START, objects={"Job": [JOB], "Pod": [*pods, _gpu_pod(8, job="other")]})
    blast = radius([action], dump)
    assert len(disturbed(action, dump)) == stopped
    assert blast.pods == (8 if stopped else 0), "a gang stops whole"
    assert ("same job stop" in blast.summary) == (stopped == 3)


def _gpu_pod(number: int, job: str = "train") -> JsonObject:
    meta = {"name": f"{job}-{number}", "namespace": "ml", "labels": {"job-name": job}}
    limits = {"limits": {"nvidia.com/gpu": "8"}}
    return {"kind": "Pod", "metadata": meta, "spec": {"containers": [{"name": "app", "resources": limits}]}}


def test_a_field_of_a_template_replaces_the_pods() -> None:
    where = {"kind": "Deployment", "namespace": "shop", "object": "api"}
    pod = {"kind": "Pod", "metadata": {"name": "api-1", "namespace": "shop", "labels": {"app": "api"}}}
    web = {**SEEN["Deployment", "shop", "api"]}
    web["spec"] = {**web["spec"], "selector": {"matchLabels": {"app": "api"}}}
    dump = ClusterDump(taken_at=START, objects={"Deployment": [web], "Pod": [pod]})
    policy = act("patch_field", **where, pointer="/spec/template/spec/dnsPolicy", value="Default")
    assert len(disturbed(policy, dump)) == 1
    assert not disturbed(act("patch_field", **where, pointer="/spec/paused", value=True), dump)


@pytest.mark.parametrize("field", ["containers/app/command", "containers/app/args", "serviceAccountName"])
def test_what_runs_and_with_which_rights_is_never_done_by_itself(field: str) -> None:
    where = {"kind": "Deployment", "namespace": "shop", "object": "api"}
    assert act("patch_field", **where, pointer=f"/spec/template/spec/{field}", value="x").risk is Risk.DESTRUCTIVE


def _deployment(env: list[JsonObject]) -> dict[Any, JsonObject]:
    made = {**SEEN["Deployment", "shop", "api"]}
    container = {**made["spec"]["template"]["spec"]["containers"][0], "env": env}
    template = {**made["spec"]["template"], "spec": {"containers": [container]}}
    made["spec"] = {**made["spec"], "template": template}
    return {**SEEN, ("Deployment", "shop", "api"): made}


def test_the_inverse_of_an_old_secret_is_a_revision_and_no_value() -> None:
    seen = _deployment([{"name": "DB_PASSWORD", "value": CANARY}])
    call = act("set_env", **CONTAINER, remove=["DB_PASSWORD"]).inverse(seen)
    assert call is not None
    assert call.action == "rollout_undo"
    assert CANARY not in call.model_dump_json()


def test_a_difference_never_shows_a_secret() -> None:
    seen = _deployment([{"name": "DB_PASSWORD", "value": f"password={CANARY}"}, {"name": "MODE", "value": "a"}])
    assert CANARY not in act("set_env", **CONTAINER, values={"MODE": "b"}).diff(seen)


def test_rolling_back_never_carries_a_secret() -> None:
    seen = _deployment([{"name": "TOKEN", "value": f"token={CANARY}"}])
    action = act("rollout_undo", **WORKLOAD, to_revision=1)
    assert CANARY not in str(action.changes(seen)), "only what differs goes out, and a removal needs no value"
    old = {**seen["ReplicaSet", "shop", "api-1"]}
    secret = {"name": "TOKEN", "value": "AKIAABCDEFGHIJKLMNOP"}
    template = {**old["spec"]["template"]}
    template["spec"] = {"containers": [{**template["spec"]["containers"][0], "env": [secret]}]}
    old["spec"] = {**old["spec"], "template": template}
    with pytest.raises(InvalidInput, match="secret"):
        action.changes({**seen, ("ReplicaSet", "shop", "api-1"): old})
    with pytest.raises(NotFound, match="Revision 7"):
        act("rollout_undo", **WORKLOAD, to_revision=7).changes(SEEN)


def test_env_can_point_at_keys_and_back() -> None:
    ref = {"valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}}
    seen = _deployment([{"name": "MODE", **ref}])
    action = act("set_env", **CONTAINER, refs={"MODE": {"object": "settings", "key": "Mode"}})
    (change,) = action.changes(seen)
    entry = change.body["spec"]["template"]["spec"]["containers"][0]["env"][0]
    assert entry == {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "Mode"}}}
    back = action.inverse(seen)
    assert back is not None
    assert back.arguments["refs"] == {"MODE": {"object": "settings", "key": "mode"}}
    assert "kubectl" in action.command()
