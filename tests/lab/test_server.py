"""A running lab: kubectl-like requests with roles, PromQL, the cloud, hands on the clock."""

import json
import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from copilot.errors import NotFound, Unavailable
from copilot.lab.server import Lab
from copilot.lab.world.world import World


@pytest.fixture
def lab(world: World, tmp_path: Path) -> Iterator[Lab]:
    with Lab(world, state_dir=tmp_path, speed=0) as running:
        yield running


def _client(lab: Lab, role: str) -> httpx.Client:
    config = json.loads(lab.addresses.kubeconfig.read_text())
    token = next(one["user"]["token"] for one in config["users"] if one["name"] == role)
    trust = ssl.create_default_context(cafile=str(lab.addresses.kubeconfig.parent / "lab.crt"))
    return httpx.Client(base_url=lab.addresses.kubernetes, headers={"Authorization": f"Bearer {token}"}, verify=trust)


def test_roles_over_tls(lab: Lab) -> None:
    name = lab.world.design.role("catalog")
    path = f"/apis/apps/v1/namespaces/{name.namespace}/deployments/{name.name}"
    patch = {"spec": {"replicas": 4}}
    kind = {"Content-Type": "application/merge-patch+json"}
    with _client(lab, "reader") as reader, _client(lab, "executor") as executor:
        assert reader.get(path).json()["spec"]["replicas"] == 3
        assert reader.patch(path, json=patch, headers=kind).status_code == 403
        assert executor.patch(path, json=patch, headers=kind).status_code == 200
    assert [entry.status for entry in lab.request_log.entries()] == [403, 200]
    lab.advance(timedelta(minutes=2))
    with _client(lab, "reader") as reader:
        assert reader.get(path).json()["status"]["readyReplicas"] == 4


def test_prometheus_and_exporters_answer(lab: Lab) -> None:
    with httpx.Client(base_url=lab.addresses.prometheus) as client:
        found = client.get("/api/v1/query", params={"query": "count(DCGM_FI_DEV_GPU_TEMP)"}).json()
        assert float(found["data"]["result"][0]["value"][1]) == len(lab.world.site.fleet.rows)
        text = client.get("/metrics/dcgm-exporter").text
    assert "# TYPE DCGM_FI_DEV_GPU_TEMP gauge" in text
    assert "vllm:" not in text


def test_a_fault_happens_when_it_is_told_to(lab: Lab) -> None:
    lab.inject("scaled_to_zero", after=timedelta(seconds=30))
    assert lab.truth is None
    lab.advance(timedelta(minutes=2))
    assert lab.truth is not None
    truth = lab.truth
    stored = lab.world.store.peek("Deployment", truth.namespace, truth.name)
    assert stored is not None
    assert stored["spec"]["replicas"] == 0
    with pytest.raises(NotFound):
        lab.inject("no_such_fault")


def test_the_cloud_grows_a_node_group(lab: Lab) -> None:
    group = next(name for name, one in lab.world.cloud.groups.items() if one.pool == "general")
    wanted = lab.world.cloud.groups[group].desired + 1
    ask = {"Action": "SetDesiredCapacity", "AutoScalingGroupName": group, "DesiredCapacity": str(wanted)}
    with httpx.Client(base_url=lab.addresses.cloud) as client:
        assert client.post("/", data=ask).status_code == 200
        assert client.post("/", data=ask | {"DesiredCapacity": "99"}).status_code == 400
        assert client.post("/", data={"Action": "RunInstances"}).status_code == 400
        lab.advance(timedelta(minutes=4))
        text = client.post("/", data={"Action": "DescribeAutoScalingGroups"}).text
    assert f"<AutoScalingGroupName>{group}</AutoScalingGroupName>" in text
    assert (
        len([node for node in lab.world.store.peek_all("Node") if node["metadata"]["labels"]["pool"] == "general"])
        == wanted
    )


def test_a_running_lab_answers_while_it_warms_up(tmp_path: Path) -> None:
    with Lab(World(2), state_dir=tmp_path, speed=0) as lab:
        seen: list[int] = []
        with httpx.Client(base_url=lab.addresses.prometheus) as client:
            lab.warm_up(timedelta(minutes=45), progress=lambda done: seen.append(round(100 * done)))
            found = client.get("/api/v1/query", params={"query": "count(up)"}).json()
        assert seen == [33, 67, 100]
        assert found["data"]["result"]
        assert lab.world.history.row_count == 90
        lab.keep(tmp_path / "kept.pickle")
    assert (tmp_path / "kept.pickle").stat().st_size > 10_000


def test_logs_come_from_the_world(lab: Lab) -> None:
    lab.inject("bad_environment", seed=1)
    lab.advance(timedelta(minutes=3))
    truth = lab.truth
    assert truth is not None
    pods = f"/api/v1/namespaces/{truth.namespace}/pods"
    with _client(lab, "reader") as reader:
        found = reader.get(pods, params={"labelSelector": f"app={truth.name}"}).json()["items"]
        crashing = [pod for pod in found if pod["status"]["containerStatuses"][0]["restartCount"]]
        log = reader.get(f"{pods}/{crashing[0]['metadata']['name']}/log", params={"previous": "true"})
    assert "is not set" in log.text


def test_a_lab_that_does_not_run_says_so(world: World, tmp_path: Path) -> None:
    lab = Lab(world, state_dir=tmp_path)
    with pytest.raises(Unavailable):
        lab.advance(timedelta(seconds=1))


def test_prometheus_answers_on_the_port_after_the_one_of_kubernetes(world: World, tmp_path: Path) -> None:
    port = _free_pair()
    with Lab(world, state_dir=tmp_path, speed=0, port=port) as lab:
        assert lab.addresses.kubernetes == f"https://127.0.0.1:{port}"
        assert lab.addresses.prometheus == f"http://127.0.0.1:{port + 1}"
        with pytest.raises(Unavailable, match=f"Port {port}"):
            Lab(world, state_dir=tmp_path, speed=0, port=port).start()


def _free_pair() -> int:
    """A port that is free, as is the next one."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
