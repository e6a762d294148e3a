"""The health of the fleet at a glance: counts, and a few lines over time."""

from datetime import datetime

from copilot.core.value import Value


class Trend(Value):
    """One line over the last hour: values oldest first, NaN-free, in ``unit``."""

    name: str
    values: tuple[float, ...] = ()
    unit: str = ""


class Fleet(Value):
    """Counts and trends; ``problem`` says why something could not be read."""

    at: datetime
    nodes: int = 0
    nodes_ready: int = 0
    gpus: int = 0
    gpus_busy: int = 0
    pods: int = 0
    pods_pending: int = 0
    trends: tuple[Trend, ...] = ()
    problem: str = ""
    source: str = ""
    """Where this was read: cluster address or context."""
