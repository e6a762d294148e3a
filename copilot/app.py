"""The composition root: the only importer of adapters. Opens one environment, as deep as a command needs it.

Heavy packages are imported here, in the functions that need them: LangGraph only where cases are carried on, the
Kubernetes client only where there is a cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from copilot import outside
from copilot.config import LAB, Settings
from copilot.errors import ConfigError, CopilotError, NotFound
from copilot.ports.clock import Clock, SystemClock
from copilot.registry import entries

if TYPE_CHECKING:
    from copilot.agent.model.consult import Consultant
    from copilot.agent.steps import Steps
    from copilot.copilot import Copilot
    from copilot.core.case import Anomaly, Findings
    from copilot.core.cluster import ClusterDump
    from copilot.frontdesk import FrontDesk
    from copilot.patrol import Memory, Patrol
    from copilot.planning import Planner
    from copilot.policy import PolicyDocument
    from copilot.ports.read import Cluster, Metrics, Scope
    from copilot.ports.store import Store
    from copilot.shift import Shift


class Depth(IntEnum):
    """How much of an environment a command opens."""

    STORE = 0
    """Cases, journal and switches alone; neither cluster nor metrics are touched."""
    LOOK = 1
    """Also the reader's credential: cluster and metrics."""
    ACT = 2
    """Also the agent and, where one is configured, the executor's credential."""


@dataclass(frozen=True, slots=True)
class Variation:
    """What a rehearsal or a test does otherwise than production: nothing but time, pace and observation."""

    clock: Clock | None = None
    lease_clock: Clock | None = None
    """Times leases where ``clock`` does not run as the machine's does."""
    history: timedelta | None = None
    verify_every: timedelta | None = None
    edge: Callable[[str], None] = lambda name: None
    """Called before and after each edge of the journal."""
    policy: PolicyDocument | None = None
    memory: Memory | None = None
    """What an earlier patrol of the same cluster knew."""


@dataclass(frozen=True, slots=True)
class App:
    """One opened environment."""

    settings: Settings
    store: Store
    copilot: Copilot
    desk: FrontDesk
    shift: Shift
    patrol: Patrol
    planner: Planner
    steps: Steps
    cluster: Cluster | None
    metrics: Metrics | None


@asynccontextmanager
async def open_app(
    settings: Settings, depth: Depth = Depth.ACT, *, variation: Variation | None = None
) -> AsyncIterator[App]:
    """Open an environment; raises ``ConfigError``, ``Unavailable`` (state directory), never for an absent cluster."""
    from copilot.adapters.sqlite import SqliteStore, holder_of
    from copilot.heap import few_arenas

    if depth >= Depth.ACT:  # Such a process runs for months.
        few_arenas()
    varied = variation or Variation()
    clock = varied.clock or SystemClock()
    async with AsyncExitStack() as stack:
        store = SqliteStore(settings.state_dir / "copilot.db", clock=varied.lease_clock or clock)
        stack.push_async_callback(store.close)
        cluster = outside.cluster(settings, stack) if depth >= Depth.LOOK else None
        metrics = outside.metrics(settings, stack) if depth >= Depth.LOOK else None
        consultant = outside.consultant(settings, stack) if depth >= Depth.LOOK else None
        parts = _Parts(settings, varied, clock, store, cluster, metrics, holder_of("copilot"), consultant)
        steps = parts.steps(may_write=depth >= Depth.ACT and settings.can_write)
        agent = await _agent(parts, steps, stack) if depth >= Depth.ACT else None
        yield parts.app(steps, agent, stack)


