"""Requests as clients really write them, over the protocol's own way and over ASGI."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from app.api.http.protocol import HttpProtocol
from tests.api.http.written_requests import CASES
from tests.api.sockets import ThroughAsgi, count_refusals, read_answers, serving, talk
from tests.support.fixtures import shared_on_sqlite
from tests.support.kit import Kit, open_kit


class Way(NamedTuple):
    protocol: type[HttpProtocol]
    port: int


# On SQLite alone: what is behind the protocol makes no difference to it.
kit = shared_on_sqlite(open_kit)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[HttpProtocol, ThroughAsgi])
async def way(request: pytest.FixtureRequest, kit: Kit) -> AsyncIterator[Way]:
    """Either way of a forward, and the port to it."""
    async with serving(kit, http=request.param) as port:
        yield Way(request.param, port)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CASES)
async def test_a_request_means_the_same_whichever_way_it_goes(
    kit: Kit, way: Way, name: str
) -> None:
    expected = CASES[name]
    # Another id for each, of as many digits: else it would be a text that is there already.
    number = b"%03d" % (list(CASES).index(name) + 500 * (way.protocol is HttpProtocol))
    packets = [each.replace(b"000", number) for each in expected.packets]
    if expected.bytewise:
        packets = [bytes([each]) for packet in packets for each in packet]
    refusals = count_refusals(kit)
    before = len(await list_messages(kit))
    received = await talk(way.port, *packets, half_close=expected.half_close, pause=0.002)
    answers = read_answers(received, without_bodies=name == "head")
    assert tuple(each.status for each in answers) == expected.statuses, answers
    for each in answers:
        assert each.status == 100 or each.headers["cache-control"] == ["no-store"]
        assert len(each.headers.get("connection", [])) <= 1
    found = (await list_messages(kit))[before:]
    assert tuple(each["body"] for each in found) == expected.texts
    if expected.problems:
        assert tuple(found[0]["problems"]) == expected.problems
    assert count_refusals(kit) - refusals == Counter(expected.refused)


async def list_messages(kit: Kit) -> list[Any]:
    """The oldest first."""
    return list(reversed((await kit.get("/messages", limit=500))["items"]))
