"""What became of a case once a plan was run, or could not be: pure."""

from collections.abc import Sequence
from datetime import datetime

from copilot.core.case import Case, CaseStatus, Outcome, TimelineEntry, Verification
from copilot.core.plan import Plan, StepState
from copilot.core.text import one_line
from copilot.errors import CopilotError, Forbidden, NotApproved, PolicyRefused, Unavailable, WorldChanged
from copilot.executor import Run

REPLANNED = "replanned"
"""Flag of a case, once for each plan that the world overtook."""


def ended(
    case: Case, status: CaseStatus, message: str, *, at: datetime, verification: Verification | None = None
) -> Case:
    """Return the case with its outcome."""
    outcome = Outcome(status=status, at=at, message=message, verification=verification)
    return case.with_(status=status, outcome=outcome)


def again(case: Case, why: str, *, at: datetime) -> Case:
    """Return the case open once more, for a new plan."""
    entry = TimelineEntry(at=at, what=f"A new plan is needed: {one_line(why)}", source="copilot")
    return case.with_(status=CaseStatus.OPEN, flags=(*case.flags, REPLANNED), timeline=(*case.timeline, entry))


def not_begun(case: Case, plan: Plan, error: CopilotError, *, at: datetime) -> Case:
    """Say why nothing of a plan was done; open, when a new plan may do."""
    if isinstance(error, WorldChanged | NotApproved):
        return again(case, error.message, at=at)
    if isinstance(error, PolicyRefused):
        return ended(case, CaseStatus.NEEDS_PERSON, str(error), at=at)
    if isinstance(error, Forbidden):
        commands = " && ".join(s.command for s in plan.steps)
        return ended(case, CaseStatus.NEEDS_PERSON, f"A person must: {error.message} Run: {commands}", at=at)
    return ended(case, CaseStatus.FAILED, f"Nothing was changed: {error}", at=at)


def cut_short(case: Case, error: CopilotError, *, at: datetime) -> Case:
    """Say how far a plan came that was begun before a restart and may not go on; an absent world is waited for."""
    if isinstance(error, Unavailable):
        raise error
    state = "; ".join(f"step {r.index + 1}: {r.state.value} {r.message}".strip() for r in case.results)
    return ended(case, CaseStatus.NEEDS_PERSON, f"It was begun and cannot go on: {error} {state}", at=at)


def executed(case: Case, run: Run, *, at: datetime) -> Case:
    """Return the case to be verified, or what became of a run that did not come to its end."""
    if run.done:
        what = f"Done: {case.plan.title if case.plan else ''}"
        entry = TimelineEntry(at=run.results[-1].at, what=what, source="executor")
        return case.with_(status=CaseStatus.VERIFYING, timeline=(*case.timeline, entry))
    said = "; ".join(r.message for r in run.results if r.message)
    if run.unknown:
        return ended(case, CaseStatus.NEEDS_PERSON, f"It cannot be told whether it was done: {said}", at=at)
    taken_back = _taken_back(run)
    if any(r.state is not StepState.APPLIED for r in run.undone):
        return ended(case, CaseStatus.NEEDS_PERSON, f"It failed: {said}.{taken_back}", at=at)
    if run.world_changed:
        return again(case, f"{said}.{taken_back}", at=at)
    return ended(case, CaseStatus.FAILED, f"It failed: {said}.{taken_back}", at=at)


def _taken_back(run: Run) -> str:
    kept = [r.message for r in run.undone if r.state is not StepState.APPLIED]
    if kept:
        return f" The steps before it stay done: {'; '.join(kept)}"
    return f" {len(run.undone)} steps before it were taken back." if run.undone else ""


def verified(verification: Verification) -> str:
    """Return what the checks read, in one sentence."""
    return f"Verified: {'; '.join(verification.readings)}."


def merged(old: Sequence[TimelineEntry], new: Sequence[TimelineEntry]) -> tuple[TimelineEntry, ...]:
    """Return two timelines as one, in order, nothing twice."""
    return tuple(sorted({(e.at, e.what): e for e in [*old, *new]}.values(), key=lambda e: e.at))
