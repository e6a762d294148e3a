"""The wire format of chat completions: server-sent events in, pieces out; every size is bounded.

What is read: ``choices[0].delta`` with ``content`` and ``tool_calls`` (assembled by ``index``), ``usage``, ``error``;
also a whole completion (``choices[0].message``) from servers that do not stream. Reasoning (``reasoning_content``,
``<think>``) is a sign of life and nothing else.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pydantic import JsonValue

from copilot.errors import Overloaded, Unavailable
from copilot.ports.model import Piece, ToolCall

UNREADABLE = "unreadable"
"""The only argument of a call whose arguments were no JSON object; every schema refuses it."""
LONGEST_LINE = 1_000_000
MOST_BYTES = 8_000_000
MOST_CALLS = 16
LONGEST_ARGUMENTS = 20_000
_THINKS = re.compile(r"<think(?:ing)?>")
_THOUGHT = re.compile(r"</think(?:ing)?>")
_TAG = len("</thinking>")
_CODE = re.compile(r"[a-z0-9_.-]{1,40}", re.IGNORECASE)


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class Assembly:
    """One answer in the making: what of it arrived so far."""

    calls: dict[int, _Call] = field(default_factory=dict)
    tokens: int = 0
    finished: str = ""
    thinking: bool = False
    held: str = ""
    """Text that may be the beginning of a tag."""

    def take(self, event: dict[str, Any]) -> Piece | None:
        """Take one event in; return what of it can be shown, an empty piece being a sign of life."""
        if event.get("error"):
            raise refused_in_stream(event["error"])
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.tokens = _count(usage.get("total_tokens"))
        choice = _first(event.get("choices"))
        if choice is None:
            return None
        part = choice.get("delta") or choice.get("message") or {}
        if not isinstance(part, dict):
            _broken("a choice without a message")
        self.finished = str(choice.get("finish_reason") or self.finished)
        self._take_calls(part.get("tool_calls") or ())
        content = part.get("content")
        return Piece(text=self._visible(content if isinstance(content, str) else ""))

    def end(self) -> Piece:
        """Return the last piece: the calls and the tokens used; raises ``Unavailable`` when the answer broke off."""
        if not self.finished:
            _broken("it broke off in the middle")
        calls = tuple(_whole(c, i) for i, c in sorted(self.calls.items()))
        return Piece(
            text="" if self.thinking else self.held,
            calls=calls,
            tokens=self.tokens,
            done=True,
            extra={"finish": self.finished[:40]},
        )

    def _take_calls(self, parts: Any) -> None:
        for position, part in enumerate(parts if isinstance(parts, list) else ()):
            if not isinstance(part, dict):
                _broken("a tool call that is no object")
            index = part.get("index")
            call = self.calls.setdefault(index if isinstance(index, int) else position, _Call())
            function = part.get("function")
            said = function if isinstance(function, dict) else {}
            call.id = call.id or str(part.get("id") or "")[:100]
            call.name += str(said.get("name") or "")[:100]
            arguments = said.get("arguments")
            call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments or {})
            if len(self.calls) > MOST_CALLS or len(call.arguments) > LONGEST_ARGUMENTS:
                _broken("it calls more than can be meant")

    def _visible(self, new: str) -> str:
        """Return the new text outside thoughts; what may become the tag of one waits."""
        text, shown = self.held + new, ""
        while True:
            tag = (_THOUGHT if self.thinking else _THINKS).search(text)
            if tag is None:
                break
            shown += "" if self.thinking else text[: tag.start()]
            text, self.thinking = text[tag.end() :], not self.thinking
        open_tag = text.rfind("<", max(0, len(text) - _TAG))
        ready = len(text) if open_tag < 0 else open_tag
        self.held = text[ready:]
        return shown + ("" if self.thinking else text[:ready])


async def pieces(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Piece]:
    """Yield the pieces of an event stream; raises ``Unavailable`` on half JSON, an error event, or a broken end."""
    assembly = Assembly()
    async for data in _events(chunks):
        if data == "[DONE]":
            assembly.finished = assembly.finished or "stop"
            break
        piece = assembly.take(_object(data))
        if piece is not None:
            yield piece
    yield assembly.end()


def whole(body: bytes) -> tuple[Piece, Piece]:
    """Return the pieces of a completion that came in one; raises ``Unavailable`` when it is none."""
    assembly = Assembly()
    piece = assembly.take(_object(body.decode("utf-8", "replace")))
    if piece is None:
        _broken("an answer without choices")
    assembly.finished = assembly.finished or "stop"
    return piece, assembly.end()


def parse_arguments(text: str) -> dict[str, JsonValue]:
    """Return a call's arguments; what is no JSON object (NaN is no JSON) becomes ``{UNREADABLE: ...}``."""
    try:
        found = json.loads(text or "{}", parse_constant=_not_json)
    except (ValueError, RecursionError):
        return {UNREADABLE: text[:200]}
    return found if isinstance(found, dict) else {UNREADABLE: text[:200]}


def refused_in_stream(error: object) -> Unavailable:
    """Return what an error event means; its text is not repeated, it may quote the prompt."""
    said = error if isinstance(error, dict) else {}
    word = str(said.get("code") or said.get("type") or "")
    shown = f" ({word})" if _CODE.fullmatch(word) else ""
    kind = Overloaded if "rate" in word or word == "429" else Unavailable
    return kind(f"The model's server gave up in the middle of an answer{shown}.")


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the data of each event; comments and other fields are skipped."""
    held, total = b"", 0
    async for chunk in chunks:
        held, total = held + chunk, total + len(chunk)
        *lines, held = held.split(b"\n")
        if len(held) > LONGEST_LINE or total > MOST_BYTES:
            _broken("it does not end")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip().decode("utf-8", "replace")
    if held.startswith(b"data:"):
        yield held[5:].strip().decode("utf-8", "replace")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unavailable("The model's server sent half an answer: that is no JSON.") from error
    if not isinstance(found, dict):
        _broken("an event that is no object")
    return found


def _whole(call: _Call, index: int) -> ToolCall:
    return ToolCall(call.id or f"call-{index}", call.name[:100], parse_arguments(call.arguments))


def _first(choices: object) -> dict[str, Any] | None:
    found = choices[0] if isinstance(choices, list) and choices else None
    return found if isinstance(found, dict) else None


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _broken(what: str) -> NoReturn:
    raise Unavailable(f"The model's answer cannot be used: {what}.")
