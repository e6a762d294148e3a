"""The terminal chat: draws what the desk says, carries decisions back; holds no logic that another surface needs."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen

from copilot.core.case import Case, CaseStatus
from copilot.core.text import one_line, plural
from copilot.errors import CopilotError
from copilot.ports.clock import Clock
from copilot.surfaces.bursts import bursts
from copilot.surfaces.desk import Desk
from tui.screens.case import CaseScreen
from tui.screens.help import HelpScreen
from tui.screens.main import MainScreen

OpenDesk = Callable[[], AbstractAsyncContextManager[Desk]]


class ChatApp(App[None]):
    """One window on one environment; ``open_desk`` is entered after the first frame, so that nothing delays it."""

    TITLE = "infra-copilot"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", show=False)]
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, open_desk: OpenDesk, *, clock: Clock, user: str, place: str) -> None:
        super().__init__()
        self._open_desk = open_desk
        self._desk: Desk | None = None
        self.clock = clock
        self.user = user
        self._place = place
        self._suspended = ""
        self._waiting: frozenset[str] = frozenset()
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
        self._status()
        self._serve()

    @property
    def main(self) -> MainScreen:
        """The main screen, wherever one is."""
        return next(s for s in self.screen_stack if isinstance(s, MainScreen))

    @work(group="serve")
    async def _serve(self) -> None:
        try:
            async with self._open_desk() as desk:
                self._desk = desk
                self.waiting_for = ""
                self._suspended = await desk.suspended()
                self._status()
                self.main.connected()
                await self._follow(desk)
        except CopilotError as error:
            self.waiting_for = str(error)
            self._status()
            self.notify(str(error), title="Not connected", severity="error", timeout=30)

    async def _follow(self, desk: Desk) -> None:
        await self._draw_cases(desk)
        async for _ in bursts(desk):
            self._suspended = await desk.suspended()
            self._status()
            await self._draw_cases(desk)

    async def _draw_cases(self, desk: Desk) -> None:
        cases = tuple(await desk.cases())
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
        for case in waiting:
            if case.id not in self._waiting and case.id != shown:
                self.notify(one_line(case.title, 160), title=f"{case.id} waits for you (/case {case.id})", timeout=12)
        self._waiting = frozenset(c.id for c in waiting)
        self._status()

    @work(group="open")
    async def open_case(self, case_id: str) -> None:
        """Open a case's screen."""
        try:
            case: Case = await self.desk.case(case_id)
        except CopilotError as error:
            self.notify(str(error), severity="error")
        else:
            self.clear_notifications()
            self.push_screen(CaseScreen(case))

    def action_help(self) -> None:
        """Show keys and commands."""
        self.push_screen(HelpScreen())

    async def action_suspend_switch(self) -> None:
        """Suspend everything, or resume."""
        await self.switch(suspended=not self._suspended)

    async def switch(self, *, suspended: bool, why: str = "") -> None:
        """Turn the suspend switch."""
        try:
            if suspended:
                await self.desk.suspend(why or "suspended in the chat", by=self.user)
            else:
                await self.desk.resume(by=self.user)
            self._suspended = await self.desk.suspended()
        except CopilotError as error:
            self.notify(str(error), severity="error")
        self._status()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer our own commands in the palette, beside themes and the like."""
        yield from super().get_system_commands(screen)
        yield SystemCommand("Help", "Keys and commands", self.action_help)
        yield SystemCommand("Suspend or resume", "Stop every action, or allow them again", self.action_suspend_switch)

    def _status(self) -> None:
        state = f"SUSPENDED: {one_line(self._suspended, 60)}" if self._suspended else ""
        waiting = f"{plural(len(self._waiting), 'plan')} waiting for you (esc, enter)" if self._waiting else ""
        parts = ["infra-copilot", self._place, one_line(self.waiting_for, 200), waiting, state]
        with suppress(StopIteration):
            self.main.show_status("  ·  ".join(p for p in parts if p))
