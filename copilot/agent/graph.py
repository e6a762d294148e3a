"""The wiring of the steps in LangGraph: one channel, one pause, checkpoints written before the next step starts.

LangGraph plans; it is no lock. A case is driven under a lease of the store, a decision is a row of the journal, and
the executor alone makes sure that nothing is done twice.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from copilot.agent.steps import Steps, undecided
from copilot.core.case import Case, CaseStatus
from copilot.errors import Corrupt
from copilot.ports.clock import Clock
from copilot.ports.store import Cases


class State(TypedDict):
    """The one channel."""

    case: Case


Step = Callable[[Case], Awaitable[Case]]
_IN_USE = (CaseStatus.WAITING, CaseStatus.EXECUTING, CaseStatus.VERIFYING)
"""Where a case's plan may still be run; elsewhere it was rejected, ran out, or is done."""


class _Node(Protocol):
    async def __call__(self, state: State) -> State: ...


class Agent:
    """Drives a case through the steps until it waits for somebody or is over."""

    def __init__(self, steps: Steps, checkpoints: "BaseCheckpointSaver[Any]", *, cases: Cases, clock: Clock) -> None:
        self._cases = cases
        self._clock = clock
        self._steps = steps
        self._checkpoints = checkpoints
        self._graph = self._wire().compile(checkpointer=checkpoints)

    async def drive(self, case_id: str) -> Case:
        """Continue a case from where it stands; returns it waiting or ended, nothing kept of it that is needed no more.

        A pause ends only when the plan was decided or ran out; a case whose row has ended is never continued, whatever
        its checkpoint says. Raises what ``Steps`` raises; the same call later goes on from the last checkpoint.
        ``Corrupt`` when the checkpoint is not a case.
        """
        try:
            case = await self._driven(case_id)
        finally:
            self._steps.sight.leave(case_id)
        if not case.status.open:
            await self.forget(case_id)
        return case

    async def forget(self, case_id: str) -> None:
        """Drop the checkpoints of a case that is over: they are never read again."""
        await self._checkpoints.adelete_thread(case_id)

    async def _driven(self, case_id: str) -> Case:
        row = await self._cases.get(case_id)
        if not row.status.open:
            return row
        config: RunnableConfig = {"configurable": {"thread_id": case_id}, "recursion_limit": 100}
        while True:
            snapshot = await self._graph.aget_state(config)
            if not snapshot.values:
                if snapshot.created_at is not None and START not in snapshot.next:
                    raise Corrupt(f"The checkpoint of case {case_id} holds nothing; it was altered.")
                entry: State | Command[Any] | None = {"case": await self._cases.get(case_id)}
            elif not snapshot.tasks:  # ``next`` is empty too where a process died between a step and its checkpoint.
                return await self._cases.get(case_id)
            elif snapshot.interrupts:
                if not await self._may_go_on(_case_in(snapshot.values)):
                    return await self._cases.get(case_id)
                entry = Command(resume=True)
            else:
                entry = None
            await self._graph.ainvoke(entry, config, durability="sync")

    async def _may_go_on(self, case: Case) -> bool:
        """Whether the pause is over: something new was seen, or the plan was decided or ran out."""
        if undecided(case):
            return await self._steps.look_again(case, await self._cases.get(case.id)) is not None
        reviewed = await self._steps.review(case)
        return reviewed.status is not CaseStatus.WAITING

    def _wire(self) -> "StateGraph[State, None, State, State]":
        graph: StateGraph[State, None, State, State] = StateGraph(State)
        for name in ("investigate", "propose", "execute", "verify"):
            graph.add_node(name, self._node(name, getattr(self._steps, name)))
        graph.add_node("review", self._review)
        graph.add_node("look_again", self._look_again)
        graph.add_edge(START, "investigate")
        graph.add_conditional_edges("investigate", _after_investigation, ["look_again", "propose", END])
        graph.add_edge("look_again", "investigate")
        graph.add_conditional_edges("propose", _while_open("review"), ["review", END])
        graph.add_conditional_edges("review", _while_open("execute"), ["execute", "propose", "review", END])
        graph.add_conditional_edges("execute", _while_open("verify"), ["verify", "propose", END])
        graph.add_edge("verify", END)
        return graph

    def _node(self, name: str, step: Step) -> _Node:
        async def run(state: State) -> State:
            case = await step(await self._joined(_case_in(state)))
            return {"case": await self._keep(case, name)}

        return run

    async def _review(self, state: State) -> State:
        case = await self._steps.review(await self._joined(_case_in(state)))
        if case.status is CaseStatus.WAITING:
            interrupt({"case": case.id, "plan": case.plan.digest if case.plan else ""})
        return {"case": await self._keep(case, "review")}

    async def _look_again(self, state: State) -> State:
        case = _case_in(state)
        newer = await self._steps.look_again(case, await self._cases.get(case.id))
        if newer is None:
            interrupt({"case": case.id, "wants": "another look"})
        return {"case": newer or case}

    async def _joined(self, case: Case) -> Case:
        """Return the case with what was added to its row meanwhile: anomalies that joined it, and their marks."""
        row = await self._cases.get(case.id)
        flags = (*case.flags, *(f for f in row.flags if f not in case.flags))
        return case.with_(anomalies=row.anomalies, occurrences=row.occurrences, severity=row.severity, flags=flags)

    async def _keep(self, case: Case, event: str) -> Case:
        kept = (await self._joined(case)).with_(updated=self._clock.now())
        await self._cases.put(kept, event=event)
        if kept.plan is not None and kept.status not in _IN_USE:
            await self._steps.remedies.discard(kept.plan)
        return kept


def _while_open(following: str) -> Callable[[State], str]:
    def route(state: State) -> str:
        status = _case_in(state).status
        if not status.open:
            return END
        if status is CaseStatus.OPEN and following in ("execute", "verify"):
            return "propose"
        return "review" if status is CaseStatus.WAITING else following

    return route


def _after_investigation(state: State) -> str:
    case = _case_in(state)
    if not case.status.open:
        return END
    return "look_again" if undecided(case) else "propose"


def _case_in(state: Any) -> Case:
    case = state.get("case") if isinstance(state, dict) else None
    if not isinstance(case, Case):
        raise Corrupt("A checkpoint does not hold a case; it was altered or comes from another version.")
    return case


Graph = CompiledStateGraph[State, None, State, State]
