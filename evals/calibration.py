"""How far confidence can be trusted: answers in bins of how sure they were, against how many of them were right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evals.exam import RANKED, Figure, Said, wilson

EDGES = (0.0, 0.5, 0.7, 0.85, 0.95, 1.0)
"""Bins of confidence; the last is closed on both sides."""
CONFIRMED = "CONFIRMED"


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers between two confidences: how many, how sure on average, and the share that was right."""

    low: float
    high: float
    n: int
    sure: float
    right: Figure

    @property
    def label(self) -> str:
        """The bin as text."""
        return f"{self.low:.2f} to {self.high:.2f}"


def bins(said: Sequence[Said]) -> tuple[Bin, ...]:
    """Return the reliability of answers, lowest confidence first; bins without an answer are left out."""
    found = []
    for low, high in pairwise(EDGES):
        inside = [s for s in said if low <= s.confidence < high or s.confidence == high == EDGES[-1]]
        n = sum(s.n for s in inside)
        if n:
            sure = sum(s.confidence * s.n for s in inside) / n
            found.append(Bin(low, high, n, sure, wilson(sum(s.right for s in inside), n)))
    return tuple(found)


def verdicts(said: Iterable[Said]) -> tuple[Said, ...]:
    """Return diagnoses alone: a ranking has a score and no verdict."""
    return tuple(s for s in said if s.verdict != RANKED)


def figures(said: Sequence[Said]) -> dict[str, Figure]:
    """Return ``confirmed_right`` and ``confirmed_share`` of diagnoses, the calibration error and the Brier score.

    The calibration error is the mean distance between confidence and share right over the bins, by their size (Naeini
    et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015). Cases without an answer count
    in the share alone.
    """
    cases = verdicts(said)
    answered = tuple(s for s in cases if s.verdict)
    n, sure = sum(s.n for s in cases), [s for s in cases if s.verdict == CONFIRMED]
    confirmed = sum(s.n for s in sure)
    told = sum(s.n for s in answered)
    error = sum(b.n * abs(b.sure - b.right.value) for b in bins(answered)) / max(told, 1)
    brier = sum(s.right * (1 - s.confidence) ** 2 + (s.n - s.right) * s.confidence**2 for s in answered) / max(told, 1)
    return {
        "confirmed_right": wilson(sum(s.right for s in sure), confirmed),
        "confirmed_share": wilson(confirmed, n),
        "calibration_error": Figure(error),
        "brier": Figure(brier),
    }


def table(by_exam: Mapping[str, Sequence[Said]]) -> str:
    """Return the reliability of each exam's answers and of all diagnoses together as a Markdown table."""
    rows = ["| exam | confidence | n | mean confidence | right | 95 % interval |", "|---|---|---|---|---|---|"]
    together = tuple(s for some in by_exam.values() for s in verdicts(some))
    for name, said in (*by_exam.items(), ("all diagnoses", together)):
        for one in bins([s for s in said if s.verdict]):
            low, high = one.right.ci95 or (0.0, 1.0)
            rows.append(
                f"| {name} | {one.label} | {one.n} | {one.sure:.3f} | {one.right.value:.3f} | {low:.3f} to {high:.3f} |"
            )
    return "\n".join(rows)
