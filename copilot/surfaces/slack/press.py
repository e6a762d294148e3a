"""What a button, a mention or a command does; every press is acknowledged at once and has one effect.

Slack delivers at least once and Bolt does not deduplicate: decisions are single use in the journal, and the other
presses only show something.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from copilot.core.case import Case
from copilot.core.plan import Decision
from copilot.core.text import one_line
from copilot.errors import CopilotError, Forbidden, NotApproved
from copilot.surfaces.desk import Answer, Desk
from copilot.surfaces.slack.answers import answer_blocks
from copilot.surfaces.slack.blocks import escaped, home_blocks, plain_section, why_text
from copilot.surfaces.slack.identity import Roles, actor

MOST_ANSWER = 2900
Draw = Callable[[Answer], Awaitable[Sequence[bytes]]]
"""Draws the plots of an answer as PNG."""


@dataclass(frozen=True, slots=True)
class Press:
    """One press of a button, as Slack reports it; everything in it is checked before it means anything."""

    action: str
    value: str
    team: str
    user: str
    channel: str
    thread: str
    reason: str = ""


class Presses:
    """Carries presses and questions from Slack to the desk."""

    def __init__(self, desk: Desk, web: AsyncWebClient, roles: Roles, *, draw: Draw | None = None) -> None:
        self._desk = desk
        self._web = web
        self._roles = roles
        self._draw = draw

    async def handle(self, press: Press) -> None:
        """Do what the button says, as the person who pressed it, and tell them alone when it cannot be done."""
        try:
            text = await self._do(press)
        except CopilotError as error:
            text = str(error)
        if text:
            await self._whisper(press, text)

    async def _do(self, press: Press) -> str:
        role = await self._role(press)
        who = actor(press.team, press.user)
        if press.action in ("suspend", "resume"):
            return await self._switch(press.action, who, role)
        case_id, _, digest = press.value.partition("|")
        if press.action in ("approve", "reject"):
            decision = Decision(press.action)
            case = await self._desk.decide(case_id, _whole(digest), decision, by=who, role=role, reason=press.reason)
            return _by_others(case, digest, who)
        if press.action == "undo":
            await self._desk.undo(case_id, by=who, role=role)
            return ""
        if press.action == "why":
            return why_text(await self._desk.case(case_id))
        raise Forbidden(f"There is no button {one_line(press.action, 40)!r}.")

    async def _switch(self, action: str, who: str, role: str) -> str:
        if action == "suspend":
            await self._desk.suspend("suspended from Slack", by=who)
            return "Suspended: nothing is executed until somebody resumes."
        await self._desk.resume(by=who, role=role)
        return "Resumed."

    async def _role(self, press: Press) -> str:
        try:
            answer = await self._web.users_info(user=press.user)
        except SlackApiError as error:
            raise Forbidden(
                f"Slack does not say who pressed ({error.response.get('error')}).",
                hint="Nothing was done; press again.",
            ) from error
        profile: Mapping[str, Any] = answer.get("user") or {}
        return self._roles.role(team=press.team, user=press.user, profile=profile)

    async def _whisper(self, press: Press, text: str) -> None:
        await self._web.chat_postEphemeral(
            channel=press.channel,
            user=press.user,
            thread_ts=press.thread or None,
            text=escaped(text, MOST_ANSWER),
            blocks=[plain_section(text, MOST_ANSWER)],
        )

    async def answer(self, text: str, press: Press) -> None:
        """Answer a mention, a direct message or a command in its thread, if whoever asks has a role; else tell them."""
        question = " ".join(w for w in text.split() if not w.startswith("<@"))
        try:
            await self._role(press)
        except CopilotError as error:
            await self._whisper(press, str(error))
            return
        pictures: Sequence[bytes] = ()
        try:
            answer = await self._desk.ask(question)
        except CopilotError as error:
            said, blocks = str(error), [plain_section(str(error), MOST_ANSWER)]
        else:
            said, blocks = answer.text, answer_blocks(answer)
            pictures = await self._draw(answer) if self._draw else ()
        posted = await self._web.chat_postMessage(
            channel=press.channel,
            thread_ts=press.thread or None,
            text=escaped(said, MOST_ANSWER),
            blocks=blocks,
            unfurl_links=False,
            unfurl_media=False,
        )
        for number, picture in enumerate(pictures, 1):
            await self._web.files_upload_v2(
                channel=str(posted["channel"]),
                thread_ts=press.thread or str(posted["ts"]),
                content=picture,
                filename=f"answer-{number}.png",
            )

    async def home(self, press: Press) -> None:
        """Publish the home tab: open cases and the suspend switch, to whoever has a role."""
        try:
            await self._role(press)
            cases = await self._desk.cases(open_only=True)
            blocks = home_blocks(cases, await self._desk.suspended())
        except CopilotError as error:
            blocks = [plain_section(str(error))]
        await self._web.views_publish(user_id=press.user, view={"type": "home", "blocks": blocks})


def _by_others(case: Case, digest: str, who: str) -> str:
    """Say who had decided the same before, to somebody else; whoever presses twice has been heard."""
    signed = [a for a in case.approvals if a.plan_digest == digest]
    if not signed or any(a.by == who for a in signed):
        return ""
    return f"Already decided: {signed[0].decision.value} by {one_line(signed[0].by, 80)}. Nothing more was done."


def _whole(digest: str) -> str:
    if len(digest) != 64 or not all(c in "0123456789abcdef" for c in digest):
        raise NotApproved("The button does not carry a plan's digest.", hint="Open the case and decide there.")
    return digest


def now() -> datetime:
    """Return the wall clock in UTC."""
    return datetime.now(UTC)
