"""What the audience of the demo sees: on a terminal a picture that moves, in a pipe the same story as lines."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from copilot.commands.output import console
from copilot.core.case import Anomaly, Case, CaseStatus
from copilot.core.curve import Curve, Mark
from copilot.core.plan import Decision, Plan
from copilot.core.text import human_seconds, in_words, one_line, plural
from copilot.surfaces.cards import evidence_tree, plan_card
from copilot.surfaces.curves import curve_view

if TYPE_CHECKING:
    from copilot.app import App
    from copilot.lab.server import Lab
    from copilot.patrol import Seen
    from copilot.rehearsal import Record

_NEXT = (
    ("infra-copilot lab up", "keep a lab running; add '-e lab' to any command"),
    ("infra-copilot chat -e lab", "ask, approve and undo in the terminal"),
    ("infra-copilot check --prometheus URL", "look at your own cluster, read-only"),
)
_FRAME_SECONDS = 0.7
_AFTERGLOW = timedelta(minutes=3)
"""Of the lab's time after the end, so that the recovery is seen."""
_MOST_SYMPTOMS = 3


class Audience:
    """An observer of the rehearsal that tells the story as it happens."""

    def __init__(self, *, quiet: bool, ask: bool, seed: int, out: Console | None = None) -> None:
        self._out = out or console()
        self._quiet = quiet
        self._ask = ask
        self._seed = seed
        self._app: App | None = None
        self._lab: Lab | None = None
        self._live: Live | None = None
        self._watching: asyncio.Task[None] | None = None
        self._marks: tuple[Mark, ...] = ()
        self._shown: Anomaly | None = None
        self._said = ""

    # -- the acts, as the rehearsal calls them -----------------------------------------------------------------------

    def warming(self, share: float) -> None:
        """Show how far the lab's history is; called from another thread."""
        if not self._quiet and self._out.is_terminal:
            bar = f"{'━' * int(30 * share):<30}"
            self._moving(
                Text.assemble("warming up a lab cluster, 24 hours of history  ", (bar, "cyan"), f" {share:4.0%}")
            )

    async def began(self, app: App) -> None:
        """The product looks at a healthy lab."""
        self._app = app
        fleet = await app.desk.fleet()
        self.still()
        self.say(
            f"A lab cluster on loopback (seed {self._seed}): {fleet.nodes} nodes, {fleet.gpus} GPUs "
            f"({fleet.gpus_busy} in use), {plural(fleet.pods, 'pod')}. No other cluster is touched.",
            "bold",
        )
        self.say("The copilot watches it over the Kubernetes and Prometheus APIs. Everything is in its band.", "dim")

    async def injected(self, lab: Lab) -> None:
        """The fault is in."""
        self._lab = lab
        self._marks = (Mark(at=lab.now(), what="fault"),)
        self._rule(f"{lab.now():%H:%M}  a fault", "red")
        self.say("Something was broken just now. The copilot is not told what.", "red")

    async def looked(self, lab: Lab, seen: Seen) -> None:
        """One pass was made: the metric that bends."""
        if self._quiet:
            return
        worst = self._worst(seen)
        said = f"{one_line(worst.summary, 110)}" if worst else "every signal is in its band"
        if self._out.is_terminal:
            curve = await self._app.desk.curve_of(worst) if worst and self._app else None
            self._moving(self._picture(f"{lab.now():%H:%M}  {said}", curve))
        elif said.partition(":")[0] != self._said:
            self._said = said.partition(":")[0]
            self.say(f"{lab.now():%H:%M}  {said}")

    async def noticed(self, case: Case) -> None:
        """A case was opened: what hurts."""
        self.still()
        after = ""
        if self._lab and self._marks:
            after = f", {human_seconds((self._lab.now() - self._marks[0].at).total_seconds())} after the fault"
        self._rule(f"detected{after}: case {case.id}", "yellow")
        for anomaly in case.anomalies[:_MOST_SYMPTOMS]:
            self.say(f"  {one_line(anomaly.summary or anomaly.signal, 140)}", "yellow")
        more = len(case.anomalies) - _MOST_SYMPTOMS
        if more > 0:
            self.say(f"  and {plural(more, 'symptom')} more, all in this one case", "dim")

    async def opened(self, case: Case) -> None:
        """A case was diagnosed: evidence, cause, plan."""
        self.still()
        if self._quiet:
            return
        if case.diagnosis:
            curve = await self._curve(case)
            if curve:
                self._out.print(Text("\n").append(curve_view(curve, width=self._width())))
            self._rule("cause", "yellow")
            self._out.print(evidence_tree(case.diagnosis, case.evidence, explain=True))
            spent = human_seconds(case.seconds.get("diagnose", 0))
            self.say(f"Looked and decided in {spent}, with {case.llm_tokens} model tokens.", "dim")
        if case.plan:
            self._rule("plan", "cyan")
            self._out.print(plan_card(case.plan, now=datetime.now(UTC)))

    async def decide(self, case: Case, plan: Plan) -> Decision:
        """Ask for approval of exactly this plan."""
        if not self._ask:
            return Decision.APPROVE
        self._out.print(
            Text.assemble(("Approve plan ", "bold"), (plan.digest[:12], "bold cyan"), ("? [y/N] ", "bold")), end=""
        )
        answer = await _typed_line()
        return Decision.APPROVE if answer.strip().lower() in ("y", "yes") else Decision.REJECT

    async def decided(self, case: Case, decision: Decision) -> None:
        """A decision was taken: execution begins."""
        who = "you" if self._ask else "the demo itself (--yes, or no terminal to ask on)"
        word = "Approved" if decision is Decision.APPROVE else "Rejected"
        digest = case.plan.digest[:12] if case.plan else ""
        self.say(f"{word} by {who}: plan {digest}", "bold")
        if decision is Decision.APPROVE and self._lab:
            self._marks = (*self._marks, Mark(at=self._lab.now(), what="change"))
            if self._out.is_terminal and not self._quiet:
                self._watching = asyncio.create_task(self._watch(case.id))

    async def ended(self, case: Case) -> None:
        """The case ended: what was done, and what the metric says."""
        await self._unwatched()
        if self._quiet:
            return
        good = case.status is CaseStatus.RESOLVED
        style = "bold green" if good else "bold red"
        self._rule(in_words(case.status.value), "green" if good else "red")
        for result in case.results:
            self.say(f"  {result.state.value}: {one_line(result.message, 140)}", "dim")
        if case.results and self._lab:
            await asyncio.to_thread(self._lab.advance, _AFTERGLOW)
            curve = await self._curve(case)
            if curve:
                self._out.print(Text("\n").append(curve_view(curve, width=self._width())).append("\n"))
        readings = case.outcome.verification.readings if case.outcome and case.outcome.verification else ()
        if good and readings:
            self.say("Verified:", style)
        elif case.outcome:
            self.say(one_line(case.outcome.message, 400), style)
        for reading in readings:
            self.say(f"  {'✓' if good else '·'} {one_line(reading, 150)}", "green" if good else "")

    def finish(self, record: Record, seconds: float, *, harmless: bool = False) -> None:
        """Sum up, and say what to try next."""
        self.still()
        case = record.main
        if case is None:
            said = "Nothing was opened and nothing was changed: right, for this is no fault." if harmless else ""
            self.say(said or "Nothing was detected.", "bold green" if harmless else "bold red")
        else:
            self.say(f"\nThe whole demo took {human_seconds(seconds)}, with {case.llm_tokens} model tokens.", "dim")
        self.say("\nTry next:", "bold")
        for command, what in _NEXT:
            self._line(Text.assemble("  ", (f"{command:<38}", "cyan"), what))

    # -- the means ---------------------------------------------------------------------------------------------------

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        self._line(Text(text, style=style))

    def still(self) -> None:
        """Take the moving picture away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self, what: RenderableType) -> None:
        if not self._quiet:
            self._out.print(what)

    def _rule(self, title: str, style: str) -> None:
        self._line(Text())
        self._line(Rule(Text(title, style=f"bold {style}"), style=style, align="left"))

    def _moving(self, what: RenderableType) -> None:
        if self._live is None:
            self._live = Live(console=self._out, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(what, refresh=True)

    def _picture(self, said: str, curve: Curve | None) -> Group:
        drawn = curve_view(curve.model_copy(update={"marks": self._marks}), width=self._width()) if curve else Text()
        return Group(Text(said, style="yellow" if curve else "dim", no_wrap=True, overflow="ellipsis"), drawn)

    def _width(self) -> int:
        return min(self._out.width - 2, 112)

    def _worst(self, seen: Seen) -> Anomaly | None:
        """Return the anomaly to show: the one shown before while it lasts, so that the picture does not jump."""
        metric = [a for a in seen.anomalies if a.value is not None and a.query]
        before = self._shown.fingerprint if self._shown else ""
        self._shown = next((a for a in metric if a.fingerprint == before), metric[0] if metric else None)
        return self._shown or next(iter(seen.anomalies), None)

    async def _curve(self, case: Case) -> Curve | None:
        curve = await self._app.desk.curve(case) if self._app else None
        return curve.model_copy(update={"marks": self._marks}) if curve else None

    async def _watch(self, case_id: str) -> None:
        """Redraw the metric while the plan is executed and verified."""
        while self._app is not None:
            case = await self._app.copilot.case(case_id)
            curve = await self._curve(case)
            doing = "verifying on the metric that hurt" if case.status is CaseStatus.VERIFYING else "executing"
            self._moving(self._picture(f"{doing} ...", curve))
            await asyncio.sleep(_FRAME_SECONDS)

    async def _unwatched(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        self.still()


async def _typed_line() -> str:
    """Return a line from the terminal, or nothing at its end; unlike a thread in ``input``, it can be interrupted."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not typed.done():
            typed.set_result(sys.stdin.readline())

    sys.stdout.flush()
    loop.add_reader(sys.stdin.fileno(), read)
    try:
        return await typed
    finally:
        loop.remove_reader(sys.stdin.fileno())
