"""POST /outbound/{id}/attend: somebody has dealt with a failed text to a list or group."""

import pytest
from sqlalchemy import Connection, update

from app.domain.outbound.states import OutboundStatus
from app.storage.conversations.attention import count_failed
from app.storage.tables.outbound import outbound
from tests.api.post import Post
from tests.conftest import NOW
from tests.support.simulated import ADA

AT = "2026-06-01T12:00:00.000000Z"


async def fail(post: Post) -> None:
    def settle(conn: Connection) -> None:
        values = {"status": OutboundStatus.FAILED, "settled_at": NOW}
        conn.execute(update(outbound).values(**values))

    await post.api.runtime.database.write(settle)


async def count(post: Post) -> int:
    return (await post.api.runtime.database.read(count_failed))[OutboundStatus.FAILED]


async def test_a_failed_text_to_a_list_is_dealt_with_once(post: Post) -> None:
    [text] = (await post.send(None, list="people"))["items"]
    await fail(post)
    assert (await count(post), (await post.api.read(f"/outbound/{text['id']}"))["attended_at"]) == (
        1,
        None,
    )
    for _ in range(2):
        shown = await post.api.send("POST", f"/outbound/{text['id']}/attend")
        assert (shown["status"], shown["attended_at"]) == ("failed", AT)
        post.wait(hours=1)
    assert await count(post) == 0
    assert await post.list_deeds() == ["outbound.create", "outbound.attend"]


async def test_what_needs_nobody_is_refused(post: Post) -> None:
    [many] = (await post.send(None, list="people"))["items"]
    path = f"/outbound/{many['id']}/attend"
    answer = await post.api.call("POST", path)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "only a text that has failed needs to be dealt with"
    [one] = (await post.send(ADA))["items"]
    await fail(post)
    answer = await post.api.call("POST", f"/outbound/{one['id']}/attend")
    assert answer.status_code == 409
    assert "dealt with in its conversation" in answer.json()["detail"]
    assert await count(post) == 2
    assert (await post.api.call("POST", "/outbound/out_99/attend")).status_code == 404


@pytest.mark.parametrize(("scope", "status"), [("messages:send", 200), ("messages:read", 403)])
async def test_it_needs_the_scope_of_sending(post: Post, scope: str, status: int) -> None:
    [text] = (await post.send(None, list="people"))["items"]
    await fail(post)
    key = (await post.api.make_key(scope))["key"]
    answer = await post.api.call("POST", f"/outbound/{text['id']}/attend", key=key)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["body"] == ""
