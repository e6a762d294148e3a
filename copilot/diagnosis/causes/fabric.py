"""The fabric between GPU nodes: ports that run slow or with errors."""

import math
from collections.abc import Iterator, Sequence
from statistics import median

from copilot.core.ref import Ref
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import spec
from copilot.diagnosis.windows import shifts

_SLOWER = 0.7
_ERRORS = 10.0
"""Symbol errors within a window above which a link is taken as bad (a good one has none to a few)."""


def _port(labels: dict[str, str]) -> Ref:
    return Ref(kind="FabricPort", name=f"{labels.get('node', '')}/{labels.get('device', '')}/{labels.get('port', '')}")


def _degraded(facts: Facts) -> Iterator[Match]:
    rates = shifts(facts.windows("ib_rate"))
    usual = median(s.now for s in rates) if rates else 0.0
    errors = {_port(dict(w.labels)).key: w for w in facts.windows("ib_symbol_errors") if _growth(w.values) >= _ERRORS}
    told: set[tuple[str, str, str]] = set()
    for one in rates:
        ref = _port(dict(one.window.labels))
        slow = one.now < _SLOWER * one.before or (len(rates) >= 3 and one.now < _SLOWER * usual)
        if slow:
            told.add(ref.key)
            seen = [
                looks.metric(
                    one.window, f"port rate {one.before:.3g} before, {one.now:.3g} now, others {usual:.3g}", ref
                )
            ]
            seen += (
                [looks.metric(errors[ref.key], f"symbol errors +{_growth(errors[ref.key].values):g}", ref)]
                if ref.key in errors
                else []
            )
            yield _match(
                ref,
                dict(one.window.labels),
                f"runs at {one.now:.3g} B/s, its peers at {usual:.3g}",
                tuple(seen),
                facts,
                Certainty.DIRECT,
            )
    for key, window in errors.items():
        if key not in told:
            ref = _port(dict(window.labels))
            seen = [looks.metric(window, f"symbol errors +{_growth(window.values):g}", ref)]
            yield _match(ref, dict(window.labels), "has symbol errors", tuple(seen), facts, Certainty.JOIN)


def _growth(values: Sequence[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return known[-1] - known[0] if known else 0.0


def _match(
    ref: Ref, labels: dict[str, str], text: str, seen: tuple[Seen, ...], facts: Facts, certainty: Certainty
) -> Match:
    node = labels.get("node", "")
    owners = dict.fromkeys(
        facts.owner(p) for p in facts.pods if spec(p).get("nodeName") == node and _holds_gpu(spec(p))
    )
    return Match(
        object=Ref(kind="Node", name=node, api_version="v1"),
        summary=f"fabric port {ref.name} {text}; collectives across it wait",
        seen=seen,
        explains=(ref, *owners),
        certainty=certainty,
        weight=0.85,
        details={"node": node, "device": labels.get("device", ""), "port": labels.get("port", "")},
    )


def _holds_gpu(pod: dict[str, object]) -> bool:
    return "/gpu" in str(pod.get("containers"))


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="fabric_port_degraded",
        family="fabric",
        title="A fabric port runs slow or with errors",
        summary="An InfiniBand or RoCE port has fallen to a lower rate or has symbol errors; gangs that span it wait.",
        must_see=("the port's rate lies under 70 % of what it was or of its peers", "or: its symbol errors grow"),
        refuted_by=("rate and errors are as before",),
        remedy="cordon the node and look at cable and switch port",
        match=_degraded,
        details={"node": "its node", "device": "the adapter", "port": "the port"},
    ),
)
