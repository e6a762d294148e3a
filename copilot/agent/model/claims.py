"""Every sentence a model says is a claim: it cites evidence that says so, or it is dropped.

A claim is kept when each id it cites is known, it contains no link, every number and every object it names is in the
cited evidence, it shares words with it, it does not deny what the evidence says, and a cause of the catalogue is named
only where a diagnosis rests on that evidence. This is a filter, not understanding: what passes is close to what was
seen, and stands beside it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from copilot.agent.injection import suspicious
from copilot.agent.model.ledger import Ledger
from copilot.core.case import Evidence, Trust
from copilot.core.text import in_words, inert, redact

LONGEST_SENTENCE = 600
_LONGEST_CODE = 20_000
_CITED = re.compile(r"\[([A-Za-z][\w.:/-]{0,80}(?:\s*[,;]\s*[A-Za-z][\w.:/-]{0,80})*)\]")
_LINK = re.compile(
    r"!?\[[^\]]*\]\s*\([^)]*\)|!?\[[^\]]*\]\s*\[[^\]]*\]|<[^<>]*>|\b\w[\w+.-]*://|\bwww\.|\bmailto:|\bdata:\S"
)
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:[.,]\d+)*(?![\w-])|(?<![\w.-])\d+(?:\.\d+)?(?=(?:ms|s|m|h|d|%|[KMGT]i?B?)\b|%)")
_WORD = re.compile(r"[a-z][a-z0-9_]{3,}")
_DENIES = re.compile(r"\b(?:no|not|never|none|cannot|without|neither|nor)\b|n['’]t\b", re.IGNORECASE)
_LACKS = re.compile(
    r"\b(?:no|not|never|none|cannot|without|neither|nor|zero|0|nothing|nobody|fail\w*|miss\w*|refus\w*|den\w+|lack\w*|"
    r"absent|lost|empty|insufficient|invalid|inaccessible|back-?off|"
    r"un(?:ready|available|reachable|healthy|schedul\w+|bound|known|able|resolv\w+))\b|n['’]t\b",
    re.IGNORECASE,
)
_STOP = frozenset(
    {
        *("that", "this", "with", "from", "have", "been", "were", "will", "would", "could", "should", "because"),
        *("which", "their", "there", "about", "into", "over", "under", "when", "then", "than", "also", "only", "does"),
        *("after", "before", "while", "where", "what", "being", "more", "most", "some", "such", "very", "just", "they"),
        *("them", "these", "those", "likely", "cause", "caus", "seem", "appear", "show", "evidence"),
    }
)
_END = re.compile(r"(?<=[.!?])(?:\s*\[[^\]\n]{1,200}\][.!?]?)*(?=\s|$)|\n")
_OPEN = re.compile(r"\s*(?:\[[^\]\n]{0,200})?")
_NAMED = re.compile(r"(?<![\w/.-])[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?![\w/-])")


@dataclass(frozen=True, slots=True)
class Facts:
    """What claims are held against: evidence, names of objects that exist, names of all causes."""

    ledger: Ledger
    names: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that was kept, with the evidence it cites."""

    text: str
    cites: tuple[Evidence, ...]


def check(sentence: str, facts: Facts) -> Claim | None:
    """Return the claim, inert and without markup, or None when it must be dropped."""
    plain = " ".join(inert(redact(sentence), LONGEST_SENTENCE + 1).split())
    ids = list(dict.fromkeys(i for group in _CITED.findall(plain) for i in re.split(r"\s*[,;]\s*", group)))
    cites = [facts.ledger.get(i) for i in ids]
    if not cites or len(plain) > LONGEST_SENTENCE or _LINK.search(plain) or suspicious(plain):
        return None
    known = [e for e in cites if e is not None]
    said = _CITED.sub(" ", plain)
    if len(known) < len(cites) or not supported(said, known, facts):
        return None
    marks = "".join(f"[{e.id}]" for e in known)
    own = " (in the application's own words)" if all(e.trust is Trust.WORKLOAD for e in known) else ""
    body = re.sub(r"\s+([.,;!?])", r"\1", " ".join(_escaped(said).split())).rstrip(".!? ").lstrip("-*#> ")
    return Claim(f"{body}{own} {marks}.", tuple(known))


def supported(said: str, cites: Sequence[Evidence], facts: Facts) -> bool:
    """Return whether the cited evidence says what a sentence says, as far as code can tell."""
    shown = " ".join(f"{e.finding} {e.subject or ''} {e.query}" for e in cites).lower()
    lowered = said.lower()
    if not _numbers(lowered) <= _numbers(shown):
        return False
    named = {n for n in _NAMED.findall(lowered) if n in facts.names}
    if not all(re.search(rf"(?<![a-z0-9]){re.escape(n)}(?![a-z0-9])", shown) for n in named):
        return False
    if not _causes_hold(lowered, cites, facts) or _contradicts(said, cites):
        return False
    words = {_stem(w) for w in _WORD.findall(lowered)} - _STOP
    return bool(words & {_stem(w) for w in _WORD.findall(shown)} or named)


class Sentences:
    """Cuts streamed text into sentences; lines that begin like JSON or code are held back to the end."""

    def __init__(self) -> None:
        self._held = ""
        self.withheld = ""

    def feed(self, text: str) -> list[str]:
        """Return the sentences that are complete by now."""
        self._held += text
        found: list[str] = []
        if len(self._held) > (_LONGEST_CODE if self._coded() else 4 * LONGEST_SENTENCE):
            # No sentence and no call is that long: it is one thing to be dropped, and memory stays bounded.
            found, self._held = [self._held], ""
        while not self._coded():
            # A citation may follow the full stop; the next character tells whether one does.
            end = _END.search(self._held)
            if end is None or (_OPEN.fullmatch(self._held[end.end() :]) and not end[0].endswith("\n")):
                break
            cut = end.end()
            found.append(self._held[:cut].strip())
            self._held = self._held[cut:].lstrip(" \t")
        return [s for s in found if s]

    def close(self) -> list[str]:
        """Return what is left as sentences; text that looked like code is in ``withheld`` instead."""
        if self._coded():
            self.withheld, self._held = self._held, ""
            return []
        rest = self.feed("\n")
        left, self._held = self._held.strip(), ""
        return [*rest, *([left] if left else [])]

    def _coded(self) -> bool:
        return self._held.lstrip().startswith(("{", "```", "<tool_call", "[{"))


def _causes_hold(said: str, cites: Sequence[Evidence], facts: Facts) -> bool:
    ids = {e.id for e in cites}
    return all(ids & facts.ledger.under(cause) for cause in facts.causes if "_" in cause and _mentions(said, cause))


def _mentions(said: str, cause: str) -> bool:
    return cause in said or in_words(cause) in said


def _contradicts(said: str, cites: Sequence[Evidence]) -> bool:
    """Return whether the sentence denies what no evidence lacks, or says without a denial what all of it denies."""
    findings = [e.finding for e in cites]
    if _DENIES.search(said):
        return not any(_LACKS.search(f) for f in findings)
    return all(_DENIES.search(f) for f in findings) and not _LACKS.search(said)


def _numbers(text: str) -> set[float]:
    return {float(n.replace(",", "")) for n in _NUMBER.findall(text) if n.replace(",", "").count(".") <= 1}


def _stem(word: str) -> str:
    return re.sub(r"(?:ing|ed|es|s)$", "", word)[:12]


def _escaped(text: str) -> str:
    """Return text whose markdown does nothing."""
    return re.sub(r"[\[\]<>|\\]", " ", text).replace("`", "'")
