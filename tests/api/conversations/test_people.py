"""/people: what numbers are called, and notes about them."""

from datetime import timedelta
from typing import Any

from tests.api.running import Running
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.simulated import ADA, GRACE

NOBODY = {"name": None, "name_from": None, "notes": ""}


async def read_name(api: Running, number: str = ADA) -> str | None:
    [shown] = (await api.read("/conversations", params={"source": number}))["items"]
    name: str | None = shown["name"]
    return name


async def test_a_typed_name_wins_over_a_merge_field_and_its_end_brings_that_back(
    api: Running,
) -> None:
    await api.store(make_message(1, source=ADA, merge_fields={"name": "A. Lovelace"}))
    card = await api.read(f"/people/{ADA}")
    expected = {"number": ADA, "name": "A. Lovelace", "name_from": "merge-field", "notes": ""}
    assert card == expected
    put = await api.send("PUT", f"/people/+{ADA}", {"name": " Ada  Lovelace ", "notes": "VIP"})
    assert put == {"number": ADA, "name": "Ada Lovelace", "name_from": "person", "notes": "VIP"}
    assert await read_name(api) == "Ada Lovelace"
    later = NOW + timedelta(minutes=1)
    await api.store(
        make_message(2, source=ADA, merge_fields={"name": "Ada"}, arrived_at=later),
        make_message(3, source=ADA, merge_fields={"name": "Old"}, arrived_at=NOW),
    )
    assert await read_name(api) == "Ada Lovelace"
    patched = await api.send("PATCH", f"/people/{ADA}", {"name": ""})
    assert patched == {"number": ADA, "name": "Ada", "name_from": "merge-field", "notes": "VIP"}
    assert await read_name(api) == "Ada"


async def test_a_card_is_written_changed_and_removed(api: Running) -> None:
    path = f"/people/{GRACE}"
    for method in ("GET", "PATCH", "DELETE"):
        given: dict[str, Any] = {"json": {"notes": "x"}} if method == "PATCH" else {}
        assert (await api.call(method, path, **given)).status_code == 404
    assert (await api.call("PUT", path, json={})).status_code == 422
    made = await api.send("PUT", path, {"notes": "Deaf: text only"})
    assert made == {**NOBODY, "number": GRACE, "notes": "Deaf: text only"}
    await api.send("PATCH", path, {"name": "Grace"})
    await api.send("PATCH", path, {"name": "Grace"})
    assert await api.send("DELETE", path) is None
    assert (await api.read("/people"))["items"] == []
    entries = (await api.read("/audit"))["items"][::-1]
    assert [(each["action"], each["detail"]) for each in entries] == [
        ("person.change", {"changed": ["notes"]}),
        ("person.change", {"changed": ["name"]}),
        ("person.remove", {}),
    ]


async def test_nobody_overwrites_anothers_card(api: Running) -> None:
    path = f"/people/{ADA}"
    await api.send("PUT", path, {"name": "Ada"})
    etag = (await api.get(path)).headers["etag"]
    given: dict[str, Any] = {"headers": {"If-Match": etag}, "json": {"name": "Augusta"}}
    assert (await api.call("PATCH", path, **given)).status_code == 200
    for method in ("PATCH", "PUT"):
        assert (await api.call(method, path, **given)).status_code == 412
    stale: dict[str, Any] = {"headers": {"If-Match": etag}}
    assert (await api.call("DELETE", path, **stale)).status_code == 412


async def test_the_list_is_searched_by_parts_of_names_and_numbers(api: Running) -> None:
    await api.send("PUT", f"/people/{ADA}", {"name": "Ada Lovelace"})
    await api.send("PUT", f"/people/{GRACE}", {"name": "Grace 100% Hopper"})

    async def find(**params: str) -> list[str]:
        return [each["number"] for each in (await api.read("/people", params=params))["items"]]

    assert await find() == [GRACE, ADA]
    assert await find(q="LOVE ada") == [ADA]
    assert await find(q=ADA[-4:]) == [ADA]
    assert await find(q="0%") == [GRACE]
    assert await find(q="a_a") == []
    page = await api.read("/people", params={"limit": 1})
    rest = await api.read("/people", params={"limit": 1, "cursor": page["next"]})
    assert (rest["items"][0]["number"], rest["next"]) == (ADA, None)


async def test_reading_and_writing_need_their_scopes(api: Running) -> None:
    reader = (await api.make_key("messages:read"))["key"]
    await api.send("PUT", f"/people/{ADA}", {"name": "Ada"})
    assert (await api.get("/people", key=reader)).status_code == 200
    for method in ("PUT", "PATCH"):
        answer = await api.call(method, f"/people/{ADA}", key=reader, json={"name": "x"})
        assert answer.status_code == 403
    assert (await api.call("DELETE", f"/people/{ADA}", key=reader)).status_code == 403
