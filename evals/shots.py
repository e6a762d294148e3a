"""``python -m evals.shots DIR``: the pictures of the README, made from the lab by the product itself."""

import asyncio
import io
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from copilot.core.case import Case, CaseStatus
from copilot.core.plan import Decision

FAULT, SEED = "bad_release", 1
ACTING = Path("deploy/policies/act-on-services.toml")
SIZE = (118, 38)
_LOOKS = 20


def main() -> int:
    """Make every picture."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_all(folder))
    return 0


async def _all(folder: Path) -> None:
    await _demo(folder / "demo.svg")
    with tempfile.TemporaryDirectory(prefix="infra-copilot-") as state:
        await _incident(folder, Path(state))
    with tempfile.TemporaryDirectory(prefix="infra-copilot-") as state:
        await _watch(folder / "watch.svg", Path(state))


async def _demo(file: Path) -> None:
    from copilot.commands.stage import play

    out = Console(record=True, width=SIZE[0], file=io.StringIO(), highlight=False, markup=False)
    await play(FAULT, SEED, interactive=False, ask=False, as_json=False, out=out)
    _kept(file, out.export_svg(title="infra-copilot demo"))


async def _incident(folder: Path, state: Path) -> None:
    """One incident in the chat: waiting, then verified; then the day's report."""
    from copilot.app import Depth, Variation, open_app
    from copilot.config import state_home
    from copilot.lab.cache import warmed
    from copilot.lab.server import Lab
    from copilot.rehearsal import HISTORY, LabClock, settings_for
    from copilot.surfaces.slack.blocks import case_blocks

    world = await asyncio.to_thread(warmed, SEED, state_home() / "worlds")
    with Lab(world, state_dir=state / "lab", speed=0) as lab:
        varied = Variation(clock=LabClock(lab), verify_every=timedelta(seconds=15), history=HISTORY)
        async with open_app(settings_for(lab, state / "state"), Depth.ACT, variation=varied) as app:
            await app.shift.patrol()
            await asyncio.to_thread(lab.inject, FAULT, seed=SEED)
            case = await _until_waiting(app, lab)
            await _chat(app.desk, folder / "chat.svg", ask="what is wrong?")
            await _chat(app.desk, folder / "case.svg", case=case)
            asked = case_blocks(case, now=case.updated)
            assert case.plan is not None
            await app.copilot.decide(case.id, case.plan.digest, Decision.APPROVE, by="person:ana", role="operator")
            await asyncio.to_thread(lab.advance, timedelta(minutes=3))
            case = await app.copilot.case(case.id)
            await _chat(app.desk, folder / "verified.svg", case=case)
            _slack(folder / "slack-thread.svg", asked, case)
            _report(await app.copilot.cases(), folder / "report.svg")
            await _picture(app, case, folder / "slack.png")


async def _until_waiting(app: Any, lab: Any) -> Case:
    for _ in range(_LOOKS):
        await asyncio.to_thread(lab.advance, timedelta(minutes=1))
        await app.shift.patrol()
        await app.shift.work()
        for case in await app.copilot.cases(open_only=True):
            settled: Case = await app.copilot.settle(case.id)
            if settled.status is CaseStatus.WAITING:
                return settled
    raise SystemExit("The fault was not found.")


async def _chat(desk: Any, file: Path, *, ask: str = "", case: Case | None = None) -> None:
    from copilot.ports.clock import SystemClock
    from tui.app import ChatApp
    from tui.screens.case import CaseScreen
    from tui.widgets.conversation import Conversation

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        yield desk

    app = ChatApp(opened, clock=SystemClock(), user="ana", place="lab")
    async with app.run_test(size=SIZE) as pilot:
        while not app.ready:
            await pilot.pause(0.1)
        await pilot.pause(3)
        if ask:
            await pilot.press(*ask, "enter")
            while not app.main.query_one(Conversation).query(".tool"):
                await pilot.pause(0.1)
            await pilot.pause(3)
        if case is not None:
            app.push_screen(CaseScreen(case))
            await pilot.pause(3)
        app.clear_notifications()
        await pilot.pause(0.2)
        _kept(file, app.export_screenshot(title=f"infra-copilot chat {'' if case is None else case.id}".strip()))


async def _watch(file: Path, state: Path) -> None:
    """The scheduled mode with a policy that lets one runbook act, as in docs/watch.md."""
    from copilot import policy
    from copilot.app import Depth, Variation, open_app
    from copilot.config import state_home
    from copilot.lab.cache import warmed
    from copilot.lab.server import Lab
    from copilot.rehearsal import HISTORY, LabClock, settings_for
    from copilot.surfaces.ticker import Ticker

    out = Console(record=True, width=SIZE[0], file=io.StringIO(), highlight=False, markup=False)
    out.print(f"$ infra-copilot watch -e lab --policy {ACTING}", style="bold cyan")
    out.print("Watching environment lab, 30s; stop with ctrl+c.")
    world = await asyncio.to_thread(warmed, SEED, state_home() / "worlds")
    with Lab(world, state_dir=state / "lab", speed=0) as lab:
        clock, pace = LabClock(lab), timedelta(seconds=15)
        varied = Variation(clock=clock, verify_every=pace, history=HISTORY, policy=policy.load(ACTING))
        async with open_app(settings_for(lab, state / "state"), Depth.ACT, variation=varied) as app:
            ticker = Ticker(app.desk, clock=clock, say=out.print)
            await app.shift.patrol()
            await asyncio.to_thread(lab.inject, "service_selector_mismatch", seed=SEED)
            for _ in range(4 * _LOOKS):
                await asyncio.to_thread(lab.advance, timedelta(seconds=30))
                await app.shift.patrol()
                await app.shift.work()
                await ticker.once()
                if any(not c.status.open for c in await app.copilot.cases()):
                    break
    _kept(file, out.export_svg(title="infra-copilot watch"))


def _slack(file: Path, asked: Any, case: Case) -> None:
    from copilot.core.text import one_line
    from evals.thread_shot import thread

    out = Console(record=True, width=SIZE[0], file=io.StringIO(), highlight=False, markup=False)
    replies = ["executing", "verifying"] + ([one_line(case.outcome.message, 300)] if case.outcome else [])
    out.print(thread("ops", asked, replies))
    _kept(file, out.export_svg(title="Slack"))


def _report(cases: Any, file: Path) -> None:
    from copilot.surfaces.report import daily, markdown

    begin = min(c.opened for c in cases) - timedelta(hours=1)
    out = Console(record=True, width=SIZE[0], file=io.StringIO())
    out.print(Markdown(markdown(daily(cases, begin=begin, environment="lab"))))
    _kept(file, out.export_svg(title="daily report"))


async def _picture(app: Any, case: Case, file: Path) -> None:
    from copilot.surfaces.pictures import png

    curve = await app.desk.curve(case)
    if curve is not None:
        file.write_bytes(png(curve))
        print(f"wrote {file}")


def _kept(file: Path, svg: str) -> None:
    # Fonts from elsewhere are not fetched by a page of documentation: every viewer has a monospaced one.
    lines = [line for line in svg.splitlines() if "cdnjs" not in line]
    file.write_text("\n".join(lines) + "\n")
    print(f"wrote {file}")


if __name__ == "__main__":
    sys.exit(main())
