"""The Copilot: all that a surface ever talks to. Any process may hold one; one executes (lease and fence).

A decision is a row of the journal. Whichever process has the executor's credential claims the case and acts; the
others follow the events by cursor. Nothing here knows a surface.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from weakref import WeakValueDictionary

from copilot.agent.steps import Steps
from copilot.core.case import Anomaly, Case, CaseStatus, Findings, Severity
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Decision, Proposal, StepState
from copilot.core.ref import Ref
from copilot.core.text import one_line, redact
from copilot.core.value import digest
from copilot.diagnosis.precedents import remembered, with_precedents
from copilot.errors import (
    Blocked,
    CopilotError,
    Corrupt,
    Fenced,
    NotApproved,
    Suspended,
    Unavailable,
    Unsupported,
)
from copilot.execution.cover import shown
from copilot.execution.lease import Holding, hold
from copilot.intake import earliest_end, joined, opened, same_fault
from copilot.policy import unknown_role
from copilot.ports.read import Scope
from copilot.ports.store import Event, Store, case_lease
from copilot.signing import RanOut, Signing

CASE_LEASE = timedelta(seconds=15)
PATIENCE = timedelta(seconds=30)
IDLE = (CaseStatus.OPEN, CaseStatus.WAITING, CaseStatus.NEEDS_PERSON)
"""Where nothing is being done, so that a case may end without having been acted on."""
_FOLLOW = timedelta(milliseconds=250)
_EVENTS = 50
"""Events read at once: one may hold a hundred alerts."""
_AT_ONCE = 16
"""Cases continued at once; each reads a dump of the cluster."""


class Drives(Protocol):
    """What continues a case: ``copilot.agent.graph.Agent``."""

    async def drive(self, case_id: str) -> Case:
        """Continue a case until it waits or is over."""
        ...

    async def forget(self, case_id: str) -> None:
        """Drop what was kept to continue a case that is over."""
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """Whether this Copilot can do its work, in words; ``suspended`` says why, or is empty."""

    open_cases: int
    suspended: str
    may_execute: bool
    unfinished_steps: int


class Copilot:
    """Opens cases, answers, takes decisions, and continues what can be continued."""

    def __init__(
        self,
        store: Store,
        steps: Steps,
        *,
        environment: str,
        holder: str,
        agent: Drives | None = None,
        detect: Callable[[ClusterDump], Sequence[Anomaly]] = lambda dump: (),
    ) -> None:
        self._store = store
        self._steps = steps
        self._environment = environment
        self.holder = holder
        self._agent = agent
        self._detect = detect
        self._clock = steps.clock
        self._signing = Signing(store, steps.surroundings, policy=steps.policy, clock=steps.clock)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._opening = asyncio.Lock()
        self._tasks: dict[asyncio.Task[Case], str] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def open(self, anomalies: Sequence[Anomaly], *, into: str = "", drive: bool = True) -> Case:
        """Return the case of some anomalies of one fault: ``into``, the one that has them already, or a new one.

        A new case is continued in the background; ``settle`` waits for it.
        """
        # The lease keeps other processes out; within this one, where all share a holder, the lock does.
        async with self._opening, await self._held("open"):
            now = self._clock.now()
            cases = [] if into else await self._store.list(since=earliest_end(anomalies, now=now))
            known = await self._store.get(into) if into else same_fault(anomalies, cases, now=now)
            if known is not None:
                return await self._join(known, anomalies)
            case = opened(anomalies, environment=self._environment, now=now)
            await self._store.put(case, event="opened")
        if drive and self._agent is not None:
            self._start(case.id)
        return case

    async def suggest(self, proposal: Proposal, target: Ref) -> Case:
        """Open a case for a change that a forecast or a person wants; it is planned and decided like any other."""
        now = self._clock.now()
        wish = Anomaly(
            fingerprint=digest([proposal.proposed_by, *target.key]),
            signal="proposal",
            resource=target,
            onset=now,
            seen=now,
            severity=Severity.INFO,
            summary=one_line(proposal.title),
        )
        case = opened((wish,), environment=self._environment, now=now).with_(proposal=proposal)
        await self._store.put(case, event="opened")
        return await self.drive(case.id) if self._agent is not None else case

    async def decide(
        self,
        case_id: str,
        plan_digest: str,
        decision: Decision,
        *,
        by: str,
        role: str,
        reason: str = "",
        wait: bool = True,
    ) -> Case:
        """Record what somebody said of exactly one plan, then continue the case.

        The same decision again changes nothing and is no error. Raises ``NotApproved`` (another digest, ran out,
        decided otherwise, not this person), ``PolicyRefused``, ``Suspended``. With ``wait`` it returns once the case
        has settled; else at once.
        """
        case = await self._store.get(case_id)
        plan = shown(case, plan_digest)
        before = await self._store.decision(plan_digest)
        if before is None:
            try:
                await self._signing.may_decide(case, plan, decision, by=by, role=role)
            except RanOut:
                if self._agent is not None:
                    self._start(case.id)
                raise
            if not await self._signing.sign(case, plan, decision, by=by, role=role, reason=reason):
                return case
        elif before.decision is not decision:
            raise NotApproved(f"The plan was already decided: {before.decision.value} by {before.by}.")
        if self._agent is None:
            return case
        if wait:
            return await self.drive(case.id)
        self._start(case.id)
        return case

    async def undo(self, case_id: str, *, by: str, role: str = "operator") -> Case:
        """Take back what a case changed, under the undo clause of its own approval; raises ``NotApproved``."""
        case = await self._store.get(case_id)
        if case.plan is None or not any(r.state is StepState.APPLIED for r in case.results):
            raise NotApproved(f"Case {case.id} changed nothing that could be taken back.")
        await self._signing.sign_undo(case, case.plan, by=by, role=role)
        async with self._turn(case.id), await self._hold(case.id):
            done = await self._steps.take_back(await self._store.get(case.id), f"Taken back by {by}")
            done = done.with_(updated=self._clock.now())
            await self._store.put(done, event="undone")
        return done

    async def amend(self, case_id: str, change: Callable[[Case], Case]) -> Case:
        """Apply a pure change to a case in which nothing is being done (its alert ended); others stay as they are."""
        async with self._turn(case_id), await self._hold(case_id):
            case = await self._store.get(case_id)
            amended = change(case) if case.status in IDLE else case
            if amended is not case:
                await self._store.put(amended, event="noted" if amended.status is case.status else "ended")
                await self._over(amended)
        return amended

    async def drive(self, case_id: str) -> Case:
        """Continue a case as far as it goes; returns it where it stands when another process has it."""
        if self._agent is None:
            raise Unsupported("This process only looks; it continues no case.")
        try:
            async with self._turn(case_id), await self._hold(case_id):
                return await self._agent.drive(case_id)
        except (Suspended, Blocked, Fenced, Unavailable) as error:
            await self._store.emit("paused", case_id=case_id, data={"why": one_line(str(error))})
            return await self._store.get(case_id)
        except Corrupt as error:
            return await self._quarantine(case_id, error)

    async def work(self, *, wait: bool = True) -> Sequence[Case]:
        """Continue every case that can be, and finish what a dead process left; returns the cases touched.

        Without ``wait`` they go on in the background, except those that this process is at already.
        """
        if self._agent is None:
            return ()
        touched = [c for c in await self._store.list(open_only=True) if wait or c.id not in self._tasks.values()]
        for case in () if wait else touched:
            self._start(case.id)
        touched = [await self.drive(case.id) for case in touched] if wait else touched
        if self._steps.executor is not None:
            await self._steps.executor.recover()
        with suppress(CopilotError):  # A policy that cannot be read must not stop the work.
            await self._steps.remedies.sweep()
        return touched

    async def drain(self, limit: timedelta) -> None:
        """Wait until nothing is being executed, at most ``limit``; looking and verifying are not waited for."""
        end = self._clock.now() + limit
        while self._tasks and self._clock.now() < end:
            if not any(c.status is CaseStatus.EXECUTING for c in await self._store.list(open_only=True)):
                return
            await asyncio.wait(self._tasks, timeout=_FOLLOW.total_seconds())

    async def settle(self, case_id: str) -> Case:
        """Wait until nothing in this process works on a case; return it."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        return await self._store.get(case_id)

    async def suspend(self, why: str, *, by: str) -> None:
        """Stop every action, in every process of this environment, until ``resume``."""
        await self._store.suspend(one_line(redact(why)) or "suspended by hand", by=by)

    async def resume(self, *, by: str, role: str = "operator") -> None:
        """Allow actions again; raises ``NotApproved`` for somebody whose role may approve nothing."""
        why = unknown_role(self._steps.policy(), by=by, role=role)
        if why:
            raise NotApproved(f"{why}, so they may not resume.", hint="Ask somebody who may approve plans.")
        await self._store.suspend("", by=by)

    async def prune(self, keep: timedelta) -> int:
        """Remove events, and cases that ended, from longer ago than ``keep``; return how many cases."""
        gone = await self._store.prune(self._clock.now() - keep)
        if self._agent is not None:
            for case_id in gone:
                await self._agent.forget(case_id)
        return len(gone)

    async def cases(
        self, *, open_only: bool = False, since: datetime | None = None, limit: int = 200
    ) -> Sequence[Case]:
        """Return cases, newest first; with ``since`` those alone that are open or changed since then."""
        return await self._store.list(open_only=open_only, since=since, limit=limit)

    async def case(self, case_id: str) -> Case:
        """Return a case by id or unique prefix; raises ``NotFound``."""
        return await self._store.get(case_id)

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Yield events after a cursor, then new ones as they come, from any process."""
        while True:
            for event in await self._store.events(after, limit=_EVENTS):
                after = event.number
                yield event
            await asyncio.sleep(_FOLLOW.total_seconds())

    async def diagnose(self, case_id: str = "", *, namespace: str = "", question: str = "") -> Findings:
        """Return what is wrong now, in a namespace or everywhere; opens nothing and changes nothing."""
        known = (await self._store.get(case_id)).anomalies if case_id else ()
        dump, anomalies = await self._steps.sight.survey(Scope(namespace=namespace), self._detect, self._explains)
        anomalies = known or anomalies
        found = await asyncio.to_thread(
            self._steps.diagnose, dump, namespace=namespace, question=question, anomalies=anomalies
        )
        past = await self._store.pick(remembered)
        return with_precedents(found, past, anomalies=anomalies, case_id=case_id, now=self._clock.now())

    async def check(self, namespace: str = "") -> tuple[Sequence[Anomaly], Findings]:
        """Return what is out of bounds now and what it comes from: one read-only pass."""
        dump, anomalies = await self._steps.sight.survey(Scope(namespace=namespace), self._detect, self._explains)
        findings = await asyncio.to_thread(self._steps.diagnose, dump, namespace=namespace, anomalies=anomalies)
        return anomalies, findings

    def _explains(self, dump: ClusterDump, anomalies: Sequence[Anomaly]) -> bool:
        return self._steps.diagnose(dump, anomalies=anomalies).decided

    async def health(self) -> Health:
        """Return how things stand; raises ``Unavailable`` when the store cannot be read."""
        return Health(
            open_cases=len(await self._store.list(open_only=True)),
            suspended=await self._store.suspended(),
            may_execute=self._steps.executor is not None,
            unfinished_steps=len(await self._store.unfinished()),
        )

    async def close(self) -> None:
        """Stop what runs in the background; the next process goes on from the journal."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _over(self, case: Case) -> None:
        """Drop what a case needs no more once it ended."""
        if case.status.open:
            return
        if case.plan is not None:
            await self._steps.remedies.discard(case.plan)
        if self._agent is not None:
            await self._agent.forget(case.id)

    async def _join(self, known: Case, anomalies: Sequence[Anomaly]) -> Case:
        """Add anomalies to a case, unless somebody drives it just now: then the repetition is an event alone."""
        name = case_lease(known.id)
        free = not self._turn(known.id).locked()
        lease = await self._store.acquire(name, self.holder, ttl=CASE_LEASE) if free else None
        if lease is None:
            await self._store.emit("repeated", case_id=known.id, data=[a.fingerprint for a in anomalies[:20]])
            return known
        async with self._turn(known.id), Holding(self._store, lease, ttl=CASE_LEASE):
            case = joined(await self._store.get(known.id), anomalies, now=self._clock.now())
            await self._store.put(case, event="repeated")
        return case

    async def _quarantine(self, case_id: str, error: Corrupt) -> Case:
        case = await self._store.get(case_id)
        marked = case.with_(flags=(*case.flags, "quarantined"), severity=Severity.CRITICAL, updated=self._clock.now())
        case = marked.with_(status=CaseStatus.NEEDS_PERSON)
        await self._store.put(case, event="quarantined")
        await self._store.emit("quarantined", case_id=case_id, data={"why": one_line(str(error))})
        return case

    def _start(self, case_id: str) -> None:
        task = asyncio.create_task(self._in_turn(case_id))
        self._tasks[task] = case_id
        task.add_done_callback(self._tasks.pop)

    async def _in_turn(self, case_id: str) -> Case:
        async with self._gate:
            return await self.drive(case_id)

    def _turn(self, case_id: str) -> asyncio.Lock:
        return self._turns.setdefault(case_id, asyncio.Lock())

    async def _hold(self, case_id: str) -> Holding:
        return await self._held(case_lease(case_id))

    async def _held(self, name: str) -> Holding:
        return await hold(self._store, name, self.holder, clock=self._clock, ttl=CASE_LEASE, patience=PATIENCE)
