"""The header Idempotency-Key: one text, however often a program asks for it."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.storage.db.database import PostgresDatabase
from app.storage.operations.idempotency import KEPT, IdempotencyKey, forget_old_answers, lock_key
from app.storage.tables.operations import idempotency_keys
from tests.api.post import SHOP, Post, open_post
from tests.conftest import NOW
from tests.support.simulated import ADA, GRACE


async def test_a_key_gives_the_first_answer_again_whatever_became_of_it(post: Post) -> None:
    first = await post.try_to_send(ADA, key="order-1")
    await post.deliver()
    await post.opt_out(ADA)
    again = await post.try_to_send(ADA, key="order-1")
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert post.provider.list_taken() == [ADA]


async def test_a_key_with_another_body_is_refused(post: Post) -> None:
    await post.send(ADA, key="order-1")
    for changes in ({"to": GRACE}, {"body": "Other"}, {"force": True}):
        answer = await post.try_to_send(**{"to": ADA, **changes}, key="order-1")
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/idempotency-key-reused"
        assert [each["field"] for each in answer.json()["errors"]] == ["Idempotency-Key"]
    assert len(await post.find()) == 1


async def test_a_request_that_failed_uses_up_no_key(post: Post) -> None:
    assert (await post.try_to_send("nonsense", key="order-1")).status_code == 422
    assert len((await post.send(ADA, key="order-1"))["items"]) == 1


async def test_each_api_key_has_its_own_idempotency_keys(post: Post) -> None:
    await post.send(ADA, key="order-1")
    body = {"to": GRACE, "source": SHOP, "body": "Hello"}
    for name in ("one", "two"):
        made = await post.api.make_key("messages:send", name=name)
        answer = await post.api.call(
            "POST",
            "/outbound",
            key=made["key"],
            json=body,
            headers={"Idempotency-Key": "order-1"},
        )
        assert answer.status_code == 202
    assert len(await post.find()) == 3


async def test_many_at_once_with_one_key_queue_one_text(post: Post) -> None:
    answers = await asyncio.gather(*(post.try_to_send(ADA, key="order-1") for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    told = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.content for answer in told}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["type"] == "/problems/in-flight"
            assert answer.headers["retry-after"] == "1"
    assert len(await post.find()) == 1


async def test_a_key_is_in_flight_while_another_transaction_holds_it(
    postgres_url: str, tmp_path: Path
) -> None:
    """On SQLite, which has one writer, the second waits its turn and gets the first answer."""
    idempotency_key = IdempotencyKey("setting", "order-1", b"")
    async with open_post(postgres_url, tmp_path) as post:
        other = PostgresDatabase(postgres_url)
        async with AsyncEngine(other._engine).begin() as connection:
            await connection.run_sync(lock_key, idempotency_key, NOW)
            answer = await post.try_to_send(ADA, key="order-1")
            assert (answer.status_code, answer.json()["type"]) == (409, "/problems/in-flight")
            assert answer.headers["retry-after"] == "1"
        await other.close()
        await post.send(ADA, key="order-1")


async def test_a_key_is_forgotten_after_a_day(post: Post) -> None:
    await post.send(ADA, key="order-1")
    await post.send(ADA, key="order-2")
    post.api.clock.now += KEPT
    await post.send(GRACE, key="order-1")
    # The application's own housekeeping may have come first: only what is left counts.
    await post.api.runtime.database.write(forget_old_answers, post.api.clock.now, limit=10)
    assert await post.api.runtime.database.read(list_keys) == ["order-1"]
    await post.send(GRACE, key="order-2")
    assert len(await post.find()) == 4


def list_keys(conn: Connection) -> list[str]:
    return list(conn.execute(select(idempotency_keys.c.key)).scalars())


@pytest.mark.parametrize("key", ["caf\u00e9", "x" * 201])
async def test_a_key_that_is_off_is_refused(lone_post: Post, key: str) -> None:
    answer = await lone_post.api.call(
        "POST",
        "/outbound",
        json={"to": ADA, "source": SHOP, "body": "Hello"},
        headers={"Idempotency-Key": key.encode("latin-1")},
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].lower() == "idempotency-key"
