"""Vector and matrix selectors: which samples a step of the query sees."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import promql_parser as parser

from copilot.core.series import Float64
from copilot.errors import Unsupported
from copilot.lab.history import Block, History, Matcher, Op
from copilot.lab.prometheus_api.values import NAME, Bool, Int64, Matrix, Vector

LOOKBACK_MS = 300_000
"""How far an instant selector looks back for the latest sample: upstream's default of 5 minutes, end included."""

OPERATORS: dict[str, Op] = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


@dataclass(frozen=True, slots=True)
class Grid:
    """The steps of a query. ``times``: int64[t] ms; ``start``/``end``: what ``@ start()`` and ``@ end()`` mean."""

    times: Int64
    start: int
    end: int


def milliseconds(duration: Any) -> int:
    """Return a timedelta as whole milliseconds; None is 0."""
    return 0 if duration is None else round(duration.total_seconds() * 1000)


def evaluation_times(grid: Grid, at: Any, offset: Any) -> Int64:
    """Return int64[t]: where each step looks, after ``@`` and ``offset``."""
    times = grid.times
    if at is not None:
        times = np.full_like(times, _pinned(grid, at))
    return times - milliseconds(offset)


def _pinned(grid: Grid, at: Any) -> int:
    if at.type == parser.AtModifierType.Start:
        return grid.start
    if at.type == parser.AtModifierType.End:
        return grid.end
    return milliseconds(at.at - datetime.fromtimestamp(0, UTC))


def matchers_of(selector: Any) -> list[Matcher]:
    """Return the matchers of a parsed vector selector, its name first; ``Unsupported`` for ``or`` groups."""
    if selector.matchers.or_matchers:
        raise Unsupported("alternatives inside a selector ({a or b}) are not supported; use the binary operator or")
    named = [Matcher(NAME, "=", selector.name)] if selector.name else []
    rest = [Matcher(m.name, OPERATORS[str(m.op).rsplit(".", 1)[-1]], m.value) for m in selector.matchers.matchers]
    return named + rest


def _read(history: History, selector: Any, first: int, last: int) -> Block:
    return history.select(matchers_of(selector), start=first / 1000.0, end=last / 1000.0)


def instant(history: History, selector: Any, grid: Grid) -> tuple[Vector, Float64]:
    """Return the vector of the latest samples, and float64[n, t]: the samples' own times in seconds."""
    where = evaluation_times(grid, selector.at, selector.offset)
    block = _read(history, selector, int(where.min()) - LOOKBACK_MS, int(where.max()))
    times = to_milliseconds(block.times)
    if not times.size:
        return Vector.empty(len(where)), np.empty((0, len(where)))
    index = np.searchsorted(times, where, side="right") - 1
    safe = np.maximum(index, 0)
    found = (index >= 0) & (times[safe] >= where - LOOKBACK_MS)
    values = block.values[:, safe]
    present: Bool = found[None, :] & ~np.isnan(values)
    seen = np.flatnonzero(present.any(axis=1))
    stamps = np.broadcast_to(times[safe] / 1000.0, (len(seen), len(where)))
    return Vector([block.labels[row] for row in seen], values[seen], present[seen]), stamps


def windows(history: History, selector: Any, grid: Grid) -> Matrix:
    """Return the range vector of a matrix selector."""
    inner = selector.vector_selector
    ends = evaluation_times(grid, inner.at, inner.offset)
    starts = ends - milliseconds(selector.range)
    block = _read(history, inner, int(starts.min()), int(ends.max()))
    present: Bool = ~np.isnan(block.values)
    return Matrix(list(block.labels), to_milliseconds(block.times), block.values, present, starts, ends)


def to_milliseconds(times: Float64) -> Int64:
    """Return unix seconds as int64 milliseconds."""
    return np.rint(np.asarray(times, np.float64) * 1000.0).astype(np.int64)
