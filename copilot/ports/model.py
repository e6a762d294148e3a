"""A chat model: it may ask read-only questions and propose; it is never trusted and never needed."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A question the model wants asked; name and arguments are untrusted until validated against a schema."""

    id: str
    name: str
    arguments: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""
    """Id of the call that a ``tool`` message answers."""


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """A question as a model sees it: name, one sentence, JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Piece:
    """A streamed piece of an answer: some text, or at the end the calls and the tokens used."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    tokens: int = 0
    done: bool = False
    extra: dict[str, JsonValue] = field(default_factory=dict)


class ChatModel(Protocol):
    """Any chat model. Raises ``Unavailable`` (also ``Overloaded``, ``DeadlineExceeded``) and ``InvalidInput``."""

    name: str

    def stream(self, messages: Sequence[Message], *, tools: Sequence[ToolSchema] = ()) -> AsyncIterator[Piece]:
        """Yield pieces of one answer; the last has ``done`` set."""
        ...
