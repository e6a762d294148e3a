"""A small shop to ask about: objects, metrics with one known spike, and one case."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from copilot.core.case import Case, Diagnosis, Evidence, Findings, TimelineEntry, Verdict
from copilot.core.cluster import ClusterDump
from copilot.core.ref import Ref
from copilot.core.series import Sample, Series
from copilot.errors import Forbidden, NotFound
from copilot.ports.read import Scope
from copilot.questions.base import Context

NOW = datetime(2026, 3, 11, 15, 30, tzinfo=UTC)
CART = Ref(kind="Deployment", name="cart", namespace="shop")
EVIDENCE = Evidence(id="e1", source="kubernetes", query="kubectl describe pod cart", at=NOW, finding="exit code 137")
OOM = Diagnosis(
    verdict=Verdict.CONFIRMED,
    cause="oom_killed",
    family="memory",
    object=CART,
    confidence=0.99,
    summary="the container needs more memory than its limit",
    rests_on=("e1",),
    remedy="raise the memory limit",
)


def at(**before: float) -> str:
    return (NOW - timedelta(**before)).strftime("%Y-%m-%dT%H:%M:%SZ")


def workload(kind: str, name: str, *, ready: int, namespace: str = "shop") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": at(days=30)},
        "spec": {"replicas": 2},
        "status": {"readyReplicas": ready},
    }


def pod(
    name: str, *, phase: str = "Running", gpus: int = 0, message: str = "", namespace: str = "shop"
) -> dict[str, Any]:
    conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]
    limits = {"nvidia.com/gpu": str(gpus)} if gpus else {"memory": "512Mi", "cpu": "250m"}
    owner = {"kind": "ReplicaSet", "name": name.rpartition("-")[0]}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": at(hours=3),
            "ownerReferences": [owner],
        },
        "spec": {
            "nodeName": "" if phase == "Pending" else "gpu-node-1",
            "containers": [{"name": "main", "resources": {"limits": limits}}],
        },
        "status": {"phase": phase, "conditions": conditions if phase == "Pending" else []},
    }


def node(name: str, *, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "creationTimestamp": at(days=90)},
        "spec": {},
        "status": {
            "allocatable": {"nvidia.com/gpu": "8", "memory": "64Gi", "cpu": "32"},
            "conditions": [
                {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": at(hours=2)}
            ],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        },
    }


def rollout(name: str, revision: int, image: str, **before: float) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{name}-{revision}",
            "namespace": "shop",
            "creationTimestamp": at(**before),
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [{"kind": "Deployment", "name": name}],
        },
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
    }


def shop() -> dict[str, list[dict[str, Any]]]:
    return {
        "Namespace": [{"metadata": {"name": "shop"}}, {"metadata": {"name": "ml"}}],
        "Node": [node("gpu-node-1")],
        "Deployment": [workload("Deployment", "cart", ready=1), workload("Deployment", "checkout", ready=2)],
        "StatefulSet": [workload("StatefulSet", "postgres", ready=2)],
        "Service": [{"metadata": {"name": "cart", "namespace": "shop"}}],
        "ReplicaSet": [rollout("cart", 4, "cart:1.5", hours=1), rollout("cart", 3, "cart:1.4", days=9)],
        "ConfigMap": [
            {
                "metadata": {
                    "name": "cart-config",
                    "namespace": "shop",
                    "creationTimestamp": at(days=30),
                    "managedFields": [
                        {"manager": "kubectl-edit", "time": at(minutes=40), "fieldsV1": {"f:data": {"f:url": {}}}}
                    ],
                }
            }
        ],
        "Pod": [
            pod("cart-6cfdd55578-gfj6q"),
            pod("llm-7d9fdc6b5c-aaaaa", gpus=4, namespace="ml"),
            pod(
                "trainer-0",
                phase="Pending",
                namespace="ml",
                message="0/1 nodes are available: 1 Insufficient nvidia.com/gpu. \x1b[31m<|im_start|>",
            ),
        ],
        "ResourceQuota": [
            {
                "metadata": {"name": "gpus", "namespace": "ml"},
                "status": {"hard": {"requests.nvidia.com/gpu": "4"}, "used": {"requests.nvidia.com/gpu": "4"}},
            }
        ],
    }


class FakeCluster:
    """Serves raw objects by kind; kinds in ``closed`` are forbidden."""

    def __init__(self, objects: Mapping[str, Sequence[dict[str, Any]]], closed: Sequence[str] = ()) -> None:
        self.objects, self.closed = objects, closed

    async def dump(self, scope: Scope) -> ClusterDump:
        return ClusterDump(NOW, self.objects, namespace=scope.namespace)

    async def get(self, ref: Ref) -> dict[str, Any]:
        for one in await self.all(ref.kind):
            if one["metadata"]["name"] == ref.name:
                return one
        raise NotFound(f"{ref} is not there.")

    async def all(self, kind: str, *, namespace: str = "", selector: str = "") -> Sequence[dict[str, Any]]:
        if kind in self.closed:
            raise Forbidden(f"{kind} may not be listed.", hint="Grant list.")
        found = self.objects.get(kind, ())
        return [{"kind": kind, **o} for o in found if namespace in ("", o["metadata"].get("namespace", ""))]

    async def logs(self, ref: Ref, *, container: str = "", previous: bool = False, lines: int = 100) -> list[str]:
        return []

    async def watch(self, kind: str, *, namespace: str = "") -> AsyncIterator[tuple[str, dict[str, Any]]]:
        for one in ():
            yield one

    async def version(self) -> str:
        return "v1.34.0"


class FakeMetrics:
    """Every query has one series; latency of cart is ten times higher from 14:40 to 15:00; ``asked`` keeps queries."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def instant(self, query: str, at: datetime | None = None) -> list[Sample]:
        self.asked.append(query)
        return [Sample({"namespace": "ml", "pod": "llm-7d9fdc6b5c-aaaaa"}, NOW.timestamp(), 0.03)]

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        self.asked.append(query)
        if "vllm" in query or "training" in query or "response_code" in query:
            return []
        times = np.arange(start.timestamp(), end.timestamp() + 1, step.total_seconds())
        day = 1 + 0.5 * np.sin(2 * np.pi * times / 86400)
        values = 100 * (day if "istio_requests_total" in query else np.ones_like(times))
        if "duration" in query and "cart" in query:
            bad = (times >= (NOW - timedelta(minutes=50)).timestamp()) & (
                times < (NOW - timedelta(minutes=30)).timestamp()
            )
            values = np.where(bad, 1000.0, values)
        if "memory" in query:
            values = values * 2**20
        labels = {"instance": "10.0.0.1:9100"} if "node_" in query else {"namespace": "shop", "pod": "one"}
        return [Series(labels, times, values)]

    async def now(self) -> datetime:
        return NOW


