"""PetShop: the root-cause node of issues of a microservice application, from 5-minute metrics and its call graph.

Layout: ``target.json`` beside ``metrics.csv`` per issue; ``noissue/metrics.csv`` and ``graph.csv`` in a folder above.
"""

import argparse
import csv
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from copilot.core.series import Float64
from copilot.diagnosis.callgraph import CallGraph
from copilot.diagnosis.culprit import rank
from copilot.diagnosis.measures import Kind, Measure, Suspect
from copilot.errors import InvalidInput
from evals.exam import RANKED, Exam, Figure, Given, Report, below, tally, wilson

Column = tuple[str, str, str]
_KINDS = {
    ("latency", "Average"): Kind.LATENCY,
    ("availability", "Average"): Kind.ERRORS,
    ("requests", "Sum"): Kind.TRAFFIC,
}


@dataclass(frozen=True, slots=True)
class Issue:
    """One case: its scenario, what hurts, when, the series of all nodes, the call graph and the true cause."""

    scenario: str
    target: tuple[str, Kind]
    onset: float
    measures: tuple[Measure, ...]
    graph: CallGraph
    answer: str


def issues(data: Path) -> list[Issue]:
    """Read every issue below ``data``; raises ``InvalidInput`` when there is none."""
    found = [_issue(path) for path in below(data, "target.json")]
    if not found:
        raise InvalidInput(f"No target.json below {data}.", hint="Point --data at an unpacked PetShop data set.")
    return found


def _issue(path: Path) -> Issue:
    told = json.loads(path.read_text())
    home = next((p for p in path.parents if (p / "graph.csv").exists()), None)
    if home is None:
        raise InvalidInput(f"No graph.csv above {path}.", hint="Keep the data set's folders as they were unpacked.")
    target = (told["target"]["node"], Kind.LATENCY if told["target"]["metric"] == "latency" else Kind.ERRORS)
    return Issue(
        f"{home.name} {told['target']['metric']}",
        target,
        float(told["target"]["timestamp"]),
        tuple(_measures(_table(path.parent / "metrics.csv"), _quiet(home / "noissue" / "metrics.csv"))),
        _graph(home / "graph.csv"),
        told["root_cause"]["node"],
    )


def _quiet(path: Path) -> tuple[Float64, dict[Column, Float64]]:
    """Return the metrics of a normal time, nothing when the scenario has none."""
    return _table(path) if path.exists() else (np.empty(0), {})


@cache
def _table(path: Path) -> tuple[Float64, dict[Column, Float64]]:
    """Return times and columns of a metrics file (three header lines, then a line with the index's name)."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    head = list(zip(rows[0][1:], rows[1][1:], rows[2][1:], strict=True))
    body = np.array([[float(x) if x else np.nan for x in row] for row in rows[4:]], np.float64)
    return body[:, 0], {key: body[:, i] for i, key in enumerate(head, 1)}


def _measures(
    issue: tuple[Float64, dict[Column, Float64]], quiet: tuple[Float64, dict[Column, Float64]]
) -> list[Measure]:
    times, columns = issue
    found = []
    for (node, metric, statistic), values in columns.items():
        kind = _KINDS.get((metric, statistic))
        if kind is not None:
            past = quiet[1].get((node, metric, statistic), np.empty(0))
            if kind is Kind.ERRORS:
                values, past = 1 - values / 100, 1 - past / 100
            found.append(Measure(node, kind, times, values, name=metric, history=past))
    return found


@cache
def _graph(path: Path) -> CallGraph:
    with path.open(newline="") as file:
        head, *rows = list(csv.reader(file))
    return CallGraph.of(
        (row[0], callee) for row in rows for callee, cell in zip(head[1:], row[1:], strict=True) if float(cell)
    )


def _ranked(issue: Issue) -> tuple[Suspect, ...]:
    return rank(issue.measures, issue.onset, graph=issue.graph, target=issue.target)


def _given(ranked: Sequence[Suspect], answer: str) -> Given:
    """The first of a ranking is as sure as its share of what the first two score."""
    first, second = ([s.score for s in ranked] + [0.0, 0.0])[:2]
    share = first / (first + second) if first + second > 0 else 0.0
    return Given(RANKED, share, bool(ranked) and ranked[0].node == answer)


def _loudest(issue: Issue) -> list[str]:
    """Baseline: the node whose value of the hurt kind is furthest from its mean of normal times, in deviations."""
    scores = {}
    for m in issue.measures:
        if m.kind is issue.target[1] and np.isfinite(m.values).any() and np.isfinite(m.history).any():
            spread = np.nanstd(m.history) + 1e-9
            scores[m.node] = float(np.nanmax(np.abs(m.values - np.nanmean(m.history))) / spread)
    return sorted(scores, key=lambda node: (-scores[node], node))


def _shuffled(issue: Issue) -> list[str]:
    nodes = sorted({m.node for m in issue.measures})
    random.Random(issue.onset).shuffle(nodes)
    return nodes


def take(args: argparse.Namespace, progress: Callable[[int, int], None]) -> Report:
    """Rank every issue's nodes; figures ``top1``, ``top3``, also by scenario."""
    begun = time.perf_counter()
    cases = issues(args.data)
    places, given = [], []
    for done, case in enumerate(cases, 1):
        ranked = _ranked(case)
        places.append(_place([s.node for s in ranked], case.answer))
        given.append(_given(ranked, case.answer))
        progress(done, len(cases))
    figures = _figures(places)
    for scenario in sorted({c.scenario for c in cases}):
        part = [p for p, c in zip(places, cases, strict=True) if c.scenario == scenario]
        figures |= {f"{name} {scenario}": value for name, value in _figures(part).items()}
    seconds = time.perf_counter() - begun
    baselines = {
        "loudest metric": _values(_loudest, cases),
        "random": _values(_shuffled, cases),
    }
    return Report("petshop", len(cases), seconds, figures, baselines, said=tally(given))


def _place(ranked: Sequence[str], answer: str) -> int:
    return ranked.index(answer) if answer in ranked else len(ranked)


def _figures(places: Sequence[int]) -> dict[str, Figure]:
    return {f"top{k}": wilson(sum(p < k for p in places), len(places)) for k in (1, 3)}


def _values(order: Callable[[Issue], list[str]], cases: Sequence[Issue]) -> dict[str, float]:
    places = [_place(order(c), c.answer) for c in cases]
    return {name: figure.value for name, figure in _figures(places).items()}


EXAM = Exam(
    name="petshop",
    summary="Root-cause node of PetShop issues from metrics and call graph.",
    run=take,
    must={"top1": (">=", 0.75), "top3": (">=", 0.9)},
)
