"""The object store: versions, concurrency, deletion, change log, pickling."""

import pickle
from datetime import UTC, datetime, timedelta

import pytest

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import Key
from copilot.lab.kube_api.status import ApiError
from copilot.lab.kube_api.store import ObjectStore

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def clock() -> datetime:
    return NOW


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(clock, keep=50)


def config(name: str, **data: str) -> JsonObject:
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data}


def running_pod(name: str) -> JsonObject:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "web:1"}]},
    }


def deployment(name: str) -> JsonObject:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "web:1"}]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"kind": "Deployment", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def test_create_fills_in_what_the_server_owns(store: ObjectStore) -> None:
    made = store.create(deployment("web"))
    assert made["apiVersion"] == "apps/v1"
    assert made["metadata"]["creationTimestamp"] == "2026-03-02T08:00:00Z"
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["resourceVersion"] == str(store.version)
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}


def test_generate_name_and_uids_follow_the_seed() -> None:
    def names(seed: int) -> list[str]:
        one = ObjectStore(clock, seed=seed)
        made = [one.create({"kind": "Pod", "metadata": {"generateName": "web-"}, "spec": {}}) for _ in range(3)]
        return [pod["metadata"]["name"] + pod["metadata"]["uid"] for pod in made]

    assert names(1) == names(1)
    assert names(1) != names(2)


def test_generation_moves_with_spec_only(store: ObjectStore) -> None:
    store.create(deployment("web"))
    store.set_status("Deployment", "shop", "web", {"replicas": 1})
    store.patch("Deployment", "shop", "web", {"metadata": {"labels": {"team": "a"}}})
    assert store.get("Deployment", "shop", "web")["metadata"]["generation"] == 1
    store.patch("Deployment", "shop", "web", {"spec": {"replicas": 3}})
    assert store.get("Deployment", "shop", "web")["metadata"]["generation"] == 2


def test_writing_the_same_again_writes_nothing(store: ObjectStore) -> None:
    store.create(config("a", k="v"))
    version = store.version
    store.update(store.get("ConfigMap", "shop", "a"))
    store.patch("ConfigMap", "shop", "a", {"data": {"k": "v"}})
    assert store.version == version


def test_stale_update_is_a_conflict(store: ObjectStore) -> None:
    store.create(config("a", k="1"))
    stale = store.get("ConfigMap", "shop", "a")
    store.patch("ConfigMap", "shop", "a", {"data": {"k": "2"}})
    stale["data"]["k"] = "3"
    with pytest.raises(ApiError, match="the object has been modified") as caught:
        store.update(stale)
    assert caught.value.code == 409
    assert caught.value.body()["details"] == {"name": "a", "kind": "configmaps"}


def test_delete_with_preconditions(store: ObjectStore) -> None:
    first = store.create(config("a"))
    store.delete("ConfigMap", "shop", "a")
    store.create(config("a"))
    with pytest.raises(ApiError, match="UID in the precondition"):
        store.delete("ConfigMap", "shop", "a", uid=first["metadata"]["uid"])
    assert store.peek("ConfigMap", "shop", "a") is not None


def test_pod_deletion_waits_for_its_kubelet(store: ObjectStore) -> None:
    store.create(running_pod("web"))
    store.delete("Pod", "shop", "web")
    marked = store.get("Pod", "shop", "web")
    assert marked["metadata"]["deletionTimestamp"] == "2026-03-02T08:00:30Z"
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    store.delete("Pod", "shop", "web", grace=timedelta())
    assert store.peek("Pod", "shop", "web") is None


def test_last_finalizer_removed_ends_a_deletion(store: ObjectStore) -> None:
    store.create(deployment("web"))
    store.delete("Deployment", "shop", "web", propagation="Foreground")
    assert store.get("Deployment", "shop", "web")["metadata"]["finalizers"] == ["foregroundDeletion"]
    store.mutate("Deployment", Key("shop", "web"), lambda obj: obj["metadata"].pop("finalizers"))
    assert store.peek("Deployment", "shop", "web") is None


def test_change_log_resumes_and_expires(store: ObjectStore) -> None:
    start = store.version
    store.create(config("a", k="0"))
    store.patch("ConfigMap", "shop", "a", {"data": {"k": "1"}})
    store.delete("ConfigMap", "shop", "a")
    assert [change.verb for change in store.changes_since(start)] == ["ADDED", "MODIFIED", "DELETED"]
    store.create(config("b", k="0"))
    for number in range(200):
        store.patch("ConfigMap", "shop", "b", {"data": {"k": f"x{number}"}})
    with pytest.raises(ApiError) as caught:
        store.changes_since(start)
    assert caught.value.code == 410


def test_select_filters_by_labels_and_fields(store: ObjectStore) -> None:
    for name in ("b", "a"):
        store.create(running_pod(name))
    store.patch("Pod", "shop", "a", {"metadata": {"labels": {"app": "x"}}})
    assert [pod["metadata"]["name"] for pod in store.list("Pod", "shop")] == ["a", "b"]
    assert [pod["metadata"]["name"] for pod in store.list("Pod", selector="app in (x,y)")] == ["a"]
    assert [pod["metadata"]["name"] for pod in store.list("Pod", field_selector="metadata.name!=a")] == ["b"]


def test_readers_cannot_change_the_store_through_copies(store: ObjectStore) -> None:
    store.create(config("a", k="1"))
    store.get("ConfigMap", "shop", "a")["data"]["k"] = "2"
    assert store.get("ConfigMap", "shop", "a")["data"]["k"] == "1"


def test_subscribers_hear_every_write_until_they_end(store: ObjectStore) -> None:
    heard: list[int] = []
    end = store.subscribe(lambda: heard.append(store.version))
    store.create(config("a"))
    end()
    store.create(config("b"))
    assert len(heard) == 1


def test_pickled_store_goes_on_where_it_was(store: ObjectStore) -> None:
    store.create(config("a", k="1"))
    again: ObjectStore = pickle.loads(pickle.dumps(store))
    assert again.version == store.version
    again.patch("ConfigMap", "shop", "a", {"data": {"k": "2"}})
    assert store.get("ConfigMap", "shop", "a")["data"]["k"] == "1"
    assert [c.verb for c in again.changes_since(store.version)] == ["MODIFIED"]
