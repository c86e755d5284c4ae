"""POST /outbound/{id}/cancel and …/resolve: how people end what waits or is in doubt."""

from typing import Any

import pytest

from app.storage.outbound.sending.resolving import ask_person
from tests.api.post import Post
from tests.conftest import NOW
from tests.support.simulated import ADA, GRACE


async def test_what_waits_is_cancelled_and_never_sent(post: Post) -> None:
    at = "2026-06-01T15:00:00Z"
    ids = [each["id"] for each in (await post.send([ADA, GRACE], schedule_at=at))["items"]]
    for _ in range(2):  # again changes nothing
        shown = await post.api.send("POST", f"/outbound/{ids[0]}/cancel")
        assert (shown["status"], shown["error"]) == ("cancelled", None)
    post.wait(hours=4)
    await post.deliver()
    assert post.provider.list_taken() == [GRACE]
    detail = await post.api.read(f"/outbound/{ids[0]}")
    last = detail["history"][-1]
    assert (last["status"], last["told_by"]) == ("cancelled", "key:LETTERBOX_API_KEY")
    answer = await post.api.call("POST", f"/outbound/{ids[1]}/cancel")
    assert (answer.status_code, answer.json()["detail"]) == (409, "the text is sent already")
    assert (await post.api.call("POST", "/outbound/out_99/cancel")).status_code == 404
    # What changed nothing is not in the audit trail.
    assert await post.list_deeds() == ["outbound.create", "outbound.cancel"]


async def test_what_the_provider_keeps_for_later_is_cancelled_there(post: Post) -> None:
    long = "x" * 400
    at = "2026-06-01T15:00:00Z"
    answer = await post.send([ADA, GRACE], body=long, schedule_at=at, schedule_by="provider")
    ids = [each["id"] for each in answer["items"]]
    await post.deliver()
    shown = await post.api.read(f"/outbound/{ids[0]}")
    assert (shown["status"], len(shown["provider_ids"])) == ("sent", 3)
    cancelled = await post.api.send("POST", f"/outbound/{ids[0]}/cancel")
    assert (cancelled["status"], cancelled["settled_at"]) == (
        "cancelled",
        "2026-06-01T12:00:00.000000Z",
    )
    texts = post.provider.app.simulator.world.outgoing.texts
    assert [text.destination for text in texts if text.cancelled_at] == [ADA]
    # The provider's clock is ahead of ours: it has sent the other one.
    post.provider.pass_seconds(4 * 3600)
    late = await post.api.call("POST", f"/outbound/{ids[1]}/cancel")
    assert (late.status_code, late.json()["type"]) == (409, "/problems/conflict")
    assert await post.list_deeds() == ["outbound.create", "outbound.cancel"]


async def test_what_the_provider_keeps_can_be_cancelled_until_its_time_if_it_goes_to_one(
    post: Post,
) -> None:
    kept = {"schedule_at": "2026-06-01T15:00:00Z", "schedule_by": "provider"}
    [one] = (await post.send(ADA, **kept))["items"]
    [many] = (await post.send(None, list="people", **kept))["items"]
    [followed_no_more] = (await post.send(GRACE, **kept))["items"]
    await post.deliver()

    async def cancel(text: Any) -> str:
        answer = await post.api.call("POST", f"/outbound/{text['id']}/cancel")
        assert answer.status_code == 409
        return str(answer.json()["detail"])

    assert "cancel it in NetMessenger" in await cancel(many)
    await post.api.runtime.database.write(
        lambda conn: conn.exec_driver_sql("UPDATE outbound SET settled_at = sent_at WHERE id = 3")
    )
    assert await cancel(followed_no_more) == "the text is sent already"
    post.wait(hours=3)
    assert await cancel(one) == "the text is sent already"
    assert not any(each.cancelled_at for each in post.provider.app.simulator.world.outgoing.texts)


async def test_a_cancel_that_the_provider_does_not_answer_may_be_tried_again(post: Post) -> None:
    at = "2026-06-01T15:00:00Z"
    [item] = (await post.send(ADA, schedule_at=at, schedule_by="provider"))["items"]
    await post.deliver()
    post.provider.throw(maintenance=True)
    answer = await post.api.call("POST", f"/outbound/{item['id']}/cancel")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/provider-unavailable")
    post.provider.throw(maintenance=False)
    assert (await post.api.send("POST", f"/outbound/{item['id']}/cancel"))["status"] == "cancelled"


