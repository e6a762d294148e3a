"""The world's own clock, in unix seconds; it moves only when somebody advances it."""

from datetime import UTC, datetime


class Clock:
    """Simulated time; ``at`` is unix seconds (float)."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> datetime:
        """Return the time as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.at, UTC)


def stamp(at: float) -> str:
    """Return unix seconds in the form of Kubernetes timestamps (whole seconds, ``Z``)."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix(text: str) -> float:
    """Return the unix seconds of a Kubernetes timestamp."""
    return datetime.fromisoformat(text).timestamp()
