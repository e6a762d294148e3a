"""The replay's rules, and the exam taken on a small made-up cup."""

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from copilot.errors import InvalidInput
from copilot.scaling.schedule import Terms, need, ready
from evals.__main__ import main
from evals.exams import _replay as replay
from evals.exams._requests import read_requests
from evals.exams.worldcup98 import EXAM
from tests.scaling.loads import wave

TERMS = Terms(10.0, 3, least=2)
DEMAND = np.array([5, 35, 35, 80, 80, 20, 20, 45], float)
ALL = np.ones(DEMAND.size, bool)


def test_the_clairvoyant_is_never_short_and_pays_for_the_start() -> None:
    asked = replay.clairvoyant(DEMAND, TERMS)
    assert asked.tolist() == [8, 8, 8, 8, 8, 5, 5, 5]
    score = replay.score(asked, DEMAND, TERMS, ALL)
    assert score.violations_pct == 0
    assert score.cost == pytest.approx(55 / 35)


def test_replicas_that_start_do_not_serve() -> None:
    score = replay.score(need(DEMAND, TERMS), DEMAND, TERMS, ALL)
    assert score.cost == 1.0
    assert score.short.tolist() == [False, True, True, True, True, False, False, True]


def test_minutes_without_data_do_not_count() -> None:
    counted = np.array([True] * 4 + [False] * 4)
    assert replay.score(need(DEMAND, TERMS), DEMAND, TERMS, counted).violations_pct == 75.0


def test_reactive_policies_know_the_last_minute_only() -> None:
    changed = DEMAND.copy()
    changed[5:] = 900
    for policy in (
        replay.last_value,
        lambda d, t: replay.autoscaler(d, t, 0.5),
        lambda d, t: replay.proportional(d, t, 0.5),
    ):
        np.testing.assert_array_equal(policy(DEMAND, TERMS)[:6], policy(changed, TERMS)[:6])


def test_the_autoscaler_waits_before_it_scales_in_and_tolerates_a_tenth() -> None:
    demand = np.array([50, 50, 54, 20, 20, 20, 20, 20, 20, 20], float)
    asked = replay.autoscaler(demand, TERMS, 0.5)
    assert asked.tolist()[:4] == [10, 10, 10, 10]
    assert asked[4] == 10
    assert asked[-1] == 4


def test_to_know_the_trend_is_not_to_know_the_minute() -> None:
    demand = np.full(1000, 100.0)
    demand[::50] = 200.0
    asked = replay.trend_known(demand, TERMS, 0.0)
    assert replay.score(asked, demand, TERMS, np.ones(demand.size, bool)).violations_pct == 0
    assert asked.mean() > 1.5 * need(demand, TERMS).mean()
    cheap = replay.trend_known(demand, TERMS, 2.5)
    assert cheap.mean() < 1.2 * need(demand, TERMS).mean()


def test_the_front_is_made_of_points_that_nothing_beats() -> None:
    points = [(0.0, 2.0), (0.1, 1.5), (0.1, 1.9), (1.0, 1.2), (2.0, 1.3)]
    assert replay.front_cost(points, 0.1) == pytest.approx(1.5)
    assert replay.front_cost(points, 50.0) == pytest.approx(1.2)
    assert replay.front_cost(points, 0.0) == pytest.approx(2.0)
    assert 1.2 < replay.front_cost(points, 0.4) < 1.5


def write(path: Path, first: datetime, values: np.ndarray) -> None:
    rows = [
        f"{first + timedelta(minutes=i):%Y-%m-%d %H:%M:%S},{round(value)}" for i, value in enumerate(values.tolist())
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["period,requests", *rows]) + "\n")


def test_files_are_joined_and_holes_held(tmp_path: Path) -> None:
    write(tmp_path / "later" / "b.csv", datetime(1998, 5, 1, 0, 3, tzinfo=UTC), np.array([7.0, 8.0]))
    write(tmp_path / "a.csv", datetime(1998, 5, 1, tzinfo=UTC), np.array([4.0, 5.0]))
    (tmp_path / "other.csv").write_text("time,value\n1,2\n")
    found = read_requests(tmp_path)
    assert found.load.tolist() == [4.0, 5.0, 5.0, 7.0, 8.0]
    assert found.known.tolist() == [True, True, False, True, True]
    assert found.index(datetime(1998, 5, 1, 0, 3, tzinfo=UTC)) == 3
    with pytest.raises(InvalidInput, match="outside"):
        found.index(datetime(1999, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("row", ["1998-05-01 00:00:00,x", "yesterday,3", "1998-05-01 00:00:00,-1", "1998-05-01"])
def test_rows_that_cannot_be_read_are_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "a.csv").write_text(f"period,requests\n{row}\n")
    with pytest.raises(InvalidInput):
        read_requests(tmp_path)


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No CSV"):
        read_requests(tmp_path)


@pytest.fixture(scope="module")
def cup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cup")
    write(folder / "cup.csv", datetime(1998, 5, 1, tzinfo=UTC), wave(6, mean=3000.0, noise=0.02))
    return folder


def test_the_exam_on_a_small_cup(cup: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "cup.png"
    code = main(["worldcup98", "--data", str(cup), "--score-from", "1998-05-04", "--json", "--plot", str(picture)])
    report = json.loads(capsys.readouterr().out)
    figures = {name: one["value"] for name, one in report["figures"].items()}
    assert (code, report["n"], report["below_must"]) == (0, 3 * 1440, [])
    assert figures["cost_L10"] < report["baselines"]["hpa_0.8"]["cost_L10"]
    assert figures["violations_pct_L10"] < 1.0
    assert figures["cost_L20"] > report["baselines"]["clairvoyant"]["cost_L20"] - 0.05
    assert report["config"]["capacity"] == pytest.approx(
        np.round(wave(6, mean=3000.0, noise=0.02))[3 * 1440 :].mean() / 20
    )
    assert picture.stat().st_size > 10_000


def test_a_scored_part_without_a_past_is_refused(cup: Path) -> None:
    args = argparse.Namespace(data=cup, score_from="1998-05-01 12:00", plot=None)
    with pytest.raises(InvalidInput, match="day"):
        EXAM.run(args, lambda done, total: None)


def test_serving_replicas_never_exceed_those_asked_for() -> None:
    asked = replay.proportional(DEMAND, TERMS, 0.5)
    assert (ready(asked, 3) <= asked).all()