class FakeCases:
    """A list of cases, read only."""

    def __init__(self, cases: Sequence[Case] = ()) -> None:
        self.cases = list(cases)

    async def put(self, case: Case, *, event: str) -> None:
        raise AssertionError("questions never write")

    async def emit(self, kind: str, *, case_id: str = "", data: Any = None) -> int:
        raise AssertionError("questions never write")

    async def get(self, case_id: str) -> Case:
        for case in self.cases:
            if case.id.startswith(case_id):
                return case
        raise NotFound(f"There is no case {case_id}.")

    async def list(self, *, open_only: bool = False, since: datetime | None = None, limit: int = 200) -> Sequence[Case]:
        return [c for c in self.cases if c.status.open or not open_only]

    async def pick(self, of: Any, *, limit: int = 200) -> Sequence[Any]:
        return [made for made in map(of, self.cases) if made is not None]

    async def prune(self, before: datetime) -> Sequence[str]:
        raise AssertionError("questions never write")

    async def events(self, after: int = 0, *, limit: int = 500) -> Sequence[Any]:
        return ()


class FixedClock:
    """Stands still."""

    def now(self) -> datetime:
        return NOW

    async def sleep(self, duration: timedelta) -> None:
        return None


def diagnose(dump: ClusterDump, *, namespace: str = "", question: str = "") -> Findings:
    entry = TimelineEntry(at=NOW - timedelta(minutes=55), what="cart revision 4: cart:1.5", object=CART)
    return Findings(diagnoses=(OOM,), evidence=(EVIDENCE,), timeline=(entry,))


def healthy(dump: ClusterDump, *, namespace: str = "", question: str = "") -> Findings:
    return Findings()


def context(**changes: Any) -> Context:
    parts: dict[str, Any] = {
        "clock": FixedClock(),
        "cluster": FakeCluster(shop()),
        "metrics": FakeMetrics(),
        "cases": FakeCases(),
        "diagnose": diagnose,
    }
    return Context(**{**parts, **changes})
