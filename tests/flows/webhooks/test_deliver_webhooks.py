"""Delivering events to webhooks: what is sent, again where it must, and in order where asked."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from app.domain.webhooks.retries import WAITS
from app.flows.rules.opt_out import opt_in, opt_out
from app.flows.webhooks import lanes
from app.flows.webhooks.configure_webhooks import change_webhook, remove_webhook, rotate_secret
from app.flows.webhooks.lanes import AT_ONCE
from app.flows.webhooks.leases import LEASE_SECONDS
from app.flows.webhooks.redeliver import replay_delivery, replay_failed, replay_since, send_test
from app.storage.operations.alerts import close_alert, list_alerts, raise_alert
from app.storage.operations.events import forget_old_events
from app.storage.operations.processes import Process, note_process
from tests.flows.webhooks.mail_room import MASTER, RULES, WHO, MailRoom
from tests.support.endpoints.receiver import HANGS, Received, Reply, receiving
from tests.support.messages import make_message

RECEIVED = ["message.received"]
ONE, OTHER = "447700900123", "447700900124"


def answer_in_turn(*replies: Reply) -> Callable[[Received], Reply]:
    """Each reply once, then 200."""
    left: Iterator[Reply] = iter(replies)
    return lambda _: next(left, Reply())


async def list_alert_kinds(room: MailRoom, *, is_open: bool = True) -> list[str]:
    found = await room.database.read(list_alerts, before=None, limit=50, is_open=is_open)
    return [alert.kind for alert in found]


async def test_a_text_that_comes_in_reaches_the_endpoint_signed(room: MailRoom) -> None:
    room.now = datetime.now(UTC)  # the library checks the time
    async with receiving() as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        [got] = await endpoint.wait(1)
        content = Verifier(made.secret).verify(got.body.decode(), got.headers)
        assert content["type"] == "message.received"
        assert content["data"]["body"] == "text 1"
        assert content["id"] == got.id == "evt_1_received"
        [delivery] = await room.list_deliveries(made)
        assert (delivery.state, delivery.status, delivery.answer) == ("delivered", 200, "ok")
        assert (await room.read(made)).position == 1


async def test_every_type_of_event_is_sent_with_its_object(room: MailRoom) -> None:
    async with receiving() as endpoint:
        await room.add(endpoint.url)
        room.hire()
        await room.store(make_message(1))
        database, now = room.database, room.now
        await opt_out(database, ONE, reason="they called", who=WHO, now=now)
        await opt_in(database, ONE, who=WHO, now=now)
        await database.write(raise_alert, "low-credits", "x", text="Low.", action="Buy.", now=now)
        await database.write(close_alert, "low-credits", "x", now=now)
        await room.settle()
        types = [each.content["type"] for each in await endpoint.wait(6)]
        assert sorted(types) == [
            "alert.closed",
            "alert.opened",
            "message.handled",
            "message.received",
            "opt_out.changed",
            "opt_out.changed",
        ]
        data = {each.content["type"]: each.content["data"] for each in endpoint.got}
        assert data["message.handled"]["outcome"] == {"code": "no-rule", "rule_id": None}
        assert data["opt_out.changed"]["number"] == ONE
        assert data["alert.closed"]["kind"] == "low-credits"


async def test_an_endpoint_hears_only_of_the_numbers_it_chose(room: MailRoom) -> None:
    async with receiving() as endpoint:
        await room.add(endpoint.url, types=RECEIVED, numbers=["07700 900101"])
        room.hire()
        await room.store(make_message(1), make_message(2, dest="447700900101"))
        await room.settle()
        assert [each.content["data"]["dest"] for each in endpoint.got] == ["447700900101"]
        assert (await room.read(room_hook(room))).position == 2


def room_hook(room: MailRoom):  # type: ignore[no-untyped-def]
    return next(iter(room.couriers[0].lanes.values())).hook


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


async def test_a_long_answer_is_read_only_at_its_beginning(room: MailRoom) -> None:
    async with receiving(lambda _: Reply(body=b"\0" + b"x" * 1_000_000)) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        [delivery] = await room.list_deliveries(made)
        assert delivery.state == "delivered"
        assert delivery.answer == "\ufffd" + "x" * 1023


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


async def test_nothing_is_sent_to_an_endpoint_that_was_removed(room: MailRoom) -> None:
    async with receiving(lambda _: Reply(500)) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        await remove_webhook(room.database, made.webhook.id, who=WHO, now=room.now)
        room.sleep(hours=1)
        await room.store(make_message(2))
        await room.settle()
        assert len(endpoint.got) == 1
        assert await room.list_deliveries(made) == []


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


async def test_an_ordered_endpoint_gets_a_conversations_events_in_order(room: MailRoom) -> None:
    def decide(got: Received) -> Reply:
        first = got.content["data"]["body"] == "text 1"
        return Reply(500) if first and len(endpoint.got) < 4 else Reply()

    async with receiving(decide) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED, ordered=True)
        room.hire()
        texts = [make_message(number) for number in range(1, 4)]
        other = make_message(9, source=OTHER)
        await room.store(*texts, other)
        await room.settle()
        # The other conversation does not wait, the later texts of this one do.
        assert sorted(endpoint.ids) == ["evt_1_received", "evt_4_received"]
        for _ in range(4):
            room.sleep(hours=10)
            await room.settle()
        bodies = [
            each.content["data"]["body"] for each in endpoint.got if each.id != endpoint.ids[1]
        ]
        assert [each for each in bodies if each != "text 9"][-3:] == ["text 1", "text 2", "text 3"]
        assert {each.state for each in await room.list_deliveries(made)} == {"delivered"}


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


async def test_without_order_a_later_text_does_not_wait(room: MailRoom) -> None:
    async with receiving(answer_in_turn(Reply(500))) as endpoint:
        await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        await room.store(make_message(2))
        await room.settle()
        assert endpoint.ids == ["evt_1_received", "evt_2_received"]


async def test_what_a_dead_process_had_in_hand_is_delivered_by_another(room: MailRoom) -> None:
    async with receiving(lambda _: HANGS) as endpoint:
        await room.add(endpoint.url, types=RECEIVED)
        dead = room.hire()
        await room.store(make_message(1))
        await room.turn(dead)
        await endpoint.wait(1)
        for call in dead.calls:
            call.cancel()
        heir = room.hire()
        endpoint.decide = lambda _: Reply()
        await room.settle(heir)
        assert len(endpoint.got) == 1, "its lease has not ended"
        room.sleep(seconds=LEASE_SECONDS + 1)
        await room.settle(heir)
        assert endpoint.ids == ["evt_1_received"] * 2


async def test_what_was_answered_but_not_recorded_is_delivered_again(room: MailRoom) -> None:
    async with receiving() as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        dead = room.hire()
        await room.store(make_message(1))
        await room.turn(dead)
        await endpoint.wait(1)
        room.sleep(seconds=LEASE_SECONDS + 1)
        heir = room.hire()
        await room.settle(heir)
        assert endpoint.ids == ["evt_1_received"] * 2
        # The first process finds out that it has lost the endpoint, and records nothing over it.
        await room.settle(dead)
        [delivery] = await room.list_deliveries(made)
        assert (delivery.state, delivery.attempts) == ("delivered", 1)
        assert dead.lanes == {}


async def test_processes_share_the_endpoints(room: MailRoom) -> None:
    async with receiving() as endpoint:
        for _ in range(4):
            await room.add(endpoint.url, types=RECEIVED)
        for name in ("one", "two"):
            process = Process(name, "work", "host", 1, room.now, room.now, 0, runs_workers=True)
            await room.database.write(note_process, process)
        one = room.hire()
        await room.settle(one)
        two = room.hire()
        await room.store(make_message(1))
        await room.settle()
        assert (len(one.lanes), len(two.lanes)) == (2, 2)
        assert endpoint.ids == ["evt_1_received"] * 4
        await one.drain()
        await room.database.write(
            note_process,
            Process(
                "one",
                "work",
                "host",
                1,
                room.now,
                room.now - timedelta(minutes=1),
                0,
                runs_workers=True,
            ),
        )
        await room.settle(two)
        assert len(two.lanes) == 4


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


async def test_events_that_were_deleted_meanwhile_are_told_by_an_alert(room: MailRoom) -> None:
    async with receiving() as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        await room.store(make_message(1), make_message(2))
        room.sleep(days=8)
        await room.store(make_message(3))
        await room.database.write(forget_old_events, room.now, limit=10)
        room.hire()
        await room.settle()
        assert endpoint.ids == ["evt_3_received"]
        assert await list_alert_kinds(room) == ["webhook-gap"]
        assert (await room.read(made)).position >= 3


async def test_events_since_a_time_are_delivered_again(room: MailRoom) -> None:
    async with receiving() as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        room.sleep(hours=1)
        await room.store(make_message(2), make_message(3))
        await room.settle()
        await replay_since(room.database, made.webhook.id, room.now, who=WHO, now=room.now)
        await room.settle()
        assert sorted(endpoint.ids[3:]) == ["evt_2_received", "evt_3_received"]
        assert len(await room.list_deliveries(made)) == 3


async def test_one_delivery_is_sent_again_as_it_was(room: MailRoom) -> None:
    async with receiving() as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1), make_message(2))
        await room.settle()
        first = (await room.list_deliveries(made))[0]
        await replay_delivery(room.database, made.webhook.id, first.id, who=WHO, now=room.now)
        await room.settle()
        assert endpoint.ids[2:] == [first.message_id]


async def test_a_test_is_sent_to_whoever_chose_other_types(room: MailRoom) -> None:
    async with receiving() as endpoint:
        made = await room.add(endpoint.url, types=["alert.opened"])
        room.hire()
        await send_test(room.database, made.webhook.id, who=WHO, now=room.now)
        await room.settle()
        assert endpoint.got[0].content["type"] == "webhook.test"


async def test_both_secrets_sign_for_a_day_after_a_rotation(room: MailRoom) -> None:
    room.now = datetime.now(UTC)
    async with receiving() as endpoint:
        old = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        new = await rotate_secret(
            room.database, old.webhook.id, master=MASTER, who=WHO, now=room.now
        )
        await room.store(make_message(1))
        await room.settle()
        for made in (old, new):
            Verifier(made.secret).verify(endpoint.got[0].body.decode(), endpoint.got[0].headers)
        await rotate_secret(
            room.database,
            old.webhook.id,
            master=MASTER,
            who=WHO,
            now=room.now - timedelta(hours=25),
        )
        await room.store(make_message(2))
        await room.settle()
        with pytest.raises(WebhookVerificationError):
            Verifier(new.secret).verify(endpoint.got[1].body.decode(), endpoint.got[1].headers)


async def test_another_api_key_is_told_by_an_alert_until_there_is_a_new_secret(
    room: MailRoom,
) -> None:
    master = "another-key-of-the-tests-with-32-characters"
    async with receiving() as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire(master=master)
        await room.store(make_message(1))
        await room.settle()
        assert endpoint.got == []
        assert await list_alert_kinds(room) == ["webhook-secret"]
        await rotate_secret(room.database, made.webhook.id, master=master, who=WHO, now=room.now)
        await room.settle()
        assert endpoint.ids == ["evt_1_received"]
        assert await list_alert_kinds(room) == []
