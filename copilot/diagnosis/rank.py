"""From matches to diagnoses: what explains most, with the fewest assumptions, came first and lies upstream.

A match whose object suffers from another match's object is a consequence and becomes an alternative of it, unless it is
seen directly and the other cannot bring it about; matches about the same object compete; the rest are separate faults.
Nothing is guessed: a HINT never becomes more than INCONCLUSIVE, and no match is no diagnosis.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from copilot.core.case import Alternative, Verdict
from copilot.core.ref import Ref
from copilot.diagnosis.cause import Cause, Certainty, Match

Key = tuple[str, str, str]
_CONFIDENCE = {Certainty.DIRECT: 0.97, Certainty.JOIN: 0.8, Certainty.HINT: 0.4}
_RIVAL = 0.12
"""How much an equally certain other cause on the same object takes from the confidence."""
_MOST_ALTERNATIVES = 8
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Candidate:
    """A match of a cause, and the matches that lost against it."""

    cause: Cause
    match: Match
    lost: "list[Candidate]" = field(default_factory=list)
    key: Key = field(init=False)
    """The object's identity."""
    reach: frozenset[Key] = field(init=False)
    """Everything whose trouble it explains, its own object included."""
    callers: frozenset[Key] = frozenset()
    """Who suffers by calling any of it."""

    def __post_init__(self) -> None:
        self.key = self.match.object.key
        self.reach = frozenset((self.key, *(r.key for r in self.match.explains)))


def rank(
    found: Sequence[tuple[Cause, Match]],
    *,
    owners: Mapping[Key, Key] | None = None,
    sufferers: Callable[[Match], Iterable[Ref]] = lambda match: (),
) -> list[Candidate]:
    """Return separate faults, most important first, each with the candidates that lost against it.

    ``owners`` maps an object to the workload it belongs to, so that a cause on a Service or claim competes with one on
    the workload behind it. ``sufferers`` are those who call what a match is about: what is less certain about one of
    them follows from it.
    """
    belongs = owners or {}
    kept: list[Candidate] = []
    made = (Candidate(c, m, callers=frozenset(r.key for r in sufferers(m))) for c, m in found)
    for one in sorted(made, key=_order):
        winner = next((k for k in kept if _beats(k, one, belongs)), None)
        if winner is None:
            kept.append(one)
        else:
            winner.lost.append(one)
    return kept


def _order(one: Candidate) -> tuple[object, ...]:
    match = one.match
    return (
        -int(match.certainty),
        match.assumptions,
        -round(match.weight, 3),
        -len(one.reach),
        match.since or _LATEST,
        one.cause.name,
        one.key,
    )


def _beats(winner: Candidate, one: Candidate, belongs: Mapping[Key, Key]) -> bool:
    same = belongs.get(winner.key, winner.key) == belongs.get(one.key, one.key)
    if same:
        return True
    if one.key in winner.reach or belongs.get(one.key, one.key) in winner.reach:
        return not _stands_alone(one, winner)
    if one.match.certainty >= winner.match.certainty:
        return False
    return one.match.certainty == Certainty.HINT or one.key in winner.callers


def _stands_alone(one: Candidate, winner: Candidate) -> bool:
    """Whether a match in another's reach is a fault of its own: seen directly, and nothing that the other does.

    A node that is down hurts the pod on it; the image that the pod names and no registry has is no work of the node.
    """
    return one.match.certainty == Certainty.DIRECT and not one.cause.may_follow(winner.cause)


def confidence(one: Candidate) -> float:
    """Return 0..1: by certainty, less for assumptions and for equally certain rivals on the same object."""
    rivals = sum(
        c.match.certainty >= one.match.certainty and c.key == one.key and c.cause.name != one.cause.name
        for c in one.lost
    )
    found = _CONFIDENCE[one.match.certainty] - _RIVAL * min(rivals, 2) - 0.05 * one.match.assumptions
    return round(max(0.05, found), 3)


def verdict(one: Candidate) -> Verdict:
    """Return CONFIRMED for a direct look without an equal rival, LIKELY for a join, INCONCLUSIVE for a hint."""
    if one.match.certainty == Certainty.HINT:
        return Verdict.INCONCLUSIVE
    direct = one.match.certainty == Certainty.DIRECT and confidence(one) >= 0.9
    return Verdict.CONFIRMED if direct else Verdict.LIKELY


def alternatives(one: Candidate) -> tuple[Alternative, ...]:
    """Return what lost against it, best first, one per cause and object."""
    seen: dict[tuple[str, Ref], Alternative] = {}
    for other in one.lost:
        label = (other.cause.name, other.match.object)
        if label not in seen and len(seen) < _MOST_ALTERNATIVES:
            why = "it follows from this" if other.key != one.key else "it explains less or needs more assumptions"
            seen[label] = Alternative(
                cause=other.cause.name,
                object=other.match.object,
                confidence=round(min(confidence(other), 1 - confidence(one)), 3),
                refuted_by=why,
            )
    return tuple(seen.values())
