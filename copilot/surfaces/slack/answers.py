"""An answer as Block Kit: bold and code as typed elements, tables aligned, evidence below; nothing becomes a link."""

import re
from collections.abc import Iterable, Sequence

from copilot.core.case import Evidence
from copilot.core.text import inert, one_line, plural, redact
from copilot.surfaces.desk import Answer
from copilot.surfaces.slack.blocks import MOST_SECTION, Block, bounded, clean, context, preformatted

_MARKED = re.compile(r"(\*\*[^*\n]+\*\*|`[^`\n]+`)")
_MOST_CITED = 6
_MOST_TABLES, _MOST_ROWS = 4, 25
_MOST_CELL = 40
_ESCAPED = re.compile(r"\\([|*_`\[\]])")


def answer_blocks(answer: Answer) -> list[Block]:
    """Return an answer within the limits; its plots are pictures of their own (``surfaces.pictures``)."""
    blocks = [_rich(answer.text)]
    for table in answer.tables[:_MOST_TABLES]:
        blocks += [_rich(f"**{table.title}**")] if table.title else []
        blocks.append(preformatted(clean(_aligned(table.columns, table.rows[:_MOST_ROWS]), MOST_SECTION)))
        more = len(table.rows) - _MOST_ROWS
        blocks += [context(f"and {plural(more, 'row')} more: infra-copilot ask")] if more > 0 else []
    if answer.choices:
        blocks.append(_rich("\n".join(f"• {choice}" for choice in answer.choices)))
    if answer.missing:
        blocks.append(context("Not looked at: " + "; ".join(answer.missing)))
    blocks += _evidence(answer.evidence)
    return bounded(blocks, None)


def _evidence(evidence: Sequence[Evidence]) -> list[Block]:
    blocks = [
        context(f"[{one.id}] {one_line(one.finding, 300)}\n$ {one_line(one.query, 600)}")
        for one in evidence[:_MOST_CITED]
    ]
    more = len(evidence) - _MOST_CITED
    return [*blocks, context(f"and {plural(more, 'further look')}")] if more > 0 else blocks


def _rich(markdown: str) -> Block:
    """Return markdown's bold and code as styled elements, all the rest as it stands."""
    safe = clean(markdown, MOST_SECTION)
    elements = [_element(part) for part in _MARKED.split(safe) if part]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _element(part: str) -> Block:
    if part.startswith("**") and len(part) > 4:
        return {"type": "text", "text": _ESCAPED.sub(r"\1", part[2:-2]), "style": {"bold": True}}
    if part.startswith("`") and len(part) > 2:
        return {"type": "text", "text": part[1:-1], "style": {"code": True}}
    return {"type": "text", "text": _ESCAPED.sub(r"\1", part)}


def _aligned(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as lines of text whose columns stand below each other."""
    cells = [[_cell(text) for text in row] for row in (columns, *rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in cells)


def _cell(text: str) -> str:
    plain = _ESCAPED.sub(r"\1", redact(inert(" ".join(str(text).split()), 400))).replace("`", "")
    return plain if len(plain) <= _MOST_CELL else f"{plain[: _MOST_CELL - 1]}…"
