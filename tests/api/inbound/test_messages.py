"""/messages: filters, pages, the feed, one message, marking as read."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.domain.inbound.messages import RawForward
from app.domain.inbound.urlencoded import join_form
from tests.api.running import AUTH, BASE_URL, Running, list_ids
from tests.conftest import NOW
from tests.support.messages import make_message

ANNA, BORIS = "447700900001", "447700900002"
SHOP, DESK = "447700900100", "447700900101"


async def walk(api: Running, path: str, **params: Any) -> list[str]:
    """Every id of a list, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = await api.read(path, params={**params, **({"cursor": cursor} if cursor else {})})
        found += list_ids(page)
        cursor = page["next"]
        if cursor is None:
            return found


async def test_a_message_is_the_object_of_the_contract(api: Running) -> None:
    await api.store(
        make_message(
            7,
            merge_fields={"name": "Anna", "1": "Friday"},
            extra={"campaign": "spring"},
            problems=("time", "no-id"),
        )
    )
    message = (await api.read("/messages"))["items"][0]
    assert message == {
        "id": "msg_1",
        "conversation_id": "cnv_1",
        "provider_id": "7",
        "source": ANNA,
        "dest": SHOP,
        "body": "text 7",
        "received_at": "2026-06-01T12:00:00.000000Z",
        "received_raw": "2026-06-01 13:00:00",
        "arrived_at": "2026-06-01T12:00:00.000000Z",
        "stored_at": "2026-06-01T12:00:00.000000Z",
        "via": "forward",
        "merge_fields": {"name": "Anna", "1": "Friday"},
        "extra": {"campaign": "spring"},
        "problems": ["time", "no-id"],
        "read_at": None,
        "handled_at": "2026-06-01T12:00:00.000000Z",
        "outcome": {"code": "no-rule", "rule_id": None},
    }


async def test_a_list_is_newest_first_and_pages_hold_each_row_once(api: Running) -> None:
    await api.store(*(make_message(number) for number in range(1, 8)))
    assert await walk(api, "/messages", limit=3) == list("7654321")
    assert (await api.read("/messages", params={"limit": 7}))["next"] is None


async def test_a_message_that_is_not_handled_yet_is_in_the_list(api: Running) -> None:
    await api.store(make_message(1))
    await api.store(make_message(2), handled=False)
    page = await api.read("/messages")
    assert list_ids(page) == ["2", "1"]
    assert page["items"][0]["handled_at"] is None


async def test_each_filter_narrows_the_list(api: Running) -> None:
    await api.store(
        make_message(1, source=ANNA, dest=SHOP, body="Straße to the SHOP"),
        make_message(2, source=BORIS, dest=SHOP, via="spool", problems=("time",)),
        make_message(3, source=ANNA, dest=DESK, merge_fields={"name": "Anna", "3": "x"}),
        make_message(4, source="ACME", dest=DESK, received_at=NOW - timedelta(hours=2)),
    )
    cases: dict[tuple[str, str], str] = {
        ("source", ANNA): "31",
        ("source", "+44 7700 900001"): "31",
        ("source", "ACME"): "4",
        ("source", "447700900099"): "",
        ("dest", f"00{DESK}"): "43",
        ("since", "2026-06-01T12:00:00Z"): "321",
        ("since", "2026-06-01T14:00:00+02:00"): "321",
        ("until", "2026-06-01T12:00:00Z"): "4",
        ("q", "shop strasse"): "1",
        ("q", "sho"): "1",
        ("q", "shop desk"): "",
        ("problem", "time"): "2",
        ("problem", "charset"): "",
        ("via", "spool"): "2",
        ("outcome", "no-rule"): "321",
        ("outcome", "unanswerable"): "4",
        ("outcome", "opt-out-unsure"): "",
        ("rule_id", "rul_9"): "",
        ("rule_id", "nonsense"): "",
        ("q", "STRASSE"): "1",
        ("unread", "true"): "4321",
        ("unread", "false"): "",
        ("mm.name", "Anna"): "4321",
        ("mm.3", "x"): "3",
        ("mm.email", "x"): "",
    }
    found = {case: "".join(list_ids(await api.read("/messages", params=[case]))) for case in cases}
    assert found == cases


async def test_filters_are_all_applied_together(api: Running) -> None:
    await api.store(
        make_message(1, source=ANNA, dest=SHOP),
        make_message(2, source=ANNA, dest=DESK),
        make_message(3, source=BORIS, dest=DESK),
    )
    assert await walk(api, "/messages", source=ANNA, dest=DESK, q="text") == ["2"]


async def test_the_link_header_keeps_the_filters_and_ignores_the_host(api: Running) -> None:
    await api.store(*(make_message(number) for number in range(1, 4)))
    answer = await api.get("/messages", params={"limit": "2", "source": "+447700900001", "q": "t"})
    address, rel = answer.headers["link"].split("; ")
    assert rel == 'rel="next"'
    parts = urlsplit(address.strip("<>"))
    assert f"{parts.scheme}://{parts.netloc}" == BASE_URL
    assert parse_qs(parts.query) == {
        "limit": ["2"],
        "source": ["+447700900001"],
        "q": ["t"],
        "cursor": [answer.json()["next"]],
    }
    followed = await api.get(f"{parts.path}?{parts.query}")
    assert list_ids(followed.json()) == ["1"]
    assert "link" not in followed.headers


