"""Capacity ahead of the load, on schedule: advice for named workloads, published, and proposed like any other change.

What becomes of a proposal is the policy's to say (runbook name ``forecast``).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from copilot.copilot import Copilot
from copilot.core.case import Case, CaseStatus
from copilot.core.ref import Ref
from copilot.errors import CopilotError
from copilot.ports.clock import Clock
from copilot.ports.read import Cloud, Cluster, Metrics
from copilot.scaling.advisor import Advice
from copilot.scaling.service import gauges, scale_advise

log = logging.getLogger("copilot.ahead")
SIGNAL = "proposal"
_AGAIN = timedelta(hours=1)
"""A wish that was refused, or that did not help, is not brought up again for this long."""
_NEXT = timedelta(minutes=5)
"""What was done is given this long before more is asked for; load may well rise further."""
Publish = Callable[[Ref, Mapping[str, float]], None]


class Ahead:
    """Advice for some workloads. ``blind`` says after each round for which there was none, and why."""

    def __init__(
        self,
        copilot: Copilot,
        metrics: Metrics,
        cluster: Cluster,
        *,
        targets: Sequence[Ref],
        clock: Clock,
        cloud: Cloud | None = None,
    ) -> None:
        self._copilot = copilot
        self._metrics = metrics
        self._cluster = cluster
        self._cloud = cloud
        self._targets = targets
        self._clock = clock
        self.blind: tuple[str, ...] = ()
        self.publish: Publish = lambda target, values: None

    async def look(self) -> Sequence[Advice]:
        """Advise on every workload once, publish it, and propose what is worth doing."""
        found: list[Advice] = []
        blind: list[str] = []
        for target in self._targets:
            try:
                _, advice = await scale_advise(self._metrics, self._cluster, target, cloud=self._cloud)
            except CopilotError as error:
                log.warning("no forecast of %s: %s", target, error)
                blind.append(f"{target}: {error.message}")
                continue
            self.publish(target, gauges(advice))
            found.append(advice)
            if advice.proposal is not None and not await self._said(target):
                await self._copilot.suggest(advice.proposal, target)
        self.blind = tuple(blind)
        return found

    async def _said(self, target: Ref) -> bool:
        """Return whether a case about this wish is open, or was a short while ago."""
        return any(_about(c, target) and self._stands(c) for c in await self._copilot.cases())

    def _stands(self, case: Case) -> bool:
        done = case.status is CaseStatus.RESOLVED
        return case.status.open or self._clock.now() - case.updated < (_NEXT if done else _AGAIN)


def _about(case: Case, target: Ref) -> bool:
    return any(a.signal == SIGNAL and a.resource.key == target.key for a in case.anomalies)
