"""Fakes that several tests share: one case that waits for a decision, and a desk that holds it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from copilot.core.case import Anomaly, Case, CaseStatus, Diagnosis, Evidence, Verdict
from copilot.core.curve import Curve
from copilot.core.fleet import Fleet, Trend
from copilot.core.plan import ActionCall, Decision, KubernetesChange, Plan, Risk, Step
from copilot.core.ref import Ref
from copilot.errors import NotApproved, NotFound, Unavailable
from copilot.ports.store import Event
from copilot.questions.base import Answer
from copilot.surfaces.desk import Piece

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CART = Ref(kind="Deployment", name="cart", namespace="shop")


def waiting_case(**changes: Any) -> Case:
    change = KubernetesChange(verb="patch", target=CART, patch_type="strategic", body={"spec": {"replicas": 3}})
    call = ActionCall(action="scale", arguments={"replicas": 3})
    step = Step(
        call=call,
        changes=(change,),
        command="kubectl scale deployment/cart --replicas=3",
        diff="-1\n+3",
        risk=Risk.SAFE,
    )
    plan = Plan(
        title="scale cart",
        reason="queueing",
        proposed_by="runbook:scale_out",
        environment="lab",
        policy_version="p",
        steps=(step,),
        created=NOW,
        expires=NOW + timedelta(days=3650),
    )
    anomaly = Anomaly(fingerprint="f", signal="latency_p99", resource=CART, onset=NOW, seen=NOW, summary="p99 at 2 s")
    evidence = Evidence(id="e1", source="prometheus", query="up", at=NOW, finding="see <http://evil.example|here>")
    diagnosis = Diagnosis(
        verdict=Verdict.CONFIRMED,
        cause="inference_surge",
        family="inference",
        object=CART,
        confidence=0.9,
        summary="load",
        rests_on=("e1",),
    )
    fields: dict[str, Any] = {
        "id": "C-1",
        "environment": "lab",
        "opened": NOW,
        "updated": NOW,
        "title": "latency of cart",
        "status": CaseStatus.WAITING,
        "anomalies": (anomaly,),
        "evidence": (evidence,),
        "diagnosis": diagnosis,
        "plan": plan,
    }
    return Case(**{**fields, **changes})


class FakeDesk:
    """One case; a decision is single use, as the journal makes it."""

    def __init__(self) -> None:
        self.one = waiting_case()
        self.decided: list[tuple[str, str, Decision, str]] = []
        self.undone: list[str] = []
        self.roles: list[str] = []
        self.stopped = ""
        self.stopped_by = ""
        self.queue: asyncio.Queue[Event] = asyncio.Queue()
        self.settings: dict[str, Any] = {}
        self.away: set[str] = set()
        """Calls for which the store is away just now."""

    async def cases(self, *, open_only: bool = False) -> list[Case]:
        return [self.one]

    async def case(self, case_id: str) -> Case:
        if case_id != self.one.id:
            raise NotFound(f"There is no case {case_id}.")
        return self.one

    async def decide(
        self, case_id: str, plan_digest: str, decision: Decision, *, by: str, role: str, reason: str = ""
    ) -> Case:
        assert self.one.plan
        if plan_digest != self.one.plan.digest or self.decided:
            raise NotApproved("This plan was already decided.")
        self.decided.append((by, role, decision, reason))
        return self.one

    async def undo(self, case_id: str, *, by: str, role: str = "operator") -> Case:
        self.undone.append(by)
        self.roles.append(role)
        return self.one

    async def suspend(self, why: str, *, by: str) -> None:
        self.stopped = why
        self.stopped_by = by

    async def resume(self, *, by: str, role: str = "operator") -> None:
        self.roles.append(role)
        self.stopped = ""

    async def suspended(self) -> str:
        return f"{self.stopped} (by {self.stopped_by})" if self.stopped else ""

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        while True:
            self._reach("events")
            event = self.queue.get_nowait() if not self.queue.empty() else None
            if event is None:
                await asyncio.sleep(0.01)
            elif event.number > after:
                yield event

    async def ask(self, text: str) -> Answer:
        return Answer(f"you asked: {text}")

    async def converse(self, text: str) -> AsyncIterator[Piece]:
        if text == "never ends":
            await asyncio.sleep(3600)
        yield Piece("tool", "usage", detail="kubectl get pods")
        yield Piece("text", f"you asked: **{text}** with [brackets] and [/var/log/x]")
        yield Piece("plot", "latency", values=tuple(float(i % 7) for i in range(90)))

    async def fleet(self) -> Fleet:
        trend = Trend(name="p99 of shop", values=(1, 2, 3, 8, 4, 2), unit="s")
        return Fleet(at=NOW, nodes=5, nodes_ready=4, gpus=32, gpus_busy=30, pods=61, pods_pending=2, trends=(trend,))

    async def curve(self, case: Case) -> Curve:
        values = tuple(0.2 if i < 20 else 2.0 for i in range(40))
        step = timedelta(seconds=30)
        return Curve(title="p99 of cart", unit="s", begin=NOW - 20 * step, step=step, values=values, bound=1.0)

    async def names(self) -> list[str]:
        return ["checkout", "cart"]

    def _reach(self, call: str) -> None:
        if call in self.away:
            raise Unavailable("The state store could not be used.")

    async def setting(self, key: str) -> Any:
        self._reach("setting")
        return self.settings.get(key)

    async def put_setting(self, key: str, value: Any, *, case_id: str = "") -> None:
        self._reach("put_setting")
        self.settings[key] = value

    def change(self, number: int, status: CaseStatus) -> None:
        self.one = self.one.with_(status=status)
        self.queue.put_nowait(Event(number, NOW, "case", self.one.id, None))
