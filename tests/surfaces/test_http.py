"""The HTTP surface over a real ASGI client: authorised, bounded, durable before it says so."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import orjson
import pytest

from copilot.core.alert import Alert
from copilot.errors import Corrupt, Unavailable
from copilot.surfaces.http import MOST_BYTES, http_app
from tests.surfaces.test_alerts import alert, group

ROUTE = "/api/v1/alerts/alertmanager"
AUTH = {"authorization": "Bearer s3cret"}


class FakeDesk:
    def __init__(self) -> None:
        self.kept: list[Alert] = []
        self.counts: dict[str, int] = {}
        self.fails: Exception | None = None
        self.unready = ""

    async def receive(self, received: list[Alert]) -> None:
        if self.fails:
            raise self.fails
        self.kept += received

    async def ready(self) -> str:
        return self.unready

    def metrics(self) -> bytes:
        return b"copilot_cases_open 0\n"

    def count(self, outcome: str, number: int) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


def client(desk: FakeDesk, token: str = "s3cret") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(http_app(desk, token=token)), base_url="http://copilot")


async def test_alerts_are_kept_before_they_are_answered(desk: FakeDesk) -> None:
    async with client(desk) as http:
        answer = await http.post(ROUTE, json=group(alert(), alert(fingerprint="")), headers=AUTH)
    assert answer.status_code == 200
    assert answer.json()["taken"] == 1
    assert len(desk.kept) == 1


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic s3cret"}])
async def test_without_the_token_nothing_is_taken(desk: FakeDesk, headers: dict[str, str]) -> None:
    async with client(desk) as http:
        assert (await http.post(ROUTE, json=group(alert()), headers=headers)).status_code == 401
    assert not desk.kept


async def test_without_a_configured_token_everybody_is_refused(desk: FakeDesk) -> None:
    async with client(desk, token="") as http:
        assert (await http.post(ROUTE, json=group(alert()), headers={"authorization": "Bearer "})).status_code == 401


@pytest.mark.parametrize("error", [Unavailable("disk full"), Corrupt("chain")])
async def test_what_cannot_be_kept_is_503_so_that_the_sender_retries(desk: FakeDesk, error: Exception) -> None:
    desk.fails = error
    async with client(desk) as http:
        assert (await http.post(ROUTE, json=group(alert()), headers=AUTH)).status_code == 503
    assert desk.counts["deferred"] == 1


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\x1f\x8b\x08\x00", orjson.dumps({"version": "3"})])
async def test_garbage_is_400(desk: FakeDesk, body: bytes) -> None:
    async with client(desk) as http:
        assert (await http.post(ROUTE, content=body, headers=AUTH)).status_code == 400
    assert desk.counts["refused"] == 1


async def test_compressed_bodies_are_not_unpacked(desk: FakeDesk) -> None:
    async with client(desk) as http:
        answer = await http.post(ROUTE, content=b"x" * 100, headers={**AUTH, "content-encoding": "gzip"})
    assert answer.status_code == 400


async def test_a_huge_body_is_413(desk: FakeDesk) -> None:
    async with client(desk) as http:
        answer = await http.post(ROUTE, content=b"x" * (MOST_BYTES + 1), headers=AUTH)
    assert answer.status_code == 413


async def test_a_body_without_an_end_is_cut_off(desk: FakeDesk) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 2**20

    async with client(desk) as http:
        answer = await http.post(ROUTE, content=endless(), headers=AUTH)
    assert answer.status_code == 413
    assert sent <= MOST_BYTES / 2**20 + 1, "no more was read than may be kept"


async def test_health_and_readiness_differ(desk: FakeDesk) -> None:
    desk.unready = "store is busy"
    async with client(desk) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 503
        assert "copilot_cases_open" in (await http.get("/metrics")).text
