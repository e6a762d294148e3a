"""The demo's stage: the lab, an incident on it, and what the audience sees."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.rule import Rule
from rich.text import Text

from copilot.commands.output import console, emit
from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Decision, Plan
from copilot.core.text import human_seconds, one_line
from copilot.surfaces import encode
from copilot.surfaces.cards import evidence_tree, plan_card
from copilot.surfaces.charts import sparkline

if TYPE_CHECKING:
    from copilot.lab.server import Lab
    from copilot.patrol import Seen
    from copilot.rehearsal import Record

_NEXT = (
    ("infra-copilot lab up", "keep a lab running; then add '-e lab' to any command"),
    ("infra-copilot chat", "ask, approve and undo in the terminal"),
    ("infra-copilot check --kubeconfig FILE --prometheus URL", "look at your own cluster, read-only"),
)


async def play(fault: str, seed: int, *, interactive: bool, ask: bool, as_json: bool) -> int:
    """Play one incident on a warmed lab; return the exit code."""
    from copilot.config import state_home
    from copilot.lab.cache import warmed
    from copilot.lab.server import Lab, fault_named
    from copilot.rehearsal import approve, rehearse

    fault_named(fault)
    audience = Audience(quiet=as_json, ask=ask)
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="infra-copilot-") as folder:
        world = await asyncio.to_thread(warmed, seed, state_home() / "worlds", progress=audience.warming)
        lab = Lab(world, state_dir=Path(folder) / "lab", speed=0)
        await asyncio.to_thread(lab.start)
        try:
            audience.say(f"A lab cluster (seed {seed}) answers at {lab.addresses.kubernetes}.", "dim")
            decide = audience.decide if interactive else approve
            record = await rehearse(lab, Path(folder) / "state", decide=decide, tell=audience, inject=fault)
        finally:
            await asyncio.to_thread(lab.stop)
    if as_json:
        emit(report(fault, seed, record))
    else:
        audience.finish(record, (datetime.now(UTC) - started).total_seconds())
    return exit_code(record)


def exit_code(record: Record) -> int:
    """Return 0 when the case ended verified or rightly without a change, else 1."""
    case = record.main
    return 0 if case is not None and case.status is CaseStatus.RESOLVED else 1


def report(fault: str, seed: int, record: Record) -> dict[str, Any]:
    """Return the one object that ``demo --json`` prints."""
    case = record.main
    if case is None:
        return {"fault": fault, "seed": seed, "case": None, "verified": False, "undone": False, "llm_tokens": 0}
    finding: dict[str, Any] = encode.finding(case.diagnosis, case.evidence) if case.diagnosis else {}
    return {
        "fault": fault,
        "seed": seed,
        "case": case.id,
        **{k: finding.get(k) for k in ("verdict", "cause", "object", "confidence", "evidence", "alternatives")},
        "plan_digest": case.plan.digest if case.plan else None,
        "steps": [s.command for s in case.plan.steps] if case.plan else [],
        "verified": case.status is CaseStatus.RESOLVED,
        "undone": case.status is CaseStatus.UNDONE,
        "status": case.status.value,
        "llm_tokens": case.llm_tokens,
        "seconds": {
            "detect": record.detect,
            **{k: round(case.seconds.get(k, 0.0), 3) for k in ("diagnose", "execute", "verify")},
        },
    }


class Audience:
    """Tells the story on the terminal as it happens."""

    def __init__(self, *, quiet: bool, ask: bool) -> None:
        self._out = console()
        self._quiet = quiet
        self._ask = ask
        self._injected: datetime | None = None
        self._bend: list[float] = []

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        if not self._quiet:
            self._out.print(Text(text, style=style))

    def warming(self, share: float) -> None:
        """Show how far the lab's history is."""
        if not self._quiet and self._out.is_terminal:
            end = "\n" if share >= 1 else "\r"
            self._out.print(Text(f"warming up 24 hours of history  {'█' * int(30 * share):<30} {share:4.0%}"), end=end)

    async def injected(self, lab: Lab) -> None:
        """The fault is in."""
        self._injected = lab.now()
        if not self._quiet:
            self._out.print(Rule("fault", style="red"))
        self.say(f"{lab.now():%H:%M:%S}  a fault was put into the world. The copilot is not told which.", "bold red")

    async def looked(self, lab: Lab, seen: Seen) -> None:
        """One pass was made: show the metric that bends most."""
        worst = next((a for a in seen.anomalies if a.value is not None), None)
        line = f"{lab.now():%H:%M:%S}  "
        if worst is None and not seen.anomalies:
            self.say(f"{line}all signals in their bands", "dim")
        else:
            first = worst or seen.anomalies[0]
            if first.value is not None:
                self._bend.append(first.value)
            self.say(f"{line}{one_line(first.summary, 90)}  {sparkline(self._bend, 30)}", "yellow")

    async def opened(self, case: Case) -> None:
        """A case was opened: evidence and plan."""
        if self._quiet:
            return
        after = (case.anomalies[0].seen - self._injected).total_seconds() if self._injected else 0.0
        self._out.print(Rule(f"detected after {human_seconds(max(after, 0))}: case {case.id}", style="yellow"))
        if case.diagnosis:
            self._out.print(evidence_tree(case.diagnosis, case.evidence, explain=True))
            self.say(f"diagnosed in {human_seconds(case.seconds.get('diagnose', 0))}, {case.llm_tokens} tokens", "dim")
        if case.plan:
            self._out.print(plan_card(case.plan, now=datetime.now(UTC)))

    async def decide(self, case: Case, plan: Plan) -> Decision:
        """Ask for approval of exactly this plan."""
        if not self._ask:
            return Decision.APPROVE
        answer = await asyncio.to_thread(input, f"Approve plan {plan.digest[:12]}? [y/N] ")
        return Decision.APPROVE if answer.strip().lower() in ("y", "yes") else Decision.REJECT

    async def decided(self, case: Case, decision: Decision) -> None:
        """A decision was taken."""
        who = "you" if self._ask else "the demo (no terminal to ask on, or --yes)"
        digest = case.plan.digest[:12] if case.plan else ""
        self.say(f"{decision.value}d by {who}: {digest}".replace("rejectd", "rejected"), "bold")

    async def ended(self, case: Case) -> None:
        """The case ended: what was done, and what the metric says."""
        if self._quiet:
            return
        self._out.print(Rule("outcome", style="green" if case.status is CaseStatus.RESOLVED else "red"))
        for result in case.results:
            self.say(f"  step {result.index + 1}: {result.state.value} {one_line(result.message, 120)}")
        if case.outcome:
            self.say(case.outcome.message, "bold green" if case.status is CaseStatus.RESOLVED else "bold red")
            readings = case.outcome.verification.readings if case.outcome.verification else ()
            for reading in readings:
                self.say(f"  {reading}")

    def finish(self, record: Record, seconds: float) -> None:
        """Sum up, and say what to try next."""
        case = record.main
        if case is None:
            self.say("Nothing was detected.", "bold red")
        else:
            self.say(f"\nthe whole demo took {human_seconds(seconds)}; {case.llm_tokens} model tokens", "dim")
        self.say("\nTry next:")
        for command, what in _NEXT:
            self.say(f"  {command:<58} {what}")
