"""Parameters of the HTTP API: where they come from and what they may be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from urllib.parse import parse_qs

import numpy as np
from starlette.requests import Request

from copilot.errors import InvalidInput
from copilot.lab.prometheus_api.selectors import Grid

MAX_POINTS = 11_000
"""Upstream's cap on points per series of a range query."""

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
_PART = re.compile(r"(\d+)(ms|[smhdwy])")


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request's parameters, from the address and a form body."""

    values: Mapping[str, list[str]]

    @classmethod
    async def of(cls, request: Request) -> "Parameters":
        """Read them; a form body counts like the address."""
        found = parse_qs(request.url.query, keep_blank_values=True)
        if request.method == "POST":
            body = (await request.body()).decode("utf-8", "replace")
            for key, values in parse_qs(body, keep_blank_values=True).items():
                found.setdefault(key, []).extend(values)
        return cls(found)

    def text(self, name: str) -> str:
        """Return a parameter, or an empty string."""
        return self.values.get(name, [""])[0]

    def all(self, name: str) -> list[str]:
        """Return a repeatable parameter."""
        return self.values.get(name, [])

    def time(self, name: str, default: float | None) -> float:
        """Return a time in unix seconds; ``InvalidInput`` as upstream words it."""
        text = self.text(name)
        if not text and default is not None:
            return default
        try:
            return instant_of(text)
        except (ValueError, OverflowError):
            raise invalid(name, f'cannot parse "{text}" to a valid timestamp') from None

    def milliseconds(self, name: str) -> int:
        """Return a duration parameter (seconds as a number, or ``30s``) in ms."""
        text = self.text(name)
        try:
            return duration_ms(text)
        except (ValueError, OverflowError):
            raise invalid(name, f'cannot parse "{text}" to a valid duration') from None


def invalid(name: str, problem: str) -> InvalidInput:
    """Return the error of a bad parameter."""
    return InvalidInput(f'invalid parameter "{name}": {problem}')


def instant_of(text: str) -> float:
    """Return unix seconds of a number or an RFC 3339 time; raises ``ValueError``."""
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise
        return moment.astimezone(UTC).timestamp()
    if not isfinite(seconds):
        raise ValueError(text)
    return seconds


def duration_ms(text: str) -> int:
    """Return milliseconds of ``15``, ``0.5`` or ``1h30m``; raises ``ValueError``."""
    if _DURATION.fullmatch(text):
        return sum(int(count) * _UNITS_MS[unit] for count, unit in _PART.findall(text))
    seconds = float(text)
    if not isfinite(seconds):
        raise ValueError(text)
    return round(seconds * 1000)


def range_grid(parameters: Parameters) -> Grid:
    """Return the steps of a range query; ``InvalidInput`` where upstream refuses."""
    start = round(parameters.time("start", None) * 1000)
    end = round(parameters.time("end", None) * 1000)
    if end < start:
        raise invalid("end", "end timestamp must not be before start time")
    step = parameters.milliseconds("step")
    if step <= 0:
        raise invalid("step", "zero or negative query resolution step widths are not accepted. Try a positive integer")
    if (end - start) // step > MAX_POINTS:
        raise InvalidInput(
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    return Grid(np.arange(start, end + 1, step, dtype=np.int64), start, end)
