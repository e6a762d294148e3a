"""How success will be judged: the bounds that were broken, on the metric that hurt; pure."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import isfinite
from statistics import median
from typing import Protocol

from copilot.agent.readiness import TELLING
from copilot.core.case import Anomaly, Case
from copilot.core.cluster import ClusterDump, MetricWindow
from copilot.core.plan import Check, Proposal

LATCHED = frozenset(
    {"gpu_xid", "gpu_row_remap_failure", "gpu_ecc_dbe", "oom_events", "restarts", "node_gpu_allocatable"}
)
"""Gauges that keep their last value, and counts over a long window: they say nothing of the minutes after a repair."""

HURTS = frozenset(
    {
        *(
            "latency_p99",
            "error_ratio",
            "request_rate",
            "call_error_ratio",
            "llm_ttft_p95",
            "llm_itl_p95",
            "llm_waiting",
        ),
        *("train_step_seconds", "train_data_wait_ratio", "queue_backlog", "dns_error_ratio", "replicas_missing"),
    }
)
"""What users feel; when one of these was broken it decides, and resource signals do not."""
WITHIN = timedelta(minutes=15)
HOLD = timedelta(minutes=1)
_POD_LABELS = ("pod", "container", "instance", "uid")
_MOST = 4
_LEAST, _SIGMA, _FLOOR, _EASE = 5, 1.2533, 0.1, 0.8


def _taken_out(proposal: Proposal) -> frozenset[str]:
    """Return the nodes that a proposal takes out of service: their hardware stays broken, and the work moves."""
    return frozenset(str(c.arguments.get("node")) for c in proposal.actions if c.action in ("cordon", "drain"))


def _lies_on(anomaly: Anomaly, nodes: frozenset[str]) -> bool:
    device = anomaly.resource.namespace == "" and anomaly.resource.name.partition("/")[0] in nodes
    return device or (anomaly.signal not in HURTS and anomaly.labels.get("node") in nodes)


class Signal(Protocol):
    """What is needed of a signal of ``detectors/signals.py``."""

    @property
    def name(self) -> str:
        """Its name, as anomalies carry it."""
        ...

    @property
    def title(self) -> str:
        """What it measures, in words."""
        ...

    @property
    def unit(self) -> str:
        """Its unit."""
        ...

    @property
    def query(self) -> str:
        """Its PromQL."""
        ...

    @property
    def threshold(self) -> float:
        """In the detector's unit, signed as its scores are."""
        ...

    @property
    def scale(self) -> float:
        """What counts as one unit for detectors with a baseline."""
        ...

    def labels(self, raw: Mapping[str, str]) -> dict[str, str]:
        """Return a series' labels under the names that anomalies use."""
        ...


def checks(case: Case, proposal: Proposal, *, signals: Sequence[Signal], dump: ClusterDump) -> tuple[Check, ...]:
    """Return the checks of a plan: the runbook's own, then the user's metrics, else what else was out of bounds."""
    known = {s.name: s for s in signals}
    judged = [a for a in case.anomalies if a.source == "detector" and a.query]
    aside = _taken_out(proposal)
    live = [a for a in judged if a.signal not in LATCHED and not _lies_on(a, aside)]
    felt = [a for a in live if a.signal in HURTS]
    chosen = sorted(felt or ([] if proposal.checks else live), key=lambda a: (-a.severity, a.onset, a.fingerprint))
    bounded = [
        _check(a, bound, known.get(a.signal))
        for a in chosen
        if (bound := bound_of(a, known.get(a.signal), dump)) is not None
    ]
    found = {c.title: c for c in [*proposal.checks, *bounded[:_MOST]]}
    return tuple(found.values()) or _state(case)


def bound_of(anomaly: Anomaly, signal: Signal | None, dump: ClusterDump) -> float | None:
    """Return the value that the metric must come back to: the detector's bound, in the metric's own unit.

    A detector with a baseline has no bound of its own, so it is rebuilt from the values before the onset the way
    ``detectors/robust.py`` does: level plus threshold times scale. None when too few values came before.
    """
    if anomaly.bound is not None or signal is None:
        return anomaly.bound
    before = [v for w in _windows(anomaly, signal, dump) for v in _before(w, anomaly.onset.timestamp())]
    if len(before) < _LEAST:
        return None
    usual = median(before)
    spread = _SIGMA * sum(abs(v - usual) for v in before) / len(before)
    return usual + _EASE * signal.threshold * max(spread, _FLOOR * abs(usual), signal.scale)


def _windows(anomaly: Anomaly, signal: Signal, dump: ClusterDump) -> list[MetricWindow]:
    wanted = anomaly.labels.items()
    return [
        w for w in dump.metrics.get(anomaly.signal, ()) if wanted <= {**w.labels, **signal.labels(w.labels)}.items()
    ]


def _before(window: MetricWindow, onset: float) -> list[float]:
    pairs = zip(window.times, window.values, strict=False)
    return [float(v) for t, v in pairs if t < onset and isfinite(float(v))]


def _check(anomaly: Anomaly, bound: float, signal: Signal | None) -> Check:
    # The last value may lie within bounds already: what hovers there has not ended for the detector.
    low = signal.threshold < 0 if signal else anomaly.value is not None and anomaly.value < bound
    return Check(
        query=anomaly.query,
        title=f"{signal.title if signal else anomaly.signal} of {anomaly.resource}",
        below=None if low else bound,
        above=bound if low else None,
        within=WITHIN,
        hold=HOLD,
        labels=_labels(anomaly),
        unit=anomaly.unit,
    )


def _labels(anomaly: Anomaly) -> dict[str, str]:
    """Return which series count; pods are replaced by a repair, so theirs are matched by the workload's name."""
    labels = {k: v for k, v in anomaly.labels.items() if k not in _POD_LABELS}
    if "pod" in anomaly.labels:
        labels["pod"] = f"{family(anomaly.labels['pod'])}*"
    return labels


def family(pod: str) -> str:
    """Return a pod's name without what its controllers appended: ``api-7d9f8b6c5-x2x1z`` -> ``api-``."""
    parts = pod.split("-")
    if len(parts) > 2 and len(parts[-1]) == 5 and 8 <= len(parts[-2]) <= 10:
        return "-".join(parts[:-2]) + "-"
    return "-".join(parts[:-1]) + "-" if len(parts) > 1 else pod


def _state(case: Case) -> tuple[Check, ...]:
    """Return checks of the objects themselves: those out of order, else what the diagnosis is about."""
    diagnosis = case.diagnosis
    about = [*([diagnosis.object] if diagnosis.object else []), *diagnosis.symptoms] if diagnosis else []
    refs = {r.key: r for r in [*(a.resource for a in case.anomalies), *about] if r.kind in TELLING}
    return tuple(
        Check(query="/".join(key), title=f"{ref} is ready", kind="ready", within=WITHIN, hold=HOLD)
        for key, ref in list(refs.items())[:_MOST]
    )
