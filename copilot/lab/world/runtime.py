"""What runs on the machines: pods, their containers and the processes inside, as their kubelet sees them."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from copilot.core.value import JsonObject
from copilot.lab.world.images import App

State = Literal["waiting", "running", "terminated"]
LOG_LINES = 200
COUNTERS = ("cpu_seconds", "periods", "throttled_periods", "throttled_seconds", "received", "sent", "oom_events")
"""What is counted per container slot across restarts; the order of ``Container.counters``."""


@dataclass(slots=True)
class Process:
    """One running program. ``serving_from`` unix seconds; ``broken`` names an inner defect that only a restart ends.

    ``hung`` accepts connections and never answers; ``dies_at`` > 0 is when it ends with ``exit_code``.
    """

    app: App
    env: dict[str, str]
    args: tuple[str, ...]
    serving_from: float
    listens: frozenset[int] = frozenset()
    dies_at: float = 0.0
    exit_code: int = 0
    reason: str = "Error"
    last_words: tuple[str, ...] = ()
    hung: bool = False
    broken: str = ""
    leaked: float = 0.0


@dataclass(slots=True)
class Container:
    """One container slot of a pod with its restarts; times in unix seconds.

    ``calm`` is the process for which all probes passed when they were last looked at.
    """

    name: str
    spec: JsonObject
    init: bool = False
    state: State = "waiting"
    reason: str = "ContainerCreating"
    message: str = ""
    started: float = 0.0
    finished: float = 0.0
    exit_code: int = 0
    restarts: int = 0
    last: JsonObject | None = None
    ready: bool = False
    process: Process | None = None
    calm: Process | None = None
    attempts: int = 0
    pulled: bool = False
    next: str = ""
    due: float = 0.0
    failing_live: float = 0.0
    failing_ready: float = 0.0
    told: float = 0.0
    counters: list[float] = field(default_factory=lambda: [0.0] * len(COUNTERS))
    log: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    previous_log: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=LOG_LINES))

    @property
    def running(self) -> bool:
        """Whether a process runs in it."""
        return self.state == "running" and self.process is not None

    def serves(self, now: float) -> bool:
        """Whether its process has started up and answers."""
        process = self.process
        return self.state == "running" and process is not None and not process.hung and now >= process.serving_from

    def say(self, at: float, line: str) -> None:
        """Append one log line."""
        self.log.append((at, line))


@dataclass(slots=True)
class PodRun:
    """One pod on its node. ``workload`` is ``namespace/name`` of what owns it, ``gpus`` positions in the fleet."""

    uid: str
    namespace: str
    name: str
    node: str
    workload: str
    spec: JsonObject
    containers: list[Container]
    labels: dict[str, str]
    ip: str = ""
    started: float = 0.0
    phase: str = "Pending"
    ready_since: float = 0.0
    deleting: bool = False
    gone_at: float = 0.0
    reason: str = ""
    message: str = ""
    gpus: list[int] = field(default_factory=list)
    dirty: bool = True
    transitions: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def main(self) -> Container:
        """The first ordinary container."""
        return next(one for one in self.containers if not one.init)

    @property
    def ready(self) -> bool:
        """Whether every ordinary container is ready."""
        return self.phase == "Running" and all(one.ready for one in self.containers if not one.init)

    @property
    def index(self) -> int:
        """Completion index of an Indexed Job's pod, or 0."""
        return int(self.labels.get("batch.kubernetes.io/job-completion-index", "0"))
