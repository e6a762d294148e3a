"""What surfaces talk to: cases and decisions of the Copilot, questions with or without a model, the fleet's health."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from copilot.conversation import Consults, converse
from copilot.copilot import Copilot
from copilot.core.case import Anomaly, Case
from copilot.core.curve import Curve
from copilot.core.fleet import Fleet
from copilot.core.plan import Decision
from copilot.curves import Curves
from copilot.errors import CopilotError
from copilot.fleet import look_at_fleet
from copilot.ports.clock import Clock
from copilot.ports.read import Cluster, Metrics
from copilot.ports.store import Event, Store
from copilot.questions.ask import ask
from copilot.questions.base import Answer, Context
from copilot.surfaces.desk import Piece

_COMPLETED = ("Deployment", "StatefulSet", "Node", "Namespace", "Job")


class FrontDesk:
    """One environment, opened for people."""

    def __init__(
        self,
        copilot: Copilot,
        store: Store,
        context: Context,
        *,
        cluster: Cluster | None,
        metrics: Metrics | None,
        clock: Clock,
        place: str,
        curves: Curves | None = None,
        consultant: Consults | None = None,
    ) -> None:
        self._copilot = copilot
        self._store = store
        self._context = context
        self._cluster = cluster
        self._metrics = metrics
        self._clock = clock
        self._place = place
        self._curves = curves or Curves(metrics, ())
        self._consultant = consultant

    async def cases(self, *, open_only: bool = False) -> Sequence[Case]:
        """Return cases, newest first."""
        return await self._copilot.cases(open_only=open_only)

    async def case(self, case_id: str) -> Case:
        """Return one case; raises ``NotFound``."""
        return await self._copilot.case(case_id)

    async def decide(
        self, case_id: str, plan_digest: str, decision: Decision, *, by: str, role: str, reason: str = ""
    ) -> Case:
        """Record a decision and let it take effect in the background."""
        return await self._copilot.decide(case_id, plan_digest, decision, by=by, role=role, reason=reason, wait=False)

    async def undo(self, case_id: str, *, by: str, role: str = "operator") -> Case:
        """Take an executed plan back."""
        return await self._copilot.undo(case_id, by=by, role=role)

    async def suspend(self, why: str, *, by: str) -> None:
        """Stop every action."""
        await self._copilot.suspend(why, by=by)

    async def resume(self, *, by: str, role: str = "operator") -> None:
        """Allow actions again."""
        await self._copilot.resume(by=by, role=role)

    async def suspended(self) -> str:
        """Return why everything is suspended, or an empty string."""
        return await self._store.suspended()

    def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Yield events of the store, from any process."""
        return self._copilot.events(after)

    async def ask(self, text: str) -> Answer:
        """Answer a question without a model."""
        return await ask(self._context, text)

    def converse(self, text: str) -> AsyncIterator[Piece]:
        """Answer piece by piece: what rules say, with plots and what shows it again; then what a model adds."""
        return converse(self._context, text, self._consultant)

    async def fleet(self) -> Fleet:
        """Return the fleet's health."""
        return await look_at_fleet(self._cluster, self._metrics, self._clock, source=self._place)

    async def curve(self, case: Case) -> Curve | None:
        """Return the metric that a case is judged by, or None when there is none or it cannot be read."""
        with suppress(CopilotError):
            return await self._curves.of_case(case)
        return None

    async def curve_of(self, anomaly: Anomaly) -> Curve | None:
        """Return the metric that left its band, or None when it cannot be read."""
        with suppress(CopilotError):
            return await self._curves.of_anomaly(anomaly)
        return None

    async def names(self) -> Sequence[str]:
        """Return names of workloads, nodes and namespaces, for completion."""
        found: set[str] = set()
        if self._cluster is not None:
            for kind in _COMPLETED:
                with suppress(CopilotError):
                    found |= {o["metadata"]["name"] for o in await self._cluster.all(kind)}
        return sorted(found)
