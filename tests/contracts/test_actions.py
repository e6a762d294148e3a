"""What every action must do: one suite over the whole catalogue, on a small world that has one of everything."""

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.actions.base import Action, after, catalogue, revive
from copilot.core.plan import ActionCall, KubernetesChange, Risk
from copilot.core.ref import Ref
from copilot.core.value import JsonObject, canonical
from copilot.errors import CopilotError, InvalidInput, NotFound

NASTY = (
    "--all", "-n kube-system", "x; id", "$(id)", "`id`", "../etc", "a/b", "a" * 300, "", "A", "a b", "a\n", "a\x00",
    "ünïcode", "a|b", "--", "x$IFS",
)  # fmt: skip

_CONTAINER: JsonObject = {
    "name": "app",
    "image": "shop/api:1",
    "env": [{"name": "MODE", "value": "fast"}],
    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
    "readinessProbe": {"httpGet": {"port": 80, "path": "/"}, "periodSeconds": 10},
}


def _object(kind: str, name: str, namespace: str = "shop", **fields: Any) -> JsonObject:
    version = "apps/v1" if kind in ("Deployment", "ReplicaSet") else "v1"
    meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": "7", "generation": 2, **fields.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": {**meta, "namespace": namespace}, **fields}


def _template(image: str) -> JsonObject:
    return {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{**_CONTAINER, "image": image}]}}


