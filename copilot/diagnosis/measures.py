"""The golden signals of services and nodes around an incident, and what is made of one of them."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from copilot.core.series import Float64


class Kind(StrEnum):
    """The four golden signals (Site Reliability Engineering, 2016, chapter 6)."""

    LATENCY = "latency"
    """Seconds; up is bad."""
    ERRORS = "errors"
    """Share of failed requests, 0..1; up is bad."""
    TRAFFIC = "traffic"
    """Requests per second (or per step, the same for all); down without cause is bad for who is called."""
    SATURATION = "saturation"
    """Share of a limit in use, 0..1; up is bad."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One series about one service or node.

    ``times``: unix seconds, ascending, float64[t]; ``values``: float64[t], NaN where absent. ``caller`` is set when
    the series is about calls from ``caller`` to ``node`` only; ``outside`` says that the caller measured it (network
    included), not the node itself. ``history`` holds values of a normal time that lies apart, float64[h].
    """

    node: str
    kind: Kind
    times: Float64
    values: Float64
    caller: str = ""
    outside: bool = False
    name: str = ""
    query: str = ""
    history: Float64 = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a node is suspected. ``strength`` is what it adds to the score; ``text`` names series by untrusted names."""

    text: str
    strength: float
    query: str = ""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A node that may be the cause, with its score (>= 0, comparable within one ranking) and reasons, best first."""

    node: str
    score: float
    reasons: tuple[Reason, ...] = ()
    onset: float | None = None
    """Unix seconds at which the first of its series left its band."""
