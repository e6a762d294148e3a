"""The metric history of a world: every series as a column, one row per scrape; NaN where a series is absent.

Two storage classes behind one interface. *Dense* series (counters, gauges, histogram parts) hold one float64 per
scrape in chunked matrices; writers fill ``current[ids]`` in place and ``append`` copies the row, so a scrape costs one
gather whatever the number of series. *State* series (kube-state-metrics and the like) hold only their changes.
Series share one time grid, so reading yields matrices: ``select(...) -> Block(labels, times[t], values[n, t])``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TextIO

import numpy as np
from numpy.typing import NDArray

from copilot.errors import InvalidInput

Kind = Literal["counter", "gauge", "histogram", "summary", "unknown"]
Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Op = Literal["=", "!=", "=~", "!~"]
CHUNK_ROWS = 240
_MOST_MATCHED = 512
"""Selectors whose series are remembered: a few hundred queries are asked again and again."""
_HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One PromQL label matcher; regular expressions are anchored, an absent label equals the empty string."""

    label: str
    op: Op
    value: str

    def test(self) -> Callable[[str], bool]:
        """Return the predicate over a label value."""
        if self.op == "=":
            return lambda text: text == self.value
        if self.op == "!=":
            return lambda text: text != self.value
        pattern = _compiled(self.value)
        if self.op == "=~":
            return lambda text: pattern.fullmatch(text) is not None
        return lambda text: pattern.fullmatch(text) is None


@dataclass(frozen=True, slots=True)
class Family:
    """Metadata of one metric family, as ``# HELP`` and ``# TYPE`` say it."""

    name: str
    kind: Kind
    help: str


@dataclass(frozen=True, slots=True)
class Block:
    """Series on one grid. ``times``: float64[t]; ``values``: float64[n, t].

    ``labels[i]`` includes ``__name__``, and is the history's own: do not change it.
    """

    labels: tuple[dict[str, str], ...]
    times: Floats
    values: Floats


