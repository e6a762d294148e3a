"""From plain words to a question with its arguments, without a model.

A phrase is scored against every question by its cues and by what it names (a metric, two objects, the future, a
case), and by how alike it is to known phrasings. Names are looked up
in the inventory: what is nearly a name is confirmed, what is none is said so. A phrase that fits no question is
answered with what can be asked.
"""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import cache

from copilot.core.ref import Ref
from copilot.core.text import inert
from copilot.questions.base import Arguments, Question
from copilot.questions.gauges import GAUGES, Gauge, named
from copilot.questions.likeness import METRIC, NAME, RESOURCE, TIME, UNKNOWN, blanked, model, vocabulary
from copilot.questions.names import Inventory, Named, find
from copilot.questions.spelling import mended
from copilot.questions.times import Window, window_in
from copilot.registry import entries

_LEAST = 1.0
"""A phrase whose best question scores less is not understood."""
_ALIKE = 4.0
"""What likeness to known phrasings adds at most."""
_PAST = 2.0
"""What a stretch of time that is over takes from a question about what will be."""
_LONGEST = 500
_CASE = re.compile(
    r"\b(?:case|incident|plan|fix|proposal)\s+(?:#|id\s+)?([0-9a-z][0-9a-z-]*\d[0-9a-z-]*|[0-9a-f]{4,})\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_][\w']*")
