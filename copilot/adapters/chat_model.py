"""Chat models over the OpenAI-compatible HTTP API (OpenAI, vLLM, Ollama, llama.cpp ...), with plain httpx.

A known provider, or one with an address of its own, needs no package; any other goes through ``chat_langchain``.
Neither prompts nor answers are ever logged or put into an error.
"""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from copilot.adapters.chat_stream import MOST_BYTES, pieces, whole
from copilot.errors import (
    ConfigError,
    CopilotError,
    DeadlineExceeded,
    Forbidden,
    InvalidInput,
    NotFound,
    Overloaded,
    Unavailable,
    Unsupported,
)
from copilot.ports.model import Message, Piece, ToolSchema

BASES = {
    "openai": "https://api.openai.com/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "vllm": "http://127.0.0.1:8000/v1",
}
"""Where a provider is asked when no address is given."""
_TRIES = 2
"""Asking again changes nothing in the world; only a request that got no byte of an answer is repeated, once."""
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How to reach a model. ``tokens`` bounds one answer; ``connect`` and ``silence`` bound waiting for any byte."""

    provider: str
    model: str
    url: str = ""
    key: str = field(default="", repr=False)
    tokens: int = 2_000
    connect: timedelta = timedelta(seconds=2)
    silence: timedelta = timedelta(seconds=20)


class OpenAIModel:
    """The ``ChatModel`` port over ``POST /chat/completions``; close it when done.

    Raises ``Unsupported`` when the server takes no tools: describe them in the prompt then.
    """

    def __init__(self, options: ChatOptions) -> None:
        base = (options.url or BASES.get(options.provider, "")).rstrip("/")
        if not base.startswith(("http://", "https://")):
            raise ConfigError(f"{base!r} is not the address of a model.", hint="Give model_url as http://HOST:PORT/v1.")
        self.name = f"{options.provider}/{options.model}"
        self._options = options
        self._url = f"{base}/chat/completions"
        silence = options.silence.total_seconds()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(silence, connect=options.connect.total_seconds()),
            headers={"Authorization": f"Bearer {options.key}"} if options.key else {},
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Release connections."""
        await self._client.aclose()

    async def stream(self, messages: Sequence[Message], *, tools: Sequence[ToolSchema] = ()) -> AsyncGenerator[Piece]:
        """Yield pieces of one answer; the last has ``done`` set."""
        body = request_body(self._options, messages, tools)
        for attempt in range(1, _TRIES + 1):
            begun = False
            try:
                async with aclosing(self._once(body, tooled=bool(tools))) as answer:
                    async for piece in answer:
                        begun = True
                        yield piece
                return
            except Unavailable as error:
                hopeless = isinstance(error, DeadlineExceeded | Overloaded)
                if begun or hopeless or attempt == _TRIES:
                    raise

    async def _once(self, body: dict[str, Any], *, tooled: bool) -> AsyncGenerator[Piece]:
        try:
            async with self._client.stream("POST", self._url, json=body) as response:
                if response.status_code != 200:
                    raise await self._problem(response, tooled=tooled)
                if "event-stream" in response.headers.get("content-type", ""):
                    async with aclosing(pieces(response.aiter_bytes())) as answer:
                        async for piece in answer:
                            yield piece
                else:
                    for piece in whole(await _bounded(response)):
                        yield piece
        except httpx.TimeoutException as slow:
            raise DeadlineExceeded(f"The model {self.name} gave no answer in time.") from slow
        except httpx.HTTPError as problem:
            hint = "Is it running, and is model_url right?"
            raise Unavailable(f"The model {self.name} cannot be reached.", hint=hint) from problem

    async def _problem(self, response: httpx.Response, *, tooled: bool) -> CopilotError:
        status, who = response.status_code, f"The model {self.name}"
        if status in (401, 403):
            return Forbidden(f"{who} refused the key ({status}).", hint="Check model_key.")
        if status == 404:
            return NotFound(f"{who} does not exist at its server (404).", hint="Check model and model_url.")
        if status == 429:
            return Overloaded(f"{who} asks to slow down (429).", retry_after=_wait(response))
        if status in (400, 422, 501):
            text = (await _bounded(response, 100_000)).lower()
            if tooled and (b"tool" in text or b"function" in text):
                return Unsupported(f"{who} takes no tools ({status}).")
            return InvalidInput(f"{who} does not understand the request ({status}).", hint="Is the prompt too long?")
        return Unavailable(f"{who} answered {status}.", retry_after=_wait(response))


def request_body(options: ChatOptions, messages: Sequence[Message], tools: Sequence[ToolSchema]) -> dict[str, Any]:
    """Return the JSON body of a request."""
    body: dict[str, Any] = {
        "model": options.model,
        "messages": [_message(m) for m in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": options.tokens,
        "temperature": 0,
    }
    if tools:
        body["tools"] = [tool_body(t) for t in tools]
    return body


def tool_body(tool: ToolSchema) -> dict[str, Any]:
    """Return a tool as the API names it."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _message(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.calls:
        body["tool_calls"] = [_call(c.id, c.name, c.arguments) for c in message.calls]
    if message.role == "tool":
        body["tool_call_id"] = message.answers
    return body


def _call(identity: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


async def _bounded(response: httpx.Response, limit: int = MOST_BYTES) -> bytes:
    found = b""
    async for chunk in response.aiter_bytes():
        found += chunk
        if len(found) > limit:
            raise Unavailable("The model's server sent more than can be meant.")
    return found


def _wait(response: httpx.Response) -> timedelta | None:
    said = response.headers.get("retry-after", "")
    return min(timedelta(seconds=int(said)), _LONGEST_WAIT) if said.isdigit() and len(said) < 10 else None
