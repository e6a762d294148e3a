"""One slip of the finger in a word that people use to ask: ``borken``, ``chnaged``, ``waht``."""

import re
from collections.abc import Collection

_SHORTEST = 4
_WORD = re.compile(r"(?<![\w./-])[A-Za-z]{4,}(?![\w./-])")


def mended(text: str, known: Collection[str], names: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Return a phrase whose misspelt words are the ``known`` ones they are one slip away from, and what was taken.

    Words are lower case; ``names`` of objects are left alone, and so are words that could be several.
    """
    notes: list[str] = []

    def mend(found: re.Match[str]) -> str:
        word = found[0].lower()
        if word in known or word in names:
            return found[0]
        near = {w for w in known if len(w) >= _SHORTEST and _slipped(word, w)}
        swapped = {w for w in near if sorted(w) == sorted(word)}
        meant = swapped or (near if len(word) > _SHORTEST else set())
        if len(meant) != 1:
            return found[0]
        notes.append(f"taking {word} for {min(meant)}")
        return min(meant)

    return _WORD.sub(mend, text), tuple(notes)


def _slipped(one: str, other: str) -> bool:
    """Return whether a letter was added, left out or replaced, or two neighbours were swapped."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, wanted = one[at:], other[at:]
    swapped = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:] and len(rest) >= 2
    return swapped or rest[1:] == wanted[1:] or rest[1:] == wanted or rest == wanted[1:]
