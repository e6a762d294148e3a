"""The main screen: cases and fleet health at the left, the conversation at the right, a prompt below."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Static

from copilot.config import LAB
from copilot.core.case import Case
from copilot.core.text import one_line
from copilot.errors import CopilotError
from tui.messages import Asked, CaseChosen
from tui.stage import on_stage
from tui.widgets.case_list import CaseList
from tui.widgets.conversation import Conversation
from tui.widgets.fleet import FleetHealth
from tui.widgets.prompt import COMMANDS, Prompt

if TYPE_CHECKING:
    from tui.app import ChatApp

_NARROW = 64
_REFRESH_SECONDS = 15.0
WELCOME = "Ask anything about the cluster: what is wrong?  ·  who uses the GPUs?  ·  what changed today?   (/help)"

LAB_GONE = "The lab stopped or was restarted: open the chat again (ctrl+q, then 'infra-copilot chat')."
"""A lab has new ports each time it starts; a chat that is open knows the old ones."""


class MainScreen(Screen[None]):
    """Where one arrives and returns to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "app.help", "Help", key_display="?"),
        Binding("slash", "filter", "Filter", key_display="/", show=False),
        Binding("colon", "app.command_palette", "Palette", show=False),
        Binding("s", "app.suspend_all", "Suspend"),
        Binding("s", "app.resume_all", "Resume"),
        Binding("w", "app.waiting", "Waiting", show=False),
        Binding("c", "toggle_cases", "Cases", show=False),
        Binding("i", "focus_prompt", "Ask"),
        Binding("e", "evidence", "Evidence", show=False),
        Binding("escape", "back", "Cases"),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._problem = ""
        self._reached = False

    def compose(self) -> ComposeResult:
        """Status above, three panes, keys below."""
        yield Static("", id="status", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="side"):
                yield Input(placeholder="filter", id="filter", classes="hidden")
                yield CaseList(id="cases")
                yield Static("looking ...", id="no-cases", markup=False)
                yield FleetHealth(id="fleet")
            with Vertical(id="talk"):
                yield Conversation(id="conversation")
                yield Prompt(id="prompt")
        yield Footer()

    @property
    def chat(self) -> "ChatApp":
        """The application, typed."""
        return cast("ChatApp", self.app)

    async def on_mount(self) -> None:
        """Greet, and start what keeps the screen up to date."""
        await self.query_one(Conversation).note(WELCOME)
        self.query_one(CaseList).display = False
        self.action_focus_prompt()
        self._fit()
        self.chat.begin()

    def connected(self) -> None:
        """The desk is open: begin to follow it."""
        self._look_at_fleet()
        self._learn_names()
        self.set_interval(_REFRESH_SECONDS, self._look_at_fleet)

    def on_resize(self) -> None:
        """A narrow terminal shows one pane at a time."""
        self._fit()

    def _fit(self) -> None:
        self.set_class(self.size.width < _NARROW, "narrow")
        self.set_class(self.size.height < 16, "low")

    def show_cases(self, cases: tuple[Case, ...]) -> None:
        """Draw the newest cases."""
        table = self.query_one(CaseList)
        table.show(cases)
        table.display = bool(cases)
        empty = self.query_one("#no-cases", Static)
        empty.update("No cases: everything seen so far is in its band.")
        empty.display = not cases

    def point_at(self, case_id: str) -> None:
        """Put the cursor on a case, unless somebody is moving it."""
        if not isinstance(self.focused, CaseList):
            self.query_one(CaseList).point_at(case_id)

    def keys_to_open(self, waiting: Sequence[str]) -> str:
        """Return what to press from here to open a case that waits."""
        table = self.query_one(CaseList)
        key = "enter" if table.chosen in waiting else "w"
        return key if self.focused is table else f"esc, {key}"

    @on(DataTable.RowHighlighted)
    @on(events.DescendantFocus)
    def _elsewhere(self) -> None:
        """Other keys open what waits, now that the cursor or the focus is elsewhere."""
        self.chat.show_state()

    def show_status(self, text: str) -> None:
        """Draw the line at the top."""
        self.query_one("#status", Static).update(text)

    @work(exclusive=True, group="fleet")
    async def _look_at_fleet(self) -> None:
        fleet = await self.chat.desk.fleet()
        if not on_stage(self):
            return
        self._reached = self._reached or not fleet.problem
        if fleet.problem and self._reached and self.chat.place == LAB:
            fleet = fleet.model_copy(update={"problem": f"{LAB_GONE} {fleet.problem}"})
        self.query_one(FleetHealth).show(fleet)
        if fleet.problem and fleet.problem != self._problem:
            await self.query_one(Conversation).note(fleet.problem)
        self._problem = fleet.problem

    @work(group="names")
    async def _learn_names(self) -> None:
        with suppress(CopilotError):
            names = await self.chat.desk.names()
            if on_stage(self):
                self.query_one(Prompt).completion.names = names

    @on(CaseChosen)
    def _open_case(self, message: CaseChosen) -> None:
        self.chat.open_case(message.case_id)

    @on(Asked)
    async def _typed(self, message: Asked) -> None:
        conversation = self.query_one(Conversation)
        await conversation.question(message.text)
        if message.text.startswith("/"):
            await self._command(message.text)
        else:
            self._answer(message.text)

    @work(exclusive=True, group="answer")
    async def _answer(self, text: str) -> None:
        conversation = self.query_one(Conversation)
        if not self.chat.ready:
            await conversation.note(self.chat.waiting_for)
            return
        running = await conversation.answer()
        try:
            async for piece in self.chat.desk.converse(text):
                if on_stage(self):
                    await running.take(piece)
        except CopilotError as error:
            await conversation.note(str(error))
        except asyncio.CancelledError:
            if on_stage(self):
                await conversation.note("(stopped)")
            raise
        finally:
            if on_stage(self):
                await running.end()

    async def _command(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        conversation = self.query_one(Conversation)
        if name == "/case" and rest:
            self.chat.open_case(rest.strip())
        elif name == "/clear":
            await conversation.remove_children()
        elif name == "/cases":
            self._to_cases()
        elif name == "/suspend":
            await self.chat.suspend_all(rest.strip())
        elif name == "/resume":
            await self.chat.resume_all()
        elif name == "/quit":
            self.app.exit()
        elif name == "/help":
            self.chat.action_help()
        else:
            known = ", ".join(f"{c} ({what})" for c, what in COMMANDS.items())
            lacks = "/case wants an ID." if name == "/case" else f"There is no command {one_line(name, 40)}."
            await conversation.note(f"{lacks} Commands: {known}")

    def action_filter(self) -> None:
        """Type a word that cases must contain."""
        box = self.query_one("#filter", Input)
        self.remove_class("talking")
        box.remove_class("hidden")
        box.focus()

    @on(Input.Changed, "#filter")
    def _filter(self, event: Input.Changed) -> None:
        self.query_one(CaseList).narrow(event.value)

    @on(Input.Submitted, "#filter")
    def _filtered(self) -> None:
        self.query_one(CaseList).focus()

    def action_back(self) -> None:
        """Leave the filter; otherwise move between the prompt and the cases."""
        box = self.query_one("#filter", Input)
        if not box.has_class("hidden"):
            box.value = ""
            box.add_class("hidden")
            self._to_cases()
        elif isinstance(self.focused, Prompt):
            self._to_cases()
        else:
            self.action_focus_prompt()

    def _to_cases(self) -> None:
        """Go to the cases, and on a narrow terminal bring them into sight."""
        self.remove_class("talking")
        self.query_one(CaseList).focus()

    def action_focus_prompt(self) -> None:
        """Go to the prompt."""
        self.add_class("talking")
        self.query_one(Prompt).focus()

    def action_toggle_cases(self) -> None:
        """On a narrow terminal, change between cases and conversation."""
        self.toggle_class("talking")

    def action_evidence(self) -> None:
        """Unfold the evidence of the last answer, or fold it."""
        self.query_one(Conversation).evidence()

    def stop_answer(self) -> bool:
        """Stop a running answer; return whether there was one."""
        return bool(self.workers.cancel_group(self, "answer"))
