"""Proxies, certificates and what else the environment and the URL say of the connections."""

import asyncio
import gzip
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from app.domain.outbound.requests import OutgoingText
from app.domain.provider_errors import CallBroken, TurnedAway, Unreachable
from tests.support.endpoints.wire_server import answer, reset, send_raw, serve_replies
from tests.support.provider import calling, make_client

HELLO = OutgoingText("API", "Hello World")
ONE = "447700900001"
UNTRUSTED = Path(__file__).parent / "untrusted.pem"
SIGN_IN = b"Proxy-Authorization: Basic " + b64encode(b"me:a-password")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@asynccontextmanager
async def tunnelling(to_port: int, *, status: bytes = b"200 OK") -> AsyncIterator[tuple[int, list]]:  # type: ignore[type-arg]
    """A proxy's port, and the heads of what it was asked."""
    heads: list[bytes] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.write_eof()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        async with _ended(writer):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
            if not status.startswith(b"2"):
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to_port)
            async with _ended(far_writer):
                await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    handlers: list[asyncio.Task[None] | None] = []
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()
        for each in filter(None, handlers):
            each.cancel()
        await asyncio.gather(*filter(None, handlers), return_exceptions=True)


@asynccontextmanager
async def _ended(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Closes a connection, whatever became of it; no later test finds it open."""
    try:
        yield
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_proxy_gets_the_whole_address_and_its_own_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serve_replies(answer("12")) as proxy:
        monkeypatch.setenv("http_proxy", f"me:a-password@127.0.0.1:{proxy.port}")
        async with make_client("http://provider.example.com/api") as client:
            assert await client.check_credits() == 12

    assert proxy.heads[0].startswith(b"POST http://provider.example.com/api HTTP/1.1\r\n")
    assert b"Host: provider.example.com\r\n" in proxy.heads[0]
    assert SIGN_IN in proxy.heads[0]


@pytest.mark.parametrize("excepted", ["*", "127.0.0.1", "example.com, 127.0.0.1:{port}"])
async def test_proxy_gets_nothing_for_an_address_that_is_excepted(
    monkeypatch: pytest.MonkeyPatch, excepted: str
) -> None:
    async with calling(answer("12")) as (_, server), serve_replies(answer("13")) as proxy:
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", excepted.format(port=server.port))
        async with make_client(server.url) as client:
            assert await client.check_credits() == 12

    assert proxy.heads == []


async def test_proxy_of_a_secure_address_makes_a_tunnel_and_sees_no_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(UNTRUSTED)
    trusting = ssl.create_default_context(cafile=str(UNTRUSTED))
    async with (
        serve_replies(answer("12"), tls=server_side) as server,
        tunnelling(server.port) as (port, heads),
    ):
        monkeypatch.setenv("https_proxy", f"http://me:a-password@127.0.0.1:{port}")
        url = f"https://localhost:{server.port}/api"
        async with make_client(url, tls=trusting) as client:
            assert await client.check_credits() == 12
            assert await client.check_credits() == 12

    assert len(heads) == 1
    assert heads[0].startswith(f"CONNECT localhost:{server.port} HTTP/1.1\r\n".encode())
    assert SIGN_IN in heads[0]


@pytest.mark.parametrize("status", [b"407 Proxy Authentication Required", b"502 Bad Gateway"])
async def test_proxy_that_makes_no_tunnel_has_certainly_sent_nothing(
    monkeypatch: pytest.MonkeyPatch, status: bytes
) -> None:
    async with tunnelling(1, status=status) as (port, _):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        trusting = ssl.create_default_context(cafile=str(UNTRUSTED))
        async with make_client("https://provider.example.com/api", tls=trusting) as client:
            with pytest.raises(Unreachable, match=status[:3].decode()):
                await client.send(HELLO, ONE)


async def test_tunnel_to_a_server_that_nobody_trusts_has_certainly_sent_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(UNTRUSTED)
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with (
        serve_replies(answer("12"), tls=server_side) as server,
        tunnelling(server.port) as (port, _),
    ):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        async with make_client(f"https://localhost:{server.port}/api", tls=strict) as client:
            with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
                await client.send(HELLO, ONE)

    assert server.bodies == []


async def test_certificates_of_the_environment_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(UNTRUSTED)
    monkeypatch.setenv("SSL_CERT_FILE", str(UNTRUSTED))
    async with (
        serve_replies(answer("12"), tls=server_side) as server,
        make_client(f"https://localhost:{server.port}/api") as client,
    ):
        assert await client.check_credits() == 12


async def test_one_connection_serves_calls_one_after_another() -> None:
    async with calling(answer("12")) as (client, server):
        for _ in range(5):
            assert await client.check_credits() == 12

    assert server.connections == 1


async def test_an_idle_connection_on_which_something_came_is_not_used_again() -> None:
    """Such as the 408 with which a web server closes it: that answers no call."""
    late = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n12"
    timed_out = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(late)
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(timed_out)
        await writer.drain()

    async with calling(reply) as (client, server):
        assert await client.check_credits() == 12
        await asyncio.sleep(0.1)
        assert await client.check_credits() == 12

    assert server.connections == 2


async def test_answer_that_is_compressed_all_the_same_is_read() -> None:
    data = gzip.compress(b"12")
    async with calling(answer(data, headers="Content-Encoding: gzip\r\n")) as (client, _):
        assert await client.check_credits() == 12


async def test_answer_that_only_claims_to_be_compressed_is_of_unknown_outcome() -> None:
    async with calling(answer("12", headers="Content-Encoding: gzip\r\n")) as (client, _):
        with pytest.raises(CallBroken):
            await client.send(HELLO, ONE)


async def test_redirect_is_not_followed_and_no_cookie_is_kept() -> None:
    cookie = "Set-Cookie: PHPSESSID=1; Path=/\r\n"
    away = "Location: http://127.0.0.1:1/elsewhere\r\n"
    redirect = answer("", status="307 Temporary Redirect", headers=away + cookie)
    async with calling(redirect, answer("12", headers=cookie)) as (client, server):
        with pytest.raises(TurnedAway, match="elsewhere"):
            await client.send(HELLO, ONE)
        for _ in range(2):
            assert await client.check_credits() == 12

    assert not any(b"cookie" in head.lower() for head in server.heads)
    assert len(server.bodies) == 3


async def test_user_and_password_of_the_url_sign_in() -> None:
    async with serve_replies(answer("12")) as server:
        url = f"http://me:a%20password@127.0.0.1:{server.port}/api"
        async with make_client(url) as client:
            assert await client.check_credits() == 12

    assert b"Authorization: Basic " + b64encode(b"me:a password") in server.heads[0]


@pytest.mark.parametrize("reply", [reset(), send_raw(b"", close=True), send_raw(b"HTTP/9\r\n\r\n")])
async def test_connection_that_breaks_is_replaced_by_another(reply: object) -> None:
    async with calling(reply, answer("12")) as (client, server):  # type: ignore[arg-type]
        with pytest.raises(CallBroken):
            await client.send(HELLO, ONE)
        assert await client.check_credits() == 12

    assert server.connections == 2
