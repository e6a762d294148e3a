"""``chat --plain``: the same desk as lines of text, for pipes and screen readers."""

from collections.abc import Callable, Iterable

from copilot.core.case import Case
from copilot.core.plan import Decision
from copilot.core.text import inert, one_line
from copilot.errors import CopilotError
from copilot.surfaces.charts import chart
from copilot.surfaces.desk import Desk, Piece

HELP = (
    "Ask a question, or: cases | case ID | approve ID DIGEST | reject ID REASON | undo ID | suspend WHY | resume | quit"
)


class PlainChat:
    """Reads lines, says lines; ``show`` renders a case as plain text."""

    def __init__(self, desk: Desk, *, user: str, say: Callable[[str], None], show: Callable[[Case], str]) -> None:
        self._desk = desk
        self._user = user
        self._say = say
        self._show = show

    async def run(self, lines: Iterable[str]) -> None:
        """Serve until the input ends or says quit."""
        self._say(HELP)
        problem = (await self._desk.fleet()).problem
        if problem:
            self._say(problem)
        for line in lines:
            words = _command(line.split())
            if words[:1] == ["quit"]:
                return
            try:
                await self._one(line.strip(), words)
            except CopilotError as error:
                self._say(str(error))

    async def _one(self, line: str, words: list[str]) -> None:
        command, rest = (words[0], words[1:]) if words else ("", [])
        if command == "cases" and not rest:
            for case in await self._desk.cases():
                self._say(f"{case.id}  {case.status.value}  {inert(case.title, 120)}")
        elif command in ("case", "undo") and len(rest) == 1:
            self._say(self._show(await self._case(command, rest[0])))
        elif command in ("approve", "reject") and rest:
            self._say(self._show(await self._decide(command, rest)))
        elif command == "suspend" or (command == "resume" and not rest):
            await self._switch(command, " ".join(rest))
        elif line.startswith("/"):
            self._say(HELP if command == "help" else f"There is no such command: {one_line(line, 40)}. {HELP}")
        elif line:
            await self._answer(line)

    async def _answer(self, line: str) -> None:
        async for piece in self._desk.converse(line):
            self._say(inert(_line(piece), 20_000))

    async def _case(self, command: str, case_id: str) -> Case:
        if command == "undo":
            return await self._desk.undo(case_id, by=self._user)
        return await self._desk.case(case_id)

    async def _decide(self, command: str, rest: list[str]) -> Case:
        case = await self._desk.case(rest[0])
        digest = case.plan.digest if case.plan else ""
        if command == "approve" and (len(rest) < 2 or len(rest[1]) < 8 or not digest.startswith(rest[1])):
            raise CopilotError(f"Say which plan: approve {case.id} {digest[:12] or 'DIGEST'}")
        reason = " ".join(rest[2:] if command == "approve" else rest[1:])
        return await self._desk.decide(
            case.id, digest, Decision(command), by=self._user, role="operator", reason=reason
        )

    async def _switch(self, command: str, why: str) -> None:
        """Stop every action or allow them again; whoever types ``suspend`` first means it, however the line goes on."""
        if command == "suspend":
            await self._desk.suspend(why or "suspended in the chat", by=self._user)
            self._say(f"Suspended: {one_line(why)}." if why else "Suspended.")
        else:
            await self._desk.resume(by=self._user)
            self._say("Resumed.")


def _command(words: list[str]) -> list[str]:
    """Return words with a slash before the first taken away: commands may be typed as on the full screen."""
    return [words[0].removeprefix("/"), *words[1:]] if words else []


def _line(piece: Piece) -> str:
    """Return a piece as text: a citation with the query that shows it again, a plot in characters."""
    if piece.kind == "plot":
        return f"{piece.text}\n{chart(piece.values, unit=piece.detail)}"
    if piece.kind == "cite":
        return f"{piece.text}\n    {piece.detail}"
    return f"(asks {piece.text})" if piece.kind == "tool" else piece.text