def diagnose_snapshot(path: Path, *, namespace: str = "", question: str = "") -> Findings:
    """Diagnose a directory or archive instead of a live cluster; raises ``InvalidInput``, ``NotFound``."""
    from copilot.adapters.snapshot import read_snapshot
    from copilot.diagnosis.diagnose import diagnose

    return diagnose(read_snapshot(path), namespace=namespace, question=question)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What everything is made of."""

    settings: Settings
    varied: Variation
    clock: Clock
    store: Store
    cluster: Cluster | None
    metrics: Metrics | None
    holder: str
    consultant: Consultant | None = None

    def policy(self) -> PolicyDocument:
        """Return the policy as it is on disk now."""
        from copilot import policy

        return self.varied.policy or policy.load(self.settings.policy_file)

    def planner(self) -> Planner:
        """Return what stamps proposals."""
        from copilot.planning import Planner

        return Planner(
            self.cluster,
            clock=self.clock,
            policy=self.policy,
            environment=self.settings.environment,
            cloud=outside.cloud(self.settings),
            infrastructure=outside.infrastructure(self.settings),
        )

    def steps(self, *, may_write: bool) -> Steps:
        """Return the steps of a case."""
        from copilot.agent.remedies import Remedies, Runbook
        from copilot.agent.sight import Sight
        from copilot.agent.steps import Steps
        from copilot.agent.verification import Verifier
        from copilot.diagnosis.diagnose import diagnose
        from copilot.execution.surroundings import Surroundings

        signals = all_signals()
        planner = self.planner()
        surroundings = Surroundings(self.store, self.cluster, clock=self.clock)
        runbooks = cast("Sequence[Runbook]", entries("runbooks", "RUNBOOK"))
        every = self.varied.verify_every or timedelta(seconds=5)
        return Steps(
            store=self.store,
            cluster=self.cluster,
            clock=self.clock,
            sight=Sight(
                self.cluster, self.metrics, clock=self.clock, signals=signals, cloud=outside.cloud(self.settings)
            ),
            diagnose=diagnose,
            remedies=Remedies(runbooks, planner, signals=signals),
            surroundings=surroundings,
            verifier=Verifier(self.cluster, self.metrics, clock=self.clock, signals=signals, interval=every),
            policy=self.policy,
            executor=self._executor(planner, surroundings) if may_write else None,
            opinion=self._opinion(),
        )

    def _opinion(self) -> Any:
        if self.consultant is None:
            return None
        from copilot.agent.model.opinion import SecondOpinion

        return SecondOpinion(self.consultant, self.context())

    def _executor(self, planner: Planner, surroundings: Any) -> Any:
        from copilot.executor import Executor

        return Executor(
            self.store,
            planner,
            writers=outside.writers(self.settings),
            policy=self.policy,
            surroundings=surroundings,
            clock=self.clock,
            holder=self.holder,
            edge=self.varied.edge,
        )

    def app(self, steps: Steps, agent: Any, stack: AsyncExitStack) -> App:
        """Put everything together."""
        from copilot.copilot import Copilot
        from copilot.correlate import join
        from copilot.curves import Curves
        from copilot.frontdesk import FrontDesk
        from copilot.shift import Shift

        copilot = Copilot(
            self.store,
            steps,
            environment=self.settings.environment,
            holder=self.holder,
            agent=agent,
            detect=detect,
        )
        stack.push_async_callback(copilot.close)
        patrol = self.patrol()
        desk = FrontDesk(
            copilot,
            self.store,
            self.context(),
            cluster=self.cluster,
            metrics=self.metrics,
            clock=self.clock,
            place=self.settings.environment,
            curves=Curves(self.metrics, all_signals()),
            consultant=self.consultant,
        )
        shift = Shift(copilot, self.store, patrol, join=join, clock=self.clock)
        return App(
            self.settings, self.store, copilot, desk, shift, patrol, self.planner(), steps, self.cluster, self.metrics
        )

    def patrol(self) -> Patrol:
        """Return eyes, with an empty memory unless one was given."""
        from copilot.patrol import HISTORY, Memory, Patrol
        from detectors import state
        from detectors.scan import Scan

        return Patrol(
            self.cluster,
            self.metrics,
            memory=self.varied.memory or Memory(Scan(all_signals())),
            state=state.anomalies,
            signals=all_signals(),
            clock=self.clock,
            history=self.varied.history or HISTORY,
            namespace=self.settings.namespace,
        )

    def context(self) -> Any:
        """Return what questions may look at."""
        from copilot.agent.sight import Sight
        from copilot.cost.prices import LIST_PRICES, with_overrides
        from copilot.diagnosis.diagnose import diagnose
        from copilot.outlook import foresee
        from copilot.questions.base import Context

        sight = Sight(self.cluster, self.metrics, clock=self.clock, signals=all_signals())

        async def survey(scope: Scope) -> tuple[ClusterDump, Sequence[Anomaly]]:
            return await sight.survey(scope, detect, lambda dump, found: diagnose(dump, anomalies=found).decided)

        return Context(
            clock=self.clock,
            cluster=self.cluster,
            metrics=self.metrics,
            cases=self.store,
            diagnose=diagnose,
            look=sight.read,
            survey=survey,
            foresee=foresee,
            zone=ZoneInfo(self.settings.timezone),
            namespace=self.settings.namespace,
            prices=with_overrides(LIST_PRICES, self.settings.gpu_prices),
            carbon_intensity=self.settings.carbon_intensity,
        )


def detect(dump: ClusterDump) -> Sequence[Anomaly]:
    """Return what is out of bounds by a single look: the objects' own states, and metrics whose bounds are known."""
    from detectors import state
    from detectors.bounds import beyond

    return [*state.anomalies(dump), *beyond(all_signals(), dump)]


