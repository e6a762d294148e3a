"""Answering piece by piece: what rules say at once, then what a model adds, each word of it checked.

A phrase that rules do not understand waits a moment for a model; a model that is dead, slow or talks nonsense leaves
the answer that there is without one, with a note.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from copilot.core.text import one_line, plural
from copilot.questions.ask import ask
from copilot.questions.base import Answer, Context
from copilot.surfaces.charts import titled
from copilot.surfaces.desk import Piece

if TYPE_CHECKING:
    from copilot.agent.model.claims import Claim
    from copilot.agent.model.conclusion import Suggestion
    from copilot.agent.model.consult import Brief, Ended, Happening

PATIENCE = timedelta(milliseconds=700)
"""How long "I did not understand" is held back for a model; together with the rules it stays within a second."""
_MOST_CITED = 10
_NOTE = "note"


class Consults(Protocol):
    """``copilot.agent.model.consult.Consultant``."""

    def consult(self, brief: "Brief") -> "AsyncGenerator[Happening]":
        """Yield what holds of what a model says; never raises for what a model does."""
        ...


async def converse(ctx: Context, text: str, consultant: Consults | None = None) -> AsyncGenerator[Piece]:
    """Yield the pieces of an answer."""
    answer = await ask(ctx, text)
    understood = bool(answer.question)
    if understood or consultant is None:
        for piece in drawn(answer):
            yield piece
    if consultant is None:
        return
    added = _added(ctx, text, answer, consultant)
    async with aclosing(added if understood else _instead(answer, added)) as pieces:
        async for piece in pieces:
            yield piece


def drawn(answer: Answer) -> Iterable[Piece]:
    """Yield an answer's text, then its plots, then what shows it again: each query once, with what it showed."""
    yield Piece("text", answer.markdown(queries=False))
    for plot in answer.plots:
        for name, series in plot.lines:
            title = titled(plot.title, name, plot.unit)
            yield Piece("plot", title, values=tuple(series.values.tolist()), detail=plot.unit)
    for evidence in answer.evidence[:_MOST_CITED]:
        yield Piece("cite", f"[{evidence.id}] {evidence.finding}", detail=evidence.query)
    if len(answer.evidence) > _MOST_CITED:
        rest = "\n".join(dict.fromkeys(e.query for e in answer.evidence[_MOST_CITED:]))
        yield Piece("cite", f"{plural(len(answer.evidence) - _MOST_CITED, 'further look')}", detail=rest)


async def _instead(answer: Answer, added: AsyncGenerator[Piece]) -> AsyncGenerator[Piece]:
    """Yield what a model adds in place of an answer; the answer itself when nothing comes soon, or at all."""
    waits = True
    coming = asyncio.ensure_future(_next(added))
    try:
        while True:
            await asyncio.wait({coming}, timeout=PATIENCE.total_seconds() if waits else None)
            piece = coming.result() if coming.done() else None
            if waits and (piece is None or piece.detail == _NOTE):
                waits = False
                for one in drawn(answer):
                    yield one
            piece = await coming
            if piece is None:
                return
            waits = waits and piece.kind == "tool"
            yield piece
            coming = asyncio.ensure_future(_next(added))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await added.aclose()


async def _next(pieces: AsyncIterator[Piece]) -> Piece | None:
    return await anext(pieces, None)


async def _added(ctx: Context, text: str, answer: Answer, consultant: Consults) -> AsyncGenerator[Piece]:
    """Yield what a model adds: its questions, its supported sentences, its suggestion, a note when it failed."""
    from copilot.agent.model.briefing import about_question
    from copilot.agent.model.claims import Claim
    from copilot.agent.model.conclusion import Suggestion
    from copilot.agent.model.consult import Ended

    known = {e.id for e in answer.evidence}
    brief = await about_question(ctx, text, answer)
    async with aclosing(consultant.consult(brief)) as happenings:
        async for one in happenings:
            if isinstance(one, Claim):
                for piece in _claimed(one, known):
                    yield piece
            elif isinstance(one, Suggestion):
                for piece in _suggested(one, known):
                    yield piece
            elif isinstance(one, Ended):
                for piece in _ended(one):
                    yield piece
            else:
                yield Piece("tool", one.line)


def _claimed(claim: "Claim", known: set[str]) -> Iterable[Piece]:
    yield Piece("text", f"\n- {claim.text}")
    for evidence in claim.cites:
        if evidence.id not in known:
            known.add(evidence.id)
            yield Piece("cite", f"[{evidence.id}] {evidence.finding}", detail=evidence.query)


def _suggested(suggestion: "Suggestion", known: set[str]) -> Iterable[Piece]:
    for one in suggestion.hypotheses:
        marks = "".join(f"[{i}]" for i in one.rests_on)
        yield Piece("text", f"\n- Possible cause: **{one.verdict}** {one.cause.name} on `{one.object}` {marks}.")
        for claim in one.why:
            yield from _claimed(claim, known)
    for action in suggestion.actions:
        yield Piece("text", f"\n- It suggests `{one_line(action.command(), 300)}`. Nothing is done.")
    for claim in suggestion.reason:
        yield from _claimed(claim, known)
    if suggestion.mismatch:
        yield Piece("text", "\n- Its words and its actions do not agree; only the commands above count.")


def _ended(ended: "Ended") -> Iterable[Piece]:
    if ended.note:
        yield Piece("text", f"\n\n_{ended.note} The answer without it stands._", detail=_NOTE)
    elif ended.dropped:
        yield Piece("text", f"\n\n_{ended.dropped} of its sentences had no evidence and were left out._", detail=_NOTE)
