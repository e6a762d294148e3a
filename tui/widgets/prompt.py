"""The line at the bottom: history, completion of object names and commands."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import Input

from tui.messages import Asked

COMMANDS = {
    "/help": "keys and commands",
    "/cases": "list cases",
    "/case": "open a case: /case ID",
    "/suspend": "stop every action",
    "/resume": "allow actions again",
    "/clear": "empty the conversation",
    "/quit": "leave",
}


class Completion(Suggester):
    """Completes the last word: slash commands first, then names of objects."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=False)
        self.names: Sequence[str] = ()

    async def get_suggestion(self, value: str) -> str | None:
        """Return the whole line completed, or None."""
        if value.startswith("/") and " " not in value:
            return next((c for c in COMMANDS if c.startswith(value)), None)
        head, space, word = value.rpartition(" ")
        if len(word) < 2:
            return None
        match = next((n for n in self.names if n.lower().startswith(word.lower())), None)
        return f"{head}{space}{match}" if match else None


class Prompt(Input):
    """One line of input; up and down walk the history."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Ask"),
        Binding("up", "older", "History"),
        Binding("down", "newer", "Newer", show=False),
        Binding("tab", "complete", "Complete"),
    ]

    def __init__(self, *, id: str) -> None:
        self.completion = Completion()
        super().__init__(id=id, placeholder="Ask, or / for commands", suggester=self.completion)
        self._history: list[str] = []
        self._place = 0

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter asks."""
        text = event.value.strip()
        if text:
            self._history.append(text)
            self._place = len(self._history)
            self.value = ""
            self.post_message(Asked(text))

    def action_older(self) -> None:
        """Show the line typed before."""
        self._show(self._place - 1)

    def action_newer(self) -> None:
        """Show the line typed after."""
        self._show(self._place + 1)

    def action_complete(self) -> None:
        """Take the suggestion; move the focus on when there is none."""
        if self._suggestion and self.cursor_at_end:
            self.action_cursor_right()
        else:
            self.screen.focus_next()

    def _show(self, place: int) -> None:
        if not self._history:
            return
        self._place = max(0, min(place, len(self._history)))
        self.value = self._history[self._place] if self._place < len(self._history) else ""
        self.cursor_position = len(self.value)
