"""A forward's short way through uvicorn's protocol, beside requests that go the long one."""

import asyncio
import struct
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest

from app.api.http import bounded_connection, protocol
from app.api.http.protocol import HttpProtocol
from tests.api.sockets import (
    ThroughAsgi,
    count_refusals,
    read_answers,
    serving,
    serving_app,
    takes_all,
    talk,
    wait_until,
)
from tests.support.kit import Kit
from tests.support.service import API_KEY, make_forward

HOST = b"Host: letterbox.test\r\n"


def write_get(message_id: str, *, close: bool = False) -> bytes:
    head = f"GET /inbound?{make_forward(message_id)} HTTP/1.1\r\n".encode() + HOST
    return head + (b"Connection: close\r\n" if close else b"") + b"\r\n"


def write_post(message_id: str, *headers: bytes) -> bytes:
    body = make_forward(message_id).encode()
    lines = [
        b"POST /inbound HTTP/1.1",
        b"Host: letterbox.test",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def test_requests_behind_each_other_are_answered_in_their_order(kit: Kit) -> None:
    other = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
    async with serving(kit) as port:
        pieces = [write_get("1"), other, write_post("2"), other, write_get("3", close=True)]
        answer = await talk(port, b"".join(pieces))
    texts = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [text == b"OK" for text in texts] == [True, False, True, False, True]
    assert sorted(await kit.find()) == ["1", "2", "3"]


@pytest.mark.parametrize("ending", [b"\r\n", b"\n", b"\r\n\r\n"])
async def test_an_empty_line_after_a_forward_is_no_request(kit: Kit, ending: bytes) -> None:
    """An answer to it would be taken for the answer to the next forward."""
    async with serving(kit) as port:
        pieces = [write_post("1") + ending, write_post("2", b"Connection: close")]
        answer = await talk(port, *pieces, pause=0.1)
    assert answer.count(b"HTTP/1.1") == answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert sorted(await kit.find()) == ["1", "2"]


@pytest.mark.parametrize("rest", [b"x", b"auth", b"GETX"])
async def test_a_body_that_nobody_announced_does_not_spoil_the_next_forward(
    kit: Kit, rest: bytes
) -> None:
    """Node sends one behind a GET. Its agent would take an answer to it, or to `xGET /inbound`, for
    the answer to the next forward, which would not be sent again.
    """
    async with serving(kit) as port:
        answer = await talk(port, write_get("1") + rest, write_get("2"))
    [first] = read_answers(answer)
    assert (first.status, first.headers["connection"]) == (200, ["close"])
    assert await kit.find() == ["1"]


@pytest.mark.parametrize("line", [b"GET /livez", b"GET /sign-in", b"POST /api/v1/messages"])
async def test_what_follows_any_request_gets_no_answer_of_its_own(kit: Kit, line: bytes) -> None:
    async with serving(kit) as port:
        answer = await talk(port, line + b" HTTP/1.1\r\n" + HOST + b"\r\nrest")
    [first] = read_answers(answer)
    assert first.headers["connection"] == ["close"]


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_forward_may_come_in_pieces(kit: Kit, size: int) -> None:
    whole = write_post("1", b"Connection: close")
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    async with serving(kit) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert await kit.find() == ["1"]


async def test_a_body_in_chunks_is_read_to_its_end(kit: Kit) -> None:
    body = make_forward("1").encode()
    head = b"POST /inbound HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:])]
    async with serving(kit) as port:
        answer = await talk(port, head + HOST + b"\r\n", *chunks, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert await kit.find() == ["1"]


async def test_chunks_beyond_the_limit_are_413(kit: Kit) -> None:
    head = b"POST /inbound HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n"
    chunk = b"%x\r\n%s\r\n" % (40_000, b"x" * 40_000)
    async with serving(kit) as port:
        answer = await talk(port, head, chunk, chunk)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer


async def test_who_waits_for_100_continue_gets_it(kit: Kit) -> None:
    whole = write_post("1", b"Expect: 100-continue", b"Connection: close")
    head, _, body = whole.partition(b"\r\n\r\n")
    async with serving(kit) as port:
        answer = await talk(port, head + b"\r\n\r\n", body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert await kit.find() == ["1"]


async def test_http_1_0_is_answered_and_closed(kit: Kit) -> None:
    async with serving(kit) as port:
        answer = await talk(port, write_get("1").replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in answer


async def test_an_answer_to_http_1_0_that_breaks_off_does_not_look_whole(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is the end of the connection, so only a reset shows that more was to come."""

    async def break_off(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    app = kit.app
    monkeypatch.setattr(app, "_rest", break_off)
    async with serving_app(app) as port:
        with pytest.raises(ConnectionResetError):
            await talk(port, b"GET /docs HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("auth", ["", "&auth=wrong"])
async def test_a_refusal_leaves_the_connection_open(kit: Kit, auth: str) -> None:
    wrong = f"GET /inbound?msg=x{auth} HTTP/1.1\r\n".encode() + HOST + b"\r\n"
    async with serving(kit) as port:
        answer = await talk(port, wrong, write_get("1", close=True))
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"OK")


async def test_an_idle_connection_is_closed(kit: Kit) -> None:
    async with serving(kit, timeout_keep_alive=1) as port:
        answer = await talk(port, write_get("1"))
    assert answer.endswith(b"OK")


async def test_every_answer_has_the_date_of_its_second(kit: Kit) -> None:
    async with serving(kit) as port:
        answer = await talk(port, write_get("1"), write_get("2", close=True))
    assert answer.count(b"date: ") == 2


async def test_a_message_is_kept_though_the_caller_has_gone(kit: Kit) -> None:
    async with serving(kit) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(write_get("1"))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        # Shutting down waits until it is answered.
    assert await kit.find() == ["1"]


@pytest.mark.parametrize("http", [HttpProtocol, ThroughAsgi])
async def test_a_forward_whose_caller_breaks_off_is_a_refusal(
    kit: Kit, http: type[HttpProtocol]
) -> None:
    async with serving(kit, http=http) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(write_post("1")[:-1])
        await writer.drain()
        await asyncio.sleep(0.1)
        socket = writer.get_extra_info("socket")
        socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await wait_until(lambda: count_refusals(kit) == {"incomplete": 1})
    assert await kit.find() == []


@pytest.mark.parametrize("path", [b"/inbound", b"/sign-in"])
@pytest.mark.parametrize("piece", [b"x" * 65536, b"X: y\r\n" * 10_000], ids=["one", "many"])
async def test_trailers_without_end_are_cut_off(kit: Kit, path: bytes, piece: bytes) -> None:
    async with serving(kit) as port:
        host = b"Host: 127.0.0.1:%d\r\nSec-Fetch-Site: same-origin\r\n" % port
        head = b"POST %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" % path + host
        assert not await takes_all(port, head + b"\r\n0\r\nX: ", piece, 1024)


async def test_a_body_in_the_smallest_chunks_is_read(kit: Kit) -> None:
    body = make_forward("1").encode() + b"&more=" + b"x" * 60_000
    head = b"POST /inbound HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    chunks = b"".join(b"0001\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    async with serving(kit) as port:
        answer = await talk(port, head + HOST + b"\r\n" + chunks)
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_stops_in_the_middle_holds_no_connection(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "BODY_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(bounded_connection, "CHECK_SECONDS", 0.1)
    async with serving(kit) as port:
        origin = b"Host: 127.0.0.1:%d\r\nSec-Fetch-Site: same-origin\r\n" % port
        head = b"POST /sign-in/link HTTP/1.1\r\nContent-Length: 99\r\n" + origin
        assert b"HTTP/1.1 200" not in await talk(port, head + b"\r\nlink=x")


async def test_an_answer_may_take_longer_than_a_body(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "BODY_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(bounded_connection, "CHECK_SECONDS", 0.1)
    async with serving(kit) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = b"Authorization: Bearer %s\r\n" % API_KEY.encode()
        writer.write(b"GET /api/v1/events HTTP/1.1\r\n" + HOST + key + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.6)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert not reader.at_eof()
        writer.transport.abort()


@pytest.mark.parametrize(
    ("rest", "problems"),
    [(b"k", ["charset"]), (b"k?", ["charset"]), (b"P", ["charset"]), (b"\r\n", []), (b"", [])],
)
async def test_what_follows_a_body_shows_that_its_length_was_short(
    kit: Kit, rest: bytes, problems: list[str]
) -> None:
    """Cut between two characters: the body alone shows nothing."""
    async with serving(kit) as port:
        answer = await talk(port, write_post("1") + rest, half_close=True)
    assert answer.startswith(b"HTTP/1.1 200 ")
    [message] = (await kit.get("/messages"))["items"]
    assert (message["problems"], message["body"]) == (problems, "Text number 1")


@pytest.mark.parametrize("rest", [b"P", b"GET", b"PUT it away", b"\r\nTRACE"])
async def test_a_letter_behind_a_body_belongs_to_it_though_a_request_may_begin_so(
    kit: Kit, rest: bytes
) -> None:
    """The caller keeps the connection: what it sends next must not be read as `PGET /inbound`."""
    async with serving(kit) as port:
        [first] = read_answers(await talk(port, write_post("1") + rest))
    assert (first.status, first.headers["connection"]) == (200, ["close"])
    [message] = (await kit.get("/messages"))["items"]
    assert (message["problems"], message["body"]) == (["charset"], "Text number 1")
    assert count_refusals(kit) == {"unreadable": 1}


@pytest.mark.parametrize("cut", [1, 4, 5, 7])
async def test_a_request_behind_a_body_may_come_in_two_pieces(kit: Kit, cut: int) -> None:
    second = write_post("2", b"Connection: close")
    async with serving(kit) as port:
        answer = await talk(port, write_post("1") + second[:cut], second[cut:])
    assert [each.status for each in read_answers(answer)] == [200, 200]
    assert sorted(await kit.find()) == ["1", "2"]
    assert await kit.find(problem="charset") == []


@pytest.mark.parametrize(
    "hosts",
    [
        b"Host: letterbox.test\r\nHost: letterbox.test\r\n",
        b"Host: letterbox.test\r\nhOsT: other.test\r\n",
        b"Host: letterbox.test, other.test\r\n",
        b"Host: user@letterbox.test\r\n",
        b"Host: letterbox.test/path\r\n",
        b"Host: letterbox.test:80x\r\n",
        b"Host: [::1\r\n",
    ],
)
@pytest.mark.parametrize("path", [b"/livez", b"/sign-in", b"/api/v1/messages", b"/"])
async def test_a_host_that_is_not_clear_is_400_but_a_forward_is_taken(
    kit: Kit, path: bytes, hosts: bytes
) -> None:
    close = b"Connection: close\r\n\r\n"
    forward = f"GET /inbound?{make_forward('1')} HTTP/1.1\r\n".encode()
    async with serving(kit) as port:
        refused = await talk(port, b"GET " + path + b" HTTP/1.1\r\n" + hosts + close)
        taken = await talk(port, forward + hosts + close)
    assert refused.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nx-request-id: " in refused
    assert taken.startswith(b"HTTP/1.1 200 OK\r\n")
    assert await kit.find() == ["1"]


@pytest.mark.parametrize(
    "host", [b"letterbox.test:8000", b"[::1]:8000", b"127.0.0.1", b"b\xc3\xbccher.test", b"a_b.c"]
)
async def test_every_host_that_names_one_is_taken(kit: Kit, host: bytes) -> None:
    async with serving(kit) as port:
        request = b"GET /livez HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
        assert (await talk(port, request)).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS / HTTP/1.0\r\n", b"204 No Content"),
        (b"OPTIONS * HTTP/1.1\r\n", b"204 No Content"),
        (b"OPTIONS /livez HTTP/1.0\r\n", b"204 No Content"),
        (b"HEAD /livez HTTP/1.0\r\n", b"200 OK"),
        (b"HEAD /readyz HTTP/1.1\r\n", b"200 OK"),
        (b"HEAD / HTTP/1.0\r\n", b"303 See Other"),
        (b"HEAD /inbound HTTP/1.1\r\n", b"405 Method Not Allowed"),
        (b"OPTIONS /inbound HTTP/1.1\r\n", b"405 Method Not Allowed"),
    ],
)
async def test_health_checks_of_proxies_find_it_up(kit: Kit, line: bytes, status: bytes) -> None:
    """HAProxy asks `OPTIONS / HTTP/1.0` without a Host where nobody tells it otherwise."""
    close = b"Connection: close\r\n\r\n"
    async with serving(kit) as port:
        answer = await talk(port, line + close)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert body == b"" or line.startswith(b"OPTIONS /inbound")
