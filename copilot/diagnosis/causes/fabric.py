"""The fabric between GPU nodes: ports that run slow or with errors."""

from collections.abc import Iterator
from statistics import median

from copilot.core.ref import Ref
from copilot.core.text import quantity
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import spec
from copilot.diagnosis.windows import Shift

_SLOWER = 0.7
_ERRORS = 1.0
"""Symbol errors per second above which a link is taken as bad (a good one has none to a few an hour)."""


def _port(labels: dict[str, str]) -> Ref:
    return Ref(kind="FabricPort", name=f"{labels.get('node', '')}/{labels.get('device', '')}/{labels.get('port', '')}")


def _degraded(facts: Facts) -> Iterator[Match]:
    rates = facts.shifts("ib_rate")
    usual = median(s.now for s in rates) if rates else 0.0
    errors = {
        _port(dict(s.window.labels)).key: s for s in facts.shifts("ib_symbol_errors") if s.now >= _ERRORS > s.before
    }
    told: set[tuple[str, str, str]] = set()
    for one in rates:
        ref = _port(dict(one.window.labels))
        slow = one.now < _SLOWER * one.before or (len(rates) >= 3 and one.now < _SLOWER * usual)
        if slow:
            told.add(ref.key)
            was, now, others = (quantity(rate, "B/s") for rate in (one.before, one.now, usual))
            seen = [looks.metric(one.window, f"port rate {was} before, {now} now, others {others}", ref)]
            seen += [_errors(errors[ref.key], ref)] if ref.key in errors else []
            yield _match(
                ref,
                dict(one.window.labels),
                f"runs at {now}, its peers at {others}",
                tuple(seen),
                facts,
                Certainty.DIRECT,
            )
    for key, one in errors.items():
        if key not in told:
            labels = dict(one.window.labels)
            ref = _port(labels)
            yield _match(ref, labels, "has symbol errors", (_errors(one, ref),), facts, Certainty.JOIN)


def _errors(one: Shift, ref: Ref) -> Seen:
    return looks.metric(one.window, f"{one.now:.3g} symbol errors per second, {one.before:.3g} before", ref)


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
