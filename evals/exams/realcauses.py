"""Causes that Kubernetes state can show, on a real control plane: is each named, and is nothing said of what is well?

Needs the control plane built (`python -m tests.cluster.build`) and the checkout; the default folder of cases is the one
beside the tests. The trivial diagnosis beside it reads the newest Warning event of the namespace.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from copilot.errors import Unavailable
from evals.exam import Exam, Given, Report, bootstrap, tally, wilson

if TYPE_CHECKING:
    from tests.cluster.causes.world import Answer

MUST = {"right": (">=", 0.95), "healthy_flagged": ("<=", 0.0)}


def take(args: argparse.Namespace, progress: Callable[[int, int], None]) -> Report:
    """Make every case on one control plane and ask about each; raises ``Unavailable`` where it is not built.

    Figures: ``right`` (cause and object come first), ``right_in_three``, ``healthy_flagged`` (share of the namespaces
    in which nothing is wrong), ``confirmed_right``, ``seconds_per_case``.
    """
    from tests.cluster.causes.case import FOLDER, cases
    from tests.cluster.causes.world import ask, build
    from tests.cluster.control_plane import Parts, control_plane
    from tests.cluster.programs import missing

    begun = time.perf_counter()
    if missing():
        raise Unavailable(f"Not built: {', '.join(missing())}.", hint="Run python -m tests.cluster.build first.")
    found = cases(args.data or FOLDER)
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(kube_state_metrics=True, prometheus=True)
        with control_plane(Path(folder) / "plane", parts) as plane:
            build(found, plane)
            answers = ask(found, plane, Path(folder) / "state", progress=progress)
    return report(answers, seconds=time.perf_counter() - begun)


def report(answers: Sequence["Answer"], *, seconds: float) -> Report:
    """Return the figures of some answers; what was missed or flagged is listed in ``config``."""
    faulty = [one for one in answers if one.case.cause]
    well = [one for one in answers if not one.case.cause]
    confirmed = [one for one in faulty if one.said and one.said[0][2] == "CONFIRMED"]
    figures = {
        "right": wilson(sum(one.right for one in faulty), len(faulty)),
        "right_in_three": wilson(sum(one.right_in_three for one in faulty), len(faulty)),
        "healthy_flagged": wilson(sum(bool(one.said) for one in well), len(well)),
        "confirmed_right": wilson(sum(one.right for one in confirmed), len(confirmed)),
        "seconds_per_case": bootstrap([one.seconds for one in answers]),
    }
    newest = {
        "right": mean(one.baseline_right for one in faulty),
        "healthy_flagged": mean(bool(one.newest) for one in well),
    }
    config: dict[str, object] = {
        "faulty": len(faulty),
        "causes": len({one.case.cause for one in faulty}),
        "healthy": len(well),
        "missed": {one.case.name: [one.case.cause, *one.said[:3]] for one in faulty if not one.right},
        "flagged": {one.case.name: one.said for one in well if one.said},
    }
    said = tally(Given(one.verdict, one.confidence, one.right) for one in answers if one.said or one.case.cause)
    return Report("realcauses", len(answers), seconds, figures, {"newest_warning_event": newest}, config, said=said)


EXAM = Exam(
    name="realcauses",
    summary="Causes that Kubernetes state can show, made on a real control plane.",
    run=take,
    must=MUST,
    needs_data=False,
)
