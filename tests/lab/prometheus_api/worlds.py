"""A small history with everything that makes PromQL hard: resets, late starts, gaps, restarts, histograms, extremes."""

from functools import cache

import numpy as np

from copilot.lab.history import History

START = 1_700_000_000.0
STEP = 30.0
ROWS = 240
END = START + STEP * (ROWS - 1)
BOUNDS = ("0.1", "0.5", "1", "5", "+Inf")


@cache
def history(seed: int = 1) -> History:
    """Return two hours at 30 s."""
    rng = np.random.default_rng(seed)
    made = History()
    made.describe("requests_total", "counter", "Requests.")
    made.describe("latency_seconds", "histogram", "Latency.")
    made.describe("temperature", "gauge", "Temperature.")
    made.describe("limit", "gauge", "Limit.")
    counters = [
        made.register("requests_total", {"job": "web", "pod": f"web-{i}", "code": code})
        for i in range(3)
        for code in ("200", "500")
    ]
    buckets = [
        made.register("latency_seconds_bucket", {"job": "web", "pod": f"web-{i}", "le": bound})
        for i in range(2)
        for bound in BOUNDS
    ]
    gauges = [made.register("temperature", {"node": f"n{i}", "gpu": str(g)}) for i in range(2) for g in range(3)]
    limits = [made.register("limit", {"node": f"n{i}", "zone": f"z{i}"}, state=True) for i in range(2)]
    for i, one in enumerate(limits):
        made.set(one, 80.0 + i, START)
    made.set(limits[1], 60.5, START + 3000)
    totals = np.zeros(len(counters))
    observed = np.zeros((2, len(BOUNDS)))
    for row in range(ROWS):
        totals += rng.poisson(20, len(totals)) * np.arange(1, len(totals) + 1)
        if row == 100:
            totals[2] = 3.0
        if row in (150, 152):
            totals[4] = 0.0
        made.current[counters] = totals
        if row < 60:
            made.current[counters[5]] = np.nan
        observed += np.cumsum(rng.poisson(5, (2, len(BOUNDS))), axis=1)
        made.current[buckets] = observed.ravel()
        made.current[gauges] = 50 + rng.normal(0, 9, len(gauges))
        made.current[gauges[4]] = 42.0
        made.current[gauges[5]] = -0.37 * row + 3e6
        made.append(START + STEP * row)
    return made
