"""An alert that came in from outside, normalised."""

from datetime import datetime

from copilot.core.case import Anomaly
from copilot.core.value import Value


class Alert(Value):
    """One firing or resolved alert.

    ``incomplete``: the sender cut the group short. ``clamped``: its times could not be right and were replaced.
    """

    anomaly: Anomaly
    resolved: bool = False
    ended: datetime | None = None
    incomplete: bool = False
    clamped: bool = False
