"""What somebody asks to be sent again, and tests of an endpoint."""

from app.flows.webhooks.redeliver import replay_delivery, replay_since, send_test
from tests.flows.webhooks.mail_room import RECEIVED, WHO, MailRoom
from tests.support.endpoints.receiver import receiving
from tests.support.messages import make_message


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
