"""The conversation: questions, streamed answers, cards of what was looked up, plots."""

import re
from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.containers import VerticalScroll
from textual.markup import escape
from textual.widgets import Collapsible, Markdown, Static

from copilot.core.text import inert, one_line
from copilot.surfaces.charts import AXIS, BARS, chart
from copilot.surfaces.desk import Piece

_CITED = re.compile(r"\[((?:e\d|[a-z]-)[\w.-]{0,60})\](?!\()")
"""An evidence id in an answer's text, such as ``[e1]`` or ``[k-pods]``."""
LOOKING = "looking ..."
"""Shown from the question to the first word of its answer."""
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)


class EvidenceCard(Collapsible):
    """What was looked up, folded; ``cited`` is the evidence id by which answers name it."""

    DEFAULT_CLASSES = "tool"

    def __init__(self, title: str, detail: str, *, cited: str = "") -> None:
        body = Static(Text(inert(detail, 4000)), markup=False)
        # The title is read as markup: brackets of a log line would be swallowed, and could be an action.
        super().__init__(body, title=escape(one_line(title, 100)), collapsed=True)
        self.cited = cited


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
        # A link in an answer may come from a log line: none is followed but those to evidence.
        markdown = Markdown("", classes="answer", open_links=False)
        await self._add(markdown)
        await self.note(LOOKING)
        return RunningAnswer(self, markdown, self.query(".note").last(Static))

    async def card(self, piece: Piece) -> None:
        """Show evidence, or a read-only question that was asked on the way, folded."""
        cited = _CITED.match(piece.text) if piece.kind == "cite" else None
        detail = f"{piece.text}\n$ {piece.detail}" if cited else piece.detail
        await self._add(EvidenceCard(piece.text, detail, cited=cited.group(1) if cited else ""))

    async def plot(self, title: str, values: Sequence[float], unit: str) -> None:
        """Show a series as a small plot in characters."""
        drawn = Text(one_line(title, 80), style="bold")
        width = max(min(self.size.width - 14, 100), 16)
        drawn.append_text(coloured(chart(values, unit=unit, width=width)))
        await self._add(Static(drawn, classes="plot", markup=False))

    def evidence(self) -> None:
        """Unfold the evidence of the last answer, or fold it when it is open."""
        asked = max((i for i, child in enumerate(self.children) if child.has_class("question")), default=-1)
        cards = [child for child in self.children[asked + 1 :] if isinstance(child, EvidenceCard)]
        opens = any(card.collapsed for card in cards)
        for card in cards:
            card.collapsed = not opens
        if cards and opens:
            self.call_after_refresh(cards[0].scroll_visible, animate=False)

    @on(Markdown.LinkClicked)
    def _followed(self, event: Markdown.LinkClicked) -> None:
        """A citation opens its evidence; the newest of that name, for answers number theirs from one."""
        cards = [c for c in self.query(EvidenceCard) if c.cited and event.href == f"#{c.cited}"]
        if cards:
            cards[-1].collapsed = False
            self.call_after_refresh(cards[-1].scroll_visible, animate=False)

    async def _add(self, widget: Static | Markdown | Collapsible) -> None:
        await self.mount(widget)
        self.scroll_end(animate=False)


def coloured(rows: str) -> Text:
    """Return a chart on lines of its own, its labels dim and its bars in colour."""
    drawn = Text()
    for row in rows.splitlines():
        label = max(AXIS, len(row.rstrip(f"{BARS} ")) + 1)
        drawn.append(f"\n{row[:label]}", style="not bold dim")
        for bar in row[label:]:
            # Coloured to the edges, so that no line runs through the bars.
            drawn.append(bar, style="not bold cyan on cyan" if bar == "█" else "not bold cyan")
    return drawn


class RunningAnswer:
    """An answer while it streams."""

    def __init__(self, conversation: Conversation, markdown: Markdown, waiting: Static) -> None:
        self._conversation = conversation
        self._waiting: Static | None = waiting
        self._stream = Markdown.get_stream(markdown)

    async def take(self, piece: Piece) -> None:
        """Add one piece."""
        await self._begun()
        if piece.kind == "text":
            await self._stream.write(_linked(inert(piece.text, 20_000)))
        elif piece.kind == "plot":
            await self._conversation.plot(piece.text, piece.values, piece.detail)
        else:
            await self._conversation.card(piece)
        self._conversation.scroll_end(animate=False)

    async def end(self) -> None:
        """Flush what is left."""
        await self._begun()
        await self._stream.stop()

    async def _begun(self) -> None:
        """Take the sign of life away."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            await waiting.remove()


def _linked(markdown: str) -> str:
    """Return markdown in which an evidence id opens its card; code stays as it is."""
    parts = _CODE.split(markdown)
    return "".join(part if part.startswith("`") else _CITED.sub(r"[\\[\1\\]](#\1)", part) for part in parts)