_ORDER = re.compile(
    r"(?:please |now |just )*(?:scale|restart|delete|drain|cordon|uncordon|set|approve|reject|roll ?back|undo|"
    r"apply|kill|evict|re-?boot|decommission|(?:take|bring|shut|power) (?:\S+ ){1,3}(?:down|off|offline)|"
    r"kubectl|helm|terraform|rm|sudo|patch)\b(?! (?:status|history|log|effect|impact)\b)",
    re.IGNORECASE,
)
"""A phrase that orders a change is no question; surfaces take orders, questions only look."""
_ASIDE = re.compile(
    r"\bon[- ]?call\b(?! (?:report|summary|hand))"
    r"|\b(?:what|which) (?:versions?|image|images|tags?)\b.{0,40}\b(?:is|are|runs?|running|uses?|has|have)\b"
    r"(?!.*\b(?:chang|roll|deploy|since|fail|pull|broke|wrong|crash|bad|slow|fast|miss)\w*)"
    r"|^(?:please )?(?:list|show|name|count|how many|(?:what|which) are|number of)(?: (?:me|all|of|the|our|my|every))*"
    r" (?:namespaces?|nodes?|pods?|services?|deployments?|clusters?|jobs?|workloads?)"
    r"(?: (?:are|do|does|have|is)(?: (?:there|we|you|i|it|have|running|in|the|this|cluster))*)?\s*$"
    r"|\b(?:diff\w*|compar\w+)\b.*\brev(?:ision)?s?\b.{0,10}\d"
    r"|\b(?:is|are|was|were)\b.{0,40}\b(?:suspended|paused|hibernat\w+)\b"
    r"|^how old (?:is|are)\b(?!.*\b(?:pending|case|incident|alert)\w*)|\b(?:ip|address|url|port) of\b",
    re.IGNORECASE,
)
"""A phrase that asks about a cluster what none of the questions tells: who is paged, versions, mere lists, revisions
side by side. It sounds like some of them, and their answer would be a wrong one."""
_SERVERS = frozenset({"vllm", "triton", "tgi", "sglang", "tensorrt", "ollama", "llm", "llms", "inference", "istio"})
"""Kinds of servers, whatever their workloads are called: where a name would stand they mean all of them."""
_PLACE = re.compile(
    r"\b(?:of|in|for|namespace|node|pod|service|deployment|deploy)\s+(?:the\s+|my\s+|"
    r"our\s+)?(?P<name>[a-z][\w./-]*[\w])"
    r"|\b(?P<odd>[a-z][a-z0-9]*(?:[-/][a-z0-9]+)+)\b",
    re.IGNORECASE,
)
"""Where a name stands: after a preposition or a kind, or any word that is written like one (``api-gateway``)."""
_RESOURCES = (
    ("quota", re.compile(r"\bquotas?\b", re.IGNORECASE)),
    ("gpu", re.compile(r"\b(?:gpus?|accelerators?|cards|[abhv]\d{2,3}s?|vram)\b", re.IGNORECASE)),
    ("memory", re.compile(r"\b(?:memory|mem|ram)\b", re.IGNORECASE)),
    ("cpu", re.compile(r"\b(?:cpus?|cores|compute|processor)\b", re.IGNORECASE)),
    ("disk", re.compile(r"\b(?:disks?|storage)\b", re.IGNORECASE)),
)
_OPERATIONS = (
    ("drain", re.compile(r"\b(?:drain\w*|evict\w*|maintenance)\b", re.IGNORECASE)),
    ("cordon", re.compile(r"\bcordon\w*", re.IGNORECASE)),
    ("stop", re.compile(r"\b(?:to (?:0|zero)|stop\w*|shut\w*|power\w*)\b", re.IGNORECASE)),
    ("reboot", re.compile(r"\bre-?boot\w*", re.IGNORECASE)),
    ("restart", re.compile(r"\b(?:restart\w*|bounc\w*)\b", re.IGNORECASE)),
    ("delete", re.compile(r"\b(?:delet\w*|kill\w*|remov\w*|decommission\w*)\b", re.IGNORECASE)),
)
"""What a phrase would do to something."""
_PLAIN_WORDS = (
    "a about after again against all an and any anybody anyone anything are around as at back be because been before "
    "between both but by can case cases caused change changed changes chart check cluster compare compared could "
    "current did different do does doing done down draw drop due during each error errors every everything expect "
    "fall fell fix fixing for forecast from get give go going good graph had happen happened happening happens has "
    "have health healthy help here high how i if in incident increase is issue issues it its jump just know last "
    "later left like list look low make many me metric metrics more most much my namespace near need new next node "
    "not now of off on one or our out over overnight past pending per please plot pod predict problem problems quota "
    "rate release rise root rose run running scheduled see service services show since slow so some spike spiked "
    "start started state status stuck tell than that the their them then there these they this those time to today "
    "together tomorrow tonight up us usage use used user users uses using versus view vs wait waiting want was we "
    "week weekend well were what whats when where which who whom whose why will with without workload wrong year "
    "yesterday you your happy fine okay ok alive broken failing working workloads apply approve plan proposed "
    "trend team teams namespaces nodes pods deployments deployment most least currently right minutes hours days "
    "minute hour day night morning afternoon evening monday tuesday wednesday thursday friday saturday sunday noon "
    "midnight utc gpu gpus cpu memory crashing crash restarting compare better worse faster slower higher lower than "
    "anyone difference against consuming taking eating hogging free available idle spare unused busy full "
    "cluster system site attention capacity resources them me it day shift progress prod production general total "
    "trouble detail details line terms contrast place order person somebody something nothing particular short good "
    "shape outage cause fault report daily recent lack memory scheduler configuration another read-only dry-run "
    "containercreating away mind data load peak traffic"
)
_PLAIN = frozenset(_PLAIN_WORDS.split())
"""Words that are never taken for a misspelt name."""
_METRIC_WORDS = frozenset(w for g in GAUGES for phrase in g.words for w in phrase.split())
_TELLING = frozenset({w for w in _METRIC_WORDS if len(w) > 6 and w.isalpha()} | {"running", "pending"})
"""Words that a phrase turns on, long enough that a slip of one is no other word."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a phrase was taken to say, whether or not a question was found."""

    text: str
    window: Window | None
    gauge: Gauge | None
    names: tuple[Named, ...]
    case: str
    future: bool
    strange: str
    """A word that stands where a name would and is none that is known, or empty."""
    blank: str
    """The phrase with names, times and metrics replaced by one word each."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A question with its arguments; ``notes`` say what was assumed ("taking crt for cart")."""

    question: Question
    arguments: Arguments
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unclear:
    """A question is meant, and a name in it could be several things: ``choices`` are to be confirmed."""

    question: Question
    said: str
    choices: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """No question was recognised; ``nearest`` are the ones that came closest."""

    text: str
    nearest: tuple[Question, ...]