def all_signals() -> Sequence[Any]:
    """Return the signal catalogue."""
    return entries("detectors", "SIGNALS")


async def _agent(parts: _Parts, steps: Steps, stack: AsyncExitStack) -> Any:
    from copilot.adapters.sqlite_checkpoints import checkpoints

    graph = await asyncio.to_thread(_import_graph)
    saver = await stack.enter_async_context(checkpoints(parts.settings.state_dir / "checkpoints.db"))
    return graph.Agent(steps, saver, cases=parts.store, clock=parts.clock)


def _import_graph() -> Any:
    from copilot.agent import graph

    return graph


def need_sight(app: App) -> None:
    """Raise ``ConfigError`` with what to do when there is neither a cluster nor a metrics source to look at."""
    if app.cluster is not None or app.metrics is not None:
        return
    if app.settings.environment == LAB:
        raise ConfigError("No lab is running.", hint="Start one in another terminal: infra-copilot lab up")
    raise ConfigError(
        "There is nothing to look at: neither a cluster nor a metrics source is configured.",
        hint="Give --kubeconfig and --prometheus; or start the lab ('infra-copilot lab up') and add '-e lab'.",
    )


async def need_namespace(app: App, name: str) -> None:
    """Raise ``NotFound`` for a namespace that the cluster does not have: a typo must not look healthy."""
    from copilot.core.ref import Ref

    if not name or app.cluster is None:
        return
    try:
        await app.cluster.get(Ref(kind="Namespace", name=name))
    except NotFound as error:
        raise NotFound(
            f"The cluster has no namespace {name!r}.", hint="'kubectl get namespaces' lists them."
        ) from error
    except CopilotError:
        return  # What may not be asked, or does not answer, is said where it is looked at.


def need_cluster(app: App) -> Cluster:
    """Return the cluster; raises ``ConfigError`` with what to do when none is configured."""
    if app.cluster is None:
        raise ConfigError(
            "No cluster is configured.", hint="Give --kubeconfig, or start the lab: infra-copilot lab up."
        )
    return app.cluster


def need_metrics(app: App) -> Metrics:
    """Return the metrics source; raises ``ConfigError`` with what to do when none is configured."""
    if app.metrics is None:
        raise ConfigError("No metrics source is configured.", hint="Give --prometheus URL, or start the lab.")
    return app.metrics
