"""The API over HTTP: pages, watches, the write log, limits of speed, and the official client."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from copilot.core.value import JsonObject
from copilot.lab.kube_api.app import kube_app
from copilot.lab.kube_api.request_log import RequestLog
from copilot.lab.kube_api.store import ObjectStore
from tests.lab.kube_api.live import Live, live
from tests.lab.kube_api.serving import TOKENS, served

MERGE = "application/merge-patch+json"
PODS = "/api/v1/namespaces/shop/pods"


class Api:
    """A store behind a real socket, and clients by role."""

    def __init__(self, store: ObjectStore, log: RequestLog, url: str) -> None:
        self.store = store
        self.log = log
        self.url = url
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=10)

    def __call__(self, method: str, path: str, *, role: str = "admin", **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKENS[role]}"} | dict(more.pop("headers", {}))  # type: ignore[call-overload]
        return self.client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]

    def patch(self, path: str, body: JsonObject, *, role: str = "admin") -> httpx.Response:
        return self("PATCH", path, role=role, content=json.dumps(body), headers={"Content-Type": MERGE})


@pytest.fixture
def api() -> Iterator[Api]:
    store, log = ObjectStore(lambda: datetime.now(UTC), keep=100), RequestLog()
    store.create({"kind": "Namespace", "metadata": {"name": "shop"}})
    store.create({"kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "shop"}})
    with served(kube_app(store, TOKENS, log=log)) as url:
        made = Api(store, log, url)
        with made.client:
            yield made


def pod(name: str, **labels: str) -> JsonObject:
    container = {"name": "c", "image": "web:1", "resources": {"requests": {"cpu": "100m"}}}
    spec = {"nodeName": "node-0", "containers": [container]}
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": labels}, "spec": spec}


def config(name: str) -> JsonObject:
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": {"a": "1"}}


def names(answer: httpx.Response) -> list[str]:
    return [item["metadata"]["name"] for item in answer.json()["items"]]


def test_pages_show_the_list_as_it_was(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.store.create(pod(name))
    first = api("GET", f"{PODS}?limit=2")
    api.store.delete("Pod", "shop", "c", grace=None)
    api.store.create(pod("bb"))
    second = api("GET", f"{PODS}?limit=2&continue={first.json()['metadata']['continue']}")
    assert names(first) == ["a", "b"]
    assert names(second) == ["c"]
    assert second.json()["metadata"]["resourceVersion"] == first.json()["metadata"]["resourceVersion"]


def test_a_token_that_is_too_old_offers_an_inconsistent_rest(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.store.create(pod(name))
    token = api("GET", f"{PODS}?limit=1").json()["metadata"]["continue"]
    for number in range(80):
        api.store.create(config(f"x{number}"))
        api("GET", f"{PODS}?limit=1")
    old = api("GET", f"{PODS}?limit=1&continue={token}")
    assert (old.status_code, old.json()["reason"]) == (410, "Expired")
    rest = api("GET", f"{PODS}?continue={old.json()['metadata']['continue']}")
    assert names(rest) == ["b", "c"]


def watched(api: Api, path: str, count: int) -> list[JsonObject]:
    """The first events of a watch, with a limit on how long to wait for them."""
    found: list[JsonObject] = []
    headers = {"Authorization": f"Bearer {TOKENS['admin']}"}
    with httpx.stream("GET", api.url + path, headers=headers, trust_env=False, timeout=10) as answer:
        for line in answer.iter_lines():
            found.append(json.loads(line))
            if len(found) == count:
                break
    return found


def test_watch_tells_what_another_thread_writes(api: Api) -> None:
    version = api.store.version

    def write() -> None:
        time.sleep(0.1)
        api.store.create(config("late"))
        api.store.patch("ConfigMap", "shop", "late", {"data": {"a": "2"}})
        api.store.delete("ConfigMap", "shop", "late")

    thread = threading.Thread(target=write)
    thread.start()
    path = f"/api/v1/namespaces/shop/configmaps?watch=1&resourceVersion={version}&timeoutSeconds=5"
    found = watched(api, path, 3)
    thread.join()
    assert [event["type"] for event in found] == ["ADDED", "MODIFIED", "DELETED"]


def test_watch_from_forgotten_history_is_gone(api: Api) -> None:
    version = api.store.version
    for number in range(300):
        api.store.create(config(f"x{number}"))
    path = f"/api/v1/namespaces/shop/configmaps?watch=1&resourceVersion={version}&timeoutSeconds=5"
    assert watched(api, path, 1)[0]["object"]["code"] == 410


def test_every_write_is_in_the_log_in_order(api: Api) -> None:
    api.store.create(config("a"))
    path = "/api/v1/namespaces/shop/configmaps/a"
    body = {"data": {"a": "2"}}
    api("GET", path)
    api.patch(f"{path}?dryRun=All", body)
    api.patch(path, body, role="reader")
    api.patch(path, body)
    assert [(entry.status, entry.dry_run) for entry in api.log.entries()] == [(200, True), (403, False), (200, False)]
    (change,) = api.log.changes()
    assert (change.method, change.path, change.user) == ("PATCH", path, "admin")
    assert change.digest == hashlib.sha256(json.dumps(body).encode()).hexdigest()


def test_a_refused_write_changes_nothing(api: Api) -> None:
    api.store.create(pod("a"))
    version = api.store.version
    for role, path in (("reader", f"{PODS}/a"), ("executor", "/api/v1/namespaces/kube-system/pods/a")):
        assert api("DELETE", path, role=role).status_code == 403
    assert api("DELETE", f"{PODS}/a", content=b'{"preconditions":{"uid":"other"}}').status_code == 409
    assert api.patch(f"{PODS}/a", {"spec": {"nodeName": "x"}}).status_code == 422
    assert api.store.version == version


@pytest.mark.parametrize(
    "name", ["--all", "-n kube-system", "x; id", "$(id)", "..", "X" * 300, "a_b", "ünïcode", "a" * 254]
)
def test_names_that_are_none_are_refused(api: Api, name: str) -> None:
    body = json.dumps({"metadata": {"name": name}, "data": {}})
    answer = api("POST", "/api/v1/namespaces/shop/configmaps", content=body)
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")


@pytest.mark.parametrize("accept", ["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io"])
def test_two_thousand_pods_are_listed_at_once(api: Api, accept: str) -> None:
    for number in range(2000):
        api.store.create(pod(f"web-{number}", app="web"))
    answer = api("GET", "/api/v1/pods", headers={"Accept": accept})
    assert len(answer.json().get("items") or answer.json()["rows"]) == 2000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("lab"), secure=False) as running:
        yield running


def test_official_client_lists_patches_and_watches(cluster: Live) -> None:
    from kubernetes import client, watch

    settings = client.Configuration(host=cluster.url)
    settings.api_key["authorization"] = f"Bearer {TOKENS['admin']}"
    with client.ApiClient(settings) as connection:
        core, apps = client.CoreV1Api(connection), client.AppsV1Api(connection)
        listed = core.list_namespaced_pod("shop", label_selector="app=web")
        assert len(listed.items) == 3
        assert listed.items[0].status.container_statuses[0].ready
        apps.patch_namespaced_deployment_scale("web", "shop", {"spec": {"replicas": 4}})
        watcher = watch.Watch()
        version = listed.metadata.resource_version
        seen = set()
        for event in watcher.stream(core.list_namespaced_pod, "shop", resource_version=version, timeout_seconds=1):
            seen.add((event["type"], event["object"].status.phase))
        assert {("ADDED", "Pending"), ("MODIFIED", "Running")} <= seen
        apps.patch_namespaced_deployment("web", "shop", {"spec": {"replicas": 3}})
        with pytest.raises(client.ApiException) as caught:
            core.read_namespaced_pod("ghost", "shop")
        assert caught.value.status == 404
        connection.rest_client.pool_manager.clear()