@cache
def questions() -> tuple[Question, ...]:
    """Return every question of the package."""
    return tuple(q for q in entries("copilot.questions", "QUESTION") if isinstance(q, Question))


def understand(
    text: str, inventory: Inventory, *, now: datetime, zone: tzinfo, namespace: str = ""
) -> Understood | Unclear | Unknown:
    """Return the question a phrase asks, with arguments; or what is unclear; or that it is not understood.

    A phrase that is not understood as it stands is read again with its slips of the finger mended.
    """
    heard = listen(text, inventory, now=now, zone=zone, namespace=namespace)
    found = _read(heard, inventory)
    if isinstance(found, Unknown) and (_ORDER.match(found.text) or _ASIDE.search(found.text)):
        return found
    names = {ref.name.lower() for ref in inventory.refs}
    # What is understood is read again only where the slip hides what it is about: a metric, or that it runs.
    known = _PLAIN | vocabulary() if isinstance(found, Unknown) else _TELLING
    better, slips = mended(heard.text, known, names | _PLAIN | vocabulary() | _METRIC_WORDS)
    if not slips:
        return found
    again = _read(listen(better, inventory, now=now, zone=zone, namespace=namespace), inventory)
    return replace(again, notes=(*slips, *again.notes)) if isinstance(again, Understood) else found


def _read(heard: Heard, inventory: Inventory) -> Understood | Unclear | Unknown:
    if _ORDER.match(heard.text) or _ASIDE.search(heard.text):
        return Unknown(heard.text, ())
    order = scores(heard)
    best, points = order[0]
    if points < _LEAST or _foreign(heard, best):
        return Unknown(heard.text, tuple(q for q, s in order[:3] if s > 0))
    for name in heard.names[:2]:
        if len(name.refs) > 1:
            return Unclear(best, name.said, name.refs)
    if heard.strange and not heard.names and inventory.refs:
        return Unclear(best, heard.strange, ())
    notes = tuple(f"taking {n.said} for {n.refs[0].name}" for n in heard.names if not n.exact and n.clear)
    return Understood(best, _filled(best, heard), notes)


def _foreign(heard: Heard, best: Question) -> bool:
    """Return whether most of a phrase is words that nobody asks with: another language, or nonsense."""
    said = _WORD.findall(heard.blank)
    known = _PLAIN | vocabulary() | {NAME, TIME, METRIC, RESOURCE} | _cued(heard, best)
    return 2 * sum(word not in known for word in said) > len(said)


def _cued(heard: Heard, question: Question) -> set[str]:
    """Return the words that speak for a question: the first and the last of what each of its cues matched.

    What lies between them is anything at all, and may be of another language.
    """
    found = (_compiled(c.pattern).finditer(heard.text) for c in question.cues if c.weight > 0)
    said = [_WORD.findall(one[0].lower()) for matches in found for one in matches]
    return {word for words in said if words for word in (words[0], words[-1])}


