"""Snapshots: what kubectl printed in, the same cluster out; secrets stay behind, hostile archives too."""

import io
import json
import math
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from copilot.adapters import snapshot_files, snapshot_texts
from copilot.adapters.snapshot import read_snapshot, write_snapshot
from copilot.core.cluster import ClusterDump, LogExcerpt, MetricWindow, Missing, Observation
from copilot.errors import InvalidInput, NotFound

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
Json = dict[str, Any]


def pod(name: str, **spec: Any) -> Json:
    meta = {"name": name, "namespace": "shop", "creationTimestamp": "2026-03-04T10:00:00Z", "managedFields": [{}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Running"}}


def event(reason: str, at: str = "2026-03-04T11:59:00Z") -> Json:
    about = {"kind": "Pod", "name": "a", "namespace": "shop"}
    return {
        "kind": "Event",
        "metadata": {"name": reason},
        "involvedObject": about,
        "reason": reason,
        "lastTimestamp": at,
    }


DESCRIBED = """\
Name:             web-1
Namespace:        shop
Priority:         0
Node:             n1/10.0.0.1
Start Time:       Wed, 04 Mar 2026 10:00:00 +0000
Labels:           app=web
Status:           Pending
IP:
Containers:
  app:
    Image:          nginx:1.2
    State:          Waiting
      Reason:       ImagePullBackOff
    Ready:          False
    Restart Count:  0
Conditions:
  Type              Status
  Ready             False
Events:
  Type     Reason  Age    From     Message
  ----     ------  ----   ----     -------
  Warning  Failed  2m     kubelet  Failed to pull image


Name:             web-2
Namespace:        shop
Node:             n1/10.0.0.1
Status:           Running
Containers:
  app:
    Image:          nginx:1.2
Conditions:
  Type              Status
  Ready             True
"""
TABLE = """\
LAST SEEN   TYPE      REASON    OBJECT      MESSAGE
90s         Warning   BackOff   pod/web-1   Back-off restarting failed container
"""


def test_json_and_yaml_of_one_object_or_many(tmp_path: Path) -> None:
    (tmp_path / "pods.json").write_text(
        json.dumps({"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}]})
    )
    (tmp_path / "more.yaml").write_text(
        yaml.safe_dump_all([pod("b"), {"kind": "List", "items": [pod("c"), event("Started")]}])
    )
    (tmp_path / "one.json").write_text(json.dumps(pod("d")))
    dump = read_snapshot(tmp_path)
    assert {one["metadata"]["name"] for one in dump.objects["Pod"]} == {"a", "b", "c", "d"}
    assert all(one["kind"] == "Pod" and one["apiVersion"] == "v1" for one in dump.objects["Pod"])
    assert all("managedFields" not in one["metadata"] for one in dump.objects["Pod"])
    assert len(dump.objects["Event"]) == 1
    assert dump.taken_at == datetime(2026, 3, 4, 11, 59, tzinfo=UTC)


def test_describe_text_events_and_logs(tmp_path: Path) -> None:
    (tmp_path / "pods.txt").write_text(DESCRIBED)
    (tmp_path / "events.txt").write_text(TABLE)
    (tmp_path / "nodes.json").write_text(json.dumps(event("Ready", "2026-03-04T12:00:00Z")))
    (tmp_path / "shop_web-1_app.log").write_text("one\ntwo\n")
    (tmp_path / "shop_web-1_app.previous.log").write_text("before\n")
    dump = read_snapshot(tmp_path)
    first, second = sorted(dump.objects["Pod"], key=lambda one: str(one["metadata"]["name"]))
    assert first["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    assert second["metadata"]["name"] == "web-2"
    found = {one["reason"]: one for one in dump.objects["Event"]}
    assert found["Failed"]["lastTimestamp"].startswith("2026-03-04T11:58:00")
    assert found["BackOff"]["involvedObject"]["name"] == "web-1"
    assert {(one.container, one.previous, one.lines) for one in dump.logs} == {
        ("app", False, ("one", "two")),
        ("app", True, ("before",)),
    }


def test_a_manifest_and_its_description_are_one_object(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(pod("web-1", affinity={"x": 1})))
    (tmp_path / "b.txt").write_text(DESCRIBED)
    (merged,) = (one for one in read_snapshot(tmp_path).objects["Pod"] if one["metadata"]["name"] == "web-1")
    assert merged["spec"]["affinity"] == {"x": 1}
    assert merged["spec"]["nodeName"] == "n1"


MARKED = """\
==== START logs for container app of pod shop/a ====
hello {world}
==== END logs for container app of pod shop/a ====
"""


def test_a_cluster_info_dump_as_directory_and_as_stream(tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    (folder / "shop" / "a").mkdir(parents=True)
    (folder / "nodes.json").write_text(json.dumps({"kind": "NodeList", "items": [{"metadata": {"name": "n1"}}]}))
    (folder / "shop" / "pods.json").write_text(json.dumps({"kind": "PodList", "items": [pod("a")]}))
    (folder / "shop" / "a" / "logs.txt").write_text(MARKED)
    stream = tmp_path / "dump.txt"
    nodes, pods = (
        {"kind": "NodeList", "items": [{"metadata": {"name": "n1"}}]},
        {"kind": "PodList", "items": [pod("a")]},
    )
    stream.write_text(json.dumps(nodes, indent=4) + "\n" + json.dumps(pods, indent=4) + "\n" + MARKED)
    for path in (folder, stream):
        dump = read_snapshot(path)
        assert (len(dump.objects["Node"]), len(dump.objects["Pod"])) == (1, 1)
        assert dump.logs == (LogExcerpt("shop", "a", "app", ("hello {world}",)),)


CANARY = "hunter2canary"


def full() -> ClusterDump:
    env = [
        {"name": "DB_PASSWORD", "value": CANARY},
        {"name": "URL", "value": f"postgres://u:{CANARY}@db/x"},
        {"name": "LEVEL", "value": "debug"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "db-password", "key": "password"}}},
    ]
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"password": CANARY}, "stringData": {"t": CANARY}}
    data = {"password": CANARY, "app.ini": f"token = {CANARY}\nlevel = info", "host": "db"}
    return ClusterDump(
        taken_at=AT,
        objects={
            "Pod": [pod("a", containers=[{"name": "app", "env": env}], volumes=[{"secret": {"secretName": "s"}}])],
            "Secret": [secret],
            "ConfigMap": [{"kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}],
            "CronJob": [],
        },
        logs=(LogExcerpt("shop", "a", "app", (f"login password={CANARY}", "ok"), previous=True),),
        observations=(Observation("reachability", "a", "b", False, text=f"token: {CANARY}"),),
        missing=(Missing("Node", "forbidden"),),
        namespace="shop",
        server_version="v1.33.1",
        metrics={"error_ratio": [MetricWindow({"workload": "a"}, (1.0, 2.0), (0.5, math.nan), "q")]},
    )


@pytest.mark.parametrize("name", ["s.tar.gz", "s.tgz", "s.tar", "s.zip", "folder"])
def test_what_is_written_is_read_back_without_secrets(tmp_path: Path, name: str) -> None:
    write_snapshot(full(), tmp_path / name)
    dump = read_snapshot(tmp_path / name)
    assert (dump.taken_at, dump.namespace, dump.server_version) == (AT, "shop", "v1.33.1")
    assert CANARY not in repr(dump)
    container = dump.objects["Pod"][0]["spec"]["containers"][0]
    values = {one["name"]: one.get("value") for one in container["env"]}
    assert (values["DB_PASSWORD"], values["LEVEL"]) == ("[redacted]", "debug")
    assert values["URL"] == "postgres://u:[redacted]@db/x"
    assert container["env"][3]["valueFrom"]["secretKeyRef"] == {"name": "db-password", "key": "password"}
    assert dump.objects["Pod"][0]["spec"]["volumes"] == [{"secret": {"secretName": "s"}}]
    assert dump.objects["Secret"][0]["data"] == {"password": "", "t": ""}
    assert dump.objects["ConfigMap"][0]["data"]["host"] == "db"
    assert "level = info" in dump.objects["ConfigMap"][0]["data"]["app.ini"]
    assert dump.objects["CronJob"] == ()
    assert dump.logs[0].previous
    assert dump.logs[0].lines[1] == "ok"
    assert dump.missing == (Missing("Node", "forbidden"),)
    assert dump.observations[0].subject == "a"
    (window,) = dump.metrics["error_ratio"]
    assert math.isnan(window.values[1])
    assert (window.labels, window.times, window.query) == ({"workload": "a"}, (1.0, 2.0), "q")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "s.zip").write_text("precious")
    with pytest.raises(InvalidInput, match="exists already"):
        write_snapshot(full(), tmp_path / "s.zip")
    assert (tmp_path / "s.zip").read_text() == "precious"


def _tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["../up.json", "/etc/passwd.json", "a/../../b.json", "..\\up.json"])
def test_an_archive_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    tar = _tar(tmp_path / "t.tgz", (tarfile.TarInfo(name), b"{}"))
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr(name, "{}")
    for path in (tar, tmp_path / "z.zip"):
        with pytest.raises(InvalidInput, match="outside itself"):
            read_snapshot(path)


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    link = tarfile.TarInfo("pods.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    device = tarfile.TarInfo("dev")
    device.type = tarfile.CHRTYPE
    good = tarfile.TarInfo("good.json")
    tar = _tar(tmp_path / "t.tgz", (link, b""), (device, b""), (good, json.dumps(pod("a")).encode()))
    assert len(read_snapshot(tar).objects["Pod"]) == 1
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x.json").symlink_to("/etc/hostname")
    (folder / "y.json").write_text(json.dumps(pod("a")))
    assert not read_snapshot(folder).missing


def test_bombs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_files, "MOST_BYTES_OF_FILE", 1000)
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pods.json", " " * 100_000)
    with pytest.raises(InvalidInput, match="larger"):
        read_snapshot(tmp_path / "z.zip")
    monkeypatch.setattr(snapshot_files, "MOST_BYTES_OF_FILE", 10**6)
    monkeypatch.setattr(snapshot_files, "MOST_FILES", 3)
    for i in range(5):
        (tmp_path / f"{i}.json").write_text("{}")
    with pytest.raises(InvalidInput, match="larger"):
        read_snapshot(tmp_path)


def test_a_yaml_that_stands_for_millions_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_texts, "MOST_NODES", 100_000)
    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    (tmp_path / "bomb.yaml").write_text(laughs)
    (tmp_path / "pod.json").write_text(json.dumps(pod("a")))
    dump = read_snapshot(tmp_path)
    assert [one.what for one in dump.missing] == ["file bomb.yaml"]


def test_what_cannot_be_understood_is_said(tmp_path: Path) -> None:
    (tmp_path / "pods.json").write_text("{broken")
    (tmp_path / "evil.yaml").write_text("!!python/object/apply:os.system ['true']")
    (tmp_path / "notes.txt").write_text("we tried restarting")
    (tmp_path / "ok.json").write_text(json.dumps(pod("a")))
    dump = read_snapshot(tmp_path)
    assert {one.what for one in dump.missing} == {"file pods.json", "file evil.yaml", "file notes.txt"}


def test_nothing_there_or_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_snapshot(tmp_path / "none")
    with pytest.raises(InvalidInput, match="known to show a cluster"):
        read_snapshot(tmp_path)
    (tmp_path / "t.tar.gz").write_bytes(b"\x1f\x8b\x08broken")
    with pytest.raises(InvalidInput):
        read_snapshot(tmp_path / "t.tar.gz")
