"""The metric that hurts, read back: the series behind a case, from before the fault until now."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from copilot.core.case import Anomaly, Case
from copilot.core.curve import Curve, Mark
from copilot.core.plan import Check
from copilot.core.series import Series
from copilot.ports.read import Metrics

BEFORE = timedelta(minutes=12)
"""Shown before the onset, so that the bend is seen."""
AFTER = timedelta(minutes=5)
"""Shown after the verification."""
LONGEST = timedelta(hours=3)
_POINTS = 120
Fits = Callable[[Mapping[str, str]], bool]
_FINEST = timedelta(seconds=15)


class Signal(Protocol):
    """What is needed of a line of the signal catalogue."""

    @property
    def query(self) -> str:
        """Its PromQL."""
        ...

    @property
    def title(self) -> str:
        """What it measures, in words."""
        ...

    @property
    def unit(self) -> str:
        """Its unit."""
        ...

    def labels(self, raw: Mapping[str, str]) -> dict[str, str]:
        """Return a series' labels under the names that anomalies use."""
        ...

    def fingerprint(self, labels: Mapping[str, str]) -> str:
        """Return the stable name of one series of this signal."""
        ...


class Curves:
    """Reads curves; raises what the metrics source raises (``Unavailable``, ``Forbidden``, ``InvalidInput``)."""

    def __init__(self, metrics: Metrics | None, signals: Sequence[Signal]) -> None:
        self._metrics = metrics
        self._signals = {s.query: s for s in signals}

    async def of_case(self, case: Case) -> Curve | None:
        """Return the curve of the metric that a case is judged by: its plan's check, else its worst signal."""
        if self._metrics is None or not case.anomalies:
            return None
        begin = min(a.onset for a in case.anomalies)
        end = await self._end(case)
        check = next((c for c in (case.plan.checks if case.plan else ()) if c.kind == "promql"), None)
        if check is not None:
            return await self._checked(check, begin, end)
        worst = next((a for a in case.anomalies if a.query and a.value is not None), None)
        return None if worst is None else await self.of_anomaly(worst, begin=begin, end=end)

    async def of_anomaly(
        self, anomaly: Anomaly, *, begin: datetime | None = None, end: datetime | None = None
    ) -> Curve | None:
        """Return the curve of the signal that an anomaly is about."""
        if self._metrics is None or not anomaly.query:
            return None
        onset = begin or anomaly.onset
        title = f"{self._title(anomaly.query, anomaly.signal)} of {anomaly.resource}"
        falls = anomaly.bound is not None and anomaly.value is not None and anomaly.value < anomaly.bound
        curve = Curve(
            title=title,
            unit=anomaly.unit,
            begin=onset,
            step=_FINEST,
            values=(),
            bound=anomaly.bound,
            low_is_good=not falls,
            marks=(Mark(at=onset, what="seen"),),
        )
        signal = self._signals.get(anomaly.query)

        def fits(labels: Mapping[str, str]) -> bool:
            # Labels that come and go (which pod has the GPU) do not make another series.
            return signal.fingerprint(labels) == anomaly.fingerprint if signal else _fits(labels, anomaly.labels)

        return await self._read(curve, anomaly.query, fits, end or await self._metrics.now())

    async def _checked(self, check: Check, onset: datetime, end: datetime) -> Curve | None:
        signal = self._signals.get(check.query)
        _, where = check.metric_and_object
        curve = Curve(
            title=f"{signal.title} of {where}" if signal and where else check.title,
            unit=signal.unit if signal else check.unit,
            begin=onset,
            step=_FINEST,
            values=(),
            bound=check.below if check.below is not None else check.above,
            low_is_good=check.below is not None,
            marks=(Mark(at=onset, what="seen"),),
        )
        return await self._read(curve, check.query, lambda labels: _fits(labels, check.labels), end)

    async def _read(self, empty: Curve, query: str, fits: Fits, end: datetime) -> Curve | None:
        if self._metrics is None:
            return None
        begin = max(empty.begin - BEFORE, end - LONGEST)
        step = max(_FINEST, timedelta(seconds=round((end - begin).total_seconds() / _POINTS)))
        series = await self._metrics.range(query, begin, end, step=step)
        signal = self._signals.get(query)
        fitting = [s for s in series if fits({**s.labels, **(signal.labels(s.labels) if signal else {})})]
        if not fitting:
            return None
        count = int((end - begin) / step) + 1
        values = _worst(fitting, begin.timestamp(), step.total_seconds(), count, high=empty.low_is_good)
        return empty.model_copy(update={"begin": begin, "step": step, "values": values})

    def _title(self, query: str, name: str) -> str:
        signal = self._signals.get(query)
        return signal.title if signal else name

    async def _end(self, case: Case) -> datetime:
        now = await self._metrics.now() if self._metrics else datetime.now(UTC)
        if case.status.open:
            return now
        verified = case.outcome.verification.at if case.outcome and case.outcome.verification else None
        return min(now, (verified or max(a.seen for a in case.anomalies)) + AFTER)


def _fits(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(_like(labels.get(k, ""), v) for k, v in wanted.items())


def _like(value: str, wanted: str) -> bool:
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def _worst(series: Sequence[Series], begin: float, step: float, count: int, *, high: bool) -> tuple[float | None, ...]:
    """Return the worst finite value of all series per cell."""
    cells: list[float | None] = [None] * count
    for one in series:
        for t, v in zip(one.times.tolist(), one.values.tolist(), strict=True):
            place = round((t - begin) / step)
            if v != v or v in (float("inf"), float("-inf")) or not 0 <= place < count:
                continue
            known = cells[place]
            cells[place] = v if known is None else (max(known, v) if high else min(known, v))
    return tuple(cells)
