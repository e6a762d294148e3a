"""The suspend switch stops the scheduled mode from another process and outlives it; forecasts reach ``/metrics``."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from copilot.core.case import Case, CaseStatus
from tests.e2e.processes import Command, store_of, until
from tests.e2e.test_watch_acts import LAB, POLICY

WATCH = ("watch", "-e", "lab", "--every", "2s", "--http", "--policy", str(POLICY))


@pytest.mark.slow
async def test_suspended_from_another_process_nothing_is_done_until_resumed_also_after_a_restart(
    tmp_path: Path,
) -> None:
    store = store_of(tmp_path, "lab")

    async def planned() -> list[Case]:
        return [c for c in await store.list() if c.plan is not None]

    with Command(tmp_path, *LAB, "--fault", "service_selector_mismatch", "--after", "4m") as lab:
        lab.line("The lab is up")
        with Command(tmp_path, *WATCH) as watch:
            watch.port()
            with Command(tmp_path, "suspend", "exercise", "-e", "lab") as switch:
                switch.line("Suspended: exercise")
            await until(planned)
            await asyncio.sleep(2)
            watch.kill()
        with Command(tmp_path, *WATCH) as watch:
            metrics = f"http://127.0.0.1:{watch.port()}/metrics"

            async def shown() -> bool:
                return "copilot_suspended 1.0" in (await asyncio.to_thread(httpx.get, metrics)).text

            await until(shown)
            await asyncio.sleep(3)
            (case,) = await planned()
            assert not case.results
            assert case.status in (CaseStatus.WAITING, CaseStatus.EXECUTING)
            with Command(tmp_path, "resume", "-e", "lab") as switch:
                switch.line("Resumed")

            async def fixed() -> bool:
                return (await store.get(case.id)).status is CaseStatus.RESOLVED

            await until(fixed)
            assert watch.terminate() == 0
    await store.close()


async def test_the_switch_is_seen_by_another_process_within_a_second(tmp_path: Path) -> None:
    store = store_of(tmp_path, "lab")
    with Command(tmp_path, "suspend", "exercise", "-e", "lab") as switch:
        switch.line("Suspended")
        told = time.monotonic()
        assert "exercise" in await store.suspended()
        assert time.monotonic() - told < 1
    await store.close()


@pytest.mark.slow
async def test_forecasts_of_the_named_workloads_are_published(tmp_path: Path) -> None:
    more = {"INFRA_COPILOT_SCALE_TARGETS": '["shop/cart", "shop/nobody"]'}
    with Command(tmp_path, "lab", "up", "--history", "4h", "--speed", "1") as lab:
        lab.line("The lab is up")
        with Command(tmp_path, *WATCH, more=more) as watch:
            metrics = f"http://127.0.0.1:{watch.port()}/metrics"

            async def published() -> str:
                text = (await asyncio.to_thread(httpx.get, metrics)).text
                wanted = 'copilot_forecast_replicas_wanted{namespace="shop",workload="cart"}'
                return text if wanted in text and "copilot_leader 1.0" in text else ""

            text = await until(published)
            watch.line("no forecast of deployment/nobody -n shop")
            assert 'workload="nobody"' not in text
            assert watch.terminate() == 0