def listen(text: str, inventory: Inventory, *, now: datetime, zone: tzinfo, namespace: str = "") -> Heard:
    """Take a phrase apart: time, metric, names, case."""
    plain = " ".join(inert(text[:_LONGEST], _LONGEST).replace("’", "'").replace("?", " ").split())
    window = window_in(plain, now, zone)
    rest = re.sub(re.escape(window.said), " ", plain, flags=re.IGNORECASE) if window else plain
    case = _CASE.search(plain)
    if case:
        rest = rest.replace(case[0], " ")
    skip = _PLAIN | vocabulary() | _METRIC_WORDS
    names = tuple(find(rest, inventory, ignore=skip, namespace=namespace))
    unnamed = rest
    for name in names:
        if name.exact:
            unnamed = re.sub(rf"(?<![\w-]){re.escape(name.said)}(?![\w-])", " ", unnamed)
    gauge = named(unnamed)
    future = window is not None and window.end > now
    strange = _strange(unnamed if gauge is None else unnamed.replace(gauge[1], " "), skip | _SERVERS)
    return Heard(
        plain,
        window,
        gauge[0] if gauge else None,
        names,
        case[1] if case else "",
        future,
        strange,
        _blank(plain, window, names),
    )


def _blank(text: str, window: Window | None, names: Sequence[Named]) -> str:
    lowered = text.lower()
    if window is not None:
        lowered = lowered.replace(window.said, f" {TIME} ")
    for name in names:
        lowered = re.sub(rf"(?<![\w-]){re.escape(name.said.lower())}(?![\w-])", NAME, lowered)
    return blanked(lowered)


def _strange(text: str, known: Container[str]) -> str:
    for found in _PLACE.finditer(text):
        word = found["name"] or found["odd"]
        if word.lower() not in known and not word.isdigit():
            return word
    return ""


def scores(heard: Heard) -> list[tuple[Question, float]]:
    """Return every question with its score, best first; ties go to the name."""
    points = {q.name: _score(q, heard) for q in questions()}
    alike = model().posterior(heard.blank)
    for question in questions():
        points[question.name] += _ALIKE * (alike.get(question.name, 0.0) - alike[UNKNOWN])
    return sorted(((q, points[q.name]) for q in questions()), key=lambda pair: (-pair[1], pair[0].name))


def _score(question: Question, heard: Heard) -> float:
    total = sum(c.weight for c in question.cues if _compiled(c.pattern).search(heard.text))
    objects = [n for n in heard.names if not all(r.kind == "Namespace" for r in n.refs)]
    facts = {
        "metric": heard.gauge is not None,
        "other": len(objects) >= 2,
        "future": heard.future,
        "case": bool(heard.case),
        "resource": bool(_first(_RESOURCES, heard.text)),
    }
    for wish, there in facts.items():
        if wish in question.wants:
            total += 1.0 if there else -0.7
    if "future" in question.wants and heard.window is not None and not heard.future:
        total -= _PAST
    return total


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _filled(question: Question, heard: Heard) -> Arguments:
    """Return the question's arguments from what was heard; what it has no field for is left out."""
    known: dict[str, object] = {"case": heard.case, "resource": _first(_RESOURCES, heard.text)}
    known["operation"] = _first(_OPERATIONS, heard.text)
    known |= _targets(heard.names)
    if heard.gauge is not None:
        known["metric"] = heard.gauge.name
    if heard.window is not None:
        known |= {"start": heard.window.start, "end": heard.window.end}
    fields = question.arguments.model_fields
    return question.arguments.model_validate({k: v for k, v in known.items() if k in fields and v not in ("", None)})


def _targets(names: Sequence[Named]) -> dict[str, object]:
    clear = [n.refs[0] for n in names if n.clear]
    # "cart in shop": the namespace scopes the other name instead of being asked about itself.
    spaces = [r for r in clear if r.kind == "Namespace"]
    things = [r for r in clear if r.kind != "Namespace"] or spaces
    found: dict[str, object] = {}
    if things:
        first = things[0]
        found |= {"target": first.name, "kind": first.kind, "namespace": first.namespace}
    if len(things) > 1:
        other = things[1]
        found |= {"other": other.name, "other_kind": other.kind, "other_namespace": other.namespace}
    return found


def _first(kinds: Sequence[tuple[str, re.Pattern[str]]], text: str) -> str:
    return next((name for name, pattern in kinds if pattern.search(text)), "")
