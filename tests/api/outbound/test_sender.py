"""/sender: its state, and pausing by hand."""

from decimal import Decimal
from typing import Any

from app.storage.outbound.sending.sender import note_credits, stop_sender, tell_stopped
from tests.support.kit import Kit
from tests.support.service import API_KEY


async def change(kit: Kit, **body: Any) -> Any:
    answer = await kit.client.post("/api/v1/sender", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def list_open_alerts(kit: Kit) -> list[str]:
    return [each["kind"] for each in (await kit.get("/alerts", open="true"))["items"]]


async def read_audit(kit: Kit) -> list[tuple[str, str, str]]:
    def read(conn: Any) -> list[tuple[str, str, str]]:
        rows = conn.exec_driver_sql("SELECT actor, action, subject FROM audit ORDER BY id")
        return [tuple(row) for row in rows]

    return await kit.runtime.database.read(read)


async def test_sending_is_paused_and_resumed_with_who_and_why(kit: Kit) -> None:
    assert (await kit.get("/sender"))["state"] == "running"
    paused = await change(kit, state="paused", reason="holiday")
    assert (paused["state"], paused["reason"]) == ("paused", "holiday")
    assert paused["changed_by"] == "key:LETTERBOX_API_KEY"
    assert await list_open_alerts(kit) == ["sender-paused"]
    running = await change(kit, state="running")
    assert (running["state"], running["reason"]) == ("running", None)
    assert await list_open_alerts(kit) == []
    await change(kit, state="running")  # it runs already: nothing happens
    assert await read_audit(kit) == [
        ("key:LETTERBOX_API_KEY", "sender.pause", "sender"),
        ("key:LETTERBOX_API_KEY", "sender.resume", "sender"),
    ]


async def test_a_person_resumes_what_the_account_stopped(kit: Kit) -> None:
    def stop(conn: Any) -> None:
        now = kit.runtime.now()
        stop_sender(conn, "no credits", now)
        tell_stopped(conn, now)

    await kit.runtime.database.write(stop)
    shown = await kit.get("/sender")
    assert (shown["state"], shown["changed_by"], shown["waiting"]) == ("stopped", "sender", 0)
    assert shown["probe_at"] is not None
    await change(kit, state="running", reason="paid")
    assert await list_open_alerts(kit) == []


async def test_the_credits_are_shown_as_they_were_seen(kit: Kit) -> None:
    now = kit.runtime.now()
    await kit.runtime.database.write(note_credits, Decimal("12.50"), low_below=Decimal(50), now=now)
    assert (await kit.get("/sender"))["credits"] == "12.50"
    assert await list_open_alerts(kit) == ["low-credits"]


async def test_only_an_admin_may_look_and_steer(kit: Kit) -> None:
    made = await kit.client.post(
        "/api/v1/keys", json={"name": "shop", "scopes": ["messages:read", "messages:send"]}
    )
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    for method in ("GET", "POST"):
        body = {"state": "paused"} if method == "POST" else None
        answer = await kit.client.request(method, "/api/v1/sender", json=body, headers=headers)
        assert answer.status_code == 403
    assert API_KEY not in (await kit.client.get("/openapi.json")).text


async def test_another_state_is_refused(kit: Kit) -> None:
    for body in ({"state": "stopped"}, {}, {"state": "paused", "why": "x"}):
        answer = await kit.client.post("/api/v1/sender", json=body)
        assert answer.status_code == 422
