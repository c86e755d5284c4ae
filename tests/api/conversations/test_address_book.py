"""The provider's address book through this interface."""

import pytest

from tests.api.both import CSV, Both
from tests.support.simulated import (
    ADA,
    GRACE,
)

OCTETS = "application/octet-stream"


async def test_contacts_are_imported_line_by_line_and_listed(both: Both) -> None:
    text = f"\ufeffAda,{ADA},ada@example.com,friends,people\r\n\r\n,{GRACE},\r\nTim,mine,,friends"
    assert await both.import_csv(text) == [
        (1, "Success", ""),
        (3, "Failed", "No name"),
        (4, "Failed", "Invalid number (mine)"),
    ]
    shown = await both.ask("GET", "/contacts", 200)
    assert shown["headings"] == ["Name", "Number", "Email", "Groups"]
    [contact] = shown["items"]
    assert (contact["name"], contact["number"], contact["email"]) == ("Ada", ADA, "ada@example.com")
    groups = await both.ask("GET", "/groups", 200)
    assert [each["name"] for each in groups["items"]] == ["friends", "people"]


async def test_duplicates_are_refused_ignored_or_overwritten(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},")
    assert await both.import_csv(f"Ada,{GRACE},\nEve,{ADA},") == [
        (1, "Duplicate Name", ""),
        (2, "Duplicate Number", ""),
    ]
    await both.import_csv(f"Eve,{ADA},", overwrite_duplicates="true")
    await both.import_csv(f"Eve,{GRACE},", ignore_duplicates="true")
    shown = await both.ask("GET", "/contacts", 200)
    assert [(each["name"], each["number"]) for each in shown["items"]] == [
        ("Eve", ADA),
        ("Eve", GRACE),
    ]


@pytest.mark.parametrize(
    ("content", "headers", "hint"),
    [
        (b"", CSV, "there is no contact"),
        (b"Ada,1,\nZo\xeb,2,", CSV, "line 2 is not UTF-8"),
        (b'Ada,"1', CSV, "line 1 is no CSV"),
        (b'"A\nda",1,', CSV, "line 2 ends a cell with a line break"),
        (b"A\0da,1,", CSV, "NUL"),
    ],
)
async def test_a_csv_that_is_none_is_refused_before_any_call(
    both: Both, content: bytes, headers: dict[str, str], hint: str
) -> None:
    problem = await both.ask("POST", "/contacts", 422, content=content, headers=headers)
    assert hint in problem["detail"]
    assert both.provider.app.simulator.world.calls.counts == {}


async def test_a_csv_may_come_as_bytes_from_clients_that_know_no_csv(both: Both) -> None:
    sent = {"content": f"Ada,{ADA},\n".encode(), "headers": {"Content-Type": OCTETS}}
    [line] = (await both.ask("POST", "/contacts", 200, **sent))["items"]
    assert line["result"] == "Success"
    for headers in ({"Content-Type": "application/json"}, {}):
        problem = await both.ask("POST", "/contacts", 415, content=b"Ada,1,\n", headers=headers)
        assert "text/csv" in problem["detail"]


async def test_everything_is_deleted_only_with_a_word_for_it(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},,friends")
    for path in ("/contacts", "/groups"):
        for parameters in ({}, {"confirm": "yes"}):
            problem = await both.ask("DELETE", path, 422, params=parameters)
            assert [each["field"] for each in problem["errors"]] == ["confirm"]
        assert (await both.ask("GET", path, 200))["items"] != []
    for path in ("/groups", "/contacts"):
        await both.ask("DELETE", path, 204, params={"confirm": "all"})
        assert (await both.ask("GET", path, 200))["items"] == []


async def test_a_group_is_emptied_and_deleted_whatever_its_name(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},,old/new friends")
    await both.ask("POST", "/groups/old%2Fnew%20friends/empty", 204)
    [group] = (await both.ask("GET", "/groups", 200))["items"]
    assert group["fields"] == ["old/new friends", "0"]
    await both.ask("DELETE", "/groups/old%2Fnew%20friends", 204)
    problem = await both.ask("DELETE", "/groups/old%2Fnew%20friends", 404)
    assert (problem["type"], problem["code"]) == ("/problems/not-found", -520)


async def test_to_empty_a_group_by_delete_asks_the_provider_for_nothing(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},,x")
    calls = both.provider.app.simulator.world.calls.counts.copy()
    for path in ("/groups/x/empty", "/groups/a/b/empty", "/groups/x%2Fempty"):
        answer = await both.api.call("DELETE", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")
    answer = await both.api.call("POST", "/groups/x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, OPTIONS")
    assert both.provider.app.simulator.world.calls.counts == calls
