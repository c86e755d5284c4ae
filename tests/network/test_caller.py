"""Calling endpoints over sockets: only addresses that were checked, and no more than asked for."""

import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from app.domain.webhooks.retries import EndpointAnswer
from app.network.caller import EndpointCaller
from tests.support.endpoints.certificates import Authority, make_authority
from tests.support.endpoints.receiver import Reply, receiving

LOCAL = (ipaddress.ip_network("127.0.0.1"),)
HEADERS = {"webhook-id": "evt_1"}


class Names:
    """Answers with each list of addresses once, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def post(caller: EndpointCaller, url: str) -> EndpointAnswer:
    try:
        return await caller.post(url, HEADERS, b"{}")
    finally:
        await caller.aclose()


async def test_the_checked_address_is_called_under_the_name() -> None:
    async with receiving() as endpoint:
        names = Names(["127.0.0.1"], ["169.254.169.254"])
        caller = EndpointCaller(LOCAL, resolve=names)
        answer = await post(caller, f"http://hooks.example.com:{endpoint.port}/x?y=1")
        assert (answer.status, answer.body) == (200, "ok")
        [got] = endpoint.got
        assert got.path == "/x?y=1"
        assert got.headers["host"] == f"hooks.example.com:{endpoint.port}"
        assert names.asked == 1, "a second look could find another address"


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["::ffff:169.254.169.254"], []])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_leads_to_a_forbidden_address_is_not_called(
    addresses: list[str], scheme: str
) -> None:
    caller = EndpointCaller(LOCAL, resolve=Names(addresses))
    answer = await post(caller, f"{scheme}://hooks.example.com/")
    assert answer.status is None
    assert "LETTERBOX_WEBHOOK_NETWORKS" in answer.error


async def test_of_several_addresses_only_the_allowed_are_tried() -> None:
    async with receiving() as endpoint:
        caller = EndpointCaller(LOCAL, resolve=Names(["10.0.0.1", "127.0.0.1"]))
        answer = await post(caller, f"http://hooks.example.com:{endpoint.port}/")
        assert answer.status == 200


async def test_a_redirect_is_an_answer() -> None:
    elsewhere = Reply(307, (("Location", "http://127.0.0.1:1/"),))
    async with receiving(lambda _: elsewhere) as endpoint:
        answer = await post(EndpointCaller(LOCAL), endpoint.url)
        assert (answer.status, len(endpoint.got)) == (307, 1)


async def test_an_idle_connection_that_the_endpoint_closed_is_no_failure() -> None:
    replies = iter([Reply(), Reply(is_reset=True), Reply()])
    async with receiving(lambda _: next(replies)) as endpoint:
        caller = EndpointCaller(LOCAL)
        assert (await caller.post(endpoint.url, HEADERS, b"{}")).status == 200
        answer = await post(caller, endpoint.url)
        assert answer.status == 200
        assert endpoint.connections == 2


async def test_a_port_where_nobody_listens_is_said() -> None:
    answer = await post(EndpointCaller(LOCAL), "http://127.0.0.1:1/")
    assert answer.status is None
    assert answer.error.startswith("cannot connect")


async def test_a_date_in_retry_after_is_read_by_the_endpoints_clock() -> None:
    busy = Reply(
        503,
        (
            ("Date", "Mon, 01 Jun 2026 12:00:00 GMT"),
            ("Retry-After", "Mon, 01 Jun 2026 12:02:00 GMT"),
        ),
    )
    async with receiving(lambda _: busy) as endpoint:
        answer = await post(EndpointCaller(LOCAL), endpoint.url)
        assert answer.retry_after_seconds == 120


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that this machine trusts while a test runs."""
    made = make_authority(tmp_path / "authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    return made


async def post_over_tls(context: ssl.SSLContext) -> tuple[EndpointAnswer, int]:
    """What came of a call to hooks.example.com, and how many requests the endpoint got."""
    async with receiving(tls=context) as endpoint:
        caller = EndpointCaller(LOCAL, resolve=Names(["127.0.0.1"]))
        answer = await post(caller, f"https://hooks.example.com:{endpoint.port}/x")
        return answer, len(endpoint.got)


async def test_over_tls_the_certificate_is_for_the_name_and_not_for_the_address(
    authority: Authority,
) -> None:
    answer, got = await post_over_tls(authority.issue("hooks.example.com"))
    assert (answer.status, answer.body, got) == (200, "ok", 1)


async def test_a_certificate_for_another_name_gets_nothing(authority: Authority) -> None:
    answer, got = await post_over_tls(authority.issue("other.example.com"))
    assert (answer.status, got) == (None, 0)
    assert answer.error.startswith("the certificate is not valid (Hostname mismatch")


async def test_a_certificate_that_has_expired_gets_nothing(authority: Authority) -> None:
    answer, got = await post_over_tls(authority.issue("hooks.example.com", days=0))
    assert (answer.status, got) == (None, 0)
    assert "expired" in answer.error


async def test_a_certificate_of_a_stranger_gets_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = make_authority(tmp_path / "stranger")
    answer, got = await post_over_tls(stranger.issue("hooks.example.com"))
    assert (answer.status, got) == (None, 0)
    assert answer.error.startswith("the certificate is not valid")


async def test_the_connection_of_a_handshake_that_never_ends_is_closed(
    authority: Authority,
) -> None:
    assert authority.certificate.exists()
    async with receiving() as endpoint:  # it waits for a request and speaks no TLS
        caller = EndpointCaller(LOCAL, resolve=Names(["127.0.0.1"]), total_seconds=0.3)
        url = f"https://hooks.example.com:{endpoint.port}/x"
        for _ in range(3):  # an exception may be what keeps a connection
            answer = await caller.post(url, HEADERS, b"{}")
            assert (answer.status, answer.error) == (None, "no answer within 0.3 seconds")
        calls = psutil.Process().net_connections("tcp")
        assert [each for each in calls if each.raddr and each.raddr.port == endpoint.port] == []
        await caller.aclose()
        assert endpoint.got == []
