"""One case: evidence tree, timeline, plan card with its countdown; decisions by one key."""

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from copilot.core.case import Case, CaseStatus
from copilot.core.curve import Curve
from copilot.core.plan import Decision, Risk
from copilot.core.text import human_seconds, in_words, one_line
from copilot.errors import CopilotError
from copilot.surfaces.cards import case_view
from copilot.surfaces.curves import curve_view
from copilot.surfaces.undoing import changed, way_back
from tui.headline import within, would_do
from tui.screens.ask import AskScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.reject import RejectScreen
from tui.stage import on_stage

if TYPE_CHECKING:
    from tui.app import ChatApp

_REFRESH_SECONDS = 5.0
_NARROW = 64
_LOW = 16
_DOING = {
    CaseStatus.OPEN: "being investigated ...",
    CaseStatus.EXECUTING: "executing the approved plan ...",
    CaseStatus.VERIFYING: "executed; verifying on the metric that hurt ...",
    CaseStatus.RESOLVED: "resolved",
    CaseStatus.UNDONE: "undone: the change was taken back",
    CaseStatus.NEEDS_PERSON: "needs a person",
}


class CaseScreen(Screen[None]):
    """Drawn from the case alone; every key acts on exactly the plan that is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "approve", "Approve"),
        Binding("r", "reject", "Reject"),
        Binding("u", "undo", "Undo"),
        Binding("y", "copy", "Copy"),
        Binding("x", "explain", "Explain"),
        Binding("s", "app.suspend_all", "Suspend"),
        Binding("s", "app.resume_all", "Resume"),
        Binding("question_mark", "app.help", "Help", key_display="?"),
        Binding("colon", "app.command_palette", "Palette", show=False),
        Binding("j", "scroll('down')", "Down", show=False),
        Binding("k", "scroll('up')", "Up", show=False),
        Binding("escape", "app.pop_screen", "Back"),
        Binding("q", "app.pop_screen", "Back", show=False),
    ]

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        self._explain = False
        self._curve: Curve | None = None

    def compose(self) -> ComposeResult:
        """Decision line above, the card below."""
        yield Static("", id="decision", markup=False)
        with VerticalScroll(id="case"):
            yield Static("", id="card", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Draw, count down every second, and keep the metric fresh."""
        self._draw()
        self._read_curve()
        self.set_interval(1.0, self.tick)
        self.set_interval(_REFRESH_SECONDS, self._read_curve)

    def on_resize(self) -> None:
        """The picture fits the width."""
        self._draw()

    @property
    def chat(self) -> "ChatApp":
        """The application, typed."""
        return cast("ChatApp", self.app)

    def refreshed(self, case: Case) -> None:
        """The store has a newer state of this case."""
        self.case = case
        if not on_stage(self):
            return
        self._draw()
        self.refresh_bindings()
        self._read_curve()

    @work(exclusive=True, group="curve")
    async def _read_curve(self) -> None:
        self._curve = await self.chat.desk.curve(self.case)
        self._draw()

    def _draw(self) -> None:
        if not on_stage(self):
            return
        picture = (
            curve_view(self._curve, width=max(self.size.width - 4, 30), height=self._rows()) if self._curve else None
        )
        now = self.chat.clock.now()
        view = case_view(self.case, explain=self._explain, now=now, picture=picture, head=False)
        self.query_one("#card", Static).update(view)
        self.tick()

    def _rows(self) -> int:
        """Return how high the picture is: on a low terminal the plan comes into sight sooner."""
        return 6 if self.size.height > 30 else 4

    def tick(self) -> None:
        """Draw what stands above the card."""
        if on_stage(self):
            self.query_one("#decision", Static).update(Text("\n".join(self._decision_lines())))

    def _decision_lines(self) -> list[str]:
        """Return what is asked of the person, and below it what exactly a press of ``a`` would do."""
        width = self.size.width - 2
        why = self.chat.suspension
        head = [one_line(f"SUSPENDED (s resumes): {why}", 300)] if why else []
        rows = 3 - len(head) if self.size.height < _LOW else self.size.height // 4
        return [*head, self._asked(), *self._does(width, rows)]

    def _asked(self) -> str:
        case = self.case
        if case.status is not CaseStatus.WAITING or case.plan is None:
            back = "   (u takes the change back)" if case.status is CaseStatus.RESOLVED and changed(case) else ""
            return f"{case.id}  {_DOING.get(case.status, in_words(case.status.value))}{back}"
        left = (case.plan.expires - self.chat.clock.now()).total_seconds()
        if left <= 0:
            return f"{case.id}  the plan expired; a new one is made when the case is looked at again"
        if self.size.width < _NARROW:
            return f"{case.id}  a approve  r reject  {human_seconds(left)}"
        return f"{case.id}  waits for you: a approve, r reject  ({human_seconds(left)} left)"

    def _does(self, width: int, rows: int) -> list[str]:
        if self.case.outcome:
            return within(one_line(self.case.outcome.message, 300), width=width, rows=rows)
        if self.case.plan:
            return would_do(self.case.plan, width=width, rows=rows)
        return ["no change is proposed"]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the keys that can do nothing here."""
        if action in ("approve", "reject"):
            return self.case.status is CaseStatus.WAITING and self.case.plan is not None
        return changed(self.case) if action == "undo" else True

    def action_approve(self) -> None:
        """Approve the plan that is shown; one that loses something wants its digest typed."""
        case = self.case
        if case.status is not CaseStatus.WAITING or case.plan is None:
            self.notify("There is no plan waiting for a decision.", severity="warning")
        elif case.plan.risk >= Risk.DESTRUCTIVE or case.plan.blast.gpu_hours_lost > 0:
            self.app.push_screen(ConfirmScreen(case.plan), self._confirmed)
        else:
            self._decide(Decision.APPROVE, case.plan.digest, "")

    def _confirmed(self, digest: str | None) -> None:
        if digest:
            self._decide(Decision.APPROVE, digest, "")

    def action_reject(self) -> None:
        """Reject the plan, with a reason."""
        if self.case.status is not CaseStatus.WAITING or self.case.plan is None:
            self.notify("There is no plan waiting for a decision.", severity="warning")
        else:
            self.app.push_screen(RejectScreen(self.case.plan), self._rejected)

    def _rejected(self, reason: str | None) -> None:
        if reason is not None and self.case.plan:
            self._decide(Decision.REJECT, self.case.plan.digest, reason)

    @work(group="decide")
    async def _decide(self, decision: Decision, digest: str, reason: str) -> None:
        try:
            case = await self.chat.desk.decide(
                self.case.id, digest, decision, by=self.chat.user, role="operator", reason=reason
            )
        except CopilotError as error:
            self.notify(str(error), title="Not done", severity="error", timeout=10)
        else:
            self.refreshed(case)

    def action_undo(self) -> None:
        """Take the executed plan back, once the person has seen how."""
        back = way_back(self.case)
        if not back:
            self.notify("Nothing was executed here that could be taken back.", severity="warning")
            return
        asks = AskScreen(f"Take back what {self.case.id} changed?", back, yes="take it back")
        self.app.push_screen(asks, self._asked_to_undo)

    def _asked_to_undo(self, yes: bool | None) -> None:
        if yes:
            self._undo()

    @work(group="decide")
    async def _undo(self) -> None:
        try:
            self.refreshed(await self.chat.desk.undo(self.case.id, by=self.chat.user))
        except CopilotError as error:
            self.notify(str(error), title="Not done", severity="error", timeout=10)

    def action_copy(self) -> None:
        """Copy the commands of the plan to the clipboard."""
        if self.case.plan is None:
            self.notify("There is no command to copy.", severity="warning")
            return
        commands = "\n".join(step.command for step in self.case.plan.steps)
        self.app.copy_to_clipboard(commands)
        self.notify(one_line(commands, 200), title="Copied")

    def action_explain(self) -> None:
        """Show or hide what was refuted, and why."""
        self._explain = not self._explain
        self._draw()

    def action_scroll(self, direction: str) -> None:
        """Scroll the card."""
        card = self.query_one("#case", VerticalScroll)
        card.scroll_relative(y=3 if direction == "down" else -3, animate=False)
