"""One answer of a model, piece by piece, within bounds: first sign of life, silence, time, tokens."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from copilot.agent.model.budget import Spent
from copilot.errors import DeadlineExceeded
from copilot.ports.model import ChatModel, Message, Piece, ToolSchema


class Stopped(Exception):
    """A bound of the budget is reached; what was said so far stands."""


async def turn(
    model: ChatModel, messages: Sequence[Message], *, tools: Sequence[ToolSchema], spent: Spent
) -> AsyncGenerator[Piece]:
    """Yield the pieces of one answer; raises ``DeadlineExceeded``, ``Stopped``, and what the model raises."""
    if spent.exceeded():
        raise Stopped(spent.exceeded())
    spent.note(sum(len(m.text) for m in messages) + sum(len(str(t.parameters)) + len(t.description) for t in tools))
    budget = spent.budget
    allowed = budget.first
    async with aclosing(_generated(model.stream(messages, tools=tools))) as stream:
        while True:
            wait = min(allowed.total_seconds(), max(spent.left, 0.0))
            try:
                async with asyncio.timeout(wait):
                    piece = await anext(stream, None)
            except TimeoutError as slow:
                if spent.left <= 0:
                    raise Stopped(spent.exceeded()) from slow
                raise DeadlineExceeded(f"The model {model.name} said nothing for {wait:g} s.") from slow
            if piece is None:
                return
            spent.note(len(piece.text))
            if piece.done:
                spent.settle(piece.tokens)
            yield piece
            if spent.exceeded() and not piece.done:
                raise Stopped(spent.exceeded())
            allowed = budget.silence


async def _generated(stream: AsyncIterator[Piece]) -> AsyncGenerator[Piece]:
    """Make any iterator one that can be closed, and close what is below it."""
    try:
        async for piece in stream:
            yield piece
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
