"""The columnar history: what is written is read back, absent is absent, old rows go."""

import io
import pickle

import numpy as np
import pytest

from copilot.errors import InvalidInput
from copilot.lab.history import CHUNK_ROWS, History, Matcher


def _name(name: str) -> list[Matcher]:
    return [Matcher("__name__", "=", name)]


def _filled(rows: int, *, retention: int = 4320) -> History:
    history = History(retention=retention)
    ids = [history.register("requests_total", {"code": code}) for code in ("200", "500")]
    history.current[ids] = 0.0
    for row in range(rows):
        history.current[ids] += [2.0, 1.0]
        history.append(1000.0 + 30 * row)
    return history


def test_reads_back_across_chunks() -> None:
    block = _filled(CHUNK_ROWS + 10).select([*_name("requests_total"), Matcher("code", "=~", "2..")])
    assert len(block.labels) == 1
    assert np.array_equal(block.values[0], 2.0 * np.arange(1, CHUNK_ROWS + 11))


def test_range_is_inclusive_on_both_ends() -> None:
    block = _filled(10).select(_name("requests_total"), start=1030.0, end=1090.0)
    assert list(block.times) == [1030.0, 1060.0, 1090.0]


def test_a_series_registered_late_is_absent_before_and_a_retired_one_after() -> None:
    history = _filled(3)
    late = history.register("late", {})
    history.current[late] = 7.0
    history.append(2000.0)
    history.retire([late])
    history.append(2030.0)
    assert np.array_equal(history.select(_name("late")).values[0], [np.nan] * 3 + [7.0, np.nan], equal_nan=True)


def test_state_series_keep_only_changes() -> None:
    history = _filled(2)
    phase = history.register("kube_pod_status_phase", {"phase": "Running"}, state=True)
    history.set(phase, 1.0, 1030.0)
    history.append(1060.0)
    history.set(phase, np.nan, 1090.0)
    history.append(1090.0)
    values = history.select(_name("kube_pod_status_phase")).values[0]
    assert np.array_equal(values, [np.nan, 1.0, 1.0, np.nan], equal_nan=True)


def test_retention_drops_whole_chunks() -> None:
    history = _filled(4 * CHUNK_ROWS, retention=CHUNK_ROWS)
    assert CHUNK_ROWS <= history.row_count <= 2 * CHUNK_ROWS


def test_time_runs_forward_only() -> None:
    with pytest.raises(InvalidInput):
        _filled(2).append(1000.0)


def test_openmetrics_dump_and_pickle() -> None:
    history = _filled(2)
    history.describe("requests_total", "counter", "Requests.")
    out = io.StringIO()
    assert pickle.loads(pickle.dumps(history)).dump_openmetrics(out) == 4
    text = out.getvalue()
    assert "# TYPE requests counter\n" in text
    assert 'requests_total{code="200"} 4.0 1030.0\n' in text
    assert text.endswith("# EOF\n")
