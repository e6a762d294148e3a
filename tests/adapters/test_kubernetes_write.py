"""The Kubernetes writer over HTTP: what goes out, and what each answer or missing answer means."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import kubernetes.client
import pytest

from copilot.actions import Action, revive
from copilot.adapters.kubernetes_write import KubernetesWriter, path
from copilot.core.plan import ActionCall, KubernetesChange
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import (
    Blocked,
    CopilotError,
    Forbidden,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Unavailable,
    Unsupported,
    WorldChanged,
)
from copilot.planning import MARK
from copilot.ports.write import Applied
from tests.adapters.api_server import ApiServer, Script, status
from tests.agent.world import FakeCluster, deployment

POD: JsonObject = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "api-1", "namespace": "shop", "ownerReferences": [{"kind": "ReplicaSet", "uid": "u"}]},
    "spec": {},
}


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer(FakeCluster(deployment(), POD)) as server:
        yield server


def writer(url: str, *, token: str = "", **settings: timedelta) -> KubernetesWriter:
    configuration = kubernetes.client.Configuration()
    configuration.host = url
    if token:
        configuration.api_key = {"authorization": token}
        configuration.api_key_prefix = {"authorization": "Bearer"}
    return KubernetesWriter(kubernetes.client.ApiClient(configuration), **settings)


def change(api: ApiServer, name: str, **arguments: object) -> KubernetesChange:
    action: Action = revive(ActionCall(action=name, arguments={"namespace": "shop", **arguments}))  # type: ignore[dict-item]
    found = action.changes(api.cluster.objects)[0]
    assert isinstance(found, KubernetesChange)
    return found


def image(api: ApiServer, *, pinned: bool = True) -> KubernetesChange:
    found = change(api, "set_image", workload="api", container="app", image="shop/api:2")
    body = {**found.body, "metadata": {"annotations": {MARK: "mark-1"}}}  # type: ignore[dict-item]
    meta = api.cluster.objects["Deployment", "shop", "api"]["metadata"]
    pins = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]} if pinned else {}
    return found.model_copy(update={"body": body, "preconditions": pins})


async def test_a_patch_goes_out_as_approved_with_its_preconditions(api: ApiServer) -> None:
    wanted = image(api)
    assert await writer(api.url).applied(wanted) is Applied.NO
    receipt = await writer(api.url).apply(wanted)
    (sent,) = api.writes
    assert sent.content_type == "application/strategic-merge-patch+json"
    assert isinstance(wanted.body, dict)
    assert sent.body == {**wanted.body, "metadata": {"annotations": {MARK: "mark-1"}, **wanted.preconditions}}
    assert receipt.after["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/api:2"
    assert await writer(api.url).applied(wanted) is Applied.YES


async def test_a_dry_run_changes_nothing(api: ApiServer) -> None:
    await writer(api.url).dry_run(image(api))
    await writer(api.url).dry_run(change(api, "delete_pod", pod="api-1"))
    assert api.writes == []
    assert len(api.log) == 2
    assert "infra-copilot" not in str(api.cluster.objects)


async def test_an_object_changed_meanwhile_answers_conflict(api: ApiServer) -> None:
    wanted = image(api)
    api.cluster.patch(wanted.target, {"metadata": {"labels": {"x": "y"}}})
    with pytest.raises(WorldChanged):
        await writer(api.url).apply(wanted)


async def test_a_recreated_pod_is_not_deleted(api: ApiServer) -> None:
    wanted = change(api, "delete_pod", pod="api-1")
    api.cluster.create(POD)
    with pytest.raises(WorldChanged):
        await writer(api.url).apply(wanted)
    assert ("Pod", "shop", "api-1") in api.cluster.objects
    assert await writer(api.url).applied(wanted) is Applied.YES, "the instance that was meant is gone"


async def test_an_eviction_carries_the_uid(api: ApiServer) -> None:
    uid = api.cluster.objects["Pod", "shop", "api-1"]["metadata"]["uid"]
    pods = [{"namespace": "shop", "pod": "api-1", "uid": uid}]
    action = revive(ActionCall(action="drain", arguments={"node": "n1", "pods": pods}))  # type: ignore[dict-item]
    (wanted,) = action.changes({})
    assert await writer(api.url).applied(wanted) is Applied.NO
    await writer(api.url).apply(wanted)
    (sent,) = api.writes
    assert sent.path == "/api/v1/namespaces/shop/pods/api-1/eviction"
    assert sent.body["deleteOptions"] == {"preconditions": {"uid": uid}}
    assert await writer(api.url).applied(wanted) is Applied.YES


async def test_a_delete_without_an_instance_is_not_sent(api: ApiServer) -> None:
    wanted = change(api, "delete_pod", pod="api-1").model_copy(update={"preconditions": {}})
    with pytest.raises(InvalidInput, match="nothing was sent"):
        await writer(api.url).apply(wanted)
    assert api.log == []


BUDGET = status(429, "Cannot evict pod as it would violate the pod's disruption budget.")
ANSWERS: list[tuple[int, JsonObject, type[CopilotError], type[CopilotError]]] = [
    (400, status(400, "webhook x does not support dry run"), Unsupported, InvalidInput),
    (401, status(401, "Unauthorized"), Forbidden, Forbidden),
    (403, status(403, "forbidden"), Forbidden, Forbidden),
    (404, status(404, "not found"), NotFound, NotFound),
    (409, status(409, "modified"), WorldChanged, WorldChanged),
    (422, status(422, "invalid"), InvalidInput, InvalidInput),
    (429, BUDGET, Blocked, Blocked),
    (429, status(429, "too many requests"), Overloaded, Overloaded),
    (500, status(500, "This pod has more than one PodDisruptionBudget"), InvalidInput, InvalidInput),
    (500, status(500, "etcd"), Unavailable, OutcomeUnknown),
    (502, {}, Unavailable, OutcomeUnknown),
    (503, status(503, "shutting down"), Unavailable, Unavailable),
    (503, {}, Unavailable, OutcomeUnknown),
    (504, status(504, "timeout"), Unavailable, OutcomeUnknown),
]


@pytest.mark.parametrize(("code", "body", "dry", "real"), ANSWERS, ids=lambda v: str(getattr(v, "__name__", v))[:40])
async def test_every_answer_is_mapped_by_what_it_leaves_open(
    api: ApiServer, code: int, body: JsonObject, dry: type[CopilotError], real: type[CopilotError]
) -> None:
    api.script = Script(answer=lambda request: (code, body, {"Retry-After": "7"}))
    with pytest.raises(dry) as checked:
        await writer(api.url).dry_run(image(api))
    assert type(checked.value) is dry
    with pytest.raises(real) as sent:
        await writer(api.url).apply(image(api))
    assert type(sent.value) is real
    if isinstance(sent.value, Overloaded):
        assert sent.value.retry_after == timedelta(seconds=7)


async def test_a_lost_answer_is_unknown_and_nothing_is_repeated(api: ApiServer) -> None:
    api.script = Script(drop=lambda request: True)
    wanted = image(api)
    with pytest.raises(OutcomeUnknown):
        await writer(api.url).apply(wanted)
    with pytest.raises(OutcomeUnknown):
        await writer(api.url).apply(change(api, "delete_pod", pod="api-1"))
    assert [r.method for r in api.log] == ["PATCH", "DELETE"]
    with pytest.raises(Unavailable):
        await writer(api.url).dry_run(wanted)


async def test_a_late_answer_is_unknown(api: ApiServer) -> None:
    hold = threading.Event()
    api.script = Script(before_answer=lambda request: hold.wait(5) and None)
    try:
        with pytest.raises(OutcomeUnknown):
            await writer(api.url, read=timedelta(seconds=0.2)).apply(image(api))
    finally:
        hold.set()


async def test_nobody_there_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    target = Ref(kind="Node", name="n1", api_version="v1")
    wanted = KubernetesChange(verb="patch", target=target, patch_type="merge", body={"spec": {}})
    with pytest.raises(Unavailable):
        await writer(url).apply(wanted)


async def test_a_secret_in_an_answer_is_not_repeated(api: ApiServer) -> None:
    said = status(422, "spec.env: Invalid value: password=hunter2")
    api.script = Script(answer=lambda request: (422, said, {}))
    with pytest.raises(InvalidInput) as error:
        await writer(api.url).apply(image(api))
    assert "hunter2" not in str(error.value)


def test_paths_cannot_leave_their_place() -> None:
    ref = Ref(kind="Pod", namespace="shop/../kube-system", name="x?dryRun=All", api_version="v1")
    assert path(ref) == "/api/v1/namespaces/shop%2F..%2Fkube-system/pods/x%3FdryRun%3DAll"
    assert path(Ref(kind="Node", name="n1", api_version="v1")) == "/api/v1/nodes/n1"
