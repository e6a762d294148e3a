"""The chat model over real HTTP: what comes through, what each failure becomes, and that no secret is repeated."""

import asyncio
import json
import logging
import time
from datetime import timedelta
from typing import Any

import pytest

from copilot.adapters.chat_model import ChatOptions, OpenAIModel
from copilot.adapters.chat_stream import UNREADABLE, parse_arguments
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
from copilot.outside import open_model
from copilot.ports.model import Message, Piece, ToolCall, ToolSchema
from tests.model_server import Reply, calls, delta, event, in_turn, model_server, refuses, says, unused_address

ASK = (Message("system", "be brief"), Message("user", "what is wrong? canary-4711"))
TOOL = ToolSchema("health", "Is it healthy.", {"type": "object", "properties": {"target": {"type": "string"}}})


async def heard(url: str, *, tools: tuple[ToolSchema, ...] = (), messages: Any = ASK, **options: Any) -> list[Piece]:
    model = OpenAIModel(ChatOptions("openai", "small", url, "sk-secret", **options))
    try:
        return [piece async for piece in model.stream(messages, tools=tools)]
    finally:
        await model.close()


def text(pieces: list[Piece]) -> str:
    return "".join(p.text for p in pieces)


async def test_text_is_streamed_and_tokens_are_counted() -> None:
    with model_server(in_turn(says("All is well.", tokens=17))) as (url, asked):
        pieces = await heard(url)
    assert text(pieces) == "All is well." and len(pieces) > 2
    assert pieces[-1].done and pieces[-1].tokens == 17
    assert asked[0]["path"] == "/v1/chat/completions" and asked[0]["key"] == "Bearer sk-secret"
    assert asked[0]["model"] == "small" and asked[0]["stream"] is True and "tools" not in asked[0]


async def test_pieces_come_before_the_answer_ends() -> None:
    with model_server(in_turn(says("one two three four five six", pause=0.1))) as (url, _):
        model = OpenAIModel(ChatOptions("openai", "small", url))
        began = time.monotonic()
        stream = model.stream(ASK)
        first = await anext(stream)
        assert first.text and time.monotonic() - began < 0.25
        await stream.aclose()
        await model.close()


