"""Did it help? The plan's checks on fresh data, on the source's own time, and no capacity lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from copilot.agent.capacity import Capacity, lost, summary
from copilot.agent.checks import Signal
from copilot.agent.readiness import deleting, emptied, ready, serves
from copilot.core.case import Verification
from copilot.core.plan import Check, Plan
from copilot.core.ref import Ref
from copilot.core.series import Sample
from copilot.core.value import JsonObject
from copilot.errors import CopilotError, NotFound, Unavailable
from copilot.ports.clock import Clock
from copilot.ports.read import Cluster, Metrics


@dataclass(frozen=True, slots=True)
class Reading:
    """What one check says now; ``good`` is None when it cannot be told (no data is not good news)."""

    good: bool | None
    text: str


class Verifier:
    """Watches the checks of a plan until they hold, or their window is over."""

    def __init__(
        self,
        cluster: Cluster | None,
        metrics: Metrics | None,
        *,
        clock: Clock,
        signals: Sequence[Signal],
        interval: timedelta = timedelta(seconds=5),
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._clock = clock
        self._signals = {s.query: s for s in signals}
        self._interval = interval

    async def verify(self, plan: Plan, before: Capacity) -> Verification:
        """Return once all checks were good for their hold, or the longest window ran out.

        Raises nothing of the sources: while they cannot be read, nothing is good.
        """
        start = await self.now()
        good_since: datetime | None = None
        within = max((c.within for c in plan.checks), default=timedelta(0))
        hold = max((c.hold for c in plan.checks), default=timedelta(0))
        while True:
            readings = [await self.read(c) for c in plan.checks]
            bad = await self._lost(plan, before)
            now = await self.now()
            good = bool(readings) and all(r.good for r in readings) and not bad
            good_since = (good_since or now) if good else None
            held = good_since is not None and now - good_since >= hold
            if held or now - start >= within:
                texts = tuple(r.text for r in readings) + ((summary(bad),) if bad else ())
                return Verification(verified=held, at=now, readings=texts, capacity_lost=bool(bad))
            await self._clock.sleep(self._interval)

    async def now(self) -> datetime:
        """Return the source's time; the wall clock's while there is no source."""
        if self._metrics is not None:
            try:
                return await self._metrics.now()
            except Unavailable:
                pass
        return self._clock.now()

    async def regained(self, plan: Plan, before: Capacity, *, within: timedelta) -> bool:
        """Return whether capacity comes back to what it was within a window of the source's time."""
        start = await self.now()
        while await self._lost(plan, before):
            if await self.now() - start >= within:
                return False
            await self._clock.sleep(self._interval)
        return True

    async def read(self, check: Check) -> Reading:
        """Return what one check says now."""
        try:
            return await (self._ready(check) if check.kind == "ready" else self._promql(check))
        except CopilotError as error:
            return Reading(None, f"{check.title}: cannot be read ({error.message})")

    async def _ready(self, check: Check) -> Reading:
        kind, _, rest = check.query.partition("/")
        namespace, _, name = rest.partition("/")
        if self._cluster is None:
            return Reading(None, f"{check.title}: no cluster")
        try:
            obj = await self._cluster.get(Ref(kind=kind, namespace=namespace, name=name))
        except NotFound:
            gone = kind == "Pod"  # Its controller has replaced it; the workload's own check says whether that helped.
            return Reading(gone, f"{check.title}: {'replaced' if gone else 'gone'}")
        if kind == "Pod" and _ended(obj):
            return Reading(True, f"{check.title}: ended and replaced")
        good = ready({"kind": kind, **obj}) and not deleting(obj) and not emptied({"kind": kind, **obj})
        if kind == "Service" and (obj.get("spec") or {}).get("selector"):
            chosen = f"kubernetes.io/service-name={name}"
            slices = await self._cluster.all("EndpointSlice", namespace=namespace, selector=chosen)
            good = serves(slices, name)
        return Reading(good, f"{check.title}: {'ready' if good else 'not ready'}")

    async def _promql(self, check: Check) -> Reading:
        if self._metrics is None:
            return Reading(None, f"{check.title}: no metrics source")
        samples = [s for s in await self._metrics.instant(check.query) if self._counts(s, check)]
        values = [s.value for s in samples if s.value == s.value]
        if not values:
            return Reading(None, f"{check.title}: no data")
        if check.below is None and check.above is None:
            return Reading(None, f"{check.title}: no bound to compare {check.said(values[0])} with")
        worst = max(values) if check.below is not None else min(values)
        good = (check.below is None or worst < check.below) and (check.above is None or min(values) > check.above)
        return Reading(good, f"{check.title}: {check.said(worst)} (wanted {check.limit})")

    def _counts(self, sample: Sample, check: Check) -> bool:
        signal = self._signals.get(check.query)
        labels = {**sample.labels, **(signal.labels(sample.labels) if signal else {})}
        return all(_fits(labels.get(k, ""), v) for k, v in check.labels.items())

    async def _lost(self, plan: Plan, before: Capacity) -> list[str]:
        if self._cluster is None:
            return []
        try:
            return await lost(plan, before, self._cluster)
        except CopilotError as error:
            return [f"cannot be told ({error.message})"]


def _fits(value: str, wanted: str) -> bool:
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def _ended(pod: JsonObject) -> bool:
    """Return whether a pod ended for good (evicted, say) and its controller has made another in its place."""
    owned = bool((pod.get("metadata") or {}).get("ownerReferences"))
    return owned and (pod.get("status") or {}).get("phase") == "Failed"