_REVISION = "deployment.kubernetes.io/revision"
_OWNED = [{"kind": "Deployment", "uid": "uid-api"}]
_OBJECTS = (
    _object("Deployment", "api", spec={"replicas": 2, "template": _template("shop/api:1")},
            metadata={"annotations": {_REVISION: "2"}}),
    _object("ReplicaSet", "api-1", spec={"template": _template("shop/api:0")},
            metadata={"annotations": {_REVISION: "1"}, "ownerReferences": _OWNED}),
    _object("Service", "api", spec={"selector": {"app": "old"}, "ports": [{"port": 80, "targetPort": 80}]}),
    _object("Node", "n1", "", spec={"taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]}),
    _object("Node", "n2", "", spec={"unschedulable": True}),
    _object("Pod", "api-x", spec={}, metadata={"ownerReferences": _OWNED}),
    _object("HorizontalPodAutoscaler", "api", spec={"minReplicas": 1, "maxReplicas": 4}),
)  # fmt: skip
SEEN = {Ref.of(o).key: o for o in _OBJECTS} | {
    ("NodeGroup", "eu-west-1", "general"): {"DesiredCapacity": 2, "MinSize": 1, "MaxSize": 5}
}

WORKLOAD: dict[str, Any] = {"namespace": "shop", "workload": "api"}
CONTAINER = {**WORKLOAD, "container": "app"}
SERVICE = {"namespace": "shop", "service": "api"}
EXAMPLES: dict[str, dict[str, Any]] = {
    "scale": {**WORKLOAD, "replicas": 3},
    "rollout_restart": {**WORKLOAD, "at": "2026-01-05T12:00:00Z"},
    "rollout_undo": {**WORKLOAD, "to_revision": 1},
    "set_image": {**CONTAINER, "image": "shop/api:0"},
    "set_resources": {**CONTAINER, "limits": {"memory": "2Gi"}, "requests": {"memory": "1Gi"}},
    "set_env": {**CONTAINER, "values": {"MODE": "safe", "NEW": "1"}},
    "patch_service": {
        "namespace": "shop",
        "service": "api",
        "selector": {"app": "api"},
        "port": 80,
        "target_port": 8080,
    },
    "cordon": {"node": "n1"},
    "uncordon": {"node": "n2"},
    "drain": {"node": "n1", "pods": [{"namespace": "shop", "pod": "api-x", "uid": "uid-api-x"}]},
    "delete_pod": {"namespace": "shop", "pod": "api-x"},
    "set_hpa": {"namespace": "shop", "hpa": "api", "min_replicas": 3},
    "taint": {"node": "n1", "key": "broken", "effect": "NoSchedule"},
    "untaint": {"node": "n1", "key": "team", "effect": "NoSchedule"},
    "patch_probe": {**CONTAINER, "probe": "readiness", "port": 8080, "period": 5},
    "patch_field": {
        "kind": "Deployment",
        "namespace": "shop",
        "object": "api",
        "pointer": "/spec/paused",
        "value": True,
    },
    "terraform_apply": {"directory": "pool", "resource": "aws_x.y", "variables": {"n": 3}, "before": {"n": 2}},
    "set_asg_capacity": {"group": "general", "region": "eu-west-1", "desired": 4},
}
every = pytest.mark.parametrize("name", sorted(catalogue()))


def example(name: str) -> Action:
    return revive(ActionCall(action=name, arguments=EXAMPLES[name]))


def world_after(action: Action, seen: dict[Any, JsonObject]) -> dict[Any, JsonObject]:
    """Apply an action's patches to what was seen."""
    made = dict(seen)
    for change in action.changes(seen):
        if isinstance(change, KubernetesChange) and change.target.key in made:
            made[change.target.key] = after(change, made[change.target.key])
    return made


def test_every_action_has_an_example() -> None:
    assert EXAMPLES.keys() == catalogue().keys()


@every
def test_it_survives_being_data(name: str) -> None:
    action = example(name)
    again = revive(ActionCall.model_validate_json(action.call().model_dump_json()))
    assert again == action
    assert again.call() == action.call()


@every
def test_it_says_what_it_would_do(name: str) -> None:
    action = example(name)
    assert type(action).summary.endswith(".")
    assert action.diff(SEEN).strip()
    assert isinstance(action.risk_in(SEEN), Risk)
    assert action.risk_in(SEEN) <= action.risk
    assert shlex.split(action.command())[0] in ("kubectl", "terraform", "aws")


@every
def test_its_changes_are_exact_and_repeatable(name: str) -> None:
    action = example(name)
    first, second = action.changes(SEEN), action.changes(SEEN)
    assert first
    assert canonical([c.model_dump(mode="json") for c in first]) == canonical(
        [c.model_dump(mode="json") for c in second]
    )
    for change in first:
        if isinstance(change, KubernetesChange):
            assert change.target.uid, "it names the very instance"
            assert change.verb != "patch" or change.body


@every
def test_it_changes_nothing_that_it_was_shown(name: str) -> None:
    before = canonical({"/".join(k): v for k, v in SEEN.items()})
    action = example(name)
    action.changes(SEEN), action.diff(SEEN), action.inverse(SEEN)
    assert canonical({"/".join(k): v for k, v in SEEN.items()}) == before


@every
def test_its_inverse_restores_what_was_seen(name: str) -> None:
    action = example(name)
    call = action.inverse(SEEN)
    if call is None:
        assert name in ("drain", "delete_pod", "rollout_restart")
        return
    back = revive(call)
    if name in ("set_asg_capacity", "terraform_apply"):
        assert back.inverse(SEEN) is not None
        return
    target = action.targets()[0].key
    moved = world_after(action, SEEN)
    assert moved[target] != SEEN[target]
    if call.action == "rollout_undo":
        return
    restored = world_after(back, moved)
    assert _spec(restored[target]) == _spec(SEEN[target])


def _spec(obj: JsonObject) -> JsonObject:
    spec: JsonObject = {k: v for k, v in (obj.get("spec") or {}).items() if v not in (None, False)}
    return spec


@every
def test_it_refuses_a_world_without_its_targets(name: str) -> None:
    action = example(name)
    if action.targets() and name != "drain":
        with pytest.raises(NotFound):
            action.changes({})


@every
@pytest.mark.parametrize("nasty", NASTY)
def test_no_argument_becomes_a_flag_a_path_or_a_command(name: str, nasty: str) -> None:
    for field, value in EXAMPLES[name].items():
        if not isinstance(value, str):
            continue
        try:
            action = revive(ActionCall(action=name, arguments={**EXAMPLES[name], field: nasty}))
        except InvalidInput:
            continue
        assert field in ("group", "directory", "resource", "image", "key", "value"), (field, nasty)
        assert shlex.quote(nasty) == nasty, (field, nasty)
        assert not nasty.startswith("-")
        assert ".." not in nasty
        assert shlex.join(shlex.split(action.command())) == action.command().replace(" && ", " '&&' ")


@every
def test_an_unknown_argument_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        revive(ActionCall(action=name, arguments={**EXAMPLES[name], "force": True}))


@every
@given(junk=st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=3))
def test_wrong_types_are_refused_with_an_error_of_ours(name: str, junk: Any) -> None:
    for field in EXAMPLES[name]:
        try:
            revive(ActionCall.model_construct(action=name, arguments={**EXAMPLES[name], field: junk}))
        except CopilotError:
            continue


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Known:"):
        revive(ActionCall(action="delete_namespace", arguments={}))
