"""What a judgement needs to know of the world: nodes, trouble, and what was disturbed lately."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from copilot.core.case import Case, Trust
from copilot.core.plan import Plan
from copilot.core.value import Value
from copilot.errors import CopilotError
from copilot.policy import Circumstances, Spent
from copilot.ports.clock import Clock
from copilot.ports.read import Cluster
from copilot.ports.store import Store

NAMED_BY = "named_by"
"""Key of a diagnosis' details: who named it, when that was a model."""
_LEDGER = "spent"
_KEPT = timedelta(days=1)


class _Entry(Value):
    plan: str
    at: datetime
    pods: int
    nodes: int


_ENTRIES = TypeAdapter(list[_Entry])


class Surroundings:
    """Reads the circumstances of a case, and keeps the ledger of what plans have disturbed."""

    def __init__(self, store: Store, cluster: Cluster | None, *, clock: Clock) -> None:
        self._store = store
        self._cluster = cluster
        self._clock = clock

    async def of(self, case_id: str) -> Circumstances:
        """Return the circumstances now, for a plan of a case."""
        case = await self._store.get(case_id)
        own = case.plan.digest if case.plan else ""
        spent = tuple(Spent(e.at, e.pods, e.nodes) for e in await self._entries() if e.plan != own)
        suspects = {n for c in [case, *await self._store.list(open_only=True)] for n in _suspect_nodes(c)}
        return Circumstances(
            now=self._clock.now(),
            nodes=await self._nodes(),
            suspect_nodes=len(suspects),
            spent=spent,
            corroborated=corroborated(case),
        )

    async def spend(self, plan: Plan) -> None:
        """Note what a plan disturbs, once; call it under the executor's lease."""
        kept = [e for e in await self._entries() if e.at > self._clock.now() - _KEPT]
        if plan.undoes or any(e.plan == plan.digest for e in kept):
            return
        entry = _Entry(plan=plan.digest, at=self._clock.now(), pods=plan.blast.pods, nodes=plan.blast.nodes)
        await self._store.put_setting(_LEDGER, _ENTRIES.dump_python([*kept, entry], mode="json"))

    async def _entries(self) -> Sequence[_Entry]:
        return _ENTRIES.validate_python(await self._store.setting(_LEDGER) or [])

    async def _nodes(self) -> int:
        if self._cluster is None:
            return 0
        try:
            return len(await self._cluster.all("Node"))
        except CopilotError:
            return 0


def corroborated(case: Case) -> bool:
    """Return whether the diagnosis rests on something besides text that an application wrote; a forecast always does.

    What a model named or proposed needs two sources of different kinds: one it may have been led to by that text.
    """
    if case.diagnosis is None:
        return case.proposal is not None and case.proposal.proposed_by == "forecast"
    cited = [e for e in case.evidence if e.id in case.diagnosis.rests_on]
    sources = {e.source for e in cited if e.trust is not Trust.WORKLOAD}
    return len(sources) >= (2 if by_model(case) else 1)


def by_model(case: Case) -> bool:
    """Return whether a model named the cause or proposed the change."""
    proposed = case.proposal is not None and case.proposal.proposed_by.startswith("model:")
    return proposed or bool(case.diagnosis and case.diagnosis.details.get(NAMED_BY))


def _suspect_nodes(case: Case) -> set[str]:
    found = set()
    for anomaly in case.anomalies:
        if anomaly.resource.kind == "Node":
            found.add(anomaly.resource.name)
        elif anomaly.resource.kind == "GPU":
            found.add(anomaly.resource.name.partition("/")[0])
    return found
