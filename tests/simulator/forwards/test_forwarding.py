"""Inbound forwarding: what the owner's server gets, byte by byte, and when."""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest

from app.simulator.simulator import UnknownNumberError
from app.simulator.state.config import NumberConfig
from tests.simulator.play import ADA, VMN, Played, make_config


async def catch_bytes(answer: bytes, played_for: Callable[[str], Played]) -> bytes:
    """Everything one forward sends to a bare socket."""
    caught: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        ]
        body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
        caught.set_result(head + body)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        simulator = played_for(f"http://127.0.0.1:{port}/inbound").app.simulator
        await simulator.receive_text(ADA, VMN, "Hello, 5€ & more + Zoë")
        await simulator.close()
        return await caught


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK"
QUERY = (
    "source=447700900011&dest=447700900001&msg=Hello%2C+5%E2%82%AC+%26+more+%2B+Zo%C3%AB"
    "&id=8200001&receivedts=2026-03-02+12%3A00%3A00&auth=open+sesame&MMName=Ada"
    "&MMEmail=ada%40example.com&MM1=Countess&MM2=C-1&MM3=&MM4=&MM5="
)


async def test_post_carries_the_parameters_of_the_page_as_a_form() -> None:
    sent = await catch_bytes(OK, lambda url: Played(make_config(url), over_network=True))
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /inbound HTTP/1.1\r\n")
    assert b"\r\ncontent-type: application/x-www-form-urlencoded" in head.lower()
    assert body.decode() == QUERY


async def test_get_carries_the_parameters_of_the_page_in_its_query() -> None:
    sent = await catch_bytes(OK, lambda url: Played(make_config(url, "GET"), over_network=True))
    assert sent.startswith(f"GET /inbound?{QUERY} HTTP/1.1\r\n".encode())
    assert sent.endswith(b"\r\n\r\n")


def test_query_of_the_owners_url_is_kept() -> None:
    played = Played(make_config("http://owner.example/in?key=7", "GET"))
    played.receive("Hello")
    assert played.owner.requests[0][1].startswith("http://owner.example/in?key=7&source=4477")


def test_number_without_a_url_forwards_nothing() -> None:
    played = Played()
    played.world.incoming.numbers[VMN] = NumberConfig(number=VMN, username="demo")
    [text] = played.receive("Hello")
    assert text.attempts == []
    assert "8200001" in played.report("InboundMessages")


def test_number_without_a_list_forwards_no_fields() -> None:
    played = Played()
    number = played.world.incoming.numbers[VMN]
    played.world.incoming.numbers[VMN] = number.model_copy(update={"list": None})
    played.receive("Hello")
    assert "MM1" not in played.owner.forms()[0]


async def test_text_to_a_number_that_is_not_there_is_an_error(played: Played) -> None:
    with pytest.raises(UnknownNumberError):
        await played.app.simulator.receive_text(ADA, "447700900999", "Hello")


def test_ids_are_never_given_twice(played: Played) -> None:
    texts = played.receive("one", "two", "three")
    assert [text.id for text in texts] == [8200001, 8200002, 8200003]


def test_owner_who_cannot_be_reached_is_noted() -> None:
    played = Played(make_config("http://127.0.0.1:1/"), over_network=True)
    [text] = played.receive("Hello")
    assert text.attempts[0].answer is None
    assert "ConnectError" in (text.attempts[0].error or "")


def test_impossible_url_is_noted() -> None:
    played = Played(make_config("http://[nowhere/"), over_network=True)
    [text] = played.receive("Hello")
    assert text.attempts[0].error is not None


def test_redirect_is_not_followed(played: Played) -> None:
    played.owner.answers = [302]
    [text] = played.receive("Hello")
    assert (len(played.owner.requests), text.as_json()["accepted"]) == (1, False)


def test_retry_stops_at_the_first_success() -> None:
    played = Played(forward_retries=5, forward_retry_seconds=0)
    played.owner.answers = [500, 404]
    [text] = played.receive("Hello")
    assert [attempt.answer for attempt in text.attempts] == [500, 404, 200]


def test_forwards_repeat_with_the_same_seed() -> None:
    def play() -> list[str]:
        played = Played(forward_loss_share=0.3, forward_twice_share=0.3)
        played.receive(*(str(index) for index in range(30)))
        return [form["msg"] for form in played.owner.forms()]

    first = play()
    assert first == play()
    assert len(set(first)) < 30
    assert len(first) > len(set(first))


def test_post_may_carry_its_parameters_in_the_query() -> None:
    played = Played(forward_content="query")
    played.receive("Hello")
    [(method, url, content_type, body)] = played.owner.requests
    assert (method, content_type, body) == ("POST", "", b"")
    assert dict(parse_qsl(url.partition("?")[2]))["msg"] == "Hello"


def test_post_may_carry_its_parameters_as_multipart() -> None:
    played = Played(forward_content="multipart")
    played.receive("Zoë")
    [(_, _, content_type, body)] = played.owner.requests
    boundary = content_type.partition("boundary=")[2].encode()
    assert f'form-data; name="msg"\r\n\r\nZoë\r\n--{boundary.decode()}\r\n'.encode() in body
    assert body.endswith(b"--" + boundary + b"--\r\n")


def test_names_may_come_in_title_case() -> None:
    played = Played(forward_names="title")
    played.receive("Hello")
    assert list(played.owner.forms()[0])[:2] == ["Source", "Dest"]
