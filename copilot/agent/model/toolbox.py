"""The questions as a model may ask them: by schema, read-only, checked at call time, answered within bounds.

What is offered is fixed when a consultation begins; a name that was not offered is refused when it is called, whatever
anybody says that exists.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from copilot.agent.model.conclusion import NAME, Conclusion, catalogue_text
from copilot.agent.model.ledger import Ledger
from copilot.agent.model.quoting import quoted
from copilot.core.text import one_line
from copilot.core.value import canonical, digest
from copilot.diagnosis.diagnose import catalogue
from copilot.errors import InvalidInput
from copilot.ports.model import ToolCall, ToolSchema
from copilot.questions.ask import put
from copilot.questions.base import Answer, Arguments, Context, Question
from copilot.questions.match import questions

LONGEST_ARGUMENT = 300
_LONGEST_CONCLUSION = 2_000
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that is valid: its question with arguments, or a conclusion."""

    question: Question | None
    arguments: Arguments

    @property
    def line(self) -> str:
        """The call as one line for people."""
        given = self.arguments.model_dump(mode="json", exclude_defaults=True)
        said = ", ".join(f"{k}={one_line(str(v), 60)}" for k, v in given.items())
        return f"{self.question.name if self.question else NAME}({said})"


class Toolbox:
    """What one consultation may call."""

    def __init__(self, ctx: Context, ledger: Ledger) -> None:
        self._ctx = ctx
        self._ledger = ledger
        self._questions = {q.name: q for q in questions()}
        self.schemas = (*(_schema(q) for q in self._questions.values()), _conclude())

    @property
    def version(self) -> str:
        """The digest of everything that is offered."""
        return digest([[s.name, s.description, s.parameters] for s in self.schemas])

    def validated(self, call: ToolCall) -> Asked:
        """Return the call once it fits its schema; raises ``InvalidInput`` saying what does not."""
        question = self._questions.get(call.name)
        if question is None and call.name != NAME:
            known = ", ".join([*self._questions, NAME])
            raise InvalidInput(f"Nothing is called {one_line(call.name, 60)!r}. There are: {known}.")
        schema = question.arguments if question else Conclusion
        _bounded(call.arguments, LONGEST_ARGUMENT if question else _LONGEST_CONCLUSION)
        try:
            return Asked(question, schema.model_validate_json(canonical(call.arguments)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = one_line(".".join(str(part) for part in first["loc"]) or "arguments", 80)
            raise InvalidInput(f"{call.name}: {where}: {first['msg']}.") from error
        except ValueError as error:
            raise InvalidInput(f"{call.name}: the arguments are no JSON.") from error

    async def answer(self, asked: Asked, *, seconds: float) -> str:
        """Return a question's answer as quoted data; its evidence can be cited from now on."""
        if asked.question is None:
            raise InvalidInput("A conclusion is no question.")
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                answer = await put(self._ctx, asked.question, asked.arguments)
        except TimeoutError:
            answer = Answer("This question gave no answer in time.")
        return shown(answer, self._ledger)


def shown(answer: Answer, ledger: Ledger) -> str:
    """Return an answer as quoted data with its evidence under ids that can be cited."""
    plain = Answer(answer.text, tables=answer.tables, missing=answer.missing).markdown()
    evidence = ledger.add(answer.evidence)
    for cause in (c.name for c in catalogue() if c.name in answer.text):
        ledger.rests(cause, (e.id for e in evidence))
    return quoted(plain, evidence)


def _schema(question: Question) -> ToolSchema:
    return ToolSchema(question.name, question.summary, _plain(question.arguments))


def _conclude() -> ToolSchema:
    summary = "Say what the evidence shows and what should be done; nothing is executed."
    return ToolSchema(NAME, f"{summary} {catalogue_text()}", _plain(Conclusion))


def _plain(arguments: type[Arguments]) -> dict[str, JsonValue]:
    schema: dict[str, JsonValue] = arguments.model_json_schema()
    return {k: v for k, v in schema.items() if k not in ("title", "description")}


def _bounded(value: JsonValue, limit: int, *, depth: int = 0) -> None:
    """Refuse text that is longer than any name or time can be, and nesting that no schema has."""
    parts: Sequence[JsonValue] = ()
    if depth > _DEEPEST:
        raise InvalidInput("The arguments are nested too deeply.")
    if isinstance(value, str) and len(value) > limit:
        raise InvalidInput(f"An argument has {len(value)} characters; {limit} is the most.")
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list):
        parts = value
    for part in parts:
        _bounded(part, limit, depth=depth + 1)
