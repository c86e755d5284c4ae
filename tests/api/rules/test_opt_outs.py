"""Opt-outs over REST: who is out, since when and why, and what that cancels."""

from app.domain.outbound.requests import OutboundRequest
from app.storage.access.audit import list_audit
from app.storage.operations.events import read_events
from app.storage.outbound.outbox import Addressee
from tests.api.running import Running
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.outbox import add_outbound

SENDER = "447700900001"
OTHER = "447700900123"


async def test_the_words_of_a_sender_are_shown_with_when_and_why(api: Running) -> None:
    await api.store(make_message(1, body="Stop, please"))
    shown = {
        "number": SENDER,
        "reason": "keyword",
        "text": "Stop, please",
        "message_id": "msg_1",
        "created_at": "2026-06-01T12:00:00.000000Z",
    }
    assert (await api.read("/opt-outs"))["items"] == [shown]
    assert await api.read(f"/opt-outs/+{SENDER}") == shown
    [conversation] = (await api.read("/conversations"))["items"]
    assert conversation["opted_out"] is True


async def test_a_person_takes_a_number_out_and_cancels_what_waits(api: Running) -> None:
    new = OutboundRequest("447700900100", "Hi")
    waiting = await api.runtime.database.write(add_outbound, new, Addressee(OTHER), NOW)
    made = await api.send("POST", "/opt-outs", {"number": "07700 900123", "text": "phoned us"})
    assert (made["number"], made["reason"], made["text"]) == (OTHER, "person", "phoned us")
    assert made["message_id"] is None
    events = await api.runtime.database.read(read_events, after=0, limit=10)
    told = [(event.kind, event.subject_id) for event in events]
    assert told == [("opt-out", 1), ("status", waiting)]
    [entry] = await api.runtime.database.read(list_audit, before=None, limit=5)
    assert (entry.actor, entry.action) == ("key:LETTERBOX_API_KEY", "opt-out.add")
    assert (entry.subject, entry.detail) == (OTHER, {"reason": "phoned us", "cancelled": 1})
    again = await api.send("POST", "/opt-outs", {"number": OTHER, "text": "another"})
    assert again["text"] == "phoned us"


async def test_a_number_comes_back_by_a_persons_word(api: Running) -> None:
    await api.send("POST", "/opt-outs", {"number": OTHER})
    assert await api.send("DELETE", f"/opt-outs/{OTHER}") is None
    assert (await api.read("/opt-outs"))["items"] == []
    for method in ("GET", "DELETE"):
        assert (await api.call(method, f"/opt-outs/{OTHER}")).status_code == 404


async def test_the_list_is_newest_first_and_goes_on(api: Running) -> None:
    numbers = [f"44770090020{digit}" for digit in range(3)]
    for number in numbers:
        await api.send("POST", "/opt-outs", {"number": number})
    page = await api.read("/opt-outs", params={"limit": 2})
    rest = await api.read("/opt-outs", params={"limit": 2, "cursor": page["next"]})
    found = [item["number"] for item in page["items"] + rest["items"]]
    assert (found, rest["next"]) == (numbers[::-1], None)
    one = await api.read("/opt-outs", params={"number": f"+{numbers[1]}"})
    assert [item["number"] for item in one["items"]] == [numbers[1]]


async def test_reading_and_writing_need_their_scopes(lone_api: Running) -> None:
    reader = (await lone_api.make_key("messages:read"))["key"]
    sender = (await lone_api.make_key("messages:send"))["key"]
    body = {"number": OTHER}
    assert (await lone_api.call("POST", "/opt-outs", json=body, key=reader)).status_code == 403
    assert (await lone_api.call("POST", "/opt-outs", json=body, key=sender)).status_code == 201
    assert (await lone_api.get("/opt-outs", key=sender)).status_code == 403
    assert (await lone_api.get("/opt-outs", key=reader)).status_code == 200


async def test_what_is_no_number_is_refused(lone_api: Running) -> None:
    answer = await lone_api.call("POST", "/opt-outs", json={"number": "Shop"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "number"


async def test_what_somebody_wrote_to_opt_out_is_for_those_who_read_texts(api: Running) -> None:
    await api.store(make_message(1, body="STOP please", source=OTHER))
    sender = (await api.make_key("messages:send"))["key"]
    body = {"number": OTHER}
    found = await api.send("POST", "/opt-outs", body, key=sender)
    assert (found["reason"], found["text"]) == ("keyword", "")
    assert (await api.send("POST", "/opt-outs", body))["text"].startswith("STOP")


async def test_what_may_be_a_refusal_is_answered_by_nobody_and_found_by_its_outcome(
    api: Running,
) -> None:
    await api.send("POST", "/rules", {"name": "All", "reply": "Hi"})
    await api.store(make_message(1, body="STOPP"), make_message(2, source=OTHER, body="Hello"))
    found = (await api.read("/messages", params={"outcome": "opt-out-unsure"}))["items"]
    assert [each["body"] for each in found] == ["STOPP"]
    assert found[0]["outcome"] == {"code": "opt-out-unsure", "rule_id": None}
    assert [each["to"] for each in (await api.read("/outbound"))["items"]] == [OTHER]
    assert (await api.read("/opt-outs"))["items"] == []
