"""Delivering events to webhooks: what is sent to whom, signed, and in order where asked."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, delete, func, select
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from app.flows.rules.opt_out import opt_in, opt_out
from app.flows.webhooks.configure_webhooks import remove_webhook, rotate_secret
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.operations.events import add_event, forget_old_events
from app.storage.tables.operations import events
from tests.flows.webhooks.mail_room import (
    MASTER,
    RECEIVED,
    WHO,
    MailRoom,
    answer_in_turn,
    list_alert_kinds,
)
from tests.support.endpoints.receiver import Received, Reply, receiving
from tests.support.messages import make_message

ONE, OTHER = "447700900123", "447700900124"


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


async def test_a_long_answer_is_read_only_at_its_beginning(room: MailRoom) -> None:
    async with receiving(lambda _: Reply(body=b"\0" + b"x" * 1_000_000)) as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        [delivery] = await room.list_deliveries(made)
        assert delivery.state == "delivered"
        assert delivery.answer == "\ufffd" + "x" * 1023


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


async def test_without_order_a_later_text_does_not_wait(room: MailRoom) -> None:
    async with receiving(answer_in_turn(Reply(500))) as endpoint:
        await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        await room.store(make_message(2))
        await room.settle()
        assert endpoint.ids == ["evt_1_received", "evt_2_received"]


async def test_events_that_were_deleted_meanwhile_are_told_by_an_alert(room: MailRoom) -> None:
    async with receiving() as endpoint:
        made = await room.add(endpoint.url, types=RECEIVED)
        await room.store(make_message(1), make_message(2))
        room.sleep(days=8)
        await room.store(make_message(3))
        await room.database.write(forget_old_events, room.now, limit=10)
        room.hire()
        await room.settle()
        # The newest of the old ones stays, so that whoever has read it can tell.
        assert endpoint.ids == ["evt_2_received", "evt_3_received"]
        assert await list_alert_kinds(room) == ["webhook-gap"]
        assert (await room.read(made)).position >= 3


async def test_an_id_that_was_never_used_after_quiet_days_is_no_gap(room: MailRoom) -> None:
    """PostgreSQL's sequence goes on with a transaction that is rolled back."""

    def skip(conn: Connection) -> None:
        add_event(conn, "message", 1, room.now)
        last = events.c.id == select(func.max(events.c.id)).scalar_subquery()
        conn.execute(delete(events).where(last))

    async with receiving() as endpoint:
        await room.add(endpoint.url, types=RECEIVED)
        room.hire()
        await room.store(make_message(1))
        await room.settle()
        room.sleep(days=8)
        await room.database.write(skip)
        await room.store(make_message(2))
        await room.database.write(forget_old_events, room.now, limit=10)
        await room.settle()
        assert endpoint.ids == ["evt_1_received", "evt_3_received"]
        assert await list_alert_kinds(room) == []


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
