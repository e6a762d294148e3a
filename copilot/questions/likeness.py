"""How alike a phrase is to known phrasings: multinomial naive Bayes over words and word pairs.

The phrasebook beside this module is the training text; names, times and metrics are replaced by one word each, so
that what is learned is how people ask and not what about. Off-topic phrases are a class of their own.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

import numpy as np

from copilot.core.series import Float64
from copilot.questions.gauges import GAUGES

UNKNOWN = "unknown"
NAME, TIME, METRIC, RESOURCE = "x", "zt", "zm", "zr"
_SMOOTH = 0.25
_TEMPER = 0.5
_WORD = re.compile(r"[a-z0-9']+")
_ENDINGS = ("ations", "ation", "ings", "ing", "edly", "ed", "es", "ly", "s", "e")
_TIMES = re.compile(
    r"\b(?:today|yesterday|tomorrow|tonight|overnight|last (?:night|week|hour|month|friday|24h|day)|"
    r"next (?:week|monday|month)|"
    r"this (?:morning|week|evening|weekend)|since \w+(?::\d\d)?|"
    r"(?:for|in|over) the (?:last|past|next|coming) (?:\d+ )?\w+|"
    r"at \d+(?::\d\d)?(?:am|pm)?|around noon|in \d+ hours|by \w+day|for \w+day|on \w+day|over the weekend|"
    r"yesterday evening)\b"
)


@dataclass(frozen=True, slots=True)
class Model:
    """Word log-probabilities per class: ``weights`` float64[classes, features], ``prior`` float64[classes]."""

    classes: tuple[str, ...]
    index: Mapping[str, int]
    weights: Float64
    prior: Float64

    def posterior(self, text: str) -> dict[str, float]:
        """Return the probability of each class for a normalised phrase; flat when no word of it is known."""
        known = [self.index[f] for f in features(text) if f in self.index]
        # Pairs and words speak of the same thing twice: half of their sum is an honest weight.
        logs = self.prior + _TEMPER * self.weights[:, known].sum(axis=1)
        shares = np.exp(logs - logs.max())
        return dict(zip(self.classes, (shares / shares.sum()).tolist(), strict=True))


def features(text: str) -> Iterator[str]:
    """Yield stems and pairs of neighbouring stems of a normalised phrase."""
    words = ["^", *(_stem(w) for w in _WORD.findall(text.lower().replace("’", "'"))), "$"]
    for one, other in pairwise(words):
        if one != "^":
            yield one
        yield f"{one} {other}"


@cache
def model() -> Model:
    """Fit the model on the phrasebook (a few milliseconds)."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    sizes: Counter[str] = Counter()
    for line in files(__package__).joinpath("phrasebook.txt").read_text(encoding="utf-8").splitlines():
        name, _, phrase = line.partition("|")
        if phrase and not line.startswith("#"):
            counts[name].update(set(features(blanked(phrase))))
            sizes[name] += 1
    classes = tuple(sorted(counts))
    index = {f: i for i, f in enumerate(sorted({f for c in counts.values() for f in c}))}
    table = np.full((len(classes), len(index)), _SMOOTH)
    for row, name in enumerate(classes):
        for feature, count in counts[name].items():
            table[row, index[feature]] += count
    share = table / (np.array([sizes[c] for c in classes])[:, None] + 2 * _SMOOTH)
    prior = np.zeros(len(classes))
    return Model(classes, index, np.log(share), prior)


@cache
def vocabulary() -> frozenset[str]:
    """Return the words that people use to ask, lower case: in a phrase they are no names that nothing has."""
    lines = files(__package__).joinpath("phrasebook.txt").read_text(encoding="utf-8").lower().splitlines()
    phrases = (line.partition("|")[2] for line in lines if not line.startswith("#"))
    return frozenset(word for phrase in phrases for word in re.findall(r"[a-z][a-z']*(?![\w-])", phrase))


def blanked(text: str) -> str:
    """Return a phrase with times, shared resources (GPUs, memory) and other metrics replaced by one word each."""
    plain = _TIMES.sub(TIME, text.lower())
    return _METRICS.sub(METRIC, _RESOURCES.sub(RESOURCE, plain))


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


_RESOURCES = re.compile(
    r"(?<![\w-])(?:gpus?|memory|mem|ram|cpus?|cores|disks?|storage|accelerators|"
    r"[abh]\d00s?)(?![\w-]| \w*(?:temp|util))"
)
_METRICS = re.compile(
    r"(?<![\w-])(?:"
    + "|".join(sorted((re.escape(w) for g in GAUGES for w in g.words), key=len, reverse=True))
    + r")(?![\w-])"
)