async def test_a_cursor_of_another_query_is_refused(api: Running) -> None:
    await api.store(*(make_message(number) for number in range(1, 4)))
    cursor = (await api.read("/messages", params={"limit": 1}))["next"]
    for params in ({"unread": "true"}, {"order": "asc"}, {"source": ANNA}):
        answer = await api.get("/messages", params={**params, "cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/invalid-cursor"
        assert [each["field"] for each in answer.json()["errors"]] == ["cursor"]
    assert (await api.get("/keys", params={"cursor": cursor})).status_code == 422
    assert (await api.get("/messages", params={"limit": 2, "cursor": cursor})).status_code == 200


async def test_a_cursor_takes_the_same_filter_in_another_form(api: Running) -> None:
    await api.store(*(make_message(number) for number in range(1, 4)))
    cursor = (await api.read("/messages", params={"limit": 1, "source": ANNA}))["next"]
    page = await api.read("/messages", params={"source": "+44 7700 900001", "cursor": cursor})
    assert list_ids(page) == ["2", "1"]


async def test_the_feed_is_oldest_first_and_its_next_is_never_null(api: Running) -> None:
    empty = await api.read("/messages", params={"order": "asc"})
    assert empty["items"] == []
    await api.store(make_message(1), make_message(2))
    page = await api.read("/messages", params={"order": "asc", "cursor": empty["next"]})
    assert list_ids(page) == ["1", "2"]
    again = await api.read("/messages", params={"order": "asc", "cursor": page["next"]})
    assert again["items"] == []
    assert again["next"] is not None


async def test_the_feed_misses_and_doubles_no_row_that_comes_between_its_pages(
    api: Running,
) -> None:
    seen: list[str] = []
    params: dict[str, Any] = {"order": "asc", "limit": 3}
    for step in range(12):
        first = step * 5 + 1
        await api.store(
            *(make_message(number) for number in range(first, first + 5)), handled=step % 3 == 0
        )
        page = await api.read("/messages", params=params)
        seen += list_ids(page)
        params["cursor"] = page["next"]
    while page["items"]:
        page = await api.read("/messages", params=params)
        seen += list_ids(page)
        params["cursor"] = page["next"]
    assert seen == [str(number) for number in range(1, 61)]


async def test_the_feed_takes_filters(api: Running) -> None:
    await api.store(make_message(1, source=ANNA), make_message(2, source=BORIS), make_message(3))
    page = await api.read("/messages", params={"order": "asc", "source": ANNA})
    assert list_ids(page) == ["1", "3"]


async def test_one_message_shows_what_came_and_never_the_secret(api: Running) -> None:
    await api.client.post(
        "/inbound?Source=447700900001&dest=447700900100",
        content=f"msg=caf%E9&id=9&auth={AUTH}&colour=red".encode(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    await api.handle()
    stored = (await api.read("/messages"))["items"][0]
    answer = await api.get(f"/messages/{stored['id']}")
    shown = answer.json()
    assert shown["raw"] == {
        "method": "POST",
        "content_type": "application/x-www-form-urlencoded",
        "charset": None,
        "parameters": [
            ["Source", "447700900001"],
            ["dest", "447700900100"],
            ["msg", "caf\\xe9"],
            ["id", "9"],
            ["colour", "red"],
        ],
    }
    assert shown["body"] == "café"
    assert shown["extra"] == {"colour": "red"}
    assert AUTH not in answer.text
    del shown["raw"]
    assert shown == stored | {"replies": []}


async def test_raw_bytes_of_any_kind_are_shown(api: Running) -> None:
    raw = RawForward("GET", "", "utf-8", join_form([(b"a\x00", bytes(range(256)))]))
    await api.store(make_message(1, raw=raw.to_bytes()))
    shown = (await api.read("/messages/msg_1"))["raw"]["parameters"]
    assert shown[0][0] == "a\x00"
    assert shown[0][1].endswith("\\xfe\\xff")


@pytest.mark.parametrize(
    "path", ["/messages/msg_999", "/messages/nonsense", "/messages/cnv_1", "/messages/msg_01"]
)
async def test_an_unknown_or_malformed_id_is_404(lone_api: Running, path: str) -> None:
    await lone_api.store(make_message(1))
    answer = await lone_api.get(path)
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"
    assert (await lone_api.call("POST", f"{path}/read")).status_code == 404


async def test_marking_as_read_happens_once_and_counts_down(api: Running) -> None:
    await api.store(make_message(1), make_message(2))
    read = await api.send("POST", "/messages/msg_1/read")
    assert read["read_at"] == "2026-06-01T12:00:00.000000Z"
    api.clock.now += timedelta(minutes=1)
    assert (await api.send("POST", "/messages/msg_1/read"))["read_at"] == read["read_at"]
    assert await walk(api, "/messages", unread="true") == ["2"]
    assert await walk(api, "/messages", unread="false") == ["1"]
    assert (await api.read("/conversations"))["items"][0]["unread"] == 1


async def test_marking_as_unread_happens_once_and_counts_up(api: Running) -> None:
    await api.store(make_message(1), make_message(2))
    await api.send("POST", "/messages/msg_1/read")
    for _ in range(2):
        assert (await api.send("POST", "/messages/msg_1/unread"))["read_at"] is None
    assert (await api.read("/conversations"))["items"][0]["unread"] == 2


async def test_a_message_read_before_it_is_handled_is_not_unread_afterwards(api: Running) -> None:
    await api.store(make_message(1), handled=False)
    await api.send("POST", "/messages/msg_1/read")
    await api.handle()
    assert (await api.read("/conversations"))["items"][0]["unread"] == 0
    assert await walk(api, "/messages", unread="true") == []


async def test_a_search_with_a_time_finds_what_is_not_handled_yet(api: Running) -> None:
    await api.store(make_message(1))
    await api.store(make_message(2, received_at=NOW + timedelta(days=1)), handled=False)
    assert await walk(api, "/messages", since="2026-06-01T20:00:00Z") == ["2"]
