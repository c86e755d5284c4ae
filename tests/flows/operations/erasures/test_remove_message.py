"""DELETE /messages/{id}: the text is gone from everywhere, and nothing brings it back."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.storage.db.database import Connection
from app.storage.tables.erasures import tombstones
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.webhooks import webhook_deliveries
from tests.flows.operations.answering import open_answering_kit
from tests.support.kit import Kit

OURS, ADA = "447700900001", "447700900011"


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> Any:
    async with open_answering_kit(database_url, tmp_path / "data") as opened:
        yield opened


async def _receive(kit: Kit, name: str, body: str) -> str:
    """Its id here."""
    assert (await kit.forward(name, source=ADA, dest=OURS, msg=body)).status_code == 200
    await kit.handle()
    return str((await kit.get("/messages", provider_id=name))["items"][0]["id"])


async def _delete(kit: Kit, message_id: str) -> int:
    answer = await kit.client.delete(f"/api/v1/messages/{message_id}")
    return answer.status_code


def _count(conn: Connection) -> dict[str, int]:
    return {
        table.name: conn.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (messages, message_index, tombstones)
    }


async def test_a_deleted_message_is_gone_and_its_neighbours_stay(kit: Kit) -> None:
    gone = await _receive(kit, "gone-1", "a secret word")
    kept = await _receive(kit, "kept-1", "another word")
    assert await _delete(kit, gone) == 204
    assert (await kit.client.get(f"/api/v1/messages/{gone}")).status_code == 404
    assert await _delete(kit, gone) == 404
    assert [each["id"] for each in (await kit.get("/messages"))["items"]] == [kept]
    assert (await kit.get("/messages", q="secret"))["items"] == []
    talk = (await kit.get("/conversations"))["items"][0]
    assert (talk["last_message"]["id"], talk["unread"]) == (kept, 1)
    assert (await kit.get("/audit", action="message.remove"))["items"][0]["subject"] == gone
    received = sum(row["received"] for row in (await kit.get("/stats"))["items"])
    assert received == 2


async def test_a_feed_goes_on_without_it(kit: Kit) -> None:
    await _receive(kit, "one", "first")
    page = await kit.get("/messages", order="asc", limit=1)
    gone = await _receive(kit, "two", "second")
    last = await _receive(kit, "three", "third")
    assert await _delete(kit, gone) == 204
    page = await kit.get("/messages", order="asc", limit=10, cursor=page["next"])
    assert [each["id"] for each in page["items"]] == [last]


async def test_a_repeated_forward_is_acknowledged_and_not_stored_again(kit: Kit) -> None:
    assert await _delete(kit, await _receive(kit, "again", "say it once")) == 204
    answer = await kit.forward("again", source=ADA, dest=OURS, msg="say it once")
    assert (answer.status_code, answer.text) == (200, "OK")
    await kit.handle()
    found = await kit.runtime.database.read(_count)
    assert found == {"messages": 0, "message_index": 0, "tombstones": 1}
    await _receive(kit, "new", "say it once")
    assert await kit.find() == ["new"]


async def test_a_reply_stays_and_points_nowhere(kit: Kit) -> None:
    gone = await _receive(kit, "asked", "hours please")
    assert await _delete(kit, gone) == 204
    [reply] = (await kit.get("/outbound"))["items"]
    assert (reply["body"], reply["in_reply_to"]) == ("9 to 5", None)


async def test_what_a_webhook_was_sent_of_it_is_emptied(kit: Kit) -> None:
    gone = await _receive(kit, "told", "do not pass this on")

    def deliver(conn: Connection) -> None:
        talk = conn.execute(select(message_index.c.conversation_id)).scalar_one()
        row = {
            "webhook_id": 1, "message_id": "evt_1_received", "event_id": 1,
            "type": "message.received", "order_key": f"conversation {talk}",
            "body": f'{{"data":{{"id":"{gone}","body":"do not pass this on"}}}}',
            "state": "waiting", "attempts": 1, "happened_at": kit.runtime.now(),
            "created_at": kit.runtime.now(), "due_at": kit.runtime.now(), "answer": "ok",
            "error": "",
        }  # fmt: skip
        conn.execute(webhook_deliveries.insert().values(row))

    await kit.runtime.database.write(deliver)
    assert await _delete(kit, gone) == 204
    row = await kit.runtime.database.read(
        lambda conn: conn.execute(webhook_deliveries.select()).one()
    )
    assert (row.body, row.answer, row.state, row.due_at) == ("", "", "failed", None)


async def test_only_an_admins_key_may(kit: Kit) -> None:
    gone = await _receive(kit, "one", "mine")
    key = {"name": "app", "scopes": ["messages:read", "messages:send"]}
    made = (await kit.client.post("/api/v1/keys", json=key)).json()["key"]
    headers = {"Authorization": f"Bearer {made}"}
    answer = await kit.client.delete(f"/api/v1/messages/{gone}", headers=headers)
    assert answer.status_code == 403
    assert await _delete(kit, gone) == 204
