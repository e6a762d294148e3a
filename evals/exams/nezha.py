"""Nezha: the service into which a fault was injected, from one-minute metrics of pods and calls alone.

Layout: ``<day>/<day>-fault_list.json`` beside ``<day>/metric/*.csv``; ``root_cause_<system>.json`` names the services
of a system. Times are taken from the columns and fields that say UTC in words; the numeric stamps may disagree.
"""

import argparse
import csv
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from copilot.core.series import Float64
from copilot.diagnosis.callgraph import CallGraph
from copilot.diagnosis.culprit import rank
from copilot.diagnosis.measures import Kind, Measure
from copilot.errors import InvalidInput
from evals.exam import Exam, Figure, Report, below, wilson

_POD = {
    "CpuUsageRate(%)": (Kind.SATURATION, 0.01),
    "MemoryUsageRate(%)": (Kind.SATURATION, 0.01),
    "PodServerLatencyP90(s)": (Kind.LATENCY, 1.0),
    "PodWorkload(Ops)": (Kind.TRAFFIC, 1.0),
}
_FRONT = "LatencyP90(s)"
_SUCCESS = "SuccessRate(%)"
_PAST = 2 * 3600.0
_LATER = 300.0


@dataclass(frozen=True, slots=True)
class Injection:
    """One case: when (unix seconds) what kind of fault went into which service, and the day's folder."""

    day: Path
    onset: float
    fault: str
    answer: str


@dataclass(frozen=True, slots=True)
class Day:
    """All measures of one day and the call graph."""

    measures: tuple[Measure, ...]
    graph: CallGraph


