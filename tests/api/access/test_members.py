"""/members: invited, changed and deactivated, with a link that is shown once."""

import asyncio

import pytest

from app.flows.conversations import change_member as changing
from app.flows.conversations.change_member import change_member
from app.storage.access.members import add_member, list_members
from app.storage.conversations.conversations import list_assigned
from tests.api.running import Running
from tests.conftest import NOW
from tests.support.messages import make_message


async def test_a_member_is_invited_changed_and_deactivated(api: Running) -> None:
    made = await api.send("POST", "/members", {"name": " Grace  Hopper ", "role": "office"})
    link, path = made.pop("link"), f"/members/{made['id']}"
    assert "/sign-in?link=" in link
    assert made.pop("link_expires_at") == "2026-06-08T12:00:00.000000Z"
    assert made == {
        "id": "mem_1",
        "name": "Grace Hopper",
        "role": "office",
        "state": "invited",
        "last_seen_at": None,
    }
    assert await api.read(path) == made
    assert (await api.read("/members"))["items"] == [made]
    assert (await api.read("/members", params={"state": "active"}))["items"] == []
    changed = await api.send("PATCH", path, {"name": "Grace", "role": "admin"})
    assert changed == made | {"name": "Grace", "role": "admin"}
    again = await api.send("POST", f"{path}/invitation")
    assert again["link"] != link
    assert (await api.call("DELETE", path)).status_code == 204
    assert (await api.read(path))["state"] == "deactivated"
    assert (await api.call("POST", f"{path}/invitation")).status_code == 409
    assert (await api.send("PATCH", path, {"state": "active"}))["state"] == "active"
    trail = (await api.read("/audit"))["items"]
    assert [(each["action"], each["subject"]) for each in trail] == [
        ("member.activate", "mem_1"),
        ("member.deactivate", "mem_1"),
        ("member.link", "mem_1"),
        ("member.role", "mem_1"),
        ("member.rename", "mem_1"),
        ("member.invite", "mem_1"),
    ]
    assert link.rpartition("=")[2] not in str(trail)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "ÉVA", "role": "admin"}, 409),
        ({"name": "  ", "role": "admin"}, 422),
        ({"name": "Ada\n\x1b", "role": "admin"}, 422),
        ({"name": "\u200b", "role": "admin"}, 422),
        ({"name": "A" * 61, "role": "admin"}, 422),
        ({"name": "Ada", "role": "owner"}, 422),
        ({"name": "Ada"}, 422),
    ],
)
async def test_a_name_that_is_taken_or_cannot_be_read_is_refused(
    api: Running, body: dict[str, str], status: int
) -> None:
    await api.send("POST", "/members", {"name": "Éva", "role": "office"})
    assert (await api.call("POST", "/members", json=body)).status_code == status


async def test_the_last_active_admin_stays_one_even_where_two_end_each_other(api: Running) -> None:
    database = api.runtime.database
    ada = await database.write(add_member, "Ada", "admin", "active", NOW)
    await database.write(add_member, "Joan", "admin", "invited", NOW)
    grace = await database.write(add_member, "Grace", "office", "active", NOW)
    for changes in ({"state": "deactivated"}, {"role": "office"}):
        refused = await api.call("PATCH", "/members/mem_1", json=changes)
        assert refused.status_code == 409
        assert "Ada is the only active admin" in refused.json()["detail"]
    assert (await api.call("DELETE", "/members/mem_1")).status_code == 409
    await api.send("PATCH", "/members/mem_3", {"role": "admin"})
    done = await asyncio.gather(
        *[
            change_member(database, each.id, {"state": "deactivated"}, who="cli", now=NOW)
            for each in (ada, grace)
        ],
        return_exceptions=True,
    )
    assert sorted(isinstance(each, Exception) for each in done) == [False, True]
    left = await database.read(list_members, state="active", before=None, limit=9)
    assert [each.role for each in left] == ["admin"]


async def test_an_invited_member_becomes_active_by_the_link_alone(api: Running) -> None:
    await api.send("POST", "/members", {"name": "Grace", "role": "office"})
    refused = await api.call("PATCH", "/members/mem_1", json={"state": "active"})
    assert refused.status_code == 409
    assert (await api.call("GET", "/members/mem_9")).status_code == 404
    reader = await api.make_key("rules:write")
    assert (await api.call("GET", "/members", key=reader["key"])).status_code == 403


async def test_what_was_assigned_to_a_deactivated_member_is_nobodys(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "STEP", 2)
    database = api.runtime.database
    grace = await database.write(add_member, "Grace", "office", "active", NOW)
    await api.store(*(make_message(number, source=f"44770090012{number}") for number in range(5)))
    ids = [each["id"] for each in (await api.read("/conversations"))["items"]]
    for each in ids:
        await api.send("PATCH", f"/conversations/{each}", {"assigned_to": "mem_1"})
    assert len(await database.read(list_assigned, grace.id, 9)) == 5
    assert (await api.call("DELETE", "/members/mem_1")).status_code == 204
    assert await database.read(list_assigned, grace.id, 9) == []
    listed = (await api.read("/conversations"))["items"]
    assert [each["assigned_to"] for each in listed] == [None] * 5
