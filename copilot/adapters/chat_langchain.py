"""Other providers' chat models through LangChain's ``init_chat_model``; its packages are extras.

``pip install 'infra-copilot[anthropic]'`` and the like bring them; they are imported here and nowhere else.
"""

import sys
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx

from copilot.adapters.chat_model import ChatOptions, tool_body
from copilot.adapters.chat_stream import MOST_CALLS, parse_arguments
from copilot.errors import ConfigError, CopilotError, DeadlineExceeded, Forbidden, InvalidInput, Overloaded, Unavailable
from copilot.ports.model import Message, Piece, ToolCall, ToolSchema

_ROOTS = ("openai", "anthropic")
"""Packages whose ``APIError`` is the root of what they raise."""


class LangChainModel:
    """The ``ChatModel`` port over any provider that LangChain knows."""

    def __init__(self, options: ChatOptions) -> None:
        self.name = f"{options.provider}/{options.model}"
        self._model = _initialised(options)

    async def close(self) -> None:
        """Hold nothing that needs closing."""

    async def stream(self, messages: Sequence[Message], *, tools: Sequence[ToolSchema] = ()) -> AsyncGenerator[Piece]:
        """Yield pieces of one answer; the last has ``done`` set."""
        model = self._model.bind_tools([tool_body(t) for t in tools]) if tools else self._model
        together: Any = None
        try:
            async for chunk in model.astream([_message(m) for m in messages]):
                together = chunk if together is None else together + chunk
                yield Piece(text=str(chunk.text))
        except _raised() as problem:
            raise _mapped(self.name, problem) from problem
        if together is None:
            raise Unavailable(f"The model {self.name} gave no answer.")
        usage = together.usage_metadata or {}
        yield Piece(calls=_calls(together), tokens=int(usage.get("total_tokens", 0)), done=True)


def _initialised(options: ChatOptions) -> Any:
    extra = f"Install the extra: pip install 'infra-copilot[{options.provider}]'."
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise ConfigError(f"The provider {options.provider!r} needs LangChain.", hint=extra) from error
    given: dict[str, Any] = {"max_tokens": options.tokens, "timeout": options.silence.total_seconds(), "max_retries": 1}
    given |= {"api_key": options.key} if options.key else {}
    given |= {"base_url": options.url} if options.url else {}
    try:
        return init_chat_model(options.model, model_provider=options.provider, **given)
    except (ImportError, ValueError, TypeError) as error:
        raise ConfigError(f"The model {options.provider}:{options.model} cannot be opened.", hint=extra) from error


def _raised() -> tuple[type[Exception], ...]:
    loaded = (getattr(sys.modules.get(name), "APIError", None) for name in _ROOTS)
    roots = (one for one in loaded if isinstance(one, type) and issubclass(one, Exception))
    return (httpx.HTTPError, ValueError, *roots)


def _mapped(name: str, problem: BaseException) -> CopilotError:
    """Return what a provider's exception means; its text may quote the prompt and stays out."""
    status = getattr(problem, "status_code", None)
    if isinstance(problem, httpx.TimeoutException) or "Timeout" in type(problem).__name__:
        return DeadlineExceeded(f"The model {name} gave no answer in time.")
    if status in (401, 403):
        return Forbidden(f"The model {name} refused the key ({status}).", hint="Check model_key.")
    if status == 429:
        return Overloaded(f"The model {name} asks to slow down (429).")
    if status in (400, 404, 422):
        return InvalidInput(f"The model {name} does not understand the request ({status}).")
    return Unavailable(f"The model {name} cannot be reached." if status is None else f"The model {name}: {status}.")


def _message(message: Message) -> Any:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

    if message.role == "system":
        return SystemMessage(message.text)
    if message.role == "user":
        return HumanMessage(message.text)
    if message.role == "tool":
        return ToolMessage(message.text, tool_call_id=message.answers)
    calls = [{"name": c.name, "args": c.arguments, "id": c.id, "type": "tool_call"} for c in message.calls]
    return AIMessage(message.text, tool_calls=calls)


def _calls(answer: Any) -> tuple[ToolCall, ...]:
    good = [ToolCall(str(c["id"] or f"call-{i}"), c["name"], dict(c["args"])) for i, c in enumerate(answer.tool_calls)]
    bad = [
        ToolCall(str(c["id"] or f"bad-{i}"), str(c["name"] or ""), parse_arguments(str(c["args"] or "")))
        for i, c in enumerate(answer.invalid_tool_calls)
    ]
    return tuple([*good, *bad][:MOST_CALLS])
