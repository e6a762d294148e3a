"""A storm of alerts made small enough to think about: few representatives, each with those that it speaks for; pure.

A person reads a handful of cases and correlation compares pairs, so both need a bound that does not grow with the
storm. Nothing is dropped: what is folded keeps its fingerprint under its representative.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from copilot.core.case import Anomaly

MOST = 150
"""Representatives at once; correlating so many takes about 0.1 s."""
_KEYS: tuple[Callable[[Anomaly], Hashable], ...] = (
    lambda a: (a.signal, a.resource.kind, a.resource.namespace),
    lambda a: a.signal,
    lambda a: a.severity,
)
"""What makes alerts alike, from fine to coarse; the last always leaves fewer than ``MOST`` kinds."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One anomaly and the fingerprints of the others that it speaks for."""

    anomaly: Anomaly
    folded: tuple[str, ...] = ()


def condense(anomalies: Sequence[Anomaly], *, most: int = MOST) -> list[Bundle]:
    """Return at most ``most`` bundles for any number of anomalies, worst first; few anomalies come back one by one."""
    known = list({a.fingerprint: a for a in anomalies}.values())
    if len(known) <= most:
        return [Bundle(a) for a in known]
    kinds = _alike(known, most)
    quota = most // len(kinds)
    return [bundle for many in kinds for bundle in _spoken_for(sorted(many, key=_rank), quota)]


def _alike(anomalies: Sequence[Anomaly], most: int) -> list[list[Anomaly]]:
    kinds: dict[Hashable, list[Anomaly]] = {}
    for key in _KEYS:
        kinds = {}
        for one in anomalies:
            kinds.setdefault(key(one), []).append(one)
        if len(kinds) <= most:
            break
    return sorted(kinds.values(), key=lambda many: min(map(_rank, many)))


def _spoken_for(ranked: Sequence[Anomaly], quota: int) -> list[Bundle]:
    first, *others = ranked[:quota]
    rest = tuple(a.fingerprint for a in ranked[quota:])
    if rest:
        first = first.model_copy(update={"summary": f"{first.summary} (and {len(rest)} more like it)"})
    return [Bundle(first, rest), *(Bundle(a) for a in others)]


def _rank(one: Anomaly) -> tuple[int, float, str]:
    return -one.severity, one.onset.timestamp(), one.fingerprint
