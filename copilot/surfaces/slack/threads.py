"""Keeps one Slack thread per case up to date by following the events of the store.

The cursor moves only after Slack has taken the update: while Slack is down, updates wait in the store, nothing is lost
and nothing is approved by itself. One message a second and channel (Slack's limit for ``chat.postMessage``);
``Retry-After`` is honoured.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from copilot.core.case import Case, CaseStatus
from copilot.core.text import in_words
from copilot.core.value import digest
from copilot.errors import NotFound, Unavailable
from copilot.ports.clock import Clock
from copilot.ports.store import Coordination, Event
from copilot.surfaces.desk import Desk
from copilot.surfaces.slack.blocks import case_blocks, escaped, plain_section

_CURSOR = "slack.cursor"
_PACE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(seconds=60)
_MOST_KNOWN = 1000
Plot = Callable[[Case], Awaitable[bytes | None]]


class Threads:
    """One thread per case in one channel."""

    def __init__(
        self,
        desk: Desk,
        memory: Coordination,
        web: AsyncWebClient,
        *,
        channel: str,
        clock: Clock,
        plot: Plot | None = None,
    ) -> None:
        self._desk = desk
        self._memory = memory
        self._web = web
        self._channel = channel
        self._clock = clock
        self._plot = plot
        self._drawn = 0
        self._opened: dict[str, dict[str, Any]] = {}
        """Threads that Slack knows of and the store does not yet."""
        self._shown: dict[str, str] = {}
        """What the cards of the last cases say: to say the same again would take calls that Slack counts."""

    async def follow(self) -> None:
        """Draw every case that changes, for ever; waits and goes on while Slack or the store is away."""
        pause = _PACE
        while True:
            before = self._drawn
            try:
                await self._follow()
            except Unavailable:
                # From the cursor on: what was drawn and not noted is drawn once more, into the same thread.
                pause = _PACE if self._drawn > before else min(pause * 2, _LONGEST_PAUSE)
                await self._clock.sleep(pause)

    async def _follow(self) -> None:
        cursor = await self._memory.setting(_CURSOR)
        async for event in self._desk.events(after=cursor if isinstance(cursor, int) else 0):
            await self._until_taken(event)
            await self._memory.put_setting(_CURSOR, event.number)
            self._drawn += 1

    async def _until_taken(self, event: Event) -> None:
        pause = _PACE
        while True:
            try:
                await self._draw(event)
            except SlackApiError as error:
                if not passing(error):
                    return
                pause = _retry_after(error) or min(pause * 2, _LONGEST_PAUSE)
            except (ClientError, OSError, TimeoutError):
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return
            await self._clock.sleep(pause)

    async def _draw(self, event: Event) -> None:
        if not event.case_id:
            return
        try:
            case = await self._desk.case(event.case_id)
        except NotFound:
            return
        said = self._said(case)
        if self._shown.get(case.id) == said and case.id not in self._opened:
            return
        kept = self._opened.get(case.id) or await self._memory.setting(_thread(case))
        if isinstance(kept, dict):
            await self._update(case, kept)
        elif case.status is not CaseStatus.NO_FAULT:
            # Remembered here first: were the store away now, the next try would open a second thread.
            self._opened[case.id] = await self._open(case)
        if case.id in self._opened:
            await self._picture(case, self._opened[case.id])
            await self._memory.put_setting(_thread(case), self._opened[case.id], case_id=case.id)
            del self._opened[case.id]
        self._shown.pop(case.id, None)
        self._shown[case.id] = said
        if len(self._shown) > _MOST_KNOWN:
            del self._shown[next(iter(self._shown))]
        await self._clock.sleep(_PACE)

    async def _open(self, case: Case) -> dict[str, Any]:
        answer = await self._web.chat_postMessage(channel=self._channel, **self._message(case))
        kept = {"channel": str(answer["channel"]), "ts": str(answer["ts"]), "status": case.status.value}
        return {**kept, "picture": True} if self._plot else kept

    async def _picture(self, case: Case, kept: dict[str, Any]) -> None:
        """Put the picture into a new thread, once."""
        if self._plot is None or "picture" not in kept:
            return
        picture = await self._plot(case)
        try:
            if picture:
                await self._web.files_upload_v2(
                    channel=kept["channel"],
                    thread_ts=kept["ts"],
                    content=picture,
                    filename=f"{case.id}.png",
                    title=case.id,
                )
        except SlackApiError as error:
            if passing(error):
                raise  # Else it will never be taken (no right to upload), and the thread goes without.
        del kept["picture"]

    async def _update(self, case: Case, kept: dict[str, Any]) -> None:
        await self._web.chat_update(channel=kept["channel"], ts=kept["ts"], **self._message(case))
        if kept.get("status") == case.status.value:
            return
        line = case.outcome.message if case.outcome else in_words(case.status.value)
        await self._web.chat_postMessage(
            channel=kept["channel"],
            thread_ts=kept["ts"],
            text=escaped(line, 1000),
            blocks=[plain_section(line, 1000)],
            unfurl_links=False,
            unfurl_media=False,
        )
        self._opened[case.id] = {**kept, "status": case.status.value}

    def _said(self, case: Case) -> str:
        """Return what a card says, whatever the time is; that a plan has run out is part of it."""
        at = case.opened
        if case.plan is not None:
            at = case.plan.expires if case.plan.expires <= self._clock.now() else case.plan.created
        return digest(case_blocks(case, now=at))

    def _message(self, case: Case) -> dict[str, Any]:
        return {
            "text": escaped(f"{case.id}: {case.title}", 300),
            "blocks": case_blocks(case, now=self._clock.now()),
            "unfurl_links": False,
            "unfurl_media": False,
        }


def _thread(case: Case) -> str:
    return f"slack.thread.{case.id}"


def passing(error: SlackApiError) -> bool:
    """Return whether Slack says so of itself, for now, and not of what it was sent."""
    answer = error.response
    status = getattr(answer, "status_code", 0)
    return status == 429 or status >= 500 or answer.get("error") in ("ratelimited", "internal_error", "fatal_error")


def _retry_after(error: SlackApiError) -> timedelta | None:
    headers = getattr(error.response, "headers", {}) or {}
    value = str(headers.get("Retry-After") or headers.get("retry-after") or "")
    return timedelta(seconds=int(value)) if value.isdigit() else None
