"""The conversation: questions, streamed answers, cards of what was looked up, plots."""

from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Collapsible, Markdown, Static

from copilot.core.text import inert, one_line
from copilot.surfaces.desk import Piece

_BARS = "▁▂▃▄▅▆▇█"
_PLOT_HEIGHT = 8


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
        await self._add(Static(Text(f"{one_line(title, 80)}\n{chart(values)}"), classes="plot", markup=False))

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


def chart(values: Sequence[float], *, width: int = 60, height: int = _PLOT_HEIGHT) -> str:
    """Return a block chart of ``values``, newest right, with its least and greatest value; works without colour."""
    finite = [v for v in values if v == v and abs(v) != float("inf")]
    if not finite:
        return "(no data)"
    cells = _squeeze(finite, width)
    low, high = min(cells), max(cells)
    span = (high - low) or 1.0
    steps = [round((v - low) / span * (height * 8 - 1)) + 1 for v in cells]
    rows = ["".join(_cell(step - row * 8) for step in steps) for row in reversed(range(height))]
    labels = [f"{high:>9.3g} "] + [" " * 10] * (height - 2) + [f"{low:>9.3g} "]
    return "\n".join(label + row for label, row in zip(labels, rows, strict=True))


def _cell(level: int) -> str:
    return " " if level <= 0 else _BARS[min(level, 8) - 1]


def _squeeze(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    edges = [i * len(values) // width for i in range(width + 1)]
    return [max(values[a:b]) for a, b in pairwise(edges)]
