"""The conversation: questions, streamed answers, cards of what was looked up, plots."""

from collections.abc import Sequence

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Collapsible, Markdown, Static

from copilot.core.text import inert, one_line
from copilot.surfaces.charts import chart
from copilot.surfaces.desk import Piece


class Conversation(VerticalScroll):
    """Grows downwards and stays at the end; selectable by keyboard."""

    async def question(self, text: str) -> None:
        """Show what was typed."""
        await self._add(Static(Text(f"> {inert(text, 500)}"), classes="question", markup=False))

    async def note(self, text: str) -> None:
        """Show a line of the product itself: a hint, a refusal."""
        await self._add(Static(Text(inert(text, 2000)), classes="note", markup=False))

    async def answer(self) -> "RunningAnswer":
        """Begin an answer that is filled piece by piece."""
        markdown = Markdown("", classes="answer")
        await self._add(markdown)
        return RunningAnswer(self, markdown)

    async def card(self, title: str, detail: str) -> None:
        """Show a read-only question that was asked on the way, folded."""
        body = Static(Text(inert(detail, 4000)), markup=False)
        await self._add(Collapsible(body, title=one_line(title, 100), collapsed=True, classes="tool"))

    async def plot(self, title: str, values: Sequence[float]) -> None:
        """Show a series as a small plot in characters."""
        await self._add(
            Static(
                Text(f"{one_line(title, 80)}\n{chart(values, width=max(min(self.size.width - 14, 100), 16))}"),
                classes="plot",
                markup=False,
            )
        )

    async def _add(self, widget: Static | Markdown | Collapsible) -> None:
        await self.mount(widget)
        self.scroll_end(animate=False)


class RunningAnswer:
    """An answer while it streams."""

    def __init__(self, conversation: Conversation, markdown: Markdown) -> None:
        self._conversation = conversation
        self._stream = Markdown.get_stream(markdown)

    async def take(self, piece: Piece) -> None:
        """Add one piece."""
        if piece.kind == "text":
            await self._stream.write(inert(piece.text, 20_000))
        elif piece.kind == "plot":
            await self._conversation.plot(piece.text, piece.values)
        else:
            await self._conversation.card(piece.text, piece.detail)
        self._conversation.scroll_end(animate=False)

    async def end(self) -> None:
        """Flush what is left."""
        await self._stream.stop()
