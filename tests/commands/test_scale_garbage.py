"""``scale`` on a metrics source that says nonsense, and with numbers nobody means: clamped, and said."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from copilot.commands.line import app
from copilot.errors import InvalidInput
from copilot.lab.server import Lab
from tests.adapters.http_server import Answer, Asked, serving
from tests.scaling.loads import wave

NOW = 1_780_000_000.0
MINUTES = 2880
Load = Callable[[int], float]
"""Reading by minute, 0 being the oldest."""

STEADY = wave(2.0, mean=300.0).tolist()
NONSENSE: dict[str, tuple[Load, str]] = {
    "zeros": (lambda i: 0.0, "capacity per replica is not known"),
    "negative": (lambda i: -3.0, "negative readings counted as 0"),
    "infinite at times": (lambda i: math.inf if i % 7 == 0 else STEADY[i], "missing readings held"),
    "NaN at times": (lambda i: math.nan if i % 7 == 0 else STEADY[i], "missing readings held"),
    "1e9 at times": (lambda i: 1e9 if i % 500 == 0 else STEADY[i], "absurd readings left out"),
    "1e9 now": (lambda i: 1e9 if i == MINUTES - 1 else STEADY[i], "1 absurd reading left out"),
    "three": (lambda i: 300.0 if i >= MINUTES - 3 else math.nan, "0.1 h of history: forecast only"),
    "ended an hour ago": (lambda i: STEADY[i] if i < MINUTES - 60 else math.nan, "is 59 min 40 s old: forecast only"),
}


@contextmanager
def source(load: Load) -> Iterator[str]:
    """Yield the address of a Prometheus that has this load, of three replicas that idle; holes are absent."""

    def matrix(values: Load, start: float, end: float) -> list[dict[str, Any]]:
        first = NOW - 60.0 * (MINUTES - 1)
        points = [(first + 60.0 * i, values(i)) for i in range(MINUTES)]
        kept = [[t, _text(v)] for t, v in points if start <= t <= end and v == v]
        return [{"metric": {}, "values": kept}] if kept else []

    answers: dict[str, Load] = {
        "istio_requests_total": load,
        "kube_deployment": lambda i: 3.0,
        "container_cpu": lambda i: 0.3,
    }

    def script(asked: Asked) -> Answer:
        words = {**{k: v[0] for k, v in asked.query.items()}, **asked.form}
        query = words.get("query", "")
        if asked.path.endswith("query_range"):
            start, end = float(words["start"]), float(words["end"])
            known = next((values for word, values in answers.items() if word in query), None)
            found: Any = matrix(known, start, end) if known else []
            return _answer("matrix", found)
        return _answer("scalar", [NOW, str(NOW)]) if query == "time()" else _answer("vector", [])

    with serving(script) as (url, _):
        yield url


def _text(value: float) -> str:
    return "+Inf" if value == math.inf else repr(value)


def _answer(kind: str, result: Any) -> Answer:
    body = json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()
    return Answer(body=body, headers={"Content-Type": "application/json"})


@pytest.fixture
def said(lab_home: tuple[Path, Lab], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return what runs a command in this process beside the lab, and reads the JSON it prints."""
    home = lab_home[0]
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))

    def run(*words: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*words, "-e", "lab", "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


@pytest.mark.parametrize(("load", "note"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_asks_for_nothing_and_is_said(load: Load, note: str, said: Callable[..., dict[str, Any]]) -> None:
    with source(load) as url:
        advice = said("scale", "advise", "shop/products", "--prometheus", url, "--propose")
    assert advice["wanted"] == advice["replicas"] == 3
    assert (advice["proposal"], advice["case"]) == (None, None)
    assert math.isfinite(advice["peak"])
    assert any(note in one for one in advice["notes"]), advice["notes"]


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "1e9", "inf"])
def test_a_horizon_nobody_means_is_clamped(hours: str, said: Callable[..., dict[str, Any]]) -> None:
    with source(STEADY.__getitem__) as url:
        found = said("scale", "forecast", "shop/products", "--prometheus", url, "--hours", hours)
    ahead = (found["times"][-1] - found["times"][0]) / 3600
    assert 0 <= ahead <= 14 * 24
    assert any("clamped" in note for note in found["notes"])


def test_bounds_nobody_means_are_clamped(said: Callable[..., dict[str, Any]]) -> None:
    words = ("scale", "advise", "shop/products", "--min", "-5", "--max", "1000000000")
    with source(STEADY.__getitem__) as url:
        advice = said(*words, "--prometheus", url)
    assert any("clamped to 0-10000" in note for note in advice["notes"])


def test_bounds_that_cross_are_refused(said: Callable[..., dict[str, Any]]) -> None:
    with source(STEADY.__getitem__) as url, pytest.raises(InvalidInput, match="not in order"):
        said("scale", "advise", "shop/products", "--prometheus", url, "--min", "9", "--max", "2")
