"""A Slack thread drawn from the very blocks that Slack is sent, for a page of documentation."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from copilot.surfaces.slack.blocks import Block

_BUTTON = {"primary": "bold white on dark_green", "danger": "bold white on dark_red"}


def thread(channel: str, blocks: Iterable[Block], replies: Iterable[str]) -> RenderableType:
    """Return a message with its replies, as they stand below each other in a channel."""
    rows = [row for block in blocks for row in _rows(block)]
    answers = [Padding(Text.assemble(("infra-copilot  ", "bold cyan"), reply), (0, 4)) for reply in replies]
    body = Group(Text("infra-copilot  APP", style="bold cyan"), *rows, Rule(style="dim"), *answers)
    return Panel(body, title=f"#{channel}", title_align="left", border_style="dim", padding=(1, 2))


def _rows(block: Block) -> Iterator[RenderableType]:
    kind = block["type"]
    if kind == "divider":
        yield Rule(style="dim")
    elif kind == "header":
        yield Text(f"\n{block['text']['text']}", style="bold")
    elif kind == "section":
        yield Text(block["text"]["text"])
    elif kind == "context":
        yield from (Text(one["text"], style="dim") for one in block["elements"])
    elif kind == "rich_text":
        yield from (_rich(one) for one in block["elements"])
    elif kind == "actions":
        yield Text("\n").append_text(Text("  ").join(_button(one) for one in block["elements"]))


def _rich(element: dict[str, Any]) -> RenderableType:
    parts = [Text(one["text"], style=_style(one.get("style") or {})) for one in element["elements"]]
    text = Text().join(parts)
    return Panel(text, border_style="dim") if element["type"] == "rich_text_preformatted" else text


def _style(style: dict[str, bool]) -> str:
    return "bold" if style.get("bold") else "magenta" if style.get("code") else ""


def _button(element: dict[str, Any]) -> Text:
    return Text(f" {element['text']['text']} ", style=_BUTTON.get(element.get("style", ""), "black on white"))