def injections(data: Path) -> list[Injection]:
    """Read every injected fault below ``data``; raises ``InvalidInput`` when there is none."""
    found = []
    for path in below(data, "*fault_list.json"):
        for told in (one for hour in json.loads(path.read_text()).values() for one in hour):
            when = datetime.strptime(told["inject_time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            found.append(Injection(path.parent, when.timestamp(), told["inject_type"], _service(told["inject_pod"])))
    if not found:
        raise InvalidInput(f"No *fault_list.json below {data}.", hint="Point --data at an unpacked Nezha data set.")
    return found


def services(data: Path) -> frozenset[str]:
    """Return the services that the answer files of all systems below ``data`` name."""
    return frozenset(name for path in below(data, "root_cause_*.json") for name in json.loads(path.read_text()))


def _service(pod: str) -> str:
    """Return the workload of a pod: without the hashes of its ReplicaSet and its own."""
    return pod.rsplit("-", 2)[0]


@cache
def read_day(folder: Path) -> Day:
    """Read the metric files of one day."""
    measures: list[Measure] = []
    for path in below(folder, "*_metric.csv"):
        measures.extend(_pod(path))
    known = {m.node for m in measures}
    for path in below(folder, "source_*.csv") + below(folder, "destination_*.csv"):
        measures.extend(_calls(path, known, outside=path.name.startswith("source")))
    edges = {(m.caller, m.node) for m in measures if m.caller}
    edges |= {pair for path in below(folder, "dependency.csv") for pair in _dependencies(path, known)}
    graph = CallGraph.of(edges)
    for path in below(folder, "front_service.csv"):
        measures.extend(_front(path, known, graph))
    return Day(tuple(measures), graph)


def _table(path: Path) -> tuple[Float64, dict[str, list[str]]]:
    """Return unix seconds and the columns of a file whose first column is a time that says its zone."""
    with path.open(newline="") as file:
        head, *rows = list(csv.reader(file))
    kept = [row for row in rows if len(row) == len(head)]
    times = np.array([_moment(row[0]) for row in kept], np.float64)
    return times, {name: [row[i] for row in kept] for i, name in enumerate(head)}


def _moment(text: str) -> float:
    """Return unix seconds of ``2022-08-22 03:51:19.573 +0000 UTC m=+0.08``; without an offset it is UTC."""
    parts = text.split()
    offset = parts[2] if len(parts) > 2 and parts[2][:1] in "+-" else "+0000"
    return datetime.fromisoformat(f"{parts[0]} {parts[1][:8]}{offset}").timestamp()


def _numbers(cells: Sequence[str]) -> Float64:
    return np.array([_number(c) for c in cells], np.float64)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _pod(path: Path) -> list[Measure]:
    times, columns = _table(path)
    node = _service(path.name.removesuffix("_metric.csv"))
    return [
        Measure(node, kind, times, unit * _numbers(columns[name]), name=name)
        for name, (kind, unit) in _POD.items()
        if name in columns
    ]


def _calls(path: Path, known: set[str], *, outside: bool) -> list[Measure]:
    times, columns = _table(path)
    found = []
    for name, cells in columns.items():
        caller, _, callee = name.partition("_")
        if caller in known and callee in known:
            label = "latency seen by the caller" if outside else "latency of calls"
            found.append(
                Measure(callee, Kind.LATENCY, times, _numbers(cells), caller=caller, outside=outside, name=label)
            )
    return found


def _dependencies(path: Path, known: set[str]) -> list[tuple[str, str]]:
    with path.open(newline="") as file:
        return [(row[0], row[1]) for row in csv.reader(file) if len(row) >= 2 and {row[0], row[1]} <= known]


def _front(path: Path, known: set[str], graph: CallGraph) -> list[Measure]:
    """Return what users saw, as measures of the service that takes their requests."""
    times, columns = _table(path)
    told = columns["ServiceName"][0].lower() if columns.get("ServiceName") else ""
    widest = max(graph.entries(), key=lambda entry: len(graph.below(entry)), default="")
    node = next((s for s in sorted(known) if s.lower() == told), widest)
    if not node:
        return []
    return [
        Measure(node, Kind.ERRORS, times, 1 - _numbers(columns[_SUCCESS]) / 100, name=_SUCCESS),
        Measure(node, Kind.LATENCY, times, _numbers(columns[_FRONT]), name=_FRONT),
    ]


def _window(measure: Measure, onset: float) -> Measure:
    use = (measure.times >= onset - _PAST) & (measure.times <= onset + _LATER)
    return Measure(
        measure.node,
        measure.kind,
        measure.times[use],
        measure.values[use],
        caller=measure.caller,
        outside=measure.outside,
        name=measure.name,
    )


def ranked(case: Injection) -> list[str]:
    """Return the services of a case, most suspicious first."""
    day = read_day(case.day)
    measures = [_window(m, case.onset) for m in day.measures]
    return [s.node for s in rank(measures, case.onset, graph=day.graph)]


def _loudest(case: Injection) -> list[str]:
    """Baseline: the service with the series furthest from its mean of the past hours, in deviations."""
    scores: dict[str, float] = {}
    for m in (_window(m, case.onset) for m in read_day(case.day).measures):
        past, now = m.values[m.times < case.onset], m.values[m.times >= case.onset]
        if not m.caller and np.isfinite(past).any() and np.isfinite(now).any():
            z = float(np.nanmax(np.abs(now - np.nanmean(past))) / (np.nanstd(past) + 1e-9))
            scores[m.node] = max(z, scores.get(m.node, 0.0))
    return sorted(scores, key=lambda node: (-scores[node], node))


def _shuffled(case: Injection) -> list[str]:
    nodes = sorted({m.node for m in read_day(case.day).measures})
    random.Random(case.onset).shuffle(nodes)
    return nodes


def take(args: argparse.Namespace, progress: Callable[[int, int], None]) -> Report:
    """Rank the services of every injected fault; figures ``as_at_1``, ``as_at_3``, ``as_at_5`` in per cent."""
    begun = time.perf_counter()
    cases = injections(args.data)
    places = []
    for done, case in enumerate(cases, 1):
        places.append(_place(ranked(case), case.answer))
        progress(done, len(cases))
    figures = _figures(places)
    for fault in sorted({c.fault for c in cases}):
        part = [p for p, c in zip(places, cases, strict=True) if c.fault == fault]
        figures |= {f"{name} {fault}": value for name, value in _figures(part).items()}
    seconds = time.perf_counter() - begun
    baselines = {"loudest metric": _values(_loudest, cases), "random": _values(_shuffled, cases)}
    named = services(args.data)
    unnamed = sorted({c.answer for c in cases} - named) if named else []
    return Report("nezha", len(cases), seconds, figures, baselines, {"not_in_answer_file": unnamed})


def _place(order: Sequence[str], answer: str) -> int:
    return order.index(answer) if answer in order else len(order)


def _figures(places: Sequence[int]) -> dict[str, Figure]:
    return {f"as_at_{k}": _percent(wilson(sum(p < k for p in places), len(places))) for k in (1, 3, 5)}


def _percent(share: Figure) -> Figure:
    return Figure(100 * share.value, (100 * share.ci95[0], 100 * share.ci95[1]) if share.ci95 else None)


def _values(order: Callable[[Injection], list[str]], cases: Sequence[Injection]) -> dict[str, float]:
    places = [_place(order(c), c.answer) for c in cases]
    return {name: figure.value for name, figure in _figures(places).items()}


EXAM = Exam(
    name="nezha",
    summary="Service into which a fault was injected, from Nezha's metrics alone.",
    run=take,
    must={"as_at_1": (">=", 50.0), "as_at_3": (">=", 80.0), "as_at_5": (">=", 93.0)},
)
