"""Consulting a model: a bounded exchange of questions and answers whose every word is checked before it is shown.

Whatever goes wrong (dead, slow, rate limited, half JSON, loops, babble) ends the consultation with a note; it never
raises, and what the rules said stands without it.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta

from copilot.agent.model.budget import Budget, Spent
from copilot.agent.model.claims import Claim, Facts, Sentences, check
from copilot.agent.model.conclusion import Conclusion, Exists, Suggestion, weigh
from copilot.agent.model.prompt import Prompt
from copilot.agent.model.text_calls import calls_in, described
from copilot.agent.model.toolbox import Asked, Toolbox
from copilot.agent.model.turn import Stopped, turn
from copilot.core.text import one_line
from copilot.core.value import digest
from copilot.errors import CopilotError, InvalidInput, Unavailable, Unsupported
from copilot.ports.model import ChatModel, Message, Piece, ToolCall, ToolSchema
from copilot.questions.base import Context

REST = timedelta(seconds=30)
"""How long a model that failed is left alone, unless it said how long itself."""
_LONGEST_REST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Brief:
    """What a model is told and held to: prompt, opening (untrusted parts quoted), what it may look at, what exists."""

    prompt: Prompt
    opening: str
    ctx: Context
    facts: Facts
    exists: Exists


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a consultation: what became of it, and what it cost. ``note`` is empty when all went well."""

    note: str
    model: str
    prompt: str
    tools: str = ""
    """Digest of what was offered to be called."""
    tokens: int = 0
    questions: int = 0
    seconds: float = 0.0
    dropped: int = 0
    """Sentences that no evidence supports."""


Happening = Asked | Claim | Suggestion | Ended


@dataclass(slots=True)
class _Exchange:
    """One consultation under way."""

    model: ChatModel
    brief: Brief
    spent: Spent
    box: Toolbox
    messages: list[Message]
    native: bool = True
    seen: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    concluded: bool = False

    @property
    def tools(self) -> tuple[ToolSchema, ...]:
        return self.box.schemas if self.native else ()

    async def run(self) -> AsyncGenerator[Claim | Asked | Suggestion]:
        """Go on until the model has finished or concluded; raises ``Stopped`` and ``CopilotError``."""
        while not self.concluded:
            calls: list[ToolCall] = []
            async for claim in self._listen(calls):
                yield claim
            if not calls:
                return
            while calls and not self.concluded:
                async for step in self._call(calls.pop(0)):
                    yield step

    async def _listen(self, calls: list[ToolCall]) -> AsyncGenerator[Claim]:
        """Yield what holds of one answer, and collect its calls; without tools, tell how to call them in text."""
        said, native = "", list[ToolCall]()
        cut = Sentences()
        try:
            async for piece in self._pieces():
                said += piece.text
                native.extend(piece.calls)
                for claim in self._checked(cut.feed(piece.text)):
                    yield claim
        except Unsupported:
            if not self.native:
                raise
            self._describe_tools()
            async for claim in self._listen(calls):
                yield claim
            return
        for claim in self._checked(cut.close()):
            yield claim
        calls.extend(native or calls_in(cut.withheld))
        self.messages.append(Message("assistant", said[:10_000], calls=tuple(native)))

    async def _pieces(self) -> AsyncGenerator[Piece]:
        async with aclosing(turn(self.model, self.messages, tools=self.tools, spent=self.spent)) as pieces:
            async for piece in pieces:
                yield piece

    def _checked(self, sentences: list[str]) -> list[Claim]:
        found = [check(s, self.brief.facts) for s in sentences]
        self.dropped += found.count(None)
        return [claim for claim in found if claim is not None]

    async def _call(self, call: ToolCall) -> AsyncGenerator[Asked | Suggestion]:
        """Answer one call, or say what is wrong with it."""
        self.spent.steps += 1
        if self.spent.exceeded():
            raise Stopped(self.spent.exceeded())
        try:
            asked = self.box.validated(call)
        except InvalidInput as error:
            self.spent.repairs += 1
            self._reply(call, f"Not possible: {error.message}")
            return
        if isinstance(asked.arguments, Conclusion):
            self.concluded = True
            yield await weigh(asked.arguments, self.brief.facts, self.brief.exists)
            return
        if self._again(asked):
            self._reply(call, "You asked this already; its answer is above. Ask something else, or finish.")
            return
        yield asked
        self._reply(call, await self.box.answer(asked, seconds=self.spent.left))

    def _again(self, asked: Asked) -> bool:
        key = digest([asked.line, asked.arguments.model_dump(mode="json")])
        self.seen[key] = self.seen.get(key, 0) + 1
        if self.seen[key] > 2:
            raise Stopped("it asks the same again and again")
        return self.seen[key] > 1

    def _reply(self, call: ToolCall, text: str) -> None:
        if self.messages and any(c.id == call.id for m in self.messages for c in m.calls):
            self.messages.append(Message("tool", text, answers=call.id))
        else:
            self.messages.append(Message("user", f"Answer to {one_line(call.name, 60)}:\n{text}"))

    def _describe_tools(self) -> None:
        self.native = False
        first = self.messages[0]
        self.messages[0] = Message("system", f"{first.text}\n{described(self.box.schemas)}")


class Consultant:
    """A model with a budget; one that failed rests for a while, so that it delays nobody twice."""

    def __init__(
        self, model: ChatModel, *, budget: Budget | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.model = model
        self._budget = budget or Budget()
        self._monotonic = monotonic
        self._rests_until = 0.0

    @property
    def name(self) -> str:
        """The model's name, inert; it never equals the name of a runbook."""
        return "/".join(one_line(self.model.name, 80).replace(":", "/").split())

    async def consult(self, brief: Brief) -> AsyncGenerator[Happening]:
        """Yield what holds of what the model says; the last is ``Ended``. Never raises for what a model does."""
        began = self._monotonic()
        if began < self._rests_until:
            yield Ended(f"The model {self.name} failed a moment ago and rests.", self.name, brief.prompt.version)
            return
        spent = Spent(self._budget, self._monotonic)
        box = Toolbox(brief.ctx, brief.facts.ledger)
        opening = [Message("system", brief.prompt.text), Message("user", brief.opening)]
        exchange = _Exchange(self.model, brief, spent, box, opening)
        note, kept = "", 0
        try:
            async with aclosing(exchange.run()) as steps:
                async for step in steps:
                    kept += not isinstance(step, Asked)
                    yield step
        except Stopped as stop:
            note = f"The model {self.name} was stopped: {stop}."
        except CopilotError as error:
            note = error.message
            self._let_rest(error)
        if not note and not kept:
            note = f"The model {self.name} said nothing that evidence shows."
        yield Ended(
            note,
            self.name,
            brief.prompt.version,
            box.version,
            tokens=spent.tokens,
            questions=len(exchange.seen),
            seconds=self._monotonic() - began,
            dropped=exchange.dropped,
        )

    def _let_rest(self, error: CopilotError) -> None:
        if isinstance(error, Unavailable):
            rest = min(error.retry_after or REST, _LONGEST_REST)
            self._rests_until = self._monotonic() + rest.total_seconds()
