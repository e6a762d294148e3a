"""Questions in plain words: does a phrase reach the question its writer meant?

Files ``<question>.txt`` hold one phrase a line, optionally ``=> field=value ...`` for arguments that must come out;
``<question>.<set>.txt`` were written by somebody who had not read the code, and each such set is scored apart:
``outside`` and ``blind`` have never been looked at since, the misses of ``oncall`` were read once. Phrases of
``unknown`` are no questions at all. The default folder is the one beside the tests.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from copilot.core.ref import Ref
from copilot.errors import InvalidInput
from copilot.questions.likeness import UNKNOWN
from copilot.questions.match import Unclear, Understood, Unknown, questions, understand
from copilot.questions.names import Inventory
from evals.exam import Exam, Figure, Report, below, wilson

PHRASINGS = Path(__file__).parents[2] / "tests" / "questions" / "phrasings"
NOW = datetime(2026, 3, 11, 15, 30, tzinfo=UTC)
"""A Wednesday afternoon."""

_NAMES = {
    "Namespace": ("shop", "inference", "ml-team", "kube-system"),
    "Node": ("gpu-node-1", "gpu-node-2", "worker-3"),
    "Deployment": ("shop/cart", "shop/checkout", "shop/payment", "shop/frontend", "shop/search", "inference/llama-70b"),
    "StatefulSet": ("shop/postgres",),
    "Job": ("ml-team/trainer",),
    "Service": ("shop/cart", "shop/checkout", "shop/payment", "shop/frontend", "shop/search", "inference/llama-70b"),
}
INVENTORY = Inventory(
    tuple(
        Ref(kind=kind, name=name.rpartition("/")[2], namespace=name.rpartition("/")[0])
        for kind, names in _NAMES.items()
        for name in names
    )
)
"""What the exam's cluster has; phrases may also name things that it has not."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase, the question it means, the arguments it must give, and who wrote it."""

    text: str
    question: str
    expects: tuple[tuple[str, str], ...]
    set: str = ""
    """Which set of an outsider it belongs to; empty for our own."""

    @property
    def outside(self) -> bool:
        """Whether somebody wrote it who had not read the code."""
        return bool(self.set)


def phrases(folder: Path) -> list[Phrase]:
    """Read all phrasing files below a folder; raises ``InvalidInput`` when there is none."""
    found = []
    for path in below(folder, "*.txt"):
        name, _, whose = path.name.removesuffix(".txt").partition(".")
        for line in path.read_text(encoding="utf-8").splitlines():
            text, _, wanted = line.partition("=>")
            if text.strip() and not text.startswith("#"):
                pairs = tuple((k, v) for k, _, v in (w.partition("=") for w in wanted.split()) if v)
                found.append(Phrase(text.strip(), name, pairs, whose))
    if not found:
        raise InvalidInput(f"No phrasing files below {folder}.", hint="Expected <question>.txt with a phrase a line.")
    return found


def right(phrase: Phrase) -> bool:
    """Whether a phrase reaches its question with the arguments that were asked for.

    A name that needs confirming counts when the question is right: the person is asked, not misunderstood.
    """
    meant = understand(phrase.text, INVENTORY, now=NOW, zone=UTC)
    if phrase.question == UNKNOWN:
        return isinstance(meant, Unknown)
    if isinstance(meant, Unclear):
        return meant.question.name == phrase.question
    if not isinstance(meant, Understood) or meant.question.name != phrase.question:
        return False
    given = meant.arguments.model_dump(mode="json")
    return all(str(given.get(field)) == value for field, value in phrase.expects)


def take(args: argparse.Namespace, progress: Callable[[int, int], None]) -> Report:
    """Score all phrases; figures ``right_own``, ``right_<set>`` for each set of an outsider, and by question."""
    begun = time.perf_counter()
    cases = phrases(args.data or PHRASINGS)
    unknown = sorted({p.question for p in cases} - {q.name for q in questions()} - {UNKNOWN})
    if unknown:
        raise InvalidInput(f"No question is called {', '.join(unknown)}.", hint="Name files by question.")
    hits = []
    for done, phrase in enumerate(cases, 1):
        hits.append((phrase, right(phrase)))
        progress(done, len(cases))
    figures: dict[str, Figure] = {}
    for whose in sorted({p.set for p in cases}):
        part = [ok for p, ok in hits if p.set == whose]
        figures[f"right_{whose or 'own'}"] = wilson(sum(part), len(part))
    for question in sorted({p.question for p in cases}):
        part = [ok for p, ok in hits if p.question == question]
        figures[f"right {question}"] = wilson(sum(part), len(part))
    most = max(sum(p.question == q.name for p in cases) for q in questions()) / len(cases)
    # Outside phrases are for scoring, never for tuning: their misses are counted and not shown.
    misses = [f"{p.question}: {p.text}" for p, ok in hits if not ok and not p.outside]
    return Report(
        "questions",
        len(cases),
        time.perf_counter() - begun,
        figures,
        {"most frequent": {"right_own": most}},
        {"missed": misses},
    )


EXAM = Exam(
    name="questions",
    summary="Plain-word phrasings that reach the question their writer meant.",
    run=take,
    must={"right_own": (">=", 0.95)},
    needs_data=False,
)
