"""Capacity ahead of the evening peak on the lab: by command, on schedule, beside an autoscaler; and the same without.

The autoscaler is the lab's: every 15 s it counts anew from the CPU in use, within its bounds. The page docs/scaling.md
shows what the commands print here.
"""

import asyncio
import json
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copilot.core.case import CaseStatus
from copilot.core.value import JsonObject
from copilot.lab.server import Lab
from copilot.lab.world.world import World
from tests.commands.conftest import command_line
from tests.e2e.evening import announce, climb, played

ON_CALL = timedelta(minutes=45)
"""Into the climb: advice asks for more by then, and nothing hurts yet."""
BESIDE = timedelta(minutes=40)
"""Into the climb: advice asks for more than the autoscaler runs by then."""
MINUTE = timedelta(minutes=1)
MOST = 12
"""Of the autoscaler."""
Said = Callable[..., dict[str, Any]]


def commands(home: Path) -> Said:
    """Return what runs a command on the lab and reads what it printed."""
    run = command_line(home)

    def said(*words: str) -> dict[str, Any]:
        done = run(*words, "-e", "lab", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return said


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
        said = commands(tmp_path)
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


def autoscaled(day: bytes) -> tuple[World, str, str]:
    """Return the day with an autoscaler for the shop's catalogue, as ``kubectl autoscale`` makes one: 80 % of CPU."""
    world: World = pickle.loads(day)
    catalog = world.design.role("catalog")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": catalog.name}
    spec = {"scaleTargetRef": target, "minReplicas": catalog.replicas, "maxReplicas": MOST}
    meta = {"name": catalog.name, "namespace": catalog.namespace}
    world.store.create({"kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec})
    return world, catalog.namespace, catalog.name


def both(world: World, *where: str) -> tuple[JsonObject, JsonObject]:
    """Return the autoscaler and its Deployment."""
    return world.store.get("HorizontalPodAutoscaler", *where), world.store.get("Deployment", *where)


@pytest.mark.slow
async def test_by_command_the_floor_is_raised_and_the_autoscaler_agrees(day: bytes, tmp_path: Path) -> None:
    state = tmp_path / "state" / "infra-copilot" / "lab"
    world, *where = autoscaled(day)
    with Lab(world, state_dir=state, speed=0) as lab:
        announce(lab, state)
        said = commands(tmp_path)
        climb(world)
        lab.advance(BESIDE)
        case = await _raised(lab, said, where)
        _kept(lab, said, where)
        lab.speed = 30.0
        back = await asyncio.to_thread(said, "cases", "undo", case, "--yes")
        assert back["status"] == "undone"
        scaler, _ = both(world, *where)
        assert scaler["spec"]["minReplicas"] == world.design.role("catalog").replicas, (
            "the floor is given back on demand"
        )


async def _raised(lab: Lab, said: Said, where: list[str]) -> str:
    """From advice to a verified change: one write, to the autoscaler; return the case."""
    advice = said("scale", "advise", "/".join(where), "--propose")
    assert advice["verdict"] == "scale_out"
    assert advice["wanted"] > advice["replicas"]
    case = said("cases", "show", advice["case"])
    assert case["status"] == "waiting"
    (step,) = case["plan"]["steps"]
    (change,) = step["changes"]
    assert change["target"]["kind"] == "HorizontalPodAutoscaler"
    assert change["body"]["spec"] == {"minReplicas": advice["wanted"]}
    lab.speed = 30.0
    done = await asyncio.to_thread(said, "cases", "approve", case["id"], "--digest", case["plan_digest"])
    lab.speed = 0.0
    assert done["status"] == "resolved"
    assert done["outcome"]["verification"]["verified"]
    assert [r["state"] for r in done["results"]] == ["applied"]
    assert any("available replicas of" in reading for reading in done["outcome"]["verification"]["readings"])
    (write,) = lab.request_log.changes()
    assert write.path.endswith(f"/horizontalpodautoscalers/{where[1]}")
    scaler, found = both(lab.world, *where)
    assert scaler["spec"]["minReplicas"] == advice["wanted"] <= found["status"]["readyReplicas"]
    return str(case["id"])


def _kept(lab: Lab, said: Said, where: list[str]) -> None:
    """For half an hour the two agree: nothing goes down, nothing is asked of the Deployment."""
    seen: list[int] = []
    for _ in range(30):
        lab.advance(MINUTE)
        scaler, found = both(lab.world, *where)
        assert scaler["status"]["desiredReplicas"] == found["spec"]["replicas"] >= scaler["spec"]["minReplicas"]
        seen.append(found["spec"]["replicas"])
    assert seen == sorted(seen), "no flapping"
    proposal = said("scale", "advise", "/".join(where))["proposal"]
    assert proposal is None or [a["action"] for a in proposal["actions"]] == ["set_hpa"]
    assert len(lab.request_log.changes()) == 1


@pytest.mark.slow
async def test_on_schedule_the_two_never_turn_the_same_knob(day: bytes, tmp_path: Path) -> None:
    world, *where = autoscaled(day)
    evening = await played(world, tmp_path, advise=True)
    assert evening.latency < 0.1
    assert evening.errors < 0.01
    about = [c for c in evening.cases if c.results and c.plan and where[1] in c.plan.title]
    assert about
    assert {c.status for c in about} == {CaseStatus.RESOLVED}
    touched = [path for path in evening.writes if path.endswith(f"/{where[1]}")]
    assert {path.split("/")[-2] for path in touched} == {"horizontalpodautoscalers"}
    assert len(touched) == len(about)
    asked = evening.replicas[where[1]]
    assert asked == sorted(asked), "no flapping"
    assert both(world, *where)[0]["spec"]["minReplicas"] <= asked[-1] <= MOST
