"""One question to a scripted model over real HTTP, beside the answer without it."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from copilot.adapters.chat_model import ChatOptions, OpenAIModel
from copilot.agent.model.budget import Budget
from copilot.agent.model.consult import Consultant
from copilot.conversation import converse
from copilot.core.case import Evidence, Findings, Trust
from copilot.core.cluster import ClusterDump
from copilot.surfaces.desk import Piece
from tests.model_server import (
    Reply,
    Script,
    in_turn,
    model_server,
)
from tests.questions.world import NOW, OOM, context

QUICK = Budget(
    seconds=timedelta(seconds=3), first=timedelta(milliseconds=700), silence=timedelta(milliseconds=700), steps=6
)
SECOND = 1.0
"""What "in the same second" allows, besides what the rules themselves take on a busy machine."""


@dataclass
class Talk:
    """What a person saw of one answer, when, and what the model was sent."""

    pieces: list[Piece] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    busy: float = 0.0
    """Seconds that the same answer takes without a model, right before."""

    @property
    def allowed(self) -> float:
        return SECOND + 3 * self.busy

    @property
    def text(self) -> str:
        return "".join(p.text for p in self.pieces if p.kind == "text")

    @property
    def added(self) -> str:
        """What came after the answer of the rules."""
        return "".join([p.text for p in self.pieces if p.kind == "text"][1:])

    @property
    def tools(self) -> list[str]:
        return [p.text for p in self.pieces if p.kind == "tool"]

    @property
    def cites(self) -> list[str]:
        return [p.text for p in self.pieces if p.kind == "cite"]

    @property
    def sent(self) -> str:
        return json.dumps(self.asked, ensure_ascii=False)

    @property
    def answered(self) -> float:
        """Seconds until the answer of the rules was there."""
        return next(t for p, t in zip(self.pieces, self.times, strict=True) if "oom killed" in p.text)


@asynccontextmanager
async def consultant(url: str, budget: Budget = QUICK) -> AsyncIterator[Consultant]:
    model = OpenAIModel(ChatOptions("openai", "small", url))
    try:
        yield Consultant(model, budget=budget)
    finally:
        await model.close()


async def talk(script: Script | Reply, text: str = "what is wrong?", *, budget: Budget = QUICK, **changes: Any) -> Talk:
    found = Talk()
    alone = time.monotonic()
    _ = [piece async for piece in converse(context(**changes), text)]
    found.busy = time.monotonic() - alone
    with model_server(script if callable(script) else in_turn(script)) as (url, asked):
        async with consultant(url, budget) as who:
            began = time.monotonic()
            async for piece in converse(context(**changes), text, who):
                found.pieces.append(piece)
                found.times.append(time.monotonic() - began)
        found.asked = asked
    return found


def findings_of(*evidence: Evidence) -> Callable[..., Findings]:
    """A diagnosis that rests on some evidence."""

    def diagnose(dump: ClusterDump, *, namespace: str = "", question: str = "") -> Findings:
        return Findings(
            diagnoses=(OOM.model_copy(update={"rests_on": tuple(e.id for e in evidence)}),), evidence=evidence
        )

    return diagnose


def log_line(text: str) -> Evidence:
    return Evidence(id="e1", source="logs", query="kubectl logs cart", at=NOW, finding=text, trust=Trust.WORKLOAD)


def stands(found: Talk) -> None:
    """The answer of the rules is there within the second, whatever the model does."""
    assert "**CONFIRMED** oom killed" in found.text and found.answered < found.allowed
    assert "[e1] exit code 137" in found.cites
