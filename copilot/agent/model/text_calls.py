"""Calls written as text, for models and servers without tools of their own.

The format, as ``prompts/calls_as_text.md`` tells it: one JSON object ``{"tool": NAME, "arguments": {...}}``, bare, in a
code fence, or between ``<tool_call>`` tags; ``name`` and ``parameters`` are understood too, since many models were
trained on them.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from copilot.agent.model.prompt import load
from copilot.ports.model import ToolCall, ToolSchema

_LONGEST = 20_000
_AROUND = re.compile(r"```(?:json|tool_call|tool)?|</?tool_call>")
_MOST = 4


def calls_in(text: str) -> tuple[ToolCall, ...]:
    """Return the calls that a text consists of; none when it is prose or broken JSON."""
    rest = _AROUND.sub(" ", text[:_LONGEST]).strip()
    decoder = json.JSONDecoder(parse_constant=_not_json)
    found: list[ToolCall] = []
    while rest and len(found) < _MOST:
        try:
            value, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            break
        found.extend(_calls(value, len(found)))
        rest = rest[end:].lstrip(" \n\t,;")
    return tuple(found[:_MOST])


def described(tools: Sequence[ToolSchema]) -> str:
    """Return the part of a prompt that tells how to call tools in text."""
    lines = [f"- {t.name}: {t.description} {json.dumps(t.parameters, separators=(',', ':'))}" for t in tools]
    return "\n".join([load("calls_as_text").text, *lines])


def _calls(value: Any, number: int) -> list[ToolCall]:
    if isinstance(value, list):
        return [call for i, one in enumerate(value[:_MOST]) for call in _calls(one, number + i)]
    if not isinstance(value, dict):
        return []
    name = value.get("tool") or value.get("name")
    arguments = value.get("arguments", value.get("parameters", {}))
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return []
    return [ToolCall(f"text-{number}", name[:100], arguments)]


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
