"""Keeps one Slack thread per case up to date by following the events of the store.

The cursor moves only after Slack has taken the update: while Slack is down, updates wait in the store, nothing is lost
and nothing is approved by itself. One message a second and channel (Slack's limit for ``chat.postMessage``);
``Retry-After`` is honoured.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from copilot.core.case import Case, CaseStatus
from copilot.errors import NotFound
from copilot.ports.clock import Clock
from copilot.ports.store import Coordination, Event
from copilot.surfaces.desk import Desk
from copilot.surfaces.slack.blocks import case_blocks, escaped, plain_section

_CURSOR = "slack.cursor"
_PACE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(seconds=60)
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

    async def follow(self) -> None:
        """Draw every case that changes, for ever; waits and goes on while Slack is away."""
        cursor = await self._memory.setting(_CURSOR)
        async for event in self._desk.events(after=cursor if isinstance(cursor, int) else 0):
            await self._until_taken(event)
            await self._memory.put_setting(_CURSOR, event.number)

    async def _until_taken(self, event: Event) -> None:
        pause = _PACE
        while True:
            try:
                await self._draw(event)
            except SlackApiError as error:
                if not _passing(error):
                    return
                pause = _retry_after(error) or min(pause * 2, _LONGEST_PAUSE)
            except (OSError, TimeoutError):
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
        key = f"slack.thread.{case.id}"
        kept = await self._memory.setting(key)
        if not isinstance(kept, dict):
            if case.status is CaseStatus.NO_FAULT:
                return
            await self._memory.put_setting(key, await self._open(case))
        else:
            await self._update(case, kept)
        await self._clock.sleep(_PACE)

    async def _open(self, case: Case) -> dict[str, Any]:
        answer = await self._web.chat_postMessage(channel=self._channel, **self._message(case))
        ts = str(answer["ts"])
        picture = await self._plot(case) if self._plot else None
        if picture:
            await self._web.files_upload_v2(
                channel=str(answer["channel"]), thread_ts=ts, content=picture, filename=f"{case.id}.png", title=case.id
            )
        return {"channel": str(answer["channel"]), "ts": ts, "status": case.status.value}

    async def _update(self, case: Case, kept: dict[str, Any]) -> None:
        await self._web.chat_update(channel=kept["channel"], ts=kept["ts"], **self._message(case))
        if kept.get("status") == case.status.value:
            return
        line = case.outcome.message if case.outcome else case.status.value.replace("_", " ")
        await self._web.chat_postMessage(
            channel=kept["channel"],
            thread_ts=kept["ts"],
            text=escaped(line, 1000),
            blocks=[plain_section(line, 1000)],
            unfurl_links=False,
            unfurl_media=False,
        )
        await self._memory.put_setting(f"slack.thread.{case.id}", {**kept, "status": case.status.value})

    def _message(self, case: Case) -> dict[str, Any]:
        return {
            "text": escaped(f"{case.id}: {case.title}", 300),
            "blocks": case_blocks(case, now=self._clock.now()),
            "unfurl_links": False,
            "unfurl_media": False,
        }


def _passing(error: SlackApiError) -> bool:
    answer = error.response
    status = getattr(answer, "status_code", 0)
    return status == 429 or status >= 500 or answer.get("error") in ("ratelimited", "internal_error", "fatal_error")


def _retry_after(error: SlackApiError) -> timedelta | None:
    headers = getattr(error.response, "headers", {}) or {}
    value = str(headers.get("Retry-After") or headers.get("retry-after") or "")
    return timedelta(seconds=int(value)) if value.isdigit() else None
