"""The PetShop exam reads its layout anywhere below a folder, and scores."""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pytest

from copilot.diagnosis.measures import Kind
from copilot.errors import InvalidInput
from evals.exams.petshop import issues, take

NODES = ("web", "search", "store")


def write(path: Path, times: np.ndarray, values: dict[tuple[str, str, str], np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        for i, title in enumerate(("microservice", "metric", "statistic")):
            out.writerow([title, *(key[i] for key in values)])
        out.writerow(["unix_timestamp", *("" for _ in values)])
        for row, at in enumerate(times):
            out.writerow([at, *("" if np.isnan(v[row]) else v[row] for v in values.values())])


def scenario(home: Path, *, guilty: str = "search") -> None:
    draw = np.random.default_rng(0)

    def columns(n: int, bad: np.ndarray) -> dict[tuple[str, str, str], np.ndarray]:
        found = {}
        for node in NODES:
            hurt = bad if node in ("web", guilty) else 0 * bad
            found[node, "latency", "Average"] = 0.1 + 0.002 * draw.standard_normal(n) + hurt
            found[node, "availability", "Average"] = np.full(n, 100.0)
            found[node, "requests", "Sum"] = np.full(n, 300.0)
        return found

    write(home / "noissue" / "metrics.csv", np.arange(200) * 300.0, columns(200, np.zeros(200)))
    issue = home / "any" / "issue_0"
    write(issue / "metrics.csv", 9e5 + np.arange(5) * 300.0, columns(5, np.array([0, 0, 0.1, 0.1, 0])))
    target = {"node": "web", "metric": "latency", "agg": "Average", "timestamp": 9e5 + 600}
    (issue / "target.json").write_text(json.dumps({"target": target, "root_cause": {"node": guilty, "metric": None}}))
    with (home / "graph.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["", *NODES])
        rows.writerows([["web", 0, 1, 0], ["search", 0, 0, 1], ["store", 0, 0, 0]])


def test_it_finds_issues_anywhere_and_names_the_culprit(tmp_path: Path) -> None:
    scenario(tmp_path / "a" / "low")
    scenario(tmp_path / "b" / "odd", guilty="web")
    done: list[tuple[int, int]] = []
    report = take(argparse.Namespace(data=tmp_path), lambda *at: done.append(at))
    assert report.n == 2 and done[-1] == (2, 2)
    assert report.figures["top1"].value == 1.0
    assert set(report.baselines) == {"loudest metric", "random"}


def test_availability_is_read_as_errors(tmp_path: Path) -> None:
    scenario(tmp_path)
    one = issues(tmp_path)[0]
    assert one.target == ("web", Kind.LATENCY) and one.graph.callees["web"] == ("search",)
    errors = [m for m in one.measures if m.kind is Kind.ERRORS]
    assert len(errors) == 3 and not errors[0].values.any()


def test_a_scenario_without_normal_times_is_still_taken(tmp_path: Path) -> None:
    scenario(tmp_path)
    (tmp_path / "noissue" / "metrics.csv").unlink()
    assert take(argparse.Namespace(data=tmp_path), lambda *_: None).n == 1


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No target"):
        issues(tmp_path)
