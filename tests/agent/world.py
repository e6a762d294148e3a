"""A small world behind the ports: objects with uid, generation and resourceVersion, a rollout that takes no time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from copilot.actions.patching import apply
from copilot.adapters.sqlite import SqliteStore, holder_of
from copilot.adapters.sqlite_checkpoints import checkpoints
from copilot.agent.graph import Agent
from copilot.agent.remedies import Remedies
from copilot.agent.sight import Sight
from copilot.agent.steps import Steps
from copilot.agent.verification import Verifier
from copilot.copilot import Copilot
from copilot.core.case import Anomaly, Diagnosis, Evidence, Findings, Severity, Verdict
from copilot.core.cluster import ClusterDump
from copilot.core.plan import ActionCall, Change, Check, KubernetesChange, Proposal
from copilot.core.ref import Ref
from copilot.core.series import Sample, Series
from copilot.core.value import JsonObject
from copilot.errors import NotFound, WorldChanged
from copilot.execution.sending import Pace
from copilot.execution.surroundings import Surroundings
from copilot.executor import Executor
from copilot.planning import Planner, mark_of
from copilot.policy import PolicyDocument
from copilot.ports.read import Scope
from copilot.ports.write import Applied, Receipt
from runbooks.base import Runbook

Key = tuple[str, str, str]
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class FakeClock:
    """Time that passes when somebody waits, and only then."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, duration: timedelta) -> None:
        self.moment += duration
        await asyncio.sleep(0)


def deployment(name: str = "api", *, replicas: int = 2, image: str = "shop/api:1.0", **extra: Any) -> JsonObject:
    """A Deployment that is rolled out."""
    container: JsonObject = {"name": "app", "image": image, **extra.pop("container", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", **extra.pop("metadata", {})},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
            **extra,
        },
    }


def node(name: str, **spec: Any) -> JsonObject:
    """A ready Node."""
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec, "status": status}


