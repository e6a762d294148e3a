"""What the handlers of one lab API share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from copilot.core.value import JsonObject
from copilot.lab.kube_api.access import User
from copilot.lab.kube_api.pages import Pages
from copilot.lab.kube_api.request_log import RequestLog
from copilot.lab.kube_api.store import ObjectStore

LogLine = tuple[datetime, str]
LogReader = Callable[[JsonObject, str, bool], Sequence[LogLine] | None]
"""Lines of a container's log: ``(pod, container name, previous) -> lines``, ``None`` when there is no such log."""


def no_logs(pod: JsonObject, container: str, previous: bool) -> Sequence[LogLine] | None:
    """A log reader for a cluster that keeps none: empty now, absent for a previous run."""
    return None if previous else ()


@dataclass(frozen=True)
class Hooks:
    """What the API asks of the world around it."""

    logs: LogReader = no_logs
    """Container logs."""
    wrote: Callable[[], None] = lambda: None
    """Called after every accepted write, so that a paused world may move on."""


@dataclass(frozen=True)
class Context:
    """One API over one store."""

    store: ObjectStore
    users: Mapping[str, User]
    hooks: Hooks = field(default_factory=Hooks)
    log: RequestLog = field(default_factory=RequestLog)
    pages: Pages = field(default_factory=Pages)
    stopping: Callable[[], bool] = lambda: False
    """Whether the server is going down, so that watches and followed logs end."""
