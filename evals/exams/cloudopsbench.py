"""Cloud-OpsBench: frozen Kubernetes incidents; name the taxonomy, the object and the cause, all three exact.

Source: LLM4Ops/Cloud-OpsBench, MIT. A case is a folder with ``metadata.json`` (namespace, question and the answer),
``tool_cache.json`` (what the recorded tools printed) and sometimes ``alert.json`` and ``metrics.csv``. The answer is
read only to score; no expert path is read at all.
"""

import argparse
import gc
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from copilot.core.case import Verdict
from copilot.diagnosis.diagnose import diagnose
from copilot.errors import CopilotError
from evals.exam import Exam, Figure, Given, Report, below, bootstrap, tally, wilson
from evals.exams._cloudops.answers import TAXONOMY, Answer, answers
from evals.exams._cloudops.baselines import most_frequent, newest_warning
from evals.exams._cloudops.calls import read_json
from evals.exams._cloudops.dump import Recorded, read
from evals.exams._cloudops.perturb import perturbed


@dataclass(frozen=True, slots=True)
class Case:
    """One incident as stored. ``truth`` is only compared, never read by the product."""

    path: Path
    category: str
    system: str
    truth: Answer


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered to one case."""

    case: Case
    given: tuple[Answer, ...]
    verdict: str
    confidence: float
    seconds: float
    baseline: Answer | None


def run(args: argparse.Namespace, progress: Callable[[int, int], None]) -> Report:
    """Take the exam on every case below ``args.data``; with ``args.perturb`` also on the perturbed cases.

    Raises ``CopilotError`` when there is no case.
    """
    cases = found_cases(args.data)
    seed = args.perturb
    total = len(cases) * (1 if seed is None else 2)
    began = time.perf_counter()
    plain = _take(cases, None, progress, 0, total)
    figures = _figures(plain)
    config: dict[str, object] = {"by_category": _by(plain, lambda o: f"{o.case.system}/{o.case.category}")}
    config["by_cause"] = _by(plain, lambda o: o.case.truth.cause)
    if args.misses:
        config["misses"] = [_told(o) for o in plain if o.case.truth not in o.given[:1]]
    if seed is not None:
        changed = _take(cases, seed, progress, len(cases), total)
        other = _figures(changed)
        figures["perturbed_a_at_1"], figures["perturbed_a_at_3"] = other["a_at_1"], other["a_at_3"]
        figures["loss"] = Figure(max(0.0, figures["a_at_1"].value - other["a_at_1"].value))
        config["perturb_seed"] = seed
        if args.misses:
            config["perturbed_misses"] = [_told(o) for o in changed if o.case.truth not in o.given[:1]]
    return Report(
        exam="cloudopsbench",
        n=len(cases),
        seconds=time.perf_counter() - began,
        figures=figures,
        baselines=_baselines(plain),
        config=config,
        said=tally(Given(o.verdict if o.given else "", o.confidence, o.case.truth in o.given[:1]) for o in plain),
    )


def found_cases(data: Path) -> list[Case]:
    """Return the cases anywhere below a folder. Raises ``CopilotError`` when there is none."""
    found = []
    for path in below(data, "metadata.json"):
        if not (path.parent / "tool_cache.json").exists():
            continue
        result = read_json(path).get("result") or {}
        truth = Answer(
            str(result.get("fault_taxonomy")), str(result.get("fault_object")), str(result.get("root_cause"))
        )
        parents = path.parent.parts
        found.append(Case(path.parent, parents[-2], parents[-3] if len(parents) > 2 else "", truth))
    if not found:
        raise CopilotError(f"no case below {data}: a case is a folder with metadata.json and tool_cache.json.")
    return found


def load(case: Case, seed: int | None) -> tuple[Recorded, Callable[[str], str]]:
    """Return the case's dump and the way back from perturbed names (identity without a seed)."""
    question = read_json(case.path / "metadata.json")
    recorded, alert = read_json(case.path / "tool_cache.json"), read_json(case.path / "alert.json")
    table = case.path / "metrics.csv"
    csv = table.read_text(encoding="utf-8-sig") if table.exists() else ""
    namespace = str(question.get("namespace") or "default")
    if seed is None:
        return read(recorded, alert, csv, namespace), lambda name: name
    changed = perturbed(recorded, alert, csv, namespace, seed=f"{seed}/{case.path.parent.name}/{case.path.name}")
    return read(changed.recorded, changed.alert, changed.csv, changed.namespace), changed.original


