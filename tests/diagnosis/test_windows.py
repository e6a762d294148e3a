"""Windows around an onset, and series that began anew under other labels."""

import math

from copilot.core.cluster import MetricWindow
from copilot.diagnosis.windows import joined, shift

NAN = math.nan
TIMES = [0.0, 30.0, 60.0, 90.0]


def test_the_onset_parts_before_from_now() -> None:
    found = shift(MetricWindow({}, TIMES, [1.0, 1.0, 9.0, 9.0]), 60.0)
    assert found is not None
    assert (found.before, found.now) == (1.0, 9.0)


def test_a_device_is_one_series_whoever_held_it() -> None:
    held = MetricWindow({"node": "n", "gpu": "0", "pod": "train-0"}, TIMES, [0.0, 0.0, NAN, NAN], "q")
    freed = MetricWindow({"node": "n", "gpu": "0"}, TIMES, [NAN, NAN, 79.0, 79.0], "q")
    other = MetricWindow({"node": "n", "gpu": "1"}, TIMES, [0.0] * 4, "q")
    first, second = joined([freed, other, held], "node", "gpu")
    assert list(first.values) == [0.0, 0.0, 79.0, 79.0]
    assert first.labels["pod"] == "train-0"
    assert second is other
