"""Memory: past cases that look like this one, what was done about them, and whether it worked.

Likeness is counted over features (cause, object, signals) and over the words of what was seen, weighed by how rare
they are among the cases remembered (Spaerck Jones, "A statistical interpretation of term specificity", 1972). What
comes out is shown to people; nothing that names a cause or chooses a remedy reads it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from copilot.core.case import Anomaly, Case, CaseStatus, Evidence, Findings, Precedent
from copilot.core.plan import StepState
from copilot.core.ref import Ref
from copilot.core.text import in_words, one_line
from copilot.diagnosis.templates import ANY, masked

LIKE = 0.5
"""Least likeness that is shown; two cases of one cause on objects of one kind pass it, one kind of object alone not."""
MOST = 3
_CAUSE, _OBJECT, _SIGNALS, _WORDS = 0.4, 0.2, 0.15, 0.25
_KIN = 0.4
"""What another cause of the same family counts."""
_TWIN, _PEER = 0.6, 0.3
"""What an object of the same kind and name elsewhere counts, and one of the same kind alone."""
_ALIKE_WORDS = 0.6


@dataclass(frozen=True, slots=True)
class _Likeness:
    """How alike two cases are, 0..1, and in what, in words."""

    value: float
    alike: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered of a case: enough to compare it and to tell of it, a hundredth of the case itself.

    ``about`` is what it was about, its cause's object or, without one, what was seen first. ``done`` is what was
    changed for it, empty when nothing was.
    """

    id: str
    opened: datetime
    title: str
    named: bool
    cause: str
    family: str
    object: Ref | None
    about: Ref | None
    signals: frozenset[str]
    words: frozenset[str]
    done: str
    worked: bool
    outcome: str


def remembered(case: Case) -> Remembered | None:
    """Return what is remembered of a case that ended; None of an open one."""
    return None if case.status.open else _remembered(case)


def precedents(case: Case, past: Iterable[Remembered], *, most: int = MOST) -> tuple[Precedent, ...]:
    """Return the ended cases most like this one, best first; those of one cause, object and change are told as one."""
    ended = [c for c in past if c.id != case.id and c.opened <= case.opened]
    now = _remembered(case)
    rarity = _rarity([now, *ended])
    told: dict[tuple[object, ...], list[tuple[_Likeness, Remembered]]] = defaultdict(list)
    for one in ended:
        found = _likeness(now, one, rarity)
        if found.value >= LIKE:
            told[one.cause, one.object, one.done].append((found, one))
    made = [_told(group) for group in told.values()]
    return tuple(sorted(made, key=lambda p: (-p.likeness, -p.helped, -p.at.timestamp(), p.case))[:most])


def with_precedents(
    found: Findings, past: Iterable[Remembered], *, anomalies: Sequence[Anomaly] = (), case_id: str = "", now: datetime
) -> Findings:
    """Return findings with what is remembered of cases like their first diagnosis; ``case_id`` is the case itself."""
    if not found.diagnoses:
        return found
    asked = Case(
        id=case_id,
        environment="",
        opened=now,
        updated=now,
        title="",
        anomalies=tuple(anomalies),
        diagnosis=found.diagnoses[0],
        evidence=found.evidence,
    )
    return found.model_copy(update={"precedents": precedents(asked, past)})


def _told(group: Sequence[tuple[_Likeness, Remembered]]) -> Precedent:
    found, newest = max(group, key=lambda g: (round(g[0].value, 2), g[1].opened, g[1].id))
    tried = [c for _, c in group if c.done]
    return Precedent(
        case=newest.id,
        at=newest.opened,
        title=newest.title,
        cause=newest.cause,
        object=newest.object,
        likeness=round(found.value, 2),
        alike=found.alike,
        done=newest.done,
        tried=len(tried),
        helped=sum(c.worked for c in tried),
        outcome=newest.outcome,
    )


