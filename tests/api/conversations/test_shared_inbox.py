"""What several people share: open and done, what needs somebody, assignments and notes."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.rules.rules import Rule
from app.simulator.state.faults import Fault
from app.storage.access.members import add_member, change_member
from app.storage.conversations.attention import KEPT, end_old_attention
from app.storage.operations.events import read_events
from app.storage.rules.rules import add_rule as store_rule
from tests.api.post import SHOP, Post
from tests.api.running import Running
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.simulated import ADA, GRACE

# The provider refuses this text, and says nothing of others.
REFUSED = -401


async def read_one(api: Running, **params: Any) -> Any:
    [found] = (await api.read("/conversations", params=params))["items"]
    return found


async def list_sources(api: Running, **params: Any) -> list[str]:
    return [each["source"] for each in (await api.read("/conversations", params=params))["items"]]


async def change(api: Running, conversation_id: str, **changes: Any) -> Any:
    return await api.send("PATCH", f"/conversations/{conversation_id}", changes)


async def fail(post: Post, to: str = ADA) -> None:
    """A text that the provider refuses for its own sake."""
    fault = {"kind": "code", "action": "Send", "times": 1, "taken": False, "code": REFUSED}
    post.provider.app.simulator.world.faults.add(Fault.model_validate(fault))
    await post.send(to)
    await post.deliver()


async def test_a_conversation_is_open_until_somebody_is_done_and_again_with_the_next_text(
    api: Running,
) -> None:
    await api.store(make_message(1))
    shown = await read_one(api)
    assert (shown["state"], shown["needs"], shown["assigned_to"]) == ("open", "answer", None)
    done = await change(api, shown["id"], state="done")
    assert (done["state"], done["needs"]) == ("done", None)
    assert await list_sources(api, state="open") == []
    assert await list_sources(api, needs="answer") == []
    assert await list_sources(api, state="done") == [shown["source"]]
    await api.store(make_message(2))
    assert await read_one(api, state="open", needs="answer") != done


async def test_whoever_says_stop_awaits_no_answer_until_they_write_again(api: Running) -> None:
    await api.store(make_message(1), make_message(2, body="STOP"))
    shown = await read_one(api)
    assert (shown["state"], shown["needs"], shown["opted_out"]) == ("open", None, True)
    await api.store(make_message(3, body="But where is my parcel?"))
    assert (await read_one(api))["needs"] == "answer"


async def test_a_persons_text_answers_and_an_automatic_one_does_not(post: Post) -> None:
    rule = Rule(name="hours", timezone="UTC", dest=SHOP, keyword="hours", reply="Until five")
    await post.api.runtime.database.write(store_rule, rule, now=NOW)
    await post.api.store(make_message(1, source=ADA, body="hours", arrived_at=post.now))
    shown = await read_one(post.api)
    assert (shown["needs"], shown["last_outbound"]["body"]) == ("answer", "Until five")
    post.wait(seconds=1)
    await post.send(ADA, body="And on Sunday until four")
    shown = await read_one(post.api)
    assert (shown["state"], shown["needs"]) == ("open", None)
    assert shown["last_outbound"]["body"] == "And on Sunday until four"


async def test_a_send_to_many_answers_nobody_and_moves_nothing_to_the_top(post: Post) -> None:
    await post.api.store(make_message(1, source=ADA, arrived_at=post.now))
    before = await read_one(post.api)
    post.wait(minutes=1)
    await post.send([ADA, GRACE], body="We are closed today")
    shown = await read_one(post.api, source=ADA)
    assert (shown["needs"], shown["updated_at"]) == ("answer", before["updated_at"])
    alone = await read_one(post.api, source=GRACE)
    assert (alone["state"], alone["needs"], alone["last_message"]) == ("done", None, None)
    await post.api.store(make_message(2, source=GRACE, arrived_at=post.now))
    assert (await read_one(post.api, source=GRACE))["state"] == "open"


async def test_a_failed_text_needs_attention_until_its_conversation_is_done(post: Post) -> None:
    await fail(post)
    shown = await read_one(post.api, needs="attention")
    assert (shown["source"], shown["needs"]) == (ADA, "attention")
    assert shown["last_outbound"]["status"] == "failed"
    await change(post.api, shown["id"], state="done")
    assert await list_sources(post.api, needs="attention") == []


async def test_a_failed_text_needs_attention_until_somebody_writes_there_again(post: Post) -> None:
    await fail(post, ADA)
    await fail(post, GRACE)
    post.wait(minutes=1)
    await post.send(ADA, body="Once more")
    assert await list_sources(post.api, needs="attention") == [GRACE]
    await post.send([ADA, GRACE], body="To all")
    assert await list_sources(post.api, needs="attention") == [GRACE]


async def test_a_failed_text_needs_no_attention_for_ever(post: Post) -> None:
    await fail(post)
    write = post.api.runtime.database.write
    assert await write(end_old_attention, post.now + KEPT, limit=10) == 0
    assert await write(end_old_attention, post.now + KEPT + timedelta(seconds=1), limit=10) == 1
    assert await list_sources(post.api, needs="attention") == []


async def test_an_uncertain_text_needs_attention_until_it_is_resolved(post: Post) -> None:
    await post.api.store(make_message(1, source=ADA, arrived_at=post.now))
    made = await post.send(ADA)
    await post.make_uncertain(sending=True)
    await post.make_uncertain()
    shown = await read_one(post.api, needs="attention")
    await change(post.api, shown["id"], state="done")
    assert (await read_one(post.api, needs="attention"))["state"] == "done"
    await post.api.send("POST", f"/outbound/{made['items'][0]['id']}/resolve", {"outcome": "sent"})
    assert await list_sources(post.api, needs="attention") == []


async def add_grace(api: Running) -> str:
    member = await api.runtime.database.write(add_member, "Grace", "office", "active", NOW)
    return f"mem_{member.id}"


async def test_a_conversation_is_assigned_to_an_active_member(api: Running) -> None:
    await api.store(make_message(1), make_message(2, source=GRACE))
    grace = await add_grace(api)
    shown = await read_one(api, source=GRACE)
    assigned = await change(api, shown["id"], assigned_to=grace)
    assert assigned["assigned_to"] == grace
    assert await list_sources(api, assigned_to=grace) == [GRACE]
    assert await list_sources(api, assigned_to="none") == ["447700900001"]
    assert await list_sources(api, assigned_to="mem_99") == []
    assert (await change(api, shown["id"], assigned_to=None))["assigned_to"] is None
    path = f"/conversations/{shown['id']}"
    await api.runtime.database.write(change_member, int(grace[4:]), {"state": "deactivated"})
    for given in (grace, "mem_99", "nobody"):
        answer = await api.call("PATCH", path, json={"assigned_to": given})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "assigned_to"


async def test_nobody_overwrites_anothers_change_and_a_new_text_is_none(api: Running) -> None:
    await api.store(make_message(1))
    shown = await read_one(api)
    path = f"/conversations/{shown['id']}"
    etag = (await api.get(path)).headers["etag"]
    await api.store(make_message(2))
    given: dict[str, Any] = {"headers": {"If-Match": etag}, "json": {"state": "done"}}
    assert (await api.call("PATCH", path, **given)).status_code == 200
    assert (await api.call("PATCH", path, **given)).status_code == 412


async def test_notes_stand_in_the_thread_and_go_nowhere(api: Running) -> None:
    await api.store(make_message(1))
    shown = await read_one(api)
    api.clock.now += timedelta(minutes=1)
    path = f"/conversations/{shown['id']}"
    note = await api.send("POST", f"{path}/notes", {"body": " Call her back \n"})
    assert (note["body"], note["author"]) == ("Call her back", "key:LETTERBOX_API_KEY")
    items = (await api.read(path))["items"]
    assert items[0] == note
    assert [each["direction"] for each in items] == ["note", "inbound"]
    assert (await api.read("/outbound"))["items"] == []
    assert (await api.call("POST", f"{path}/notes", json={"body": " "})).status_code == 422
    gone = await api.call("POST", "/conversations/cnv_9/notes", json={"body": "x"})
    assert gone.status_code == 404


async def test_changes_are_audited_once_and_pages_hear_of_them(api: Running) -> None:
    await api.store(make_message(1))
    shown = await read_one(api)
    for _ in range(2):
        await change(api, shown["id"], state="done")
    await change(api, shown["id"], state="open", assigned_to=await add_grace(api))
    entries = (await api.read("/audit"))["items"][::-1]
    assert [each["action"] for each in entries] == [
        "conversation.done",
        "conversation.open",
        "conversation.assign",
    ]
    assert {each["subject"] for each in entries} == {shown["id"]}
    events = await api.runtime.database.read(read_events, after=0, limit=10)
    assert [event.kind for event in events] == ["message", "conversation", "conversation"]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("ada", [ADA]),
        ("900011", [ADA]),
        ("parcel", [ADA]),
        ("SUNDAY open", [GRACE]),
        ("text parcel", []),
        ("nothing", []),
    ],
)
async def test_a_search_looks_at_names_numbers_and_the_texts_of_both_sides(
    post: Post, q: str, expected: list[str]
) -> None:
    api = post.api
    named = {"name": "Ada L."}
    await api.store(
        make_message(1, source=ADA, merge_fields=named, arrived_at=post.now),
        make_message(2, source=GRACE, merge_fields={}, arrived_at=post.now),
    )
    await post.send(ADA, body="Your parcel is here")
    await post.send(GRACE, body="We are open on Sunday")
    assert await list_sources(api, q=q) == expected


async def test_who_refuses_texts_is_a_filter(api: Running) -> None:
    await api.store(make_message(1, body="stop"), make_message(2, source=GRACE))
    assert await list_sources(api, opted_out="true") == ["447700900001"]
    assert await list_sources(api, opted_out="false") == [GRACE]
