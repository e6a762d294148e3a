"""The terminal chat: draws what the desk says, carries decisions back; holds no logic that another surface needs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import ModalScreen, Screen

from copilot.core.case import Case, CaseStatus
from copilot.core.text import one_line, plural
from copilot.errors import CopilotError
from copilot.ports.clock import Clock
from copilot.surfaces.bursts import bursts
from copilot.surfaces.desk import Desk
from tui.screens.ask import AskScreen
from tui.screens.case import CaseScreen
from tui.screens.help import HelpScreen
from tui.screens.main import MainScreen

OpenDesk = Callable[[], AbstractAsyncContextManager[Desk]]


class ChatApp(App[None]):
    """One window on one environment; ``open_desk`` is entered after the first frame, so that nothing delays it."""

    TITLE = "infra-copilot"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Both before any widget's own: a line of input takes ctrl+c for copying, and dialogs hide other keys.
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+c", "interrupt", "Stop", show=False, priority=True),
    ]
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, open_desk: OpenDesk, *, clock: Clock, user: str, place: str) -> None:
        super().__init__()
        self._open_desk = open_desk
        self._desk: Desk | None = None
        self.clock = clock
        self.user = user
        self.place = place
        self.suspension = ""
        self._waiting: tuple[str, ...] = ()
        self.waiting_for = f"Connecting to {place} ..."

    @property
    def ready(self) -> bool:
        """Whether the desk is open."""
        return self._desk is not None

    @property
    def desk(self) -> Desk:
        """The desk; only asked for after ``ready``."""
        if self._desk is None:
            raise CopilotError(self.waiting_for)
        return self._desk

    def get_default_screen(self) -> Screen[None]:
        """Start on the main screen."""
        return MainScreen()

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a message for a while, never read as markup: titles and errors may hold words of the cluster."""
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    def begin(self) -> None:
        """Connect in the background; the main screen is there already."""
        self.show_state()
        self._serve()

    @property
    def main(self) -> MainScreen:
        """The main screen, wherever one is."""
        return next(s for s in self.screen_stack if isinstance(s, MainScreen))

    @property
    def _there(self) -> bool:
        """Whether there is a screen to draw on: what was awaited may come after the chat was left."""
        return self.is_running and any(isinstance(s, MainScreen) for s in self.screen_stack)

    @work(group="serve")
    async def _serve(self) -> None:
        try:
            async with self._open_desk() as desk:
                self._desk = desk
                self.waiting_for = ""
                self.suspension = await desk.suspended()
                if not self._there:
                    return
                self.show_state()
                self.main.connected()
                await self._follow(desk)
        except CopilotError as error:
            self.waiting_for = str(error)
            self.show_state()
            self.notify(str(error), title="Not connected", severity="error", timeout=30)

    async def _follow(self, desk: Desk) -> None:
        await self._draw_cases(desk)
        async for _ in bursts(desk):
            self.suspension = await desk.suspended()
            self.show_state()
            await self._draw_cases(desk)

    async def _draw_cases(self, desk: Desk) -> None:
        cases = tuple(await desk.cases())
        if not self._there:
            return
        self.main.show_cases(cases)
        self._announce([c for c in cases if c.status is CaseStatus.WAITING])
        shown = self.screen
        if isinstance(shown, CaseScreen):
            newest = next((c for c in cases if c.id == shown.case.id), None)
            if newest is not None and newest != shown.case:
                shown.refreshed(newest)

    def _announce(self, waiting: Sequence[Case]) -> None:
        """Say once of each case that it waits for a decision, wherever one is."""
        shown = self.screen.case.id if isinstance(self.screen, CaseScreen) else ""
        begun = [case.id for case in waiting if case.id not in self._waiting]
        if begun:
            self.main.point_at(begun[0])
        for case in waiting:
            if case.id not in self._waiting and case.id != shown:
                self.notify(one_line(case.title, 160), title=f"{case.id} waits for you (/case {case.id})", timeout=12)
        self._waiting = tuple(c.id for c in waiting)
        self.show_state()

    @work(group="open")
    async def open_case(self, case_id: str) -> None:
        """Open a case's screen."""
        try:
            case: Case = await self.desk.case(case_id)
        except CopilotError as error:
            self.notify(str(error), severity="error")
        else:
            if self._there:
                self.clear_notifications()
                self.push_screen(CaseScreen(case))

    def action_waiting(self) -> None:
        """Open the newest case that waits for a decision."""
        if self._waiting:
            self.open_case(self._waiting[0])
        else:
            self.notify("No plan waits for a decision.")

    def action_help(self) -> None:
        """Show keys and commands."""
        self.push_screen(HelpScreen())

    def action_interrupt(self) -> None:
        """Stop a running answer, otherwise leave a dialog, otherwise say how to leave."""
        if self._there and self.main.stop_answer():
            return
        if isinstance(self.screen, ModalScreen):
            self.screen.dismiss(None)
        elif isinstance(self.screen, CaseScreen):
            self.notify("Press esc to go back, ctrl+q to leave.")
        else:
            self.notify("Press q to leave (esc first when typing), or ctrl+q.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """One key suspends or resumes, whichever is possible; the footer says which."""
        if action in ("suspend_all", "resume_all"):
            return bool(self.suspension) == (action == "resume_all")
        return True

    async def action_suspend_all(self) -> None:
        """Stop every action."""
        await self.suspend_all("")

    async def action_resume_all(self) -> None:
        """Allow actions again."""
        await self.resume_all()

    async def suspend_all(self, why: str) -> None:
        """Stop every action: at once, for whoever asks for it sees harm."""
        with self._said():
            self.suspension = await self.desk.suspended()
            if why or not self.suspension:
                await self.desk.suspend(why or "suspended in the chat", by=self.user)
                self.suspension = await self.desk.suspended()
            self.notify(f"{one_line(self.suspension, 160)}. Nothing is executed until a resume.", title="Suspended")
        self.show_state()

    async def resume_all(self) -> None:
        """Allow actions again; what somebody else stopped, only after a second look at who did, and why."""
        with self._said():
            self.suspension = why = await self.desk.suspended()
            self.show_state()
            if not why or why.endswith(f"(by {self.user})"):
                await self._resume()
                return
            lines = [one_line(why, 300), "After a resume, approved plans are executed again."]
            asks = AskScreen("Somebody else suspended everything. Resume?", lines, yes="resume")
            self.push_screen(asks, self._asked_to_resume)

    async def _asked_to_resume(self, yes: bool | None) -> None:
        if yes:
            with self._said():
                await self._resume()

    async def _resume(self) -> None:
        await self.desk.resume(by=self.user)
        self.suspension = await self.desk.suspended()
        self.notify("Approved plans are executed again.", title="Resumed")
        self.show_state()

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Show what could not be done."""
        try:
            yield
        except CopilotError as error:
            self.notify(str(error), title="Not done", severity="error", timeout=10)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer our own commands in the palette, beside themes and the like."""
        yield from super().get_system_commands(screen)
        yield SystemCommand("Help", "Keys and commands", self.action_help)
        if self.suspension:
            yield SystemCommand("Resume", "Allow actions again", self.action_resume_all)
        else:
            yield SystemCommand("Suspend", "Stop every action", self.action_suspend_all)

    def show_state(self) -> None:
        """Draw what every screen says of the whole: the line of the main screen, the state above a case, the keys."""
        if not self._there:
            return
        state = f"SUSPENDED: {one_line(self.suspension, 60)}" if self.suspension else ""
        keys = self.main.keys_to_open(self._waiting)
        waiting = f"{plural(len(self._waiting), 'plan')} waiting for you ({keys})" if self._waiting else ""
        parts = ["infra-copilot", self.place, one_line(self.waiting_for, 200), waiting, state]
        self.main.show_status("  ·  ".join(p for p in parts if p))
        for screen in self.screen_stack:
            if isinstance(screen, CaseScreen):
                screen.tick()
        self.screen.refresh_bindings()
