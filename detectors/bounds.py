"""What lies beyond a known bound in the windows of a single look: nothing has to be learned for it."""

from collections.abc import Sequence

import numpy as np

from copilot.core.case import Anomaly
from copilot.core.cluster import ClusterDump
from copilot.core.series import Panel, Series
from detectors.scan import Scan
from detectors.signal import Signal

_KNOWN = "static"
_LEAST_STEP = 30.0
_GONE = 300.0
"""A series without a value for this many seconds, while others have one, speaks of what is no more (a pod's)."""


def beyond(signals: Sequence[Signal], dump: ClusterDump) -> list[Anomaly]:
    """Return the anomalies of the signals with a bound of their own as of the dump's last values, worst first.

    A baseline taught by so short a time would have learned the outage itself.
    """
    known = [s for s in signals if s.detector == _KNOWN]
    panels = {s.name: panel for s in known if (panel := _panel(dump, s)).values.size}
    found = Scan(known).feed(panels)
    return [a for a in found if not dump.namespace or a.resource.namespace in ("", dump.namespace)]


def _panel(dump: ClusterDump, signal: Signal) -> Panel:
    windows = dump.metrics.get(signal.name, ())
    series = [Series(w.labels, np.array(w.times), np.array(w.values)) for w in windows]
    last = max((one.times[-1] for one in series if one.times.size), default=0.0)
    series = [one for one in series if (one.times[~np.isnan(one.values)] > last - _GONE).any()]
    steps = [float(np.diff(one.times).min()) for one in series if one.times.size > 1]
    return Panel.align(series, max(min(steps, default=_LEAST_STEP), _LEAST_STEP))