def _take(
    cases: Sequence[Case], seed: int | None, progress: Callable[[int, int], None], done: int, total: int
) -> list[Outcome]:
    outcomes = []
    for index, case in enumerate(cases, 1):
        outcomes.append(answered(case, seed))
        progress(done + index, total)
    return outcomes


def answered(case: Case, seed: int | None) -> Outcome:
    """Return what the product answers to one case; the time is reading the recorded text and diagnosing."""
    gc.collect(0)
    began = time.perf_counter()
    recorded, original = load(case, seed)
    findings = diagnose(recorded.dump, namespace=recorded.dump.namespace)
    seconds = time.perf_counter() - began
    given = answers(findings, recorded)
    told = tuple(Answer(a.taxonomy, _back(a.object, original), a.cause) for a, _ in given)
    verdict = given[0][1].verdict if given else Verdict.NO_FAULT
    sure = given[0][1].confidence if given else 0.0
    return Outcome(case, told, str(verdict), sure, seconds, newest_warning(recorded))


def _back(label: str, original: Callable[[str], str]) -> str:
    kind, _, name = label.partition("/")
    return f"{kind}/{original(name)}"


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Figure]:
    n = len(outcomes)
    sure = [o for o in outcomes if o.verdict == Verdict.CONFIRMED]
    seconds = sorted(o.seconds for o in outcomes)
    return {
        "a_at_1": wilson(sum(o.case.truth in o.given[:1] for o in outcomes), n),
        "a_at_3": wilson(sum(o.case.truth in o.given[:3] for o in outcomes), n),
        "taxonomy_accuracy": wilson(sum(_first(o).taxonomy == o.case.truth.taxonomy for o in outcomes), n),
        "object_accuracy": wilson(sum(_first(o).object == o.case.truth.object for o in outcomes), n),
        "seconds_per_case": bootstrap(seconds),
        "seconds_per_case_p95": Figure(seconds[min(n - 1, int(0.95 * n))]),
        "confirmed_share": wilson(len(sure), n),
        "confirmed_right": wilson(sum(o.case.truth in o.given[:1] for o in sure), len(sure)),
        "abstained": wilson(sum(not o.given for o in outcomes), n),
    }


def _first(outcome: Outcome) -> Answer:
    return outcome.given[0] if outcome.given else Answer("", "", "")


def _by(outcomes: Sequence[Outcome], label: Callable[[Outcome], str]) -> dict[str, dict[str, float]]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[label(one)].append(one)
    return {
        name: {
            "n": len(some),
            "a_at_1": round(sum(o.case.truth in o.given[:1] for o in some) / len(some), 3),
            "a_at_3": round(sum(o.case.truth in o.given[:3] for o in some) / len(some), 3),
        }
        for name, some in sorted(groups.items())
    }


def _baselines(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    n = len(outcomes)
    truths = Counter(o.case.truth for o in outcomes)
    return {
        "most_frequent": {"a_at_1": most_frequent(truths, 1) / n, "a_at_3": most_frequent(truths, 3) / n},
        "newest_warning_event": {"a_at_1": sum(o.baseline == o.case.truth for o in outcomes) / n},
    }


def _told(outcome: Outcome) -> dict[str, object]:
    place = "/".join(outcome.case.path.parts[-3:])
    given = [f"{a.object} {a.cause}" for a in outcome.given[:3]]
    truth = f"{outcome.case.truth.object} {outcome.case.truth.cause}"
    return {"case": place, "truth": truth, "given": given, "verdict": outcome.verdict}


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--perturb", type=int, metavar="SEED", help="also take the perturbed exam; prints the loss")
    parser.add_argument("--misses", action="store_true", help="list the cases that were answered wrong")


EXAM = Exam(
    name="cloudopsbench",
    summary="frozen Kubernetes incidents: taxonomy, object and cause, all exact (A@1, A@3)",
    run=run,
    must={"a_at_1": (">=", 0.90), "a_at_3": (">=", 0.95), "seconds_per_case": ("<=", 1.0)},
    options=_options,
)

__all__ = ["EXAM", "TAXONOMY", "answered", "found_cases", "load", "run"]