async def test_calls_are_assembled_and_answers_go_back() -> None:
    history = (
        *ASK,
        Message("assistant", "", (ToolCall("c1", "health", {"target": "cart"}),)),
        Message("tool", "ok", answers="c1"),
    )
    with model_server(in_turn(calls("health", {"target": "cart"}))) as (url, asked):
        pieces = await heard(url, tools=(TOOL,), messages=history)
    assert pieces[-1].calls == (ToolCall("c1", "health", {"target": "cart"}),)
    assert asked[0]["tools"][0]["function"]["name"] == "health"
    assert asked[0]["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"target": "cart"}'
    assert asked[0]["messages"][3] == {"role": "tool", "content": "ok", "tool_call_id": "c1"}


async def test_a_server_that_does_not_stream_is_understood() -> None:
    whole = {"choices": [{"message": {"content": "Fine."}, "finish_reason": "stop"}], "usage": {"total_tokens": 5}}
    with model_server(in_turn(Reply([json.dumps(whole).encode()], kind="application/json"))) as (url, _):
        pieces = await heard(url)
    assert text(pieces) == "Fine." and pieces[-1].tokens == 5


async def test_thoughts_are_a_sign_of_life_and_nothing_else() -> None:
    thought = [delta(reasoning_content="hm"), delta(content="<thi"), delta(content="nk>secret plan</think>Fine <3.")]
    with model_server(in_turn(Reply([*thought, delta("stop"), event(b"[DONE]")]))) as (url, _):
        pieces = await heard(url)
    assert text(pieces) == "Fine <3." and len(pieces) >= 3


async def test_a_call_that_is_no_json_reaches_no_schema() -> None:
    """Case 61."""
    for broken in ('{"target": "ca', "[1]", '{"target": NaN}', "[" * 5000):
        with model_server(in_turn(calls("health", broken))) as (url, _):
            pieces = await heard(url, tools=(TOOL,))
        assert list(pieces[-1].calls[0].arguments) == [UNREADABLE]


def test_arguments_are_objects_or_unreadable() -> None:
    assert parse_arguments("") == {} and parse_arguments('{"a": 1}') == {"a": 1}
    assert UNREADABLE in parse_arguments('{"a": Infinity}')


FAILURES: list[tuple[Reply, type[CopilotError]]] = [
    (refuses(401), Forbidden),
    (refuses(403), Forbidden),
    (refuses(404), NotFound),
    (refuses(429), Overloaded),
    (refuses(400, {"error": {"message": "too long"}}), InvalidInput),
    (refuses(500, b"<html>Internal error</html>"), Unavailable),
    (refuses(503), Unavailable),
    (Reply(status=307, headers={"Location": "http://127.0.0.1:1/"}), Unavailable),
    (Reply([b"<html>Welcome</html>"], kind="text/html"), Unavailable),
    (Reply([delta(content="The"), b'data: {"choices": [{"del']), Unavailable),
    (Reply([delta(content="The disk")]), Unavailable),
    (Reply([delta(content="The"), event({"error": {"code": "server_error", "message": "canary-4711"}})]), Unavailable),
    (Reply([event({"error": {"type": "rate_limit_exceeded"}})]), Overloaded),
    (Reply([event([1])]), Unavailable),
    (Reply([event({"choices": [{"delta": "text"}]})]), Unavailable),
    (Reply(endless=b"x" * 100_000), Unavailable),
    (Reply([delta(tool_calls=[{"index": i, "function": {"name": "f"}} for i in range(40)])]), Unavailable),
]


@pytest.mark.parametrize(("reply", "kind"), FAILURES)
async def test_every_failure_has_its_error(reply: Reply, kind: type[CopilotError], caplog: Any) -> None:
    """Case 63; neither prompt nor key nor the server's words are repeated anywhere."""
    caplog.set_level(logging.DEBUG)
    with model_server(in_turn(reply)) as (url, _), pytest.raises(kind) as raised:
        await heard(url)
    assert type(raised.value) is kind
    for secret in ("canary-4711", "sk-secret"):
        assert secret not in str(raised.value) and secret not in caplog.text


async def test_how_long_to_wait_is_kept() -> None:
    with model_server(in_turn(refuses(429, Retry_After="7"))) as (url, asked), pytest.raises(Overloaded) as raised:
        await heard(url)
    assert raised.value.retry_after == timedelta(seconds=7) and len(asked) == 1


async def test_only_what_was_not_begun_is_asked_again() -> None:
    with model_server(in_turn(refuses(503), says("Fine."))) as (url, asked):
        assert text(await heard(url)) == "Fine." and len(asked) == 2
    with model_server(in_turn(Reply([delta(content="The disk")]), says("Fine."))) as (url, asked):
        with pytest.raises(Unavailable):
            await heard(url)
        assert len(asked) == 1


async def test_tools_that_the_server_does_not_take_are_said_so() -> None:
    body = {"error": {"message": "model does not support tools"}}
    with model_server(in_turn(refuses(400, body))) as (url, _), pytest.raises(Unsupported):
        await heard(url, tools=(TOOL,))


async def test_nobody_listens_and_nobody_answers() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        await heard(unused_address())
    with model_server(in_turn(Reply([delta(content="The")], hang=True))) as (url, _), pytest.raises(DeadlineExceeded):
        await heard(url, silence=timedelta(milliseconds=100))


async def test_a_cancelled_answer_closes_its_connection() -> None:
    with model_server(in_turn(Reply([delta(content="The")], hang=True))) as (url, _):
        task = asyncio.create_task(heard(url))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_a_model_is_named_with_its_provider() -> None:
    with pytest.raises(ConfigError, match="provider:model"):
        open_model("llama3")
    with pytest.raises(ConfigError, match="address"):
        open_model("openai:x", url="ftp://somewhere")
    with pytest.raises(ConfigError, match=r"opened|LangChain"):
        open_model("no_such_provider:x")


async def test_other_providers_go_through_langchain() -> None:
    from copilot.adapters.chat_langchain import LangChainModel

    with model_server(in_turn(calls("health", {"target": "cart"}), says("Fine."), refuses(429))) as (url, asked):
        model = LangChainModel(ChatOptions("openai", "small", url, "sk-secret"))
        tooled = [p async for p in model.stream(ASK, tools=(TOOL,))]
        history = (*ASK, Message("assistant", "", tooled[-1].calls), Message("tool", "ok", answers="c1"))
        plain = [p async for p in model.stream(history)]
        with pytest.raises(Overloaded):
            _ = [p async for p in model.stream(ASK)]
        await model.close()
    assert tooled[-1].calls == (ToolCall("c1", "health", {"target": "cart"}),)
    assert text(plain) == "Fine." and plain[-1].done
    assert asked[0]["tools"][0]["function"]["name"] == "health"
