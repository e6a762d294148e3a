"""The whole way through Slack on a lab: fault, thread with a picture, Approve pressed, executed, verified, said."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import matplotlib.figure  # noqa: F401 - loaded here, not in a worker thread beside the lab's
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.web.async_client import AsyncWebClient

from copilot.app import App, Depth, Variation, open_app
from copilot.lab.server import Lab
from copilot.lab.world.world import World
from copilot.ports.clock import SystemClock
from copilot.rehearsal import LabClock, settings_for
from copilot.surfaces.pictures import plotter
from copilot.surfaces.slack.bot import bolt_app
from copilot.surfaces.slack.identity import Roles
from copilot.surfaces.slack.press import Presses
from copilot.surfaces.slack.threads import Threads
from tests.surfaces.slack.stand_in import SlackStandIn
from tests.surfaces.slack.test_slack import until

FAULT = "bad_release"


def buttons(message: dict[str, Any]) -> dict[str, str]:
    """Return the values of a message's buttons by their action."""
    rows = [b["elements"] for b in message["blocks"] if b["type"] == "actions"]
    return {e["action_id"]: e["value"] for row in rows for e in row}


async def look_until_waiting(app: App, lab: Lab) -> None:
    for _ in range(10):
        await asyncio.to_thread(lab.advance, timedelta(minutes=1))
        await app.shift.patrol()
        await app.shift.work()
        for case in await app.copilot.cases(open_only=True):
            if (await app.copilot.settle(case.id)).status.value == "waiting":
                return
    raise AssertionError("no plan was made")


async def test_from_fault_to_verified_message(tmp_path: Path) -> None:
    world = World(1)
    world.warm_up(timedelta(hours=2))
    slack = SlackStandIn()
    await slack.start()
    web = AsyncWebClient(token="xoxb-test", base_url=f"{slack.url}/api/")
    with Lab(world, state_dir=tmp_path / "lab", speed=0) as lab:
        varied = Variation(clock=LabClock(lab), verify_every=timedelta(seconds=15), history=timedelta(hours=1))
        async with open_app(settings_for(lab, tmp_path / "state"), Depth.ACT, variation=varied) as app:
            presses = Presses(app.desk, web, Roles({"T1/U1": "operator"}, team="T1"))
            socket = AsyncSocketModeHandler(bolt_app(presses, web), "xapp-test", web_client=web)
            await socket.connect_async()
            plot = plotter(app.desk.curve)
            threads = Threads(app.desk, app.store, web, channel="C1", clock=SystemClock(), plot=plot)
            following = asyncio.create_task(threads.follow())
            try:
                await _play(app, lab, slack)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
                await socket.close_async()
    await slack.stop()


async def _play(app: App, lab: Lab, slack: SlackStandIn) -> None:
    await app.shift.patrol()
    lab.inject(FAULT, seed=1)
    await look_until_waiting(app, lab)
    await until(lambda: any("approve" in buttons(m) for m in slack.messages.values() if m.get("blocks")), 60)
    ts, message = next((t, m) for t, m in slack.messages.items() if m.get("blocks") and "approve" in buttons(m))
    await until(lambda: slack.posted("files.completeUploadExternal"), 30)
    wrote = len(lab.request_log.changes())
    await slack.press("approve", buttons(message)["approve"], user="U2")
    await until(lambda: slack.posted("chat.postEphemeral"), 30)
    assert len(lab.request_log.changes()) == wrote, "somebody without a role pressed"
    await slack.press("approve", buttons(message)["approve"], envelope="E2")
    await until(lambda: "resolved" in str(slack.messages[ts]["blocks"]), 90)
    replies = [m for m in slack.messages.values() if m.get("thread_ts") == ts]
    await until(lambda: any("Verified" in m["text"] for m in slack.messages.values() if m.get("thread_ts") == ts), 30)
    assert replies
    assert all(w.user.endswith("-executor") for w in lab.request_log.changes()[wrote:])
    assert len(lab.request_log.changes()) > wrote
    case = (await app.copilot.cases())[0]
    assert case.approvals[0].by == "slack:T1/U1"
