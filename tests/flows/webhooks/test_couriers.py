"""Processes share the endpoints, and one takes over from another that died."""

from datetime import timedelta

from app.flows.webhooks.leases import LEASE_SECONDS
from app.storage.operations.processes import Process, note_process
from tests.flows.webhooks.mail_room import RECEIVED, MailRoom
from tests.support.endpoints.receiver import HANGS, Reply, receiving
from tests.support.messages import make_message


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