class _Chunk:
    """Up to ``CHUNK_ROWS`` rows over the dense series that were live in it."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self.times = np.empty(CHUNK_ROWS)
        self.rows = 0
        self.values = np.full((CHUNK_ROWS, max(ids.size, 1)), np.nan)
        self._columns = _positions(ids)

    def columns_of(self, ids: Ids) -> Ids:
        """Return the column of each series, -1 where it has none, int64[n]."""
        found = np.full(ids.shape, -1, np.int64)
        known = ids < self._columns.size
        found[known] = self._columns[ids[known]]
        return found

    def inside(self, start: float, end: float) -> slice:
        """Return the rows within [start, end]."""
        times = self.times[: self.rows]
        if not self.rows or times[0] > end or times[-1] < start:
            return slice(0, 0)
        first, last = int(times.searchsorted(start, side="left")), int(times.searchsorted(end, side="right"))
        return slice(first, last)

    def widen(self, ids: Ids) -> None:
        """Add columns for series registered after the chunk began."""
        self._columns = _positions(np.concatenate([self.ids, ids]))
        self.ids = np.concatenate([self.ids, ids])
        if self.ids.size > self.values.shape[1]:
            grown = np.full((CHUNK_ROWS, self.ids.size + 64), np.nan)
            grown[:, : self.values.shape[1]] = self.values
            self.values = grown


def _positions(ids: Ids) -> Ids:
    """Return where each id stands in ``ids``, -1 where it does not, by id."""
    found = np.full(int(ids.max()) + 1 if ids.size else 0, -1, np.int64)
    found[ids] = np.arange(ids.size)
    return found


class History:
    """Columnar store of all series. Times are unix seconds (float64), values float64, NaN = absent or stale.

    ``retention`` is the number of scrapes kept (whole chunks are dropped). Plain arrays and dicts: cheap to pickle,
    and pages stay shared after ``fork``.
    """

    def __init__(self, *, retention: int = 4320) -> None:
        self.retention = retention
        self.families: dict[str, Family] = {}
        self.current: Floats = np.full(1024, np.nan)
        self._labels: list[dict[str, str]] = []
        self._by_name: dict[str, list[int]] = {}
        self._known: dict[tuple[tuple[str, str], ...], int] = {}
        self._live: set[int] = set()
        self._new: list[int] = []
        self._changes: dict[int, tuple[list[float], list[float]]] = {}
        self._chunks: list[_Chunk] = []
        self._matched: tuple[int, dict[tuple[Matcher, ...], list[int]]] = (0, {})

    # -- writing -----------------------------------------------------------------------------------------------------

    def describe(self, name: str, kind: Kind, text: str) -> None:
        """Declare a metric family: ``name`` as it is exposed, without ``_bucket``/``_sum``/``_count``."""
        self.families[name] = Family(name, kind, text)

    def register(self, name: str, labels: Mapping[str, str], *, state: bool = False) -> int:
        """Return the id of a series, new or known; a dense series starts absent until ``current[id]`` is written.

        ``state=True`` makes a state series, written with ``set`` only when it changes.
        """
        full = {"__name__": name, **labels}
        key = tuple(sorted(full.items()))
        known = self._known.get(key)
        if known is None:
            known = len(self._labels)
            self._known[key] = known
            self._labels.append(full)
            self._by_name.setdefault(name, []).append(known)
            if known >= self.current.size:
                self.current = np.concatenate([self.current, np.full(self.current.size, np.nan)])
        if state:
            self._changes.setdefault(known, ([], []))
        elif known not in self._live:
            self._live.add(known)
            self._new.append(known)
        return known

    def retire(self, ids: Iterable[int]) -> None:
        """End dense series: absent from the next scrape on; their column is dropped with the next chunk."""
        for one in ids:
            self.current[int(one)] = np.nan
            self._live.discard(int(one))

    def set(self, series: int, value: float, at: float) -> None:
        """Write a state series from ``at`` on (unix seconds); NaN ends it."""
        times, values = self._changes[series]
        if values and (values[-1] == value or (value != value and values[-1] != values[-1])):
            return
        times.append(at)
        values.append(value)

    def append(self, at: float) -> None:
        """Close one scrape at unix second ``at``: copy ``current`` into the matrix as a new row.

        Raises ``InvalidInput`` when ``at`` is not after the last row.
        """
        if self._chunks and self._chunks[-1].rows and at <= self._chunks[-1].times[self._chunks[-1].rows - 1]:
            raise InvalidInput(f"Scrape at {at} is not after the last one.", hint="Advance the clock first.")
        if not self._chunks or self._chunks[-1].rows == CHUNK_ROWS:
            self._begin_chunk()
        elif self._new:
            fresh = np.array(self._new, dtype=np.int64)
            self._chunks[-1].widen(fresh[self._chunks[-1].columns_of(fresh) < 0])
        self._new.clear()
        chunk = self._chunks[-1]
        chunk.times[chunk.rows] = at
        chunk.values[chunk.rows, : chunk.ids.size] = self.current[chunk.ids]
        chunk.rows += 1

    def _begin_chunk(self) -> None:
        if self._chunks and self.row_count - self._chunks[0].rows >= self.retention:
            self._chunks.pop(0)
            self._forget_changes(float(self._chunks[0].times[0]))
        self._chunks.append(_Chunk(np.array(sorted(self._live), dtype=np.int64)))

    def _forget_changes(self, before: float) -> None:
        for times, values in self._changes.values():
            keep = max(int(np.searchsorted(times, before, side="right")) - 1, 0)
            del times[:keep], values[:keep]

    # -- reading -----------------------------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        """Number of scrapes kept."""
        return sum(chunk.rows for chunk in self._chunks)

    def times(self, *, start: float = -np.inf, end: float = np.inf) -> Floats:
        """Return the scrape times within [start, end], float64[t]."""
        parts = [chunk.times[chunk.inside(start, end)] for chunk in self._chunks]
        return np.concatenate(parts) if parts else np.empty(0)

    def names(self) -> list[str]:
        """Return all metric names, sorted."""
        return sorted(self._by_name)

    def match(self, matchers: Sequence[Matcher]) -> list[int]:
        """Return the ids of all series that satisfy every matcher (``__name__`` is a label like others)."""
        named = [m for m in matchers if m.label == "__name__" and m.op == "="][:1]
        found = list(self._by_name.get(named[0].value, ())) if named else list(range(len(self._labels)))
        rest = [m for m in matchers if m not in named]
        for one in rest:
            test = one.test()
            found = [i for i in found if test(self._labels[i].get(one.label, ""))]
        return found

    def _matching(self, matchers: tuple[Matcher, ...]) -> list[int]:
        """Return ``match``, remembered until another series is registered."""
        if self._matched[0] != len(self._labels) or len(self._matched[1]) > _MOST_MATCHED:
            self._matched = (len(self._labels), {})
        known = self._matched[1].get(matchers)
        if known is None:
            known = self._matched[1][matchers] = self.match(matchers)
        return known

    def labels(self, series: int) -> Mapping[str, str]:
        """Return the labels of a series, ``__name__`` included; do not change them."""
        return self._labels[series]

    def select(self, matchers: Sequence[Matcher], *, start: float = -np.inf, end: float = np.inf) -> Block:
        """Return the matching series that have a value within [start, end], on the scrape times of that range."""
        ids = np.array(self._matching(tuple(matchers)), dtype=np.int64)
        times = self.times(start=start, end=end)
        values = np.full((len(ids), times.size), np.nan)
        if times.size:
            self._fill_dense(ids, times, values)
            self._fill_state(ids, times, values)
        kept = np.flatnonzero(~np.isnan(values).all(axis=1)) if times.size else np.empty(0, np.int64)
        return Block(tuple(self._labels[ids[i]] for i in kept), times, values[kept])

    def _fill_dense(self, ids: Ids, times: Floats, values: Floats) -> None:
        at = 0
        for chunk in self._chunks:
            inside = chunk.inside(times[0], times[-1])
            count = inside.stop - inside.start
            if count:
                columns = chunk.columns_of(ids)
                rows = np.flatnonzero(columns >= 0)
                values[rows, at : at + count] = chunk.values[inside][:, columns[rows]].T
                at += count

    def _fill_state(self, ids: Ids, times: Floats, values: Floats) -> None:
        for row, one in enumerate(ids.tolist()):
            changes = self._changes.get(one)
            if changes and changes[0] and changes[0][-1] <= times[0]:
                values[row] = changes[1][-1]
            elif changes and changes[0]:
                position = np.searchsorted(changes[0], times, side="right") - 1
                found = np.asarray(changes[1])[np.maximum(position, 0)]
                values[row] = np.where(position >= 0, found, values[row])

    def latest(self) -> Iterator[tuple[Mapping[str, str], float]]:
        """Yield (labels, value) of every series present now: what an exporter would expose."""
        for one in sorted(self._live):
            if not np.isnan(self.current[one]):
                yield self._labels[one], float(self.current[one])
        for one, (_, values) in self._changes.items():
            if values and values[-1] == values[-1]:
                yield self._labels[one], values[-1]

    # -- dumping -----------------------------------------------------------------------------------------------------

    def dump_openmetrics(self, out: TextIO, *, start: float = -np.inf, end: float = np.inf) -> int:
        """Write every sample within [start, end] as OpenMetrics text with timestamps; return the number of samples.

        For ``promtool tsdb create-blocks-from openmetrics``. Counters whose name lacks ``_total`` are written as
        ``unknown``, because OpenMetrics reserves the suffix.
        """
        groups: dict[str, list[str]] = {}
        for name in self.names():
            groups.setdefault(self.family_of(name), []).append(name)
        count = 0
        for family, names in sorted(groups.items()):
            _write_head(out, self.families.get(family, Family(family, "unknown", "")))
            for name in names:
                block = self.select([Matcher("__name__", "=", name)], start=start, end=end)
                for labels, row in zip(block.labels, block.values, strict=True):
                    count += _write_samples(out, labels, block.times, row)
        out.write("# EOF\n")
        return count

    def family_of(self, name: str) -> str:
        """Return the family a series name belongs to (``x_bucket`` of a histogram belongs to ``x``)."""
        if name in self.families:
            return name
        for suffix in _HISTOGRAM_SUFFIXES:
            if name.endswith(suffix) and name.removesuffix(suffix) in self.families:
                return name.removesuffix(suffix)
        return name


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise InvalidInput(f"Bad regular expression {pattern!r}: {error}.", hint="Correct the matcher.") from error


def _write_head(out: TextIO, family: Family) -> None:
    kind: str = family.kind
    name = family.name
    if kind == "counter":
        kind = "counter" if name.endswith("_total") else "unknown"
        name = name.removesuffix("_total") if kind == "counter" else name
    out.write(f"# HELP {name} {escape(family.help)}\n# TYPE {name} {kind}\n")


def _write_samples(out: TextIO, labels: Mapping[str, str], times: Floats, values: Floats) -> int:
    head = exposed(labels)
    present = np.flatnonzero(~np.isnan(values))
    out.writelines(f"{head} {float(values[i])!r} {float(times[i])!r}\n" for i in present)
    return int(present.size)


def escape(text: str) -> str:
    """Escape a label value or a help text as the text formats want it."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def exposed(labels: Mapping[str, str]) -> str:
    """Return ``name{label="value",…}`` for a label set that has ``__name__``."""
    inner = ",".join(f'{key}="{escape(value)}"' for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels['__name__']}{{{inner}}}" if inner else labels["__name__"]
