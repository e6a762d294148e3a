"""The whole Slack flow offline, over real HTTP and WebSocket, against a stand-in that enforces Slack's limits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from copilot.core.case import Case, CaseStatus, Outcome
from copilot.core.plan import Approval, Decision, Risk
from copilot.errors import Forbidden
from copilot.surfaces.slack.blocks import case_blocks, clean
from copilot.surfaces.slack.bot import bolt_app
from copilot.surfaces.slack.identity import Roles
from copilot.surfaces.slack.press import Presses
from copilot.surfaces.slack.threads import Threads
from tests.fakes import NOW, FakeDesk, waiting_case
from tests.surfaces.slack.stand_in import SlackStandIn, _problem


class QuickClock:
    """Real time for the limits that the stand-in enforces, cut short elsewhere."""

    def now(self) -> datetime:
        return NOW

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(min(duration.total_seconds(), 0.05))


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    stand_in = SlackStandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def desk(slack: SlackStandIn) -> AsyncIterator[FakeDesk]:
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

    fake = FakeDesk()
    web = AsyncWebClient(token="xoxb-test", base_url=f"{slack.url}/api/")
    mapped = dict.fromkeys(("T1/U1", "T1/UGUEST", "T1/UBOT", "T2/U2"), "operator")
    roles = Roles({**mapped, "T1/UVIEW": "viewer"}, team="T1")
    socket = AsyncSocketModeHandler(bolt_app(Presses(fake, web, roles), web), "xapp-test", web_client=web)
    await socket.connect_async()
    threads = Threads(fake, fake, web, channel="C1", clock=QuickClock())  # type: ignore[arg-type]
    following = asyncio.create_task(threads.follow())
    yield fake
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await socket.close_async()


async def until(true: Callable[[], object], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("did not happen in time")


def value(desk: FakeDesk) -> str:
    assert desk.one.plan
    return f"{desk.one.id}|{desk.one.plan.digest}"


async def test_a_case_gets_a_thread_and_is_kept_up_to_date(slack: SlackStandIn, desk: FakeDesk) -> None:
    desk.change(1, CaseStatus.WAITING)
    await until(lambda: slack.messages)
    (ts,) = slack.messages
    actions = [b for b in slack.messages[ts]["blocks"] if b["type"] == "actions"]
    assert [e["action_id"] for e in actions[0]["elements"]] == ["approve", "reject", "why"]
    assert slack.messages[ts]["unfurl_links"] in (False, "false", "0")
    desk.change(2, CaseStatus.RESOLVED)
    await until(lambda: slack.posted("chat.update"))
    await until(lambda: len(slack.messages) == 2)
    assert [m.get("thread_ts") for t, m in slack.messages.items() if t != ts] == [ts]


async def test_approving_decides_exactly_once_however_often_it_is_delivered(
    slack: SlackStandIn, desk: FakeDesk
) -> None:
    for envelope in ("E1", "E1", "E2"):
        await slack.press("approve", value(desk), envelope=envelope)
    await until(lambda: len(slack.posted("chat.postEphemeral")) == 2)
    assert desk.decided == [("slack:T1/U1", "operator", Decision.APPROVE, "")]
    await until(lambda: len(slack.acks) == 3)


@pytest.mark.parametrize(("user", "team"), [("UGUEST", "T1"), ("UBOT", "T1"), ("U2", "T1"), ("U2", "T2"), ("", "")])
async def test_strangers_are_refused(slack: SlackStandIn, desk: FakeDesk, user: str, team: str) -> None:
    await slack.press("approve", value(desk), user=user, team=team)
    await until(lambda: slack.posted("chat.postEphemeral"))
    assert not desk.decided


@pytest.mark.parametrize("forged", ["", "C-1", "C-1|", "C-1|abc", "C-9|" + "0" * 64, "C-1|" + "0" * 64, "x" * 5000])
async def test_forged_values_decide_nothing(slack: SlackStandIn, desk: FakeDesk, forged: str) -> None:
    await slack.press("approve", forged)
    await until(lambda: slack.posted("chat.postEphemeral"))
    assert not desk.decided


async def test_rejecting_asks_for_a_reason(slack: SlackStandIn, desk: FakeDesk) -> None:
    await slack.press("reject", value(desk))
    await until(lambda: slack.posted("views.open"))
    view = slack.posted("views.open")[0]["view"]
    submitted = {
        "type": "view_submission",
        "team": {"id": "T1"},
        "user": {"id": "U1"},
        "view": {**view, "id": "V1", "state": {"values": {"reason": {"reason": {"value": "not in business hours"}}}}},
    }
    await slack.send("interactive", submitted, envelope="E9")
    await until(lambda: desk.decided)
    assert desk.decided == [("slack:T1/U1", "operator", Decision.REJECT, "not in business hours")]


async def test_a_mention_is_answered_in_its_thread_without_links(slack: SlackStandIn, desk: FakeDesk) -> None:
    event = {"type": "app_mention", "text": "<@UME> what is wrong?", "channel": "C1", "ts": "7.7", "user": "U1"}
    await slack.send("events_api", {"type": "event_callback", "team_id": "T1", "event": event, "event_id": "Ev1"})
    await until(lambda: slack.posted("chat.postMessage"))
    (answer,) = slack.posted("chat.postMessage")
    assert answer["thread_ts"] == "7.7"
    assert answer["blocks"][0]["type"] == "rich_text"
    assert "you asked: what is wrong?" in answer["text"]


async def test_the_command_and_the_home_tab(slack: SlackStandIn, desk: FakeDesk) -> None:
    command = {"command": "/infra", "text": "who uses the GPUs", "channel_id": "C1", "user_id": "U1", "team_id": "T1"}
    await slack.send("slash_commands", command)
    await until(lambda: slack.posted("chat.postMessage"))
    event = {"type": "app_home_opened", "user": "U1", "tab": "home"}
    await slack.send("events_api", {"type": "event_callback", "team_id": "T1", "event": event}, envelope="E2")
    await until(lambda: slack.posted("views.publish"))
    await slack.press("suspend", "all", envelope="E3")
    await until(lambda: desk.stopped)


async def test_while_slack_is_down_updates_wait_and_nothing_is_approved(slack: SlackStandIn, desk: FakeDesk) -> None:
    await until(lambda: slack.posted("apps.connections.open"))
    slack.down = True
    desk.change(1, CaseStatus.WAITING)
    await asyncio.sleep(0.3)
    assert "slack.cursor" not in desk.settings
    slack.down = False
    await until(lambda: slack.messages)
    await until(lambda: desk.settings.get("slack.cursor") == 1)
    assert not desk.decided


async def test_connections_that_are_cut_are_waited_out(slack: SlackStandIn, desk: FakeDesk) -> None:
    await until(lambda: slack.posted("apps.connections.open"))
    slack.cut = True
    desk.change(1, CaseStatus.WAITING)
    await asyncio.sleep(0.3)
    assert "slack.cursor" not in desk.settings
    slack.cut = False
    await until(lambda: desk.settings.get("slack.cursor") == 1)
    assert slack.messages


async def test_what_looks_the_same_takes_no_call(slack: SlackStandIn, desk: FakeDesk) -> None:
    desk.change(1, CaseStatus.WAITING)
    await until(lambda: desk.settings.get("slack.cursor") == 1)
    for number in range(2, 9):
        desk.one = desk.one.with_(occurrences=number)
        desk.change(number, CaseStatus.WAITING)
    await until(lambda: desk.settings.get("slack.cursor") == 8)
    assert not slack.posted("chat.update")
    assert desk.one.plan
    over = desk.one.plan.model_copy(update={"expires": NOW})
    desk.one = desk.one.with_(plan=over)
    desk.change(9, CaseStatus.WAITING)
    await until(lambda: slack.posted("chat.update"))
    (message,) = slack.messages.values()
    assert [e["action_id"] for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]] == ["why"]


@pytest.mark.parametrize(
    ("by", "told"), [("ada", ["Already decided: approve by ada. Nothing more was done."]), ("slack:T1/U1", [])]
)
async def test_pressing_after_somebody_else_decided_says_who(
    slack: SlackStandIn, desk: FakeDesk, by: str, told: list[str]
) -> None:
    assert desk.one.plan
    fields = {"plan_digest": desk.one.plan.digest, "by": by, "role": "operator", "decision": Decision.APPROVE}
    given = Approval(**fields, at=NOW, expires=NOW, nonce="n")
    desk.one = desk.one.with_(approvals=(given,))
    await slack.press("approve", value(desk))
    await until(lambda: desk.decided)
    await slack.press("why", value(desk), envelope="E2")
    await until(lambda: slack.posted("chat.postEphemeral"))
    said = [m["text"] for m in slack.posted("chat.postEphemeral")]
    assert [text for text in said if "Already decided" in text] == told


@pytest.mark.parametrize("call", ["events", "setting", "put_setting"])
async def test_while_the_store_is_away_the_bot_waits_and_goes_on_without_a_second_thread(
    slack: SlackStandIn, desk: FakeDesk, call: str
) -> None:
    desk.change(1, CaseStatus.WAITING)
    await until(lambda: desk.settings.get("slack.cursor") == 1)
    desk.away = {call}
    desk.one = desk.one.with_(id="C-2")
    desk.change(2, CaseStatus.WAITING)
    await asyncio.sleep(0.3)
    assert desk.settings["slack.cursor"] == 1
    desk.away = set()
    desk.change(2, CaseStatus.WAITING)  # The store keeps its events; a queue does not.
    await until(lambda: desk.settings.get("slack.cursor") == 2)
    assert len([m for m in slack.messages.values() if not m.get("thread_ts")]) == 2
    assert not desk.decided


async def test_a_bot_that_may_upload_nothing_keeps_its_threads_and_holds_no_picture_back(slack: SlackStandIn) -> None:
    async def picture(case: Case) -> bytes:
        return b"png"

    fake, slack.refused = FakeDesk(), {"files.getUploadURLExternal": "missing_scope"}
    web = AsyncWebClient(token="xoxb-test", base_url=f"{slack.url}/api/")
    threads = Threads(fake, fake, web, channel="C1", clock=QuickClock(), plot=picture)  # type: ignore[arg-type]
    following = asyncio.create_task(threads.follow())
    fake.change(1, CaseStatus.WAITING)
    await until(lambda: fake.settings.get("slack.cursor") == 1)
    assert fake.settings[f"slack.thread.{fake.one.id}"]["ts"] in slack.messages
    assert not threads._opened
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


NOBODY = [("UNEW", "T1"), ("UGUEST", "T1"), ("UBOT", "T1"), ("U1", "T2"), ("", "")]


@pytest.mark.parametrize(("user", "team"), NOBODY)
async def test_questions_are_answered_to_those_with_a_role_alone(
    slack: SlackStandIn, desk: FakeDesk, user: str, team: str
) -> None:
    asked = {"type": "app_mention", "text": "<@UME> what is wrong?", "channel": "C1", "ts": "7.7", "user": user}
    event = {"type": "event_callback", "team_id": team, "event": asked}
    await slack.send("events_api", event, envelope="E1")
    await until(lambda: len(slack.posted("chat.postEphemeral")) == 1)
    direct = {**asked, "type": "message", "channel_type": "im", "channel": "D1"}
    await slack.send("events_api", {**event, "event": direct}, envelope="E2")
    await until(lambda: len(slack.posted("chat.postEphemeral")) == 2)
    command = {"command": "/infra", "text": "pods", "channel_id": "C1", "user_id": user, "team_id": team}
    await slack.send("slash_commands", command, envelope="E3")
    await until(lambda: len(slack.posted("chat.postEphemeral")) == 3)
    opened = {"type": "app_home_opened", "user": user, "tab": "home"}
    await slack.send("events_api", {"type": "event_callback", "team_id": team, "event": opened}, envelope="E4")
    await until(lambda: slack.posted("views.publish"))
    assert not slack.posted("chat.postMessage")
    assert desk.one.title not in str(slack.posted("views.publish"))
    assert "'actions'" not in str(slack.posted("views.publish")), "not even the switch is offered"


async def test_a_stranger_in_a_shared_channel_is_known_by_their_own_workspace(
    slack: SlackStandIn, desk: FakeDesk
) -> None:
    asked = {
        "type": "app_mention",
        "text": "<@UME> pods",
        "channel": "C1",
        "ts": "7.7",
        "user": "U1",
        "user_team": "T2",
    }
    await slack.send("events_api", {"type": "event_callback", "team_id": "T1", "event": asked})
    await until(lambda: slack.posted("chat.postEphemeral"))
    assert not slack.posted("chat.postMessage")


async def test_a_viewer_may_ask_and_look(slack: SlackStandIn, desk: FakeDesk) -> None:
    asked = {"type": "app_mention", "text": "<@UME> pods", "channel": "C1", "ts": "7.7", "user": "UVIEW"}
    await slack.send("events_api", {"type": "event_callback", "team_id": "T1", "event": asked}, envelope="E1")
    await until(lambda: slack.posted("chat.postMessage"))
    opened = {"type": "app_home_opened", "user": "UVIEW", "tab": "home"}
    await slack.send("events_api", {"type": "event_callback", "team_id": "T1", "event": opened}, envelope="E2")
    await until(lambda: slack.posted("views.publish"))
    assert desk.one.title in str(slack.posted("views.publish"))


def test_members_who_are_not_listed_have_the_role_of_the_others() -> None:
    roles = Roles({"T1/U1": "operator"}, team="T1", others="viewer")
    assert roles.role(team="T1", user="U1", profile={}) == "operator"
    assert roles.role(team="T1", user="U9", profile={}) == "viewer"
    for team, profile in (("T2", {}), ("T1", {"is_restricted": True}), ("T1", {"is_bot": True})):
        with pytest.raises(Forbidden):
            roles.role(team=team, user="U9", profile=profile)
    with pytest.raises(Forbidden, match="viewer"):
        Roles({}, team="T1").role(team="T1", user="U9", profile={})


def test_a_monstrous_case_stays_within_the_limits() -> None:
    case = waiting_case()
    assert case.plan
    assert case.diagnosis
    steps = tuple(case.plan.steps[0].model_copy(update={"diff": "+x\n" * 4000}) for _ in range(80))
    huge = case.with_(title="t" * 5000, plan=case.plan.model_copy(update={"steps": steps}))
    blocks = case_blocks(huge, now=NOW)
    assert not _problem("chat.postMessage", {"blocks": blocks})
    assert blocks[-1]["type"] == "actions"


def test_the_riskiest_step_is_shown_first() -> None:
    case = waiting_case()
    assert case.plan
    mild = case.plan.steps[0].model_copy(update={"diff": "+ padding\n" * 3000})
    grave = mild.model_copy(update={"risk": Risk.DESTRUCTIVE, "command": "kubectl delete pod x", "diff": "-x"})
    blocks = case_blocks(case.with_(plan=case.plan.model_copy(update={"steps": (mild, grave)})), now=NOW)
    codes = [b["elements"][0]["elements"][0]["text"] for b in blocks if b["type"] == "rich_text"]
    assert codes[0].startswith("$ kubectl delete pod x")


def _offered(case: Case) -> list[str]:
    return [e["action_id"] for e in case_blocks(case, now=NOW)[-1]["elements"]]


def test_nobody_may_approve_what_is_not_shown() -> None:
    case = waiting_case()
    assert case.plan
    assert case.diagnosis
    assert _offered(case) == ["approve", "reject", "why"]
    step = case.plan.steps[0].model_copy(update={"diff": "+ harmless\n" * 2000 + "- the line that hurts\n"})
    assert _offered(case.with_(plan=case.plan.model_copy(update={"steps": (step,)}))) == ["reject", "why"]
    talk = case.diagnosis.model_copy(update={"summary": "word " * 600, "rests_on": ("e",)})
    evidence = tuple(case.evidence[0].model_copy(update={"id": f"e{i}", "finding": "x" * 400}) for i in range(6))
    loud = talk.model_copy(update={"rests_on": tuple(e.id for e in evidence)})
    anomalies = tuple(case.anomalies[0].model_copy(update={"summary": "y" * 2900}) for _ in range(5))
    assert _offered(case.with_(diagnosis=loud, evidence=evidence, anomalies=anomalies)) == ["reject", "why"]


def test_a_step_of_some_length_is_shown_to_its_end() -> None:
    case = waiting_case()
    assert case.plan
    step = case.plan.steps[0].model_copy(update={"diff": "+ a line of the difference\n" * 150 + "- the last one\n"})
    long = case.with_(plan=case.plan.model_copy(update={"steps": (step,)}))
    assert "- the last one" in str(case_blocks(long, now=NOW))
    assert "approve" in _offered(long)


async def test_an_outcome_is_never_a_link_or_a_mention(slack: SlackStandIn, desk: FakeDesk) -> None:
    desk.change(1, CaseStatus.WAITING)
    await until(lambda: slack.messages)
    said = "<!channel> see <http://evil.example|the runbook>"
    desk.one = desk.one.with_(outcome=Outcome(status=CaseStatus.RESOLVED, at=NOW, message=said))
    desk.change(2, CaseStatus.RESOLVED)
    await until(lambda: len(slack.messages) == 2)
    replies = [m for m in slack.messages.values() if m.get("thread_ts")]
    assert [m["text"] for m in replies] == ["&lt;!channel&gt; see &lt;http://evil.example|the runbook&gt;"]
    assert "mrkdwn" not in str(replies)


async def test_a_press_counts_with_the_role_of_who_pressed(slack: SlackStandIn, desk: FakeDesk) -> None:
    for number, action in enumerate(("undo", "resume")):
        await slack.press(action, value(desk), user="UVIEW", envelope=f"E{number}")
    await until(lambda: len(desk.roles) == 2)
    assert desk.roles == ["viewer", "viewer"]


def test_untrusted_text_is_never_a_link() -> None:
    blocks = case_blocks(waiting_case(), now=NOW)
    assert "mrkdwn" not in str(blocks)
    assert clean("\x1b[31m<!channel>", 100) == "<!channel>"


def test_an_expired_plan_has_no_approve_button() -> None:
    case = waiting_case()
    assert case.plan
    late = case_blocks(case, now=case.plan.expires + timedelta(seconds=1))
    assert [e["action_id"] for e in late[-1]["elements"]] == ["why"]
