"""A whole copilot over HTTP that dies on order: run in a process of its own by ``tests/test_killed.py``."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kubernetes.client
import urllib3

from copilot.adapters.kubernetes_write import KubernetesWriter, path
from copilot.copilot import Copilot
from copilot.core.case import Case, CaseStatus, Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import ActionCall, Decision, Proposal
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import NotFound
from copilot.execution.sending import Pace
from copilot.execution.surroundings import Surroundings
from copilot.executor import Executor
from copilot.planning import Planner
from copilot.ports.clock import SystemClock
from copilot.ports.read import Scope
from tests.agent.world import Bench, FakeCluster, anomaly

_VERSIONS = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1"}


class HttpCluster(FakeCluster):
    """Reads over HTTP."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.pool = urllib3.PoolManager(retries=False)

    async def get(self, ref: Ref) -> JsonObject:
        return await asyncio.to_thread(self._read, ref)

    def _read(self, ref: Ref) -> JsonObject:
        known = ref.model_copy(update={"api_version": _VERSIONS.get(ref.kind, "v1")})
        answer = self.pool.request("GET", self.url + path(known))
        if answer.status == 404:
            raise NotFound(f"{ref} does not exist.")
        found: JsonObject = answer.json()
        return found

    async def all(self, kind: str, *, namespace: str = "", selector: str = "") -> list[JsonObject]:
        ref = Ref(kind=kind, namespace=namespace, name="", api_version=_VERSIONS.get(kind, "v1"))
        if kind == "StatefulSet":
            return []
        answer = await asyncio.to_thread(self.pool.request, "GET", self.url + path(ref).rstrip("/"))
        return list(answer.json()["items"])

    async def dump(self, scope: Scope) -> ClusterDump:
        return ClusterDump(taken_at=SystemClock().now(), objects={"Deployment": await self.all("Deployment")})


class FastClock(SystemClock):
    """A thousand seconds each second."""

    def now(self) -> datetime:
        real = super().now()
        return datetime.fromtimestamp(real.timestamp() * 1000 % 1e9, UTC)


def two_steps(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal:
    """Another image, then more replicas: two steps on one object."""
    where = {"namespace": "shop", "workload": "api"}
    return Proposal(
        title="Run 0.9 with 3 replicas",
        actions=(
            ActionCall(action="set_image", arguments={**where, "container": "app", "image": "shop/api:0.9"}),
            ActionCall(action="scale", arguments={**where, "replicas": 3}),
        ),
        reason="bad",
        proposed_by="runbook:test",
    )


@dataclass
class HttpBench(Bench):
    """The bench over HTTP, on the machine's clock."""

    url: str = ""

    def __post_init__(self) -> None:
        self.clock = SystemClock()  # type: ignore[assignment]
        super().__post_init__()
        self.cluster = HttpCluster(self.url)
        self.healthy = lambda cluster: True
        self.source = FastClock()  # The source's time runs a thousand times faster, as in a lab.
        self.interval = timedelta(milliseconds=20)
        self.pace = Pace(pause=timedelta(milliseconds=20), lease=timedelta(seconds=3))
        self.propose = two_steps

    def executor(self, planner: Planner, surroundings: Surroundings, *, name: str = "test") -> Executor:
        configuration = kubernetes.client.Configuration()
        configuration.host = self.url
        self.writer = KubernetesWriter(kubernetes.client.ApiClient(configuration))  # type: ignore[assignment]
        return super().executor(planner, surroundings, name=name)


@dataclass
class Deadly:
    """Notes each edge that is passed, and dies at the ``at``-th (0: never)."""

    file: Path
    at: int
    passed: int = 0

    def __call__(self, name: str) -> None:
        self.passed += 1
        self.file.open("a").write(f"{name}\n")
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def run(directory: str, url: str, deadly: int, checkpoint: int = 0) -> None:
    """Open or continue the one case and approve its plan; die at an edge of the journal, or of the checkpoints."""
    edge = Deadly(Path(directory) / "edges", deadly)
    kept = Deadly(Path(directory) / "checkpoints", checkpoint)
    case = asyncio.run(_work(Path(directory), url, edge, kept))
    (Path(directory) / "outcome").write_text(case.status.value)
    (Path(directory) / "said").write_text(case.outcome.message if case.outcome else "")


async def _work(directory: Path, url: str, edge: Deadly, kept: Deadly) -> Case:
    bench = HttpBench(directory, url=url, edge=edge)
    async with bench.checkpoints() as saver:
        for method in ("aput", "aput_writes"):
            setattr(saver, method, _noted(getattr(saver, method), method, kept))
        copilot = bench.copilot(saver)
        if not await copilot.cases():
            await copilot.settle((await copilot.open([_seen()])).id)
        case = await _carried_on(copilot)
        if case.status is CaseStatus.WAITING and case.plan is not None:
            case = await copilot.decide(case.id, case.plan.digest, Decision.APPROVE, by="ann", role="operator")
        await bench.store.verify_chain()
    await bench.store.close()
    return case


def _noted(keep: Any, name: str, kept: Deadly) -> Any:
    async def noted(*args: Any, **more: Any) -> Any:
        kept(f"{name}:before")
        answer = await keep(*args, **more)
        kept(f"{name}:after")
        return answer

    return noted


async def _carried_on(copilot: Copilot) -> Case:
    """Work as ``watch`` does until the case waits or is over: a dead process holds its lease for a while."""
    for _ in range(60):
        await copilot.work()
        (case,) = await copilot.cases()
        if case.status is CaseStatus.WAITING or not case.status.open:
            return case
        await asyncio.sleep(0.5)
    return case


def _seen() -> Any:
    now = SystemClock().now()
    return anomaly(onset=now - timedelta(minutes=3), seen=now)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
