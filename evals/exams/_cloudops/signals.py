"""Alert texts and metric tables, as metric windows under the product's signal names."""

import csv as csv_module
import io
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from copilot.core.cluster import MetricWindow, Observation

_CHANGE = re.compile(
    (
        r"(?:(?P<label>[\w .-]+?)\s*[:"
        r"|]\s*)?\w+=(?P<before>[\d.]+)\s*(?P<unit>[a-z%/]*[a-z%]*)\s*->\s*\w+=(?P<after>[\d.]+)\s*(?P=unit)?"
    ),
    re.IGNORECASE,
)
_VALUE = re.compile(r"(?i)\bval\w*\s*[:=]\s*(?P<value>[\d.]+)\s*(?P<unit>[a-z%/]*)")
_QUANTILE = re.compile(r"p(\d\d)", re.IGNORECASE)
_COLUMNS = {
    "cpu": ("cpu_cores", 1.0), "mem": ("memory_bytes", 1.0), "cpu_cfs": ("cpu_throttle_seconds", 1.0),
    "rps": ("request_rate", 1.0), "success_rate": ("success_ratio", 1.0), "network_receive": ("network_receive", 1.0),
    "network_transmit": ("network_transmit", 1.0), "tcp_retans": ("node_retransmits", 1.0),
    "tcp_retrans": ("node_retransmits", 1.0),
}  # fmt: skip
_NODE_COLUMNS = {"cpu": "node_cpu", "mem": "node_memory"}


def alerts(found: dict[str, Any]) -> Iterator[Observation]:
    """Yield each alert: about whom, and what it said."""
    for one in found.get("alerts") or []:
        text = " | ".join(str(e) for e in one.get("evidence") or [])
        label = str(one.get("type") or "")
        yield Observation(kind="alert", subject=str(one.get("name")), object=label, ok=False, text=text[:600])


def alert_windows(found: dict[str, Any], namespace: str, now: datetime) -> Iterator[tuple[str, MetricWindow]]:
    """Yield two-point windows (normal, current) for each change that an alert states in numbers with a unit."""
    for one in found.get("alerts") or []:
        name, node = str(one.get("name")), str(one.get("type", "")).lower() == "node"
        labels = {"node": name} if node else {"namespace": namespace, "workload": name}
        for evidence in one.get("evidence") or []:
            for signal, before, after in _changes(str(evidence), node=node):
                times = (now.timestamp() - 600, now.timestamp())
                yield signal, MetricWindow(labels=labels, times=times, values=(before, after))


def _changes(text: str, *, node: bool) -> Iterator[tuple[str, float, float]]:
    for matched in _CHANGE.finditer(text):
        unit, before, after = matched["unit"].lower(), float(matched["before"]), float(matched["after"])
        label = (matched["label"] or "") + text[: matched.start()]
        yield from _named(unit, label, before, after, node=node)
    stated = _VALUE.search(text)
    if stated and "->" not in text and not node:
        yield "cpu_throttle_seconds", 0.0, float(stated["value"])


def _named(unit: str, label: str, before: float, after: float, *, node: bool) -> Iterator[tuple[str, float, float]]:
    quantile = _QUANTILE.search(label.rsplit("|", 1)[-1]) or _QUANTILE.search(label)
    if node:
        if "retrans" in unit:
            yield "node_retransmits", before, after
        return
    if unit in ("ms", "s"):
        scale = 1e-3 if unit == "ms" else 1.0
        yield f"latency_p{quantile[1] if quantile else '99'}", before * scale, after * scale
    elif unit == "%":
        yield "error_ratio", 1 - before / 100, 1 - after / 100
    elif unit.startswith(("req", "rps")):
        yield "request_rate", before, after
    elif unit == "pps":
        yield "network_packets", before, after
    elif unit.startswith("core"):
        yield "cpu_cores", before, after


def csv_windows(text: str, namespace: str, nodes: set[str]) -> Iterator[tuple[str, MetricWindow]]:
    """Yield one window per column ``<name>-<what>`` of a metric table whose first column is the time."""
    rows = list(csv_module.reader(io.StringIO(text.lstrip("\ufeff"))))
    if len(rows) < 3:
        return
    times = tuple(_seconds(r[0]) for r in rows[1:])
    for index, column in enumerate(rows[0][1:], 1):
        name, _, what = column.rpartition("-")
        values = tuple(_number(r[index] if index < len(r) else "") for r in rows[1:])
        labels = {"node": name} if name in nodes else {"namespace": namespace, "workload": name}
        if name in nodes and what in _NODE_COLUMNS:
            yield _NODE_COLUMNS[what], MetricWindow(labels=labels, times=times, values=values)
        elif what.endswith("latency") and _QUANTILE.match(what):
            seconds = tuple(v / 1000 for v in values)
            quantile = _QUANTILE.match(what)
            if quantile:
                yield f"latency_p{quantile[1]}", MetricWindow(labels=labels, times=times, values=seconds)
        elif what == "success_rate":
            yield "error_ratio", MetricWindow(labels=labels, times=times, values=tuple(1 - v for v in values))
        elif what in _COLUMNS:
            yield _COLUMNS[what][0], MetricWindow(labels=labels, times=times, values=values)


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return math.nan


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
