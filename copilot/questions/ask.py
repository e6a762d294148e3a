"""Ask in plain words: match, confirm when unclear, answer; errors become answers that say what to do."""

import asyncio
import re
from collections import Counter
from dataclasses import replace

from copilot.core.text import inert
from copilot.errors import CopilotError
from copilot.questions.base import Answer, Arguments, Context, Question, cell, code
from copilot.questions.looking import inventory
from copilot.questions.match import Unclear, Understood, Unknown, questions, understand
from copilot.questions.names import Inventory

_EXAMPLES = ("cart", "checkout")
"""Names in the examples; where there is no such thing, those of two workloads that there are."""


async def ask(ctx: Context, text: str) -> Answer:
    """Answer a phrase. Never raises for what a person typed or a source refused; the answer then says so."""
    known, now = await asyncio.gather(inventory(ctx), ctx.now())
    meant = understand(text, known, now=now, zone=ctx.zone, namespace=ctx.namespace)
    if isinstance(meant, Unknown):
        return what_can_be_asked(meant, known)
    if isinstance(meant, Unclear):
        return did_you_mean(meant, text)
    return await put(ctx, meant.question, meant.arguments, notes=meant.notes)


async def put(ctx: Context, question: Question, arguments: Arguments, *, notes: tuple[str, ...] = ()) -> Answer:
    """Answer a question that is already known with its arguments, as a model calls it."""
    try:
        answer = await question.answer(ctx, arguments)
    except CopilotError as error:
        return Answer(f"I cannot answer that now: {cell(error, 400)}", question=question.name, failed=True)
    text = f"({'; '.join(cell(n) for n in notes)})\n\n{answer.text}" if notes else answer.text
    return replace(answer, text=text, question=question.name)


def did_you_mean(meant: Unclear, text: str) -> Answer:
    """Offer the objects that a word may name, as phrases to say next."""
    if not meant.choices:
        return Answer(
            f"Nothing here is called {code(meant.said)}. Name a workload, service, node, pod or namespace that exists, "
            "or ask without a name.",
            question=meant.question.name,
            failed=True,
        )
    said = inert(text, 300)
    choices = []
    for ref in meant.choices:
        full = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
        choices.append(said.replace(meant.said, full, 1))
    told = f"{code(meant.said)} could be {len(meant.choices)} things; did you mean one of these?"
    return Answer(told, question=meant.question.name, choices=tuple(dict.fromkeys(choices)), failed=True)


def what_can_be_asked(meant: Unknown, known: Inventory) -> Answer:
    """Say that the phrase was not understood, and give one example of each question, the nearest first."""
    order = [*meant.nearest, *(q for q in questions() if q not in meant.nearest)]
    names = Counter(r.name for r in known.refs if r.kind == "Deployment")
    there = dict(zip(_EXAMPLES, sorted(n for n, count in names.items() if count == 1), strict=False))
    there = {} if set(_EXAMPLES) <= names.keys() or len(there) < len(_EXAMPLES) else there
    return Answer(
        "I did not understand that, and I do not guess. I can answer questions like these:",
        choices=tuple(re.sub(r"\w+", lambda w: there.get(w[0], w[0]), q.examples[0]) for q in order),
        failed=True,
    )


__all__ = ["Understood", "ask", "did_you_mean", "put", "what_can_be_asked"]
