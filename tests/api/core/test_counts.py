"""`count=true`: how many there are of what a list shows; and finding conversations by words."""

import pytest

from tests.api.running import Running
from tests.support.messages import make_message


async def fill(api: Running, count: int = 12) -> None:
    await api.store(
        *(
            make_message(
                number,
                source=f"4477009000{number:02d}",
                body="Hello" if number % 3 else "Goodbye",
                merge_fields={"name": f"Zoë Number{number}"},
            )
            for number in range(1, count + 1)
        )
    )
    await api.handle()


async def test_a_list_is_counted_on_request(api: Running) -> None:
    await fill(api)
    for path in ("/messages", "/conversations"):
        assert "count" not in await api.read(f"{path}?limit=5")
        assert "count" not in await api.read(f"{path}?limit=5&count=false")
        page = await api.read(f"{path}?limit=5&count=true")
        assert (len(page["items"]), page["count"]) == (5, {"value": 12, "exact": True})
        # A cursor holds whether or not the rest is counted.
        rest = await api.read(f"{path}?limit=500&cursor={page['next']}")
        assert len(rest["items"]) == 7
    page = await api.read("/messages?q=goodbye&limit=1&count=true")
    assert page["count"] == {"value": 4, "exact": True}
    page = await api.read("/messages?order=asc&limit=1&count=true")
    assert page["count"] == {"value": 12, "exact": True}


@pytest.mark.parametrize(
    "path",
    ["/rules", "/numbers", "/keys", "/opt-outs", "/refusals", "/alerts", "/audit", "/outbound"],
)
async def test_every_list_can_be_counted(lone_api: Running, path: str) -> None:
    assert (await lone_api.read(f"{path}?count=true"))["count"] == {"value": 0, "exact": True}


async def test_rows_are_counted_over_many_pages(lone_api: Running) -> None:
    for number in range(3):
        await lone_api.send("POST", "/keys", {"name": str(number), "scopes": ["admin"]})
    page = await lone_api.read("/keys?count=true&limit=1")
    assert (len(page["items"]), page["count"]["value"]) == (1, 3)


async def test_more_than_ten_thousand_are_not_counted_exactly(lone_api: Running) -> None:
    for begin in range(0, 10_500, 500):
        numbers = range(begin + 1, begin + 501)
        await lone_api.store(*(make_message(number) for number in numbers), handled=False)
    page = await lone_api.read("/messages?count=true&limit=1")
    assert page["count"] == {"value": 10_000, "exact": False}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("number7", 1),
        ("NUMBER7 ZOË", 1),
        ("zoë", 12),
        ("900003", 1),
        ("zoë 900003", 1),
        ("zoë nobody", 0),
    ],
)
async def test_conversations_are_found_by_names_and_numbers(
    lone_api: Running, query: str, found: int
) -> None:
    await fill(lone_api)
    page = await lone_api.read("/conversations", params={"q": query, "count": "true"})
    assert len(page["items"]) == page["count"]["value"] == found
    if found > 5:
        first = await lone_api.read("/conversations", params={"q": query, "limit": "5"})
        cursor = {"q": query, "cursor": first["next"]}
        rest = await lone_api.read("/conversations", params=cursor)
        assert len(first["items"]) + len(rest["items"]) == found
