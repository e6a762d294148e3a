"""A cluster read over HTTP: pages, refusals, busy servers, rotated tokens, cut watches, bounded memory."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from copilot.adapters.kubernetes_config import KubernetesOptions, api_client
from copilot.adapters.kubernetes_http import Reader
from copilot.adapters.kubernetes_logs import MOST_LOGS, PER_OWNER, suspicious
from copilot.adapters.kubernetes_read import KubernetesCluster
from copilot.core.ref import Ref
from copilot.errors import ConfigError, DeadlineExceeded, Forbidden, NotFound, Overloaded, Unavailable, Unsupported
from copilot.ports.read import Scope
from tests.adapters.http_server import Answer, Asked, serving
from tests.adapters.kube_server import FakeApi, container, pod, refuse, say

PODS = "/api/v1/pods"


@asynccontextmanager
async def cluster(api: FakeApi) -> AsyncIterator[tuple[KubernetesCluster, list[Asked]]]:
    with serving(api) as (url, asked):
        made = KubernetesCluster(KubernetesOptions(server=url), timeout=timedelta(seconds=5))
        made._reader._pause = lambda seconds: None
        try:
            yield made, asked
        finally:
            await made.close()


@contextmanager
def reader(api: FakeApi, options: KubernetesOptions | None = None) -> Iterator[tuple[Reader, list[Asked], list[float]]]:
    with serving(api) as (url, asked):
        made = Reader(lambda: api_client(options or KubernetesOptions(server=url)), timeout=timedelta(seconds=5))
        pauses: list[float] = []
        made._pause = pauses.append
        yield made, asked, pauses


async def test_a_dump_fills_in_kinds_and_drops_bookkeeping() -> None:
    node = {"metadata": {"name": "n1"}, "status": {"images": [1]}}
    api = FakeApi({PODS: [pod("a"), pod("b")], "/api/v1/nodes": [node]})
    async with cluster(api) as (made, asked):
        dump = await made.dump(Scope())
    assert [one["metadata"]["name"] for one in dump.objects["Pod"]] == ["a", "b"]
    first = dump.objects["Pod"][0]
    assert (first["kind"], first["apiVersion"]) == ("Pod", "v1")
    assert "managedFields" not in first["metadata"]
    assert "images" not in dump.objects["Node"][0]["status"]
    assert dump.objects["CronJob"] == []
    assert dump.server_version == "v1.33.1"
    assert dump.taken_at == datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert dump.missing == ()
    assert not [one for one in asked if "secrets" in one.path]


async def test_one_namespace() -> None:
    api = FakeApi({"/api/v1/namespaces/shop/pods": [pod("a")], PODS: [pod("other")]})
    async with cluster(api) as (made, asked):
        dump = await made.dump(Scope(namespace="shop"))
    assert [one["metadata"]["name"] for one in dump.objects["Pod"]] == ["a"]
    assert "/api/v1/nodes" in {one.path for one in asked}
    assert PODS not in {one.path for one in asked}


async def test_what_may_not_be_read_is_missing_and_the_rest_is_there() -> None:
    api = FakeApi({PODS: [pod("a")]})
    api.rules.append(lambda a: refuse(403, "nodes is forbidden") if a.path == "/api/v1/nodes" else None)
    async with cluster(api) as (made, _):
        dump = await made.dump(Scope())
    assert "Node" not in dump.objects
    assert [(m.what, "nodes is forbidden" in m.why) for m in dump.missing if m.what == "Node"] == [("Node", True)]


async def test_nothing_readable_is_an_error() -> None:
    api = FakeApi(rules=[lambda a: None if a.path == "/version" else refuse(403, "forbidden")])
    async with cluster(api) as (made, _):
        with pytest.raises(Forbidden, match="Nothing of the cluster"):
            await made.dump(Scope())


async def test_pages_are_followed_and_an_expired_token_starts_over() -> None:
    api = FakeApi({PODS: [pod(f"p{i}") for i in range(1250)]})
    expired = [True]

    def expire(asked: Asked) -> Answer | None:
        if asked.query.get("continue") == ["1000"] and expired:
            expired.clear()
            return refuse(410, "The provided continue parameter is too old")
        return None

    api.rules.append(expire)
    async with cluster(api) as (made, asked):
        found = await made.all("Pod", selector="app=web")
    assert len({one["metadata"]["name"] for one in found}) == len(found) == 1250
    assert len(asked) == 6
    assert asked[0].query["labelSelector"] == ["app=web"]


def test_a_busy_server_is_given_the_time_it_asks_for() -> None:
    answers = [refuse(429, **{"Retry-After": "2"}), refuse(503), refuse(500), say({"gitVersion": "v1"})]
    api = FakeApi(rules=[lambda a: answers.pop(0)])
    with reader(api) as (made, asked, pauses):
        assert made.get("/version").json() == {"gitVersion": "v1"}
    assert len(asked) == 4
    assert 2.0 <= pauses[0] <= 3.0
    assert all(0.25 <= pause <= 15 for pause in pauses[1:])


def test_a_server_that_stays_busy_is_left_alone_at_last() -> None:
    with reader(FakeApi(rules=[lambda a: refuse(429, **{"Retry-After": "1"})])) as (made, asked, pauses):
        with pytest.raises(Overloaded) as caught:
            made.get(PODS)
        assert caught.value.retry_after == timedelta(seconds=1)
    assert (len(asked), len(pauses)) == (4, 3)


def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    def check(asked: Asked) -> Answer | None:
        if asked.headers.get("authorization") == "Bearer new":
            return None
        token.write_text("new")
        return refuse(401, "Unauthorized")

    with serving(FakeApi(rules=[check])) as (url, asked):
        made = Reader(lambda: api_client(KubernetesOptions(server=url, token_file=token)))
        assert made.get("/version").json()["gitVersion"] == "v1.33.1"
    assert [one.headers["authorization"] for one in asked] == ["Bearer old", "Bearer new"]


def test_a_refused_credential_is_forbidden() -> None:
    with reader(FakeApi(rules=[lambda a: refuse(401)])) as (made, asked, _), pytest.raises(Forbidden):
        made.get(PODS)
    assert len(asked) == 2


def test_a_kubeconfig_and_its_context(tmp_path: Path) -> None:
    with serving(FakeApi()) as (url, asked):
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "reader", "user": {"token": "r"}}, {"name": "other", "user": {"token": "o"}}],
            "contexts": [{"name": n, "context": {"cluster": "c", "user": n}} for n in ("reader", "other")],
            "current-context": "other",
        }
        file = tmp_path / "config"
        file.write_text(yaml.safe_dump(config))
        Reader(lambda: api_client(KubernetesOptions(kubeconfig=file, context="reader"))).get("/version")
        assert asked[0].headers["authorization"] == "Bearer r"
        with pytest.raises(ConfigError, match="No usable access"):
            api_client(KubernetesOptions(kubeconfig=file, context="nobody"))
    with pytest.raises(ConfigError):
        api_client(KubernetesOptions(kubeconfig=tmp_path / "none"))


def test_answers_that_are_none() -> None:
    with reader(FakeApi(rules=[lambda a: Answer(200, b"<html>")])) as (made, _, _), pytest.raises(Unavailable):
        made.get(PODS).json()
    made = Reader(lambda: api_client(KubernetesOptions(server="http://127.0.0.1:9")))
    made._pause = lambda seconds: None
    with pytest.raises(Unavailable, match="Cannot reach"):
        made.get(PODS)


def test_a_hanging_server_costs_the_deadline() -> None:
    with serving(FakeApi(rules=[lambda a: Answer(hang=20)])) as (url, _):
        made = Reader(lambda: api_client(KubernetesOptions(server=url)), timeout=timedelta(seconds=0.1))
        made._pause = lambda seconds: None
        with pytest.raises(DeadlineExceeded):
            made.get(PODS)


async def test_one_object_and_what_is_not_there() -> None:
    api = FakeApi({"/api/v1/namespaces/shop/pods": [pod("a")]})
    async with cluster(api) as (made, asked):
        assert (await made.get(Ref(kind="Pod", name="a", namespace="shop")))["kind"] == "Pod"
        with pytest.raises(NotFound):
            await made.get(Ref(kind="Pod", name="zzz", namespace="shop"))
        with pytest.raises(Unsupported):
            await made.get(Ref(kind="Gadget", name="x"))
        await made.get(Ref(kind="Gadget", name="x", namespace="n", api_version="things.io/v1"))
        assert await made.version() == "v1.33.1"
    assert "/apis/things.io/v1/namespaces/n/gadgets/x" in {one.path for one in asked}


async def test_logs_of_suspicious_containers_and_of_no_others() -> None:
    crashed = container(ready=False, restartCount=4, state={"waiting": {"reason": "CrashLoopBackOff"}})
    pulling = container(ready=False, state={"waiting": {"reason": "ImagePullBackOff"}})
    pods = [
        pod("calm", containerStatuses=[container()]),
        pod("crash", containerStatuses=[crashed]),
        pod("pull", containerStatuses=[pulling]),
        pod("unready", containerStatuses=[container(ready=False)]),
    ]
    api = FakeApi({PODS: pods}, {"crash!": "a\nb\npanic\n", "unready": "listening on 80\n"})
    async with cluster(api) as (made, asked):
        dump = await made.dump(Scope(log_lines=2))
        assert await made.logs(Ref(kind="Pod", name="unready", namespace="shop"), container="app", lines=5) == [
            "listening on 80"
        ]
    assert {(one.pod, one.previous, one.lines) for one in dump.logs} == {
        ("crash", True, ("b", "panic")),
        ("unready", False, ("listening on 80",)),
    }
    read = {one.path for one in asked if one.path.endswith("/log")}
    assert not any("/calm/" in path or "/pull/" in path for path in read)


def test_logs_are_bounded_and_replicas_do_not_repeat_themselves() -> None:
    sick = [container(ready=False, restartCount=3)]
    pods = [pod(f"p{i}", containerStatuses=sick) for i in range(200)]
    assert len(suspicious(pods)) == MOST_LOGS
    for one in pods:
        one["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-1"}]
    assert len(suspicious(pods)) == 2 * PER_OWNER


def _event(kind: str, name: str, version: str, uid: str = "") -> bytes:
    obj = pod(name)
    obj["metadata"] |= {"resourceVersion": version, "uid": uid or f"u-{name}"}
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


async def _changes(made: KubernetesCluster, count: int) -> list[tuple[str, str]]:
    found = []
    watch = made.watch("Pod")
    async with asyncio.timeout(20):
        async for kind, obj in watch:
            found.append((kind, obj["metadata"]["name"]))
            if len(found) == count:
                break
    await watch.aclose()  # type: ignore[attr-defined]
    return found


async def test_a_watch_resumes_where_it_was_cut() -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "105"}}}
    streams = [
        _event("ADDED", "b", "101") + json.dumps(bookmark).encode() + b"\n",
        _event("MODIFIED", "b", "106") + b'{"type":"MODIF',
        _event("DELETED", "b", "107"),
    ]
    versions: list[str] = []

    def script(asked: Asked) -> Answer | None:
        if not asked.query.get("watch"):
            return None
        versions.append(asked.query["resourceVersion"][0])
        return Answer(200, streams.pop(0)) if streams else Answer(200, hang=20)

    async with cluster(FakeApi({PODS: [pod("a")]}, rules=[script])) as (made, _):
        assert await _changes(made, 3) == [("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b")]
    assert versions[:3] == ["100", "105", "106"]


@pytest.mark.parametrize("how", ["status", "event"])
async def test_after_410_nothing_is_missed(how: str) -> None:
    api = FakeApi({PODS: [pod("kept"), pod("gone"), pod("changed"), pod("replaced")]})
    tries: list[int] = []

    def script(asked: Asked) -> Answer | None:
        if not asked.query.get("watch"):
            return None
        tries.append(1)
        if len(tries) > 1:
            return Answer(200, _event("ADDED", "later", "300"))
        changed, replaced = pod("changed"), pod("replaced")
        changed["metadata"]["resourceVersion"] = "150"
        replaced["metadata"]["uid"] = "another"
        api.collections[PODS] = [pod("kept"), changed, replaced, pod("new")]
        if how == "status":
            return refuse(410, "too old")
        return Answer(200, b'{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}\n')

    api.rules.append(script)
    async with cluster(api) as (made, _):
        found = await _changes(made, 6)
    assert sorted(found[:5]) == [
        ("ADDED", "new"),
        ("ADDED", "replaced"),
        ("DELETED", "gone"),
        ("DELETED", "replaced"),
        ("MODIFIED", "changed"),
    ]
    assert found[5] == ("ADDED", "later")


async def test_ten_thousand_pods_fit() -> None:
    """10,000 pods and 1,000 services of a real one's size; the peak of this very process is the witness."""
    template = json.dumps(_real_pod())
    items = [template.replace("NAME", f"web-{i}") for i in range(10_000)]
    pages = [b'{"items":[' + ",".join(items[i : i + 500]).encode() + b"]" for i in range(0, 10_000, 500)]
    del items

    def script(asked: Asked) -> Answer | None:
        if asked.path != PODS:
            return None
        at = int(asked.query.get("continue", ["0"])[0])
        more = f',"metadata":{{"continue":"{at + 1}"}}}}' if at + 1 < len(pages) else ',"metadata":{}}'
        return Answer(200, pages[at] + more.encode())

    services = [{"metadata": {"name": f"s{i}", "namespace": "shop"}, "spec": {}} for i in range(1000)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with cluster(FakeApi({"/api/v1/services": services}, rules=[script])) as (made, _):
        dump = await made.dump(Scope())
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert (len(dump.objects["Pod"]), len(dump.objects["Service"])) == (10_000, 1_000)
    assert grown < 400, f"{grown:.0f} MB"


def _real_pod() -> dict[str, object]:
    env = [{"name": f"SETTING_{i}", "value": f"value-{i}"} for i in range(12)]
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3}
    mount = {"name": "kube-api-access-x", "mountPath": "/var/run/secrets", "readOnly": True}
    app = {
        "name": "app",
        "image": "registry.example.com/shop/web:1.2.3",
        "env": env,
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "livenessProbe": probe,
        "readinessProbe": probe,
        "volumeMounts": [mount],
    }
    meta = {
        "name": "NAME",
        "namespace": "shop",
        "uid": "uid-NAME",
        "resourceVersion": "12345",
        "labels": {"app": "web", "pod-template-hash": "5f4d", "version": "1.2.3"},
        "annotations": {"prometheus.io/scrape": "true"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5f4d", "controller": True, "uid": "x"}],
        "managedFields": [{"manager": "kubelet", "fieldsV1": {f"f:k{i}": {"f:v": {}} for i in range(60)}}],
    }
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": "2026-03-04T10:00:00Z", "lastProbeTime": None}
        for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled", "PodReadyToStartContainers")
    ]
    status = {"phase": "Running", "podIP": "10.0.0.1", "hostIP": "10.1.0.1", "conditions": conditions}
    ready = container(image=app["image"], state={"running": {"startedAt": "2026-03-04T10:00:00Z"}})
    volumes = [{"name": "kube-api-access-x", "projected": {"sources": [{"configMap": {"name": "ca"}}] * 3}}]
    spec = {"containers": [app], "nodeName": "node-1", "volumes": volumes, "serviceAccountName": "web"}
    return {"metadata": meta, "spec": spec, "status": status | {"containerStatuses": [ready]}}
