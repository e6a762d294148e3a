"""The scheduled mode: looks on schedule, takes in alerts, carries out what was decided, reports; one leader.

Nothing here knows what may be done: that is the policy's, and the executor's to enforce.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from copilot.errors import Suspended
from copilot.ports.clock import Clock
from copilot.ports.store import Lease
from copilot.schedule import Schedule

log = logging.getLogger("copilot.watch")
LEADER = "watch.leader"
_LEASE = timedelta(seconds=15)
_RENEW = timedelta(seconds=5)
_WORK_EVERY = timedelta(milliseconds=500)


class Election(Protocol):
    """Who leads: the store's leases, or a Lease of the cluster."""

    async def acquire(self, name: str, holder: str, *, ttl: timedelta) -> Lease | None:
        """Take or renew the lease; None when somebody else holds it."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give it back."""
        ...


class Crew(Protocol):
    """The work that the loop sets going; each is safe to repeat."""

    async def patrol(self) -> int:
        """Look once and open or update cases; return how many cases are open."""
        ...

    async def intake(self) -> int:
        """Turn alerts that were received into cases; return how many were taken."""
        ...

    async def work(self) -> int:
        """Carry on every case that can go on: decided, expired, interrupted; return how many did."""
        ...

    async def drain(self) -> None:
        """Let what is being executed finish."""
        ...

    async def report(self, begin: datetime) -> None:
        """Send the report of the 24 hours from ``begin``."""
        ...


@dataclass(frozen=True, slots=True)
class Duty:
    """Something else that the leader does on a schedule of its own, beginning at once."""

    name: str
    schedule: Schedule
    do: Callable[[], Awaitable[object]]


class Watch:
    """One process of the scheduled mode. ``stop`` drains: what is being executed is finished, nothing new begins."""

    def __init__(
        self,
        crew: Crew,
        election: Election,
        *,
        schedule: Schedule,
        clock: Clock,
        holder: str,
        on_pass: Callable[[str, float], None] = lambda result, seconds: None,
        report_at: Schedule | None = None,
        duties: Sequence[Duty] = (),
    ) -> None:
        self._crew = crew
        self._election = election
        self._schedule = schedule
        self._clock = clock
        self._holder = holder
        self._on_pass = on_pass
        self._report_at = report_at
        self._duties = duties
        self._stopping = asyncio.Event()
        self._lease: Lease | None = None

    @property
    def leads(self) -> bool:
        """Whether this process holds the leader's lease."""
        return self._lease is not None and self._lease.expires > self._clock.now()

    def stop(self) -> None:
        """Ask the loop to drain and end (SIGTERM)."""
        self._stopping.set()

    async def once(self) -> int:
        """One pass, and carry on what can go on; return how many cases are open."""
        await self._crew.intake()
        await self._crew.work()
        opened = await self._crew.patrol()
        await self._crew.work()
        return opened

    async def run(self) -> None:
        """Serve until stopped."""
        loops = [self._leading(), self._patrolling(), self._working(), *map(self._on_duty, self._duties)]
        if self._report_at is not None:
            loops.append(self._reporting(self._report_at))
        async with asyncio.TaskGroup() as tasks:
            for loop in loops:
                tasks.create_task(loop)
        await self._guarded("drain", self._crew.drain)
        if self._lease is not None:
            await self._election.release(self._lease)

    async def _leading(self) -> None:
        while not self._stopping.is_set():
            await self._guarded("lease", self._renew)
            await self._pause(_RENEW)

    async def _renew(self) -> None:
        self._lease = await self._election.acquire(LEADER, self._holder, ttl=_LEASE)

    async def _patrolling(self) -> None:
        await self._until_leading()
        due = self._clock.now()
        while not self._stopping.is_set():
            if self.leads and self._schedule.allows(self._clock.now()):
                await self._guarded("pass", self._crew.patrol)
            due = max(self._schedule.next_after(due), self._clock.now())
            await self._pause(due - self._clock.now())

    async def _working(self) -> None:
        while not self._stopping.is_set():
            if self.leads:
                await self._guarded("intake", self._crew.intake)
                await self._guarded("work", self._crew.work)
            await self._pause(_WORK_EVERY)

    async def _reporting(self, schedule: Schedule) -> None:
        while not self._stopping.is_set():
            due = schedule.next_after(self._clock.now())
            await self._pause(due - self._clock.now())
            if not self._stopping.is_set() and self.leads:
                await self._guarded("report", partial(self._crew.report, due - timedelta(days=1)))

    async def _on_duty(self, duty: Duty) -> None:
        await self._until_leading()
        while not self._stopping.is_set():
            if self.leads:
                await self._guarded(duty.name, duty.do)
            now = self._clock.now()
            await self._pause(duty.schedule.next_after(now) - now)

    async def _until_leading(self) -> None:
        while not self.leads and not self._stopping.is_set():
            await self._pause(timedelta(milliseconds=100))

    async def _guarded(self, name: str, step: Callable[[], Awaitable[object]]) -> None:
        """Run one step; whatever it raises is logged, and the loop lives on: the next pass sees the same world."""
        started = self._clock.now()
        try:
            await step()
        except Suspended:
            result = "suspended"
        except Exception:
            log.exception("%s failed; the next one tries again", name)
            result = "failed"
        else:
            result = "done"
        if name == "pass":
            self._on_pass(result, (self._clock.now() - started).total_seconds())

    async def _pause(self, duration: timedelta) -> None:
        """Wait, but not past a request to stop."""
        seconds = max(duration.total_seconds(), 0.0)
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
