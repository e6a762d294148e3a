"""Capacity on schedule: suspended it waits, also over kill -9 and a restart; resumed it is done, once."""

import asyncio
from pathlib import Path

import httpx
import pytest

from copilot.core.case import Case, CaseStatus
from tests.e2e.processes import Command, store_of, until

POLICY = 'default_mode = "observe"\n[[rules]]\nrunbook = "forecast"\nmode = "act"\n'
LAB = ("lab", "up", "--history", "24h", "--speed", "30", "--demand", "assistant=12")
MORE = {"INFRA_COPILOT_SCALE_TARGETS": '["answers/llm-chat"]', "INFRA_COPILOT_SCALE_EVERY": "3s"}


@pytest.mark.slow
async def test_a_forecast_waits_while_suspended_and_is_carried_out_after_a_restart(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    watch_words = ("watch", "-e", "lab", "--every", "1h", "--http", "--policy", str(policy))
    store = store_of(tmp_path, "lab")

    async def wished() -> list[Case]:
        return [c for c in await store.list() if c.plan is not None and c.plan.proposed_by == "forecast"]

    with Command(tmp_path, *LAB) as lab:
        lab.line("chat with it")
        with Command(tmp_path, "suspend", "exercise", "-e", "lab") as switch:
            switch.line("Suspended: exercise")
        with Command(tmp_path, *watch_words, more=MORE) as watch:
            watch.port()
            (case,) = await until(wished)
            watch.kill()
        with Command(tmp_path, *watch_words, more=MORE) as watch:
            metrics = f"http://127.0.0.1:{watch.port()}/metrics"

            async def published() -> bool:
                text = (await asyncio.to_thread(httpx.get, metrics)).text
                wanted = 'copilot_forecast_replicas_wanted{namespace="answers",workload="llm-chat"}'
                return "copilot_suspended 1.0" in text and wanted in text

            await until(published)
            (again,) = await wished()
            assert (again.id, again.results) == (case.id, ())
            with Command(tmp_path, "resume", "-e", "lab") as switch:
                switch.line("Resumed")

            async def over() -> bool:
                return not (await store.get(case.id)).status.open

            await until(over)
            assert watch.terminate() == 0
    ended = await store.get(case.id)
    assert ended.status is CaseStatus.RESOLVED
    assert [a.by for a in ended.approvals] == ["policy"]
    assert len(ended.results) == 1
    assert await store.verify_chain() > 0
    await store.close()