def _remembered(case: Case) -> Remembered:
    found = case.diagnosis
    thing = found.object if found else None
    return Remembered(
        id=case.id,
        opened=case.opened,
        title=one_line(case.title),
        named=found is not None,
        cause=found.cause if found else "",
        family=found.family if found else "",
        object=thing,
        about=thing or (case.anomalies[0].resource if case.anomalies else None),
        signals=frozenset(a.signal for a in case.anomalies),
        words=_words_of(tuple(_texts(case))),
        done=_done(case),
        worked=_worked(case),
        outcome=one_line(case.outcome.message) if case.outcome else "",
    )


def _done(case: Case) -> str:
    changed = any(r.state is StepState.APPLIED for r in case.results)
    return one_line(case.plan.title) if case.plan and changed else ""


def _worked(case: Case) -> bool:
    return case.status is CaseStatus.RESOLVED and bool(case.outcome and case.outcome.verification)


def _likeness(one: Remembered, other: Remembered, rarity: Mapping[str, float]) -> _Likeness:
    """Compare two cases by what is known of both: a case without a diagnosis by signals, object and words alone."""
    parts = [*_by_diagnosis(one, other), _by_object(one, other), _by_signals(one, other), _by_words(one, other, rarity)]
    weight = sum(w for w, _, _ in parts)
    alike = tuple(text for _, value, text in parts if text and value)
    return _Likeness(sum(w * value for w, value, _ in parts) / weight, alike)


def _by_diagnosis(one: Remembered, other: Remembered) -> list[tuple[float, float, str]]:
    if not one.named:
        return []
    if other.named and other.cause == one.cause:
        return [(_CAUSE, 1.0, "same cause")]
    kin = other.named and other.family == one.family
    return [(_CAUSE, _KIN if kin else 0.0, "same family of causes")]


def _by_object(one: Remembered, other: Remembered) -> tuple[float, float, str]:
    mine, theirs = one.about, other.about
    if mine is None or theirs is None or mine.kind != theirs.kind:
        return _OBJECT, 0.0, ""
    if mine.key == theirs.key:
        return _OBJECT, 1.0, "same object"
    return (_OBJECT, _TWIN, "same name elsewhere") if mine.name == theirs.name else (_OBJECT, _PEER, "")


def _by_signals(one: Remembered, other: Remembered) -> tuple[float, float, str]:
    both, either = one.signals & other.signals, one.signals | other.signals
    shown = f"same signals: {', '.join(sorted(one_line(in_words(s), 40) for s in both)[:3])}"
    return _SIGNALS, len(both) / len(either) if either else 0.0, shown if both else ""


def _by_words(one: Remembered, other: Remembered, rarity: Mapping[str, float]) -> tuple[float, float, str]:
    mine, theirs = one.words, other.words
    shared = sum(rarity[w] ** 2 for w in mine & theirs)
    size = math.sqrt(sum(rarity[w] ** 2 for w in mine) * sum(rarity[w] ** 2 for w in theirs))
    alike = shared / size if size else 0.0
    return _WORDS, alike, "alike in what was seen" if alike >= _ALIKE_WORDS else ""


def _rarity(cases: Sequence[Remembered]) -> dict[str, float]:
    """Return the inverse document frequency of every word, smoothed: one that all cases share still counts a little."""
    seen: Counter[str] = Counter()
    for case in cases:
        seen.update(case.words)
    return {word: 1.0 + math.log(len(cases) / count) for word, count in seen.items()}


@lru_cache(maxsize=256)  # As many as one look at the past takes, and some.
def _words_of(texts: tuple[str, ...]) -> frozenset[str]:
    """Return the words of templates: what varies between two occurrences of one line is left out."""
    return frozenset(w for text in texts for w in masked(text.lower()) if len(w) > 2 and w != ANY)


def _texts(case: Case) -> Iterable[str]:
    known: dict[str, Evidence] = {e.id: e for e in case.evidence}
    yield from (a.summary or a.signal for a in case.anomalies)
    if case.diagnosis is not None:
        yield case.diagnosis.summary
        yield from (known[i].finding for i in case.diagnosis.rests_on if i in known)