async def test_what_is_under_way_or_uncertain_says_why_it_cannot_be_cancelled(post: Post) -> None:
    [item] = (await post.send(ADA))["items"]
    await post.make_uncertain(sending=True)
    answer = await post.api.call("POST", f"/outbound/{item['id']}/cancel")
    assert (answer.status_code, "at this moment" in answer.json()["detail"]) == (409, True)
    await post.make_uncertain()
    answer = await post.api.call("POST", f"/outbound/{item['id']}/cancel")
    assert (answer.status_code, "resolve it" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"outcome": "sent", "provider_id": "4711"}, "sent"),
        ({"outcome": "sent"}, "sent"),
        ({"outcome": "resend"}, "queued"),
        ({"outcome": "failed"}, "failed"),
    ],
)
async def test_a_person_resolves_an_uncertain_text(
    post: Post, body: dict[str, str], status: str
) -> None:
    [item] = (await post.send(ADA))["items"]
    path = f"/outbound/{item['id']}"
    early = await post.api.call("POST", f"{path}/resolve", json=body)
    assert (early.status_code, early.json()["type"]) == (409, "/problems/conflict")
    await post.make_uncertain(sending=True)
    await post.make_uncertain()
    shown = await post.api.send("POST", f"{path}/resolve", body)
    assert shown["status"] == status
    assert shown["provider_ids"] == ([body["provider_id"]] if "provider_id" in body else [])
    last = (await post.api.read(path))["history"][-1]
    assert (last["status"], last["told_by"]) == (status, "key:LETTERBOX_API_KEY")
    assert await post.list_deeds() == [
        "outbound.create",
        "outbound.resolve",
    ]


async def test_a_word_about_an_older_attempt_resolves_nothing(post: Post) -> None:
    [item] = (await post.send(ADA))["items"]
    path = f"/outbound/{item['id']}"
    again = {"outcome": "resend", "attempt": 1}
    for attempts in (1, 2):
        await post.make_uncertain(sending=True)
        await post.make_uncertain()
        assert (await post.api.read(path))["attempts"] == attempts
        if attempts == 1:
            assert (await post.api.send("POST", f"{path}/resolve", again))["status"] == "queued"
    answer = await post.api.call("POST", f"{path}/resolve", json=again)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert "look at it anew" in answer.json()["detail"]
    assert (await post.api.read(path))["status"] == "uncertain"
    assert await post.list_deeds() == ["outbound.create", "outbound.resolve"]
    again["attempt"] = 2
    assert (await post.api.send("POST", f"{path}/resolve", again))["status"] == "queued"


async def test_a_resolution_that_is_off_is_refused(lone_post: Post) -> None:
    [item] = (await lone_post.send(ADA))["items"]
    bodies: list[tuple[dict[str, Any], str]] = [
        ({"outcome": "lost"}, "outcome"),
        ({"outcome": "failed", "provider_id": "5"}, "provider_id"),
        ({"outcome": "sent", "provider_id": "a b"}, "provider_id"),
        ({"outcome": "sent", "attempt": 0}, "attempt"),
        ({"outcome": "sent", "attempt": "1"}, "attempt"),
        ({}, "outcome"),
    ]
    nobodys = await lone_post.api.call(
        "POST", "/outbound/out_99/resolve", json={"outcome": "failed"}
    )
    assert nobodys.status_code == 404
    for body, field in bodies:
        answer = await lone_post.api.call("POST", f"/outbound/{item['id']}/resolve", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_the_alert_of_an_uncertain_text_names_it_by_its_id(post: Post) -> None:
    [item] = (await post.send(ADA))["items"]
    await post.make_uncertain(sending=True)
    await post.make_uncertain()
    await post.api.runtime.database.write(ask_person, 1, NOW)
    [alert] = (await post.api.read("/alerts"))["items"]
    assert (alert["kind"], alert["subject"]) == ("uncertain", item["id"])
    await post.api.send("POST", f"/outbound/{alert['subject']}/resolve", {"outcome": "failed"})
    [closed] = (await post.api.read("/alerts"))["items"]
    assert closed["closed_at"] is not None
