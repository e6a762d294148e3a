"""Refused fields, in the API server's words."""

from datetime import UTC, datetime

import pytest

from copilot.core.value import JsonObject
from copilot.lab.kube_api.decoding import decode, parse_body
from copilot.lab.kube_api.defaults import apply_defaults
from copilot.lab.kube_api.kinds import BY_KIND
from copilot.lab.kube_api.meta import copied
from copilot.lab.kube_api.status import ApiError
from copilot.lab.kube_api.store import ObjectStore, merge
from copilot.lab.kube_api.validation import check_create, check_update

STORE = ObjectStore(lambda: datetime(2026, 3, 2, tzinfo=UTC))


def pod(**container: object) -> JsonObject:
    made: JsonObject = {"name": "c", "image": "web:1"} | container
    obj: JsonObject = {"kind": "Pod", "metadata": {"name": "p", "namespace": "a"}, "spec": {"containers": [made]}}
    apply_defaults(obj)
    return obj


def deployment(**spec: object) -> JsonObject:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": pod()["spec"]}
    body: JsonObject = {"selector": {"matchLabels": {"app": "x"}}, "template": template}
    obj: JsonObject = {"kind": "Deployment", "metadata": {"name": "d", "namespace": "a"}, "spec": body | spec}
    apply_defaults(obj)
    return obj


def rule(**fields: object) -> JsonObject:
    return {"type": "Pods", "value": 1, "periodSeconds": 60} | fields


def refusals(obj: JsonObject) -> dict[str, str]:
    """Message by field of what is refused."""
    try:
        check_create(obj)
    except ApiError as error:
        assert error.code == 422
        assert error.details is not None
        return {cause["field"]: cause["message"] for cause in error.details["causes"]}
    return {}


@pytest.mark.parametrize(
    ("container", "field", "message"),
    [
        ({"image": ""}, "image", "Required value"),
        ({"name": "Not_Valid"}, "name", 'Invalid value: "Not_Valid": a lowercase RFC 1123 label'),
        ({"ports": [{"containerPort": 70000}]}, "ports[0].containerPort", "must be between 1 and 65535, inclusive"),
        ({"env": [{"name": "1A"}]}, "env[0].name", "a valid environment variable name must consist of"),
        ({"resources": {"requests": {"cpu": "-1"}}}, "resources.requests[cpu]", "must be greater than or equal to 0"),
        ({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}, "resources.requests", "cpu limit of 1"),
        ({"livenessProbe": {"periodSeconds": 5}}, "livenessProbe", "must specify a handler type"),
        (
            {"readinessProbe": {"tcpSocket": {"port": 0}}},
            "readinessProbe.tcpSocket.port",
            "must be between 1 and 65535",
        ),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, "volumeMounts[0].name", 'Not found: "v"'),
        ({"imagePullPolicy": "Sometimes"}, "imagePullPolicy", 'supported values: "Always", "IfNotPresent", "Never"'),
    ],
)
def test_containers(container: JsonObject, field: str, message: str) -> None:
    found = refusals(pod(**container))
    assert list(found) == [f"spec.containers[0].{field}"]
    assert message in found[f"spec.containers[0].{field}"]


def test_a_right_pod_and_deployment_are_accepted() -> None:
    assert refusals(pod()) == {}
    assert refusals(deployment()) == {}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"selector": {"matchLabels": {"app": "y"}}}, "spec.template.metadata.labels"),
        ({"strategy": {"type": "Slow"}}, "spec.strategy.type"),
        ({"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}, "spec.strategy.rollingUpdate"),
        ({"progressDeadlineSeconds": 5, "minReadySeconds": 10}, "spec.progressDeadlineSeconds"),
    ],
)
def test_deployments(spec: JsonObject, field: str) -> None:
    assert list(refusals(deployment(**spec))) == [field]


def test_several_refusals_come_together() -> None:
    with pytest.raises(ApiError, match=r"is invalid: \[spec.replicas: .*, spec.selector: Required value\]"):
        check_create(deployment(replicas=-1, selector=None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec": {"selector": {"matchLabels": {"app": "x", "b": "c"}}}}, "field is immutable"),
        ({"spec": {"replicas": 3}}, ""),
    ],
)
def test_a_selector_stays_as_it_is(change: JsonObject, message: str) -> None:
    old = deployment()
    new = merge(copied(old), change)
    new["spec"]["template"]["metadata"]["labels"]["b"] = "c"
    if not message:
        check_update(new, old)
        return
    with pytest.raises(ApiError, match=message):
        check_update(new, old)


def test_a_pod_may_change_its_image_and_little_else() -> None:
    old = pod()
    new = copied(old)
    new["spec"]["containers"][0]["image"] = "web:2"
    check_update(new, old)
    new["spec"]["nodeName"] = "n"
    with pytest.raises(ApiError, match="pod updates may not change fields other than"):
        check_update(new, old)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"spec": {"replicas": "three"}}, "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas"),
        (
            {"spec": {"paused": 1}},
            "cannot unmarshal number into Go struct field DeploymentSpec.spec.paused of type bool",
        ),
        ({"spec": []}, "cannot unmarshal array into Go struct field"),
        ({"metadata": {"labels": {"a": 1}}}, "cannot unmarshal number into Go struct field ObjectMeta.metadata.labels"),
        ({"kind": "Secret"}, "cannot be handled as a Deployment"),
    ],
)
def test_wrong_types_are_bad_requests(body: JsonObject, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        decode(body, BY_KIND["Deployment"])
    assert caught.value.code == 400


def test_quantities_become_canonical_and_unknown_fields_are_named() -> None:
    container = {"name": "c", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}, "colour": "blue"}
    found = decode({"spec": {"containers": [container]}}, BY_KIND["Pod"])
    assert found.obj["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "500m", "memory": "1Gi"}
    assert found.unknown == ["spec.containers[0].colour"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'"x"', b"[" * 2000])
def test_bodies_that_are_no_object_are_bad_requests(raw: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        parse_body(raw, "application/json", BY_KIND["Pod"])
    assert caught.value.code == 400


@pytest.mark.parametrize(
    ("direction", "rules", "field", "message"),
    [
        ("scaleUp", {"policies": [rule(value=0)]}, "policies[0].value", "Invalid value: 0: must be greater than zero"),
        ("scaleUp", {"policies": [rule(type="Share")]}, "policies[0].type", 'Unsupported value: "Share"'),
        (
            "scaleUp",
            {"policies": [rule(periodSeconds=1801)]},
            "policies[0].periodSeconds",
            "or equal to 1800",
        ),
        ("scaleDown", {"selectPolicy": "Most"}, "selectPolicy", 'Unsupported value: "Most"'),
        ("scaleDown", {"stabilizationWindowSeconds": 3601}, "stabilizationWindowSeconds", "or equal to 3600"),
        ("scaleDown", {"policies": []}, "policies", "must specify at least one Policy"),
    ],
)
def test_behavior_of_an_autoscaler(direction: str, rules: JsonObject, field: str, message: str) -> None:
    target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "behavior": {direction: rules}}
    obj: JsonObject = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "d", "namespace": "a"}, "spec": spec}
    apply_defaults(obj)
    assert message in refusals(obj)[f"spec.behavior.{direction}.{field}"]
