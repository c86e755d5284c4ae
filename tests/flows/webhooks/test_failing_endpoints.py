"""Endpoints that fail: what is sent again and when, and what ends it."""

import pytest

from app.domain.webhooks.retries import WAITS
from app.flows.webhooks import lanes
from app.flows.webhooks.configure_webhooks import change_webhook
from app.flows.webhooks.lanes import AT_ONCE
from app.flows.webhooks.redeliver import replay_failed
from tests.flows.webhooks.mail_room import (
    RECEIVED,
    RULES,
    WHO,
    MailRoom,
    answer_in_turn,
    list_alert_kinds,
)
from tests.support.endpoints.receiver import HANGS, Reply, receiving
from tests.support.messages import make_message


@pytest.mark.parametrize(
    ("reply", "status", "error"),
    [
        (Reply(500, body=b"broken"), 500, "HTTP status 500"),
        (Reply(404), 404, "HTTP status 404"),
        (
            Reply(302, (("Location", "http://169.254.169.254/latest"),)),
            302,
            "HTTP status 302: redirects are not followed",
        ),
        (Reply(is_reset=True), None, "the answer is not HTTP, or was cut off"),
        (HANGS, None, "no answer within 0.3 seconds"),
    ],
    ids=["500", "404", "redirect", "reset", "hang"],
)
async def test_what_fails_is_sent_again_after_a_while_with_the_same_id(
    room: MailRoom, reply: Reply, status: int | None, error: str
) -> None:
    room.total_seconds = 0.3 if reply is HANGS else 10
    async with receiving(answer_in_turn(reply)) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        [failed] = await room.list_deliveries(made)
        assert (failed.state, failed.attempts, failed.status) == ("waiting", 1, status)
        assert failed.error == error
        assert failed.due_at == room.now + WAITS[0]
        assert (await room.read(made)).state == "failing"
        room.sleep(seconds=6)
        await room.settle()
        [delivered] = await room.list_deliveries(made)
        assert (delivered.state, delivered.attempts) == ("delivered", 2)
        assert endpoint.got[0].body == endpoint.got[1].body
        assert endpoint.ids == ["evt_1_received"] * 2
        assert (await room.read(made)).state == "active"


async def test_the_waits_grow_until_a_delivery_is_given_up(room: MailRoom) -> None:
    async with receiving(lambda _: Reply(500)) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        waits = []
        for _ in range(len(WAITS)):
            await room.settle()
            [waiting] = await room.list_deliveries(made)
            assert waiting.due_at is not None
            waits.append(waiting.due_at - room.now)
            room.now = waiting.due_at
        await room.settle()
        [given_up] = await room.list_deliveries(made)
        assert (given_up.state, given_up.attempts, given_up.due_at) == ("failed", 10, None)
        assert waits == list(WAITS)
        await replay_failed(room.database, made.webhook.id, who=WHO, now=room.now)
        endpoint.decide = lambda _: Reply()
        await room.settle()
        assert [each.state for each in await room.list_deliveries(made)] == ["delivered"]


async def test_retry_after_keeps_everything_from_the_endpoint(room: MailRoom) -> None:
    busy = Reply(429, (("Retry-After", "3600"),))
    async with receiving(answer_in_turn(busy)) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        await room.store(make_message(2))
        room.sleep(minutes=59)
        await room.settle()
        assert endpoint.ids == ["evt_1_received"]
        room.sleep(minutes=2)
        await room.settle()
        assert sorted(endpoint.ids[1:]) == ["evt_1_received", "evt_2_received"]
        assert (await room.read(made)).state == "active"


async def test_410_disables_an_endpoint_until_somebody_enables_it(room: MailRoom) -> None:
    async with receiving(answer_in_turn(Reply(410))) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        await room.store(make_message(2))
        await room.settle()
        assert endpoint.ids == ["evt_1_received"]
        disabled = await room.read(made)
        assert (disabled.state, disabled.disabled_reason) == ("disabled", "it answered 410 (gone)")
        assert await list_alert_kinds(room) == ["webhook-disabled"]
        await change_webhook(
            room.database, disabled.id, {"state": "active"}, rules=RULES, who=WHO, now=room.now
        )
        await room.settle()
        # The second event is the alert.
        assert sorted(endpoint.ids[1:]) == ["evt_1_received", "evt_3_received"]
        assert await list_alert_kinds(room) == []


async def test_five_days_of_failure_disable_an_endpoint(room: MailRoom) -> None:
    async with receiving(lambda _: Reply(500)) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        for _ in range(5):
            room.sleep(days=1)
            await room.settle()
        disabled = await room.read(made)
        assert disabled.state == "disabled"
        assert await list_alert_kinds(room) == ["webhook-disabled"]
        asked = len(endpoint.got)
        await room.store(make_message(2))
        await room.settle()
        assert len(endpoint.got) == asked


async def test_an_endpoint_that_hangs_delays_no_other(room: MailRoom) -> None:
    async with receiving(lambda _: HANGS) as stuck, receiving() as quick:
        await room.add(stuck.url, types=RECEIVED)
        await room.add(quick.url, types=RECEIVED)
        courier = room.hire()
        await room.store(*(make_message(number) for number in range(1, 21)))
        while len(quick.got) < 20:
            await room.turn(courier)
            await courier.rest()
        assert len(stuck.got) == AT_ONCE
        assert quick.most_at_once <= AT_ONCE


async def test_after_an_outage_what_has_failed_is_due_at_the_first_success(
    room: MailRoom,
) -> None:
    async with receiving(lambda _: Reply(503)) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        room.sleep(seconds=6)
        await room.settle()
        assert endpoint.ids == ["evt_1_received"] * 2, "the next attempt is due in five minutes"
        room.sleep(minutes=2)
        endpoint.decide = lambda _: Reply()
        await room.store(make_message(2))
        await room.settle()
        assert endpoint.ids[2:] == ["evt_2_received", "evt_1_received"]
        assert (await room.read(made)).state == "active"


async def test_an_endpoint_that_is_down_fills_no_table(
    room: MailRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "MOST_WAITING", 5)
    async with receiving(lambda _: Reply(500)) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(*(make_message(number) for number in range(1, 21)))
        await room.settle()
        waiting = await room.list_deliveries(made)
        assert 5 <= len(waiting) <= 5 + AT_ONCE
        before = len(endpoint.got)
        room.sleep(minutes=1)
        await room.settle()
        assert len(endpoint.got) > before, "one shows whether it has recovered"
        assert len(await room.list_deliveries(made)) == len(waiting)
        endpoint.decide = lambda _: Reply()
        room.sleep(minutes=1)
        await room.settle()
        delivered = {each.message_id for each in await room.list_deliveries(made)}
        assert delivered == {f"evt_{number}_received" for number in "123456789abcdefghjkm"}
        assert (await room.read(made)).position == 20
