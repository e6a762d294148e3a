"""Log lines to templates: a fixed-depth parse tree in bounded memory (He et al., "Drain", ICWS 2017).

Words that vary (numbers, addresses, ids, quoted values) become ``<*>`` first; lines of the same number of words and
with the same first words meet in one leaf, where the most similar template takes them in. Lines are data: nothing in
them is ever interpreted.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass, field

from copilot.core.text import inert, redact

ANY = "<*>"
_MASKS = (
    # A leading date and time (RFC 3339, klog, common log formats) says when, not what.
    (re.compile(r"^\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|\s?[+-]\d\d:?\d\d)?\]?\s*"), ""),
    (re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ (\S+?):\d+\]"), r"\1 \2"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), ANY),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?:/\d+)?\b"), ANY),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b"), ANY),
    (re.compile(r"(?<![A-Za-z_])[-+]?\d+(?:[.,:]\d+)*(?:%|[a-zA-Zµ]{1,3}\b)?"), ANY),
)
_LONGEST = 1000
_MOST_WORDS = 80


@dataclass(slots=True)
class Template:
    """Words in which ``<*>`` stands for anything; ``count`` lines fell under it; ``example`` is one, made inert."""

    words: list[str]
    example: str
    count: int = 0

    @property
    def text(self) -> str:
        """The template as a line."""
        return " ".join(self.words)


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    leaf: list[int] = field(default_factory=list)


class Templates:
    """A parse tree that learns; at most ``most`` templates are kept, the one unused longest is forgotten first."""

    def __init__(self, *, similarity: float = 0.5, depth: int = 2, children: int = 64, most: int = 1000) -> None:
        self._similarity = similarity
        self._depth = depth
        self._children = children
        self._most = most
        self._known: OrderedDict[int, Template] = OrderedDict()
        self._roots: dict[int, _Node] = {}
        self._next = 0
        self._nodes = 0

    def __len__(self) -> int:
        return len(self._known)

    def add(self, line: str) -> int:
        """Take a line in; return its template's id, which never changes meaning (a forgotten one is never reused)."""
        words = masked(line)
        leaf = self._leaf(words)
        number = self._closest(leaf, words)
        if number is None:
            number = self._new(leaf, words, line)
        else:
            known = self._known[number]
            known.words = [a if a == b else ANY for a, b in zip(known.words, words, strict=True)]
        self._known[number].count += 1
        self._known.move_to_end(number)
        return number

    def template(self, number: int) -> Template | None:
        """Return a template, or None when it was forgotten."""
        return self._known.get(number)

    def _leaf(self, words: list[str]) -> _Node:
        node = self._roots.setdefault(len(words), _Node())
        for word in words[: self._depth]:
            if word not in node.children and self._full(node):
                word = ANY
            if word not in node.children:
                node.children[word] = _Node()
                self._nodes += 1
            node = node.children[word]
        return node

    def _full(self, node: _Node) -> bool:
        return len(node.children) >= self._children or self._nodes >= 4 * self._most

    def _closest(self, leaf: _Node, words: list[str]) -> int | None:
        leaf.leaf = [n for n in leaf.leaf if n in self._known]
        best, at = -1.0, None
        for number in leaf.leaf:
            alike = _alike(self._known[number].words, words)
            if alike > best:
                best, at = alike, number
        return at if best >= self._similarity else None

    def _new(self, leaf: _Node, words: list[str], line: str) -> int:
        if len(self._known) >= self._most:
            self._known.popitem(last=False)
        number = self._next
        self._next += 1
        leaf.leaf.append(number)
        self._known[number] = Template(words, inert(redact(" ".join(line.split())), 300))
        return number


def masked(line: str) -> list[str]:
    """Return the words of a line with what varies replaced by ``<*>``; very long lines are cut."""
    text = inert(line[:_LONGEST], _LONGEST)
    for pattern, by in _MASKS:
        text = pattern.sub(by, text)
    return text.split()[:_MOST_WORDS] or [""]


def _alike(template: list[str], words: list[str]) -> float:
    """Return the share of positions with the same word; a wildcard is half a match, as it has matched before."""
    same = sum(1.0 if a == b else 0.5 if a == ANY else 0.0 for a, b in zip(template, words, strict=True))
    return same / len(words)
