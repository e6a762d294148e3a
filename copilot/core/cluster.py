"""What was seen of a cluster at one moment: the one input of diagnosis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from copilot.core.value import JsonObject


@dataclass(frozen=True, slots=True)
class LogExcerpt:
    """The last lines of one container, oldest first; untrusted text."""

    namespace: str
    pod: str
    container: str
    lines: tuple[str, ...]
    previous: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Something a check outside the Kubernetes API saw.

    ``reachability``: ``subject`` could (``ok``) or could not reach ``object``. ``daemon``: the service ``object`` on
    node ``subject`` is active. ``dependency``: ``subject`` calls ``object``. ``alert``: an alert named ``object``
    about ``subject``. ``text`` is what the check printed (untrusted).
    """

    kind: Literal["reachability", "daemon", "dependency", "alert"]
    subject: str
    object: str
    ok: bool
    text: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """A place that could not be looked at, and why; diagnosis says so instead of guessing."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class ClusterDump:
    """Raw API objects by kind, log excerpts and other observations.

    ``objects["Pod"]`` is a list of raw API objects (``kind`` and ``apiVersion`` filled in); events are under
    ``"Event"``. ``namespace`` is the scope asked for, empty for all. Never changed after it was filled.
    """

    taken_at: datetime
    objects: Mapping[str, Sequence[JsonObject]]
    logs: tuple[LogExcerpt, ...] = ()
    observations: tuple[Observation, ...] = ()
    missing: tuple[Missing, ...] = ()
    namespace: str = ""
    server_version: str = ""
    source: str = "live"
    metrics: Mapping[str, Sequence["MetricWindow"]] = field(default_factory=dict)
    """Metric windows around the onset by signal name (see ``detectors/signals.py``), when a source was there."""


@dataclass(frozen=True, slots=True)
class MetricWindow:
    """One series around the onset. ``times``: unix seconds, ascending; ``values``: same length, NaN where absent.

    ``title`` says what it measures and ``unit`` in what; both empty where that is not known.
    """

    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]
    query: str = ""
    title: str = ""
    unit: str = ""
