"""The Prometheus HTTP API of the lab: bodies, codes and errors as upstream gives them."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from copilot.lab.prometheus_api.app import prometheus_app
from tests.lab.prometheus_api.worlds import END, START, STEP, history


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(prometheus_app(history(), lambda: END)) as made:
        yield made


def test_instant_query_defaults_to_the_worlds_now(client: TestClient) -> None:
    answer = client.get("/api/v1/query", params={"query": "limit{node='n1'}"}).json()
    assert answer == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [{"metric": {"__name__": "limit", "node": "n1", "zone": "z1"}, "value": [int(END), "60.5"]}],
        },
    }


def test_range_query_by_get_and_post(client: TestClient) -> None:
    window = {"query": "sum(limit)", "start": str(START), "end": str(START + 60), "step": "30s"}
    by_get = client.get("/api/v1/query_range", params=window).json()
    assert by_get == client.post("/api/v1/query_range", data=window).json()
    expected = [[int(START + i * STEP), "161"] for i in range(3)]
    assert by_get["data"] == {"resultType": "matrix", "result": [{"metric": {}, "values": expected}]}


@pytest.mark.parametrize(
    ("path", "parameters", "status", "kind", "words"),
    [
        ("query", {"query": "sum("}, 400, "bad_data", 'invalid parameter "query": parse error'),
        ("query", {"query": ""}, 400, "bad_data", "parse error"),
        ("query", {"query": "up", "time": "soon"}, 400, "bad_data", 'cannot parse "soon" to a valid timestamp'),
        ("query", {"query": "up", "timeout": "x"}, 400, "bad_data", 'invalid parameter "timeout"'),
        ("query", {"query": "minute(limit)"}, 422, "execution", "minute is not supported"),
        ("query", {"query": "count_values('v', limit)"}, 422, "execution", "count_values is not supported"),
        (
            "query",
            {"query": "temperature + on (node) limit"},
            422,
            "execution",
            "matching must be explicit",
        ),
        ("query", {"query": "temperature", "timeout": "0s"}, 503, "timeout", "query timed out"),
        ("query_range", {"query": "up", "start": "1", "end": "0", "step": "1"}, 400, "bad_data", "must not be before"),
        ("query_range", {"query": "up", "start": "0", "end": "1", "step": "0"}, 400, "bad_data", "zero or negative"),
        ("query_range", {"query": "up", "start": "0", "end": "1"}, 400, "bad_data", "to a valid duration"),
        ("query_range", {"query": "up", "start": "0", "end": "1e6", "step": "1"}, 400, "bad_data", "11,000 points"),
        ("query_range", {"query": "limit[5m]", "start": "0", "end": "1", "step": "1"}, 400, "bad_data", "range vector"),
        ("series", {}, 400, "bad_data", "no match[] parameter provided"),
        ("series", {"match[]": "1 + 1"}, 400, "bad_data", "vector selector"),
    ],
)
def test_errors_are_upstreams(
    client: TestClient, path: str, parameters: dict[str, str], status: int, kind: str, words: str
) -> None:
    response = client.get(f"/api/v1/{path}", params=parameters)
    assert response.status_code == status
    body = response.json()
    assert (body["status"], body["errorType"]) == ("error", kind)
    assert words in body["error"]


def test_series_and_labels(client: TestClient) -> None:
    series = client.get("/api/v1/series", params={"match[]": ["limit", "temperature{node='n0'}"]}).json()["data"]
    assert len(series) == 5
    assert client.get("/api/v1/label/node/values").json()["data"] == ["n0", "n1"]
    assert client.get("/api/v1/label/node/values", params={"match[]": "limit{zone='z1'}"}).json()["data"] == ["n1"]
    assert "le" in client.get("/api/v1/labels").json()["data"]


def test_metadata(client: TestClient) -> None:
    every = client.get("/api/v1/metadata").json()["data"]
    assert every["requests_total"] == [{"type": "counter", "help": "Requests.", "unit": ""}]
    assert list(client.get("/api/v1/metadata", params={"metric": "limit"}).json()["data"]) == ["limit"]


def test_health_build_and_empty_rules(client: TestClient) -> None:
    assert client.get("/-/healthy").text == "Prometheus Server is Healthy.\n"
    assert client.get("/-/ready").status_code == 200
    assert client.get("/api/v1/status/buildinfo").json()["data"]["version"].startswith("2.")
    assert client.get("/api/v1/status/runtimeinfo").json()["data"]["startTime"].endswith("Z")
    assert client.get("/api/v1/rules").json()["data"] == {"groups": []}
    assert client.get("/api/v1/alerts").json()["data"] == {"alerts": []}
    assert client.get("/api/v1/targets").json()["data"]["activeTargets"] == []
    assert client.get("/api/v1/admin").status_code == 404
