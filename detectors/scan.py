"""From panels to anomalies: every new column goes through its signal's detector and threshold, once, in order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import numpy as np
from numpy.typing import NDArray

from copilot.core.case import Anomaly
from copilot.core.series import Float32, Panel
from copilot.core.text import one_line, quantity
from copilot.errors import ConfigError
from copilot.registry import entries
from detectors.base import Detector, State, grown, picked
from detectors.signal import Signal
from detectors.threshold import Threshold

FORGET_SECONDS, FORGET_PODS_SECONDS = 86_400.0, 3_600.0
"""A series unseen for a day is dropped with its baseline and its anomaly; a pod's after an hour, for a pod's name never
comes back (a StatefulSet's does within minutes)."""
MOST_SERIES = 1_000_000
"""Series remembered per signal; beyond it the longest unseen go first."""
EASE = 0.8
"""An anomaly ends below this part of its threshold."""
COOLDOWN_SECONDS = 120.0


class Scan:
    """Detection over all signals. Feed it a long panel to warm up, then one column per tick.

    Pure of I/O; the same columns give the same anomalies however they were cut into panels.
    """

    def __init__(self, signals: Sequence[Signal]) -> None:
        known = {cast(Detector, one).name: cast(Detector, one) for one in entries("detectors", "DETECTOR")}
        missing = sorted({s.detector for s in signals if s.detector} - known.keys())
        if missing:
            raise ConfigError(f"No detector is called {missing[0]!r}.", hint=f"Known: {', '.join(sorted(known))}.")
        self._tracks = {s.name: Track(s, known[s.detector]) for s in signals if s.detector}

    def feed(self, panels: Mapping[str, Panel]) -> list[Anomaly]:
        """Take the columns not yet seen of each signal's panel; return what is anomalous after the last one.

        Signals without a panel keep what they knew, as long as it is worth something: no data is neither healthy nor
        anomalous. Worst first, then oldest.
        """
        for name, panel in panels.items():
            if name in self._tracks:
                self._tracks[name].feed(panel)
        now = max((track.at for track in self._tracks.values()), default=-np.inf)
        for track in self._tracks.values():
            track.forget(now)
        return self.current()

    def current(self) -> list[Anomaly]:
        """Return the anomalies as of the last column."""
        found = [one for track in self._tracks.values() for one in track.anomalies()]
        return sorted(found, key=lambda one: (-one.severity, one.onset, one.fingerprint))


class Track:
    """One signal's series: who they are, their detector's state and what was decided."""

    def __init__(self, signal: Signal, detector: Detector) -> None:
        self._signal = signal
        self._detector = detector
        self._sign = 1.0 if signal.direction == "up" else -1.0
        self._patience = FORGET_PODS_SECONDS if "pod" in signal.identity else FORGET_SECONDS
        enter = signal.threshold * self._sign
        leave = enter * EASE if enter > 0 else enter / EASE
        self._threshold = Threshold(enter, leave, signal.length.total_seconds(), COOLDOWN_SECONDS)
        self._rows: dict[tuple[str, ...], int] = {}
        self._labels: list[dict[str, str]] = []
        self._state: State = detector.start(0)
        self._decided: State = self._threshold.start(0)
        self._met: State = _unmet(0)
        self.at = -np.inf
        """The last column's time."""

    def feed(self, panel: Panel) -> None:
        """Take the panel's columns that are newer than the last one taken."""
        fresh = np.flatnonzero(panel.times > self.at)
        if not fresh.size:
            return
        values = self._signal.clean(panel.values[:, fresh])
        used = np.flatnonzero(~np.isnan(values).all(axis=1))
        rows = self._enrol([panel.labels[i] for i in used])
        for column, t in zip(values[used].T, panel.times[fresh], strict=True):
            self._take(rows, column, float(t))

    def _enrol(self, labels: Iterable[Mapping[str, str]]) -> NDArray[np.int64]:
        """Return the row of each series, new ones appended; series that differ in nothing we know share a row."""
        rows = []
        for raw in labels:
            named = self._signal.labels(raw)
            key = self._signal.key(named)
            if key not in self._rows:
                self._rows[key] = len(self._labels)
                self._labels.append(named)
            rows.append(self._rows[key])
        added = len(self._labels) - len(self._met["first"])
        if added:
            self._state = grown(self._state, self._detector.start(added))
            self._decided = grown(self._decided, self._threshold.start(added))
            self._met = grown(self._met, _unmet(added))
        return np.array(rows, np.int64)

    def _take(self, rows: NDArray[np.int64], column: Float32, t: float) -> None:
        values = np.full(len(self._labels), np.nan, np.float32)
        worse = np.fmax if self._signal.direction == "up" else np.fmin
        worse.at(values, rows, column)
        self.at = t
        there = ~np.isnan(values)
        met = self._met
        met["first"][there & np.isnan(met["first"])] = t
        met["last"][there] = t
        met["value"][there] = values[there]
        scores = self._detector.step(self._state, values / np.float32(self._signal.scale), t)
        young = t - met["first"] < self._signal.warmup.total_seconds()
        self._threshold.step(self._decided, np.where(young, np.float32(np.nan), scores * self._sign), t)
        met["worst"] = np.where(self._decided["active"], worse(met["worst"], values), values)

    def forget(self, now: float) -> None:
        """Drop the series that were last seen too long before ``now``, and those beyond what may be remembered."""
        last = self._met["last"]
        old = now - last > self._patience
        excess = len(last) - MOST_SERIES
        if excess > 0:
            old[np.argsort(last)[:excess]] = True
        if excess <= 0 and not (old & self._decided["active"]).any() and old.sum() <= len(old) // 8:
            return  # Few enough to be dropped together with the next ones.
        keep = np.flatnonzero(~old)
        self._labels = [self._labels[i] for i in keep]
        self._rows = {self._signal.key(one): row for row, one in enumerate(self._labels)}
        self._state, self._decided, self._met = (picked(s, keep) for s in (self._state, self._decided, self._met))

    def anomalies(self) -> list[Anomaly]:
        """Return one anomaly per series that is anomalous now."""
        return [self._anomaly(int(row)) for row in np.flatnonzero(self._decided["active"])]

    def _anomaly(self, row: int) -> Anomaly:
        signal, labels = self._signal, self._labels[row]
        ref, value = signal.ref(labels), float(self._met["value"][row])
        bound = signal.threshold if signal.detector == "static" else None
        limit = "" if bound is None else f" (bound {quantity(bound, signal.unit)})"
        said = quantity(value, signal.unit)
        if bound is not None and (value - bound) * self._sign < 0:  # It ends only once it has kept within for a while.
            said = f"{quantity(float(self._met['worst'][row]), signal.unit)}, now {said}"
        return Anomaly(
            fingerprint=signal.fingerprint(labels),
            signal=signal.name,
            resource=ref,
            onset=datetime.fromtimestamp(float(self._decided["onset"][row]), UTC),
            seen=datetime.fromtimestamp(self.at, UTC),
            value=value,
            bound=bound,
            unit=signal.unit,
            query=signal.query,
            severity=signal.severity,
            summary=one_line(f"{signal.title} of {ref}: {said}{limit}"),
            labels=labels,
        )


def _unmet(n: int) -> State:
    """Return what is known of ``n`` series not met yet; ``worst`` is since what is active began."""
    nothing = np.full(n, np.nan)
    values = nothing.astype(np.float32)
    return {"first": nothing, "last": nothing.copy(), "value": values, "worst": values.copy()}