class FakeCluster:
    """The reading port over a dictionary; ``settle`` plays the controllers."""

    def __init__(self, *objects: JsonObject, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.objects: dict[Key, JsonObject] = {}
        self.version_number = 100
        self.settle: Callable[[JsonObject], None] = roll_out
        for obj in objects:
            self.create(obj)

    def create(self, obj: JsonObject) -> JsonObject:
        made = deepcopy(obj)
        self.version_number += 1
        made["metadata"] |= {"uid": f"uid-{self.version_number}", "generation": 1}
        self._keep(made)
        return made

    def _keep(self, obj: JsonObject) -> None:
        self.version_number += 1
        obj["metadata"]["resourceVersion"] = str(self.version_number)
        self.settle(obj)
        self.objects[Ref.of(obj).key] = obj

    def patch(self, ref: Ref, body: Any, *, strategic: bool = True) -> JsonObject:
        """Change an object as somebody else would."""
        before = self.find(ref)
        made: JsonObject = deepcopy(apply(before, body, strategic=strategic))
        if made.get("spec") != before.get("spec"):
            made["metadata"]["generation"] = before["metadata"]["generation"] + 1
        self._keep(made)
        return made

    def find(self, ref: Ref) -> JsonObject:
        if ref.key not in self.objects:
            raise NotFound(f"{ref} does not exist.")
        return self.objects[ref.key]

    async def get(self, ref: Ref) -> JsonObject:
        return deepcopy(self.find(ref))

    async def all(self, kind: str, *, namespace: str = "", selector: str = "") -> Sequence[JsonObject]:
        return [deepcopy(o) for (k, ns, _), o in self.objects.items() if k == kind and namespace in ("", ns)]

    async def dump(self, scope: Scope) -> ClusterDump:
        kinds: dict[str, list[JsonObject]] = {}
        for (kind, _, _), obj in self.objects.items():
            kinds.setdefault(kind, []).append(deepcopy(obj))
        return ClusterDump(taken_at=self.clock.now(), objects=kinds)

    async def logs(self, ref: Ref, *, container: str = "", previous: bool = False, lines: int = 100) -> list[str]:
        return []

    async def watch(self, kind: str, *, namespace: str = "") -> AsyncIterator[tuple[str, JsonObject]]:
        return
        yield

    async def version(self) -> str:
        return "v1.33.0"


def roll_out(obj: JsonObject) -> None:
    """Play the controllers: every workload is at once what it should be."""
    if obj["kind"] in ("Deployment", "StatefulSet"):
        wanted = obj["spec"].get("replicas", 1)
        fields = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        obj["status"] = {"observedGeneration": obj["metadata"]["generation"], **dict.fromkeys(fields, wanted)}


@dataclass
class FakeWriter:
    """The writing port on the same dictionary, with the API server's preconditions and a log of what was asked."""

    cluster: FakeCluster
    via: str = "kubernetes"
    log: list[str] = field(default_factory=list)
    before_apply: Callable[[KubernetesChange], None] = lambda change: None
    after_apply: Callable[[KubernetesChange], None] = lambda change: None
    on_dry_run: Callable[[KubernetesChange], None] = lambda change: None

    async def dry_run(self, change: Change) -> JsonObject:
        assert isinstance(change, KubernetesChange)
        self.on_dry_run(change)
        return self.cluster.find(change.target)

    async def apply(self, change: Change) -> Receipt:
        assert isinstance(change, KubernetesChange)
        self.before_apply(change)
        obj = self.cluster.find(change.target)
        for field_name, wanted in change.preconditions.items():
            if wanted and obj["metadata"][field_name] != wanted:
                raise WorldChanged(f"{change.target}: {field_name} is {obj['metadata'][field_name]}.")
        self.log.append(f"{change.verb} {change.target}")
        if change.verb == "patch":
            obj = self.cluster.patch(change.target, change.body, strategic=change.patch_type == "strategic")
        else:
            obj = self.cluster.objects.pop(change.target.key)
        self.after_apply(change)
        return Receipt(deepcopy(obj), f"{change.target} changed")

    async def applied(self, change: Change) -> Applied:
        assert isinstance(change, KubernetesChange)
        obj = self.cluster.objects.get(change.target.key)
        if change.verb != "patch":
            return Applied.NO if obj and obj["metadata"]["uid"] == change.target.uid else Applied.YES
        marks = (obj or {}).get("metadata", {}).get("annotations", {})
        return Applied.YES if mark_of(change) in marks.values() else Applied.NO


class FakeMetrics:
    """A metric source whose one value is what a function says now."""

    def __init__(self, clock: FakeClock, value: Callable[[], float]) -> None:
        self.clock = clock
        self.value = value

    async def instant(self, query: str, at: datetime | None = None) -> list[Sample]:
        return [Sample({"namespace": "shop", "workload": "api"}, self.clock.now().timestamp(), self.value())]

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        return []

    async def now(self) -> datetime:
        return self.clock.now()


def anomaly(signal: str = "error_ratio", *, name: str = "api", **fields: Any) -> Anomaly:
    """Errors of a workload, above a bound of 5 %."""
    given: dict[str, Any] = {
        "fingerprint": f"{signal}/{name}",
        "signal": signal,
        "resource": Ref(kind="Workload", namespace="shop", name=name),
        "onset": START - timedelta(minutes=3),
        "seen": START,
        "value": 0.4,
        "bound": 0.05,
        "query": "errors",
        "severity": Severity.CRITICAL,
        "labels": {"namespace": "shop", "workload": name},
    }
    return Anomaly(**(given | fields))


def findings(dump: ClusterDump, **_: Any) -> Findings:
    """A diagnosis that always blames the Deployment's image."""
    seen = Evidence(id="e1", source="kubernetes", query="kubectl get deploy api", at=START, finding="bad image")
    found = Diagnosis(
        verdict=Verdict.CONFIRMED,
        cause="bad_image",
        family="workload",
        object=Ref(kind="Deployment", namespace="shop", name="api"),
        confidence=0.9,
        summary="api runs a bad image",
        rests_on=("e1",),
    )
    return Findings(diagnoses=(found,), evidence=(seen,))


def set_image(image: str = "shop/api:0.9", *, checks: tuple[Check, ...] = ()) -> Callable[..., Proposal]:
    """A runbook's proposal: another image."""

    def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal:
        arguments = {"namespace": "shop", "workload": "api", "container": "app", "image": image}
        call = ActionCall(action="set_image", arguments=arguments)
        return Proposal(title=f"Run {image}", actions=(call,), reason="bad", proposed_by="runbook:test", checks=checks)

    return propose


@dataclass
class Bench:
    """Everything wired over the fakes; ``healthy`` decides what the metric says."""

    directory: Path
    clock: FakeClock = field(default_factory=FakeClock)
    policy: PolicyDocument = field(default_factory=PolicyDocument)
    propose: Callable[..., Proposal | None] = field(default_factory=set_image)
    diagnose: Any = findings
    healthy: Callable[[FakeCluster], bool] | None = None
    edge: Callable[[str], None] = lambda name: None
    objects: tuple[JsonObject, ...] = (deployment(),)
    may_write: bool = True
    source: Any = None
    """Clock of the metrics source, when it is another one."""
    interval: timedelta = timedelta(seconds=5)
    pace: Pace = field(default_factory=lambda: Pace(blocked=timedelta(seconds=10)))

    def __post_init__(self) -> None:
        self.cluster = FakeCluster(*self.objects, node("n1"), node("n2"), node("n3"), clock=self.clock)
        self.writer = FakeWriter(self.cluster)
        self.store = SqliteStore(self.directory / "state.db", clock=self.clock)

    def runs(self, image: str) -> bool:
        """Whether the Deployment api runs an image."""
        obj = self.cluster.objects["Deployment", "shop", "api"]
        found: list[Mapping[str, Any]] = obj["spec"]["template"]["spec"]["containers"]
        return str(found[0]["image"]) == image

    def _value(self) -> float:
        good = self.healthy(self.cluster) if self.healthy else self.runs("shop/api:0.9")
        return 0.0 if good else 0.4

    def executor(self, planner: Planner, surroundings: Surroundings, *, name: str = "test") -> Executor:
        return Executor(
            self.store,
            planner,
            writers=(self.writer,),
            policy=lambda: self.policy,
            surroundings=surroundings,
            clock=self.clock,
            holder=holder_of(name),
            pace=self.pace,
            edge=self.edge,
        )

    def steps(self, *, name: str = "test") -> Steps:
        planner = Planner(self.cluster, clock=self.clock, policy=lambda: self.policy, environment="test")
        surroundings = Surroundings(self.store, self.cluster, clock=self.clock)
        runbook = Runbook(name="test", summary="", causes=("bad_image",), propose=self.propose)
        metrics = FakeMetrics(self.source or self.clock, self._value)
        return Steps(
            store=self.store,
            cluster=self.cluster,
            clock=self.clock,
            sight=Sight(self.cluster, metrics, clock=self.clock, signals=()),
            diagnose=self.diagnose,
            remedies=Remedies((runbook,), planner, signals=()),
            surroundings=surroundings,
            verifier=Verifier(self.cluster, metrics, clock=self.clock, signals=(), interval=self.interval),
            policy=lambda: self.policy,
            executor=self.executor(planner, surroundings, name=name) if self.may_write else None,
        )

    def copilot(self, saver: Any, *, name: str = "test") -> Copilot:
        steps = self.steps(name=name)
        agent = Agent(steps, saver, cases=self.store, clock=self.clock)
        return Copilot(self.store, steps, environment="test", holder=holder_of(name), agent=agent)

    def checkpoints(self) -> Any:
        return checkpoints(self.directory / "checkpoints.db")
