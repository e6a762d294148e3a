"""Calibration: is a diagnosis right as often as it says? Over the cheap exams, and saved reports of the others.

``--data`` takes Cloud-OpsBench and PetShop again; ``--reports`` adds what other exams printed with ``--json`` (lab,
pairs, realcauses).
"""

import argparse
import json
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from copilot.errors import InvalidInput
from evals.calibration import bins, figures, table, verdicts
from evals.exam import Exam, Figure, Report, Said
from evals.exams import cloudopsbench, petshop


def take(args: argparse.Namespace, progress: Callable[[int, int], None]) -> Report:
    """Return calibration figures, each exam's and all together; raises ``InvalidInput`` when there is nothing to read.

    Figures: ``confirmed_right`` (of what is called CONFIRMED), ``confirmed_share`` (of all cases),
    ``calibration_error``, ``brier``, and the share right in each bin of confidence.
    """
    begun = time.perf_counter()
    by_exam = {name: said for path in args.reports for name, said in [saved(path)]}
    if args.data is not None:
        given = Namespace(data=args.data, perturb=None, misses=False)
        by_exam["cloudopsbench"] = cloudopsbench.run(given, progress).said
        by_exam["petshop"] = petshop.take(given, progress).said
    if not by_exam:
        raise InvalidInput("There is nothing to calibrate on.", hint="Give --data DIR, --reports FILE, or both.")
    every = tuple(s for said in by_exam.values() for s in said)
    found = figures(every)
    found |= {f"right at {b.label}": b.right for b in bins([s for s in verdicts(every) if s.verdict])}
    for name, said in by_exam.items():
        found |= _own(name, said)
    n = sum(s.n for s in verdicts(every))
    return Report("calibration", n, time.perf_counter() - begun, found, {}, {"table": table(by_exam)})


def _own(name: str, said: Sequence[Said]) -> dict[str, Figure]:
    wanted = ("confirmed_right", "confirmed_share")
    return {f"{name}.{key}": value for key, value in figures(said).items() if key in wanted} if verdicts(said) else {}


def saved(path: Path) -> tuple[str, tuple[Said, ...]]:
    """Return the exam's name and the answers of a report that was printed with ``--json``; raises ``InvalidInput``."""
    try:
        report = json.loads(path.read_text())
        return str(report["exam"]), tuple(Said(**one) for one in report["said"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} is no report of an exam: {error}.", hint="Save what --json prints.") from error


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reports", type=Path, nargs="*", default=[], metavar="FILE", help="saved reports (--json)")


EXAM = Exam(
    name="calibration",
    summary="How far a diagnosis' confidence can be trusted, over several exams.",
    run=take,
    must={"confirmed_right": (">=", 0.97), "confirmed_share": (">=", 0.6)},
    options=_options,
    needs_data=False,
)
