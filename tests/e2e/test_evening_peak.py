"""Capacity ahead of the evening peak on the lab: by command, on schedule, with more machines; and the same without.

The page docs/scaling.md shows what the commands print here.
"""

import asyncio
import json
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copilot.core.case import CaseStatus
from copilot.lab.server import Lab
from tests.commands.conftest import command_line
from tests.e2e.evening import announce, climb, played

ON_CALL = timedelta(minutes=45)
"""Into the climb: advice asks for more by then, and nothing hurts yet."""


@pytest.mark.slow
async def test_capacity_is_there_before_the_peak_and_nothing_is_lowered(day: bytes, tmp_path: Path) -> None:
    evening = await played(pickle.loads(day), tmp_path, advise=True)
    assert evening.ttft < 1.0
    assert evening.latency < 0.1
    assert evening.errors < 0.01
    done = [c for c in evening.cases if c.results]
    assert {c.status for c in done} == {CaseStatus.RESOLVED}
    assert all(c.outcome and c.outcome.verification and c.outcome.verification.verified for c in done)
    assert all(a.by == "ada" for c in done for a in c.approvals)
    for asked in evening.replicas.values():
        assert asked == sorted(asked), "nothing is taken away"
        assert asked[-1] > asked[0]


@pytest.mark.slow
async def test_the_same_evening_hurts_without_advice(day: bytes, tmp_path: Path) -> None:
    evening = await played(pickle.loads(day), tmp_path, advise=False)
    assert evening.ttft > 20.0
    assert evening.latency > 5.0
    assert evening.errors > 0.5
    assert not evening.cases


@pytest.mark.slow
async def test_by_command_from_advice_to_a_verified_change(day: bytes, tmp_path: Path) -> None:
    state = tmp_path / "state" / "infra-copilot" / "lab"
    with Lab(pickle.loads(day), state_dir=state, speed=0) as lab:
        announce(lab, state)
        run = command_line(tmp_path)

        def said(*words: str) -> dict[str, Any]:
            done = run(*words, "-e", "lab", "--json")
            assert done.returncode == 0, done.stderr
            found: dict[str, Any] = json.loads(done.stdout)
            return found

        lab.advance(timedelta(minutes=3))
        quiet = said("scale", "advise", "answers/llm-chat", "--propose")
        assert (quiet["verdict"], quiet["case"]) == ("hold", None)
        climb(lab.world)
        lab.advance(ON_CALL)
        advice = said("scale", "advise", "answers/llm-chat", "--propose")
        assert advice["verdict"] == "scale_out"
        assert advice["wanted"] > advice["replicas"] == 3
        case = said("cases", "show", advice["case"])
        assert case["status"] == "waiting"
        scaler = said("scale", "advise", "shop/ingress-api")
        assert scaler["proposal"] is None or scaler["proposal"]["actions"][0]["action"] == "set_hpa"
        lab.speed = 30.0
        done = await asyncio.to_thread(said, "cases", "approve", case["id"], "--digest", case["plan_digest"])
        lab.speed = 0.0
        assert done["status"] == "resolved"
        assert done["outcome"]["verification"]["verified"]
        found = lab.world.store.get("Deployment", "answers", "llm-chat")
        assert found["status"]["readyReplicas"] == advice["wanted"]
