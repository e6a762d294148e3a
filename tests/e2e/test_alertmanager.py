"""Alerts from a real Alertmanager over loopback into ``watch --http``, kept through storms, outages and kill -9."""

import asyncio
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot.core.case import Case, CaseStatus
from copilot.inbox import CURSOR
from copilot.shift import FOLDED
from tests.e2e.processes import TOKEN, Command, store_of, until

BINARY = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
WATCH = ("watch", "-e", "test", "--every", "5s", "--http")
AUTH = {"Authorization": f"Bearer {TOKEN}"}
needs_alertmanager = pytest.mark.skipif(
    BINARY is None, reason="no alertmanager binary here: apt-get install prometheus-alertmanager"
)
CONFIG = """
route: {{receiver: copilot, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: copilot
  webhook_configs:
  - url: http://127.0.0.1:{port}/api/v1/alerts/alertmanager
    send_resolved: true
    http_config: {{authorization: {{type: Bearer, credentials: {token}}}}}
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def alertmanager(folder: Path, copilot_port: int) -> Iterator[str]:
    """Run a real Alertmanager that sends to the copilot; yield its address."""
    folder.mkdir()
    (folder / "am.yml").write_text(CONFIG.format(port=copilot_port, token=TOKEN))
    address = f"127.0.0.1:{free_port()}"
    words = [
        str(BINARY),
        f"--config.file={folder / 'am.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if httpx.get(f"http://{address}/-/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait()


def fired(count: int, *, ends: datetime | None = None) -> list[dict[str, Any]]:
    begin = datetime.now(UTC) - timedelta(minutes=1)
    return [
        {
            "labels": {
                "alertname": f"HighErrors{i % 20}",
                "namespace": f"team-{i % 7}",
                "deployment": f"app-{i}",
                "severity": "warning",
            },
            "annotations": {"summary": f"errors of app-{i}"},
            "startsAt": begin.isoformat(),
            **({"endsAt": ends.isoformat()} if ends else {}),
        }
        for i in range(count)
    ]


@needs_alertmanager
@pytest.mark.slow
async def test_firing_opens_a_case_and_resolved_closes_it(tmp_path: Path) -> None:
    store = store_of(tmp_path, "test")
    with Command(tmp_path, *WATCH) as watch, alertmanager(tmp_path / "am", watch.port()) as address:
        httpx.post(f"{address}/api/v2/alerts", json=fired(1)).raise_for_status()

        async def opened() -> list[Case]:
            return [c for c in await store.list() if c.anomalies]

        (case,) = await until(opened)
        assert case.anomalies[0].signal == "alert:HighErrors0"
        httpx.post(f"{address}/api/v2/alerts", json=fired(1, ends=datetime.now(UTC))).raise_for_status()

        async def closed() -> bool:
            return (await store.get(case.id)).status is CaseStatus.RESOLVED

        await until(closed)
        assert watch.terminate() == 0
    await store.close()


@needs_alertmanager
@pytest.mark.slow
async def test_while_the_store_cannot_be_written_the_sender_retries(tmp_path: Path) -> None:
    store = store_of(tmp_path, "test")
    with Command(tmp_path, *WATCH) as watch, alertmanager(tmp_path / "am", watch.port()) as address:
        other = sqlite3.connect(tmp_path / "state" / "infra-copilot" / "test" / "copilot.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        httpx.post(f"{address}/api/v2/alerts", json=fired(1)).raise_for_status()
        metrics = f"http://127.0.0.1:{watch.port()}/metrics"

        async def deferred() -> bool:
            return (
                'copilot_alerts_total{outcome="deferred"} 0.0' not in (await asyncio.to_thread(httpx.get, metrics)).text
            )

        await until(deferred)
        assert not await store.list()
        other.execute("ROLLBACK")
        other.close()

        async def opened() -> bool:
            return len(await store.list()) == 1

        await until(opened)
    await store.close()


@pytest.mark.slow
async def test_a_storm_survives_kill_9_between_receipt_and_work(tmp_path: Path) -> None:
    prints = [f"f{i}" for i in range(10_000)]
    alerts = [
        {**one, "status": "firing", "fingerprint": name, "endsAt": "0001-01-01T00:00:00Z"}
        for one, name in zip(fired(10_000), prints, strict=True)
    ]
    body = {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "alerts": alerts}
    store = store_of(tmp_path, "test")
    with Command(tmp_path, *WATCH) as watch:
        url = f"http://127.0.0.1:{watch.port()}/api/v1/alerts/alertmanager"
        answer = httpx.post(url, json=body, headers=AUTH, timeout=60)
        watch.kill()
    assert answer.json()["taken"] == 10_000
    with Command(tmp_path, *WATCH) as watch:
        watch.port()

        async def all_taken() -> bool:
            cursor = await store.setting(CURSOR)
            return isinstance(cursor, int) and not any(e.kind == "alerts" for e in await store.events(cursor))

        await until(all_taken)
        resident = memory(watch.process.pid)
        assert watch.terminate() == 0
    cases = await store.list(limit=10_000)
    assert 1 <= len(cases) <= 100
    assert await told(store, cases) == set(prints)
    assert resident < 600
    await store.close()


async def told(store: Any, cases: Sequence[Case]) -> set[str]:
    """Return the fingerprints that cases have, or that one of theirs speaks for."""
    found = {a.fingerprint for c in cases for a in c.anomalies}
    after = 0
    while events := await store.events(after):
        found |= {str(n) for e in events if e.kind == FOLDED for n in e.data}
        after = events[-1].number
    return found


def memory(pid: int) -> float:
    """Return the most megabytes that a process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024
