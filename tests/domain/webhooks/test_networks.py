"""Which addresses a webhook may call, and which URLs are refused before any call."""

import ipaddress

import pytest

from app.domain.errors import InvalidInput
from app.domain.webhooks.networks import may_call
from app.domain.webhooks.urls import read_webhook_url

LOCAL = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.1.2.0/24"))
REFUSED = [
    "127.0.0.1", "127.255.0.3", "0.0.0.0", "10.0.0.1",
    "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fd00:ec2::254", "fc00::1",
    "ff02::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::",
    "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2606:4700::5efe:7f00:1", "100::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not may_call(ipaddress.ip_address(address), (), is_secure=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_called_with_tls_alone(address: str) -> None:
    assert may_call(ipaddress.ip_address(address), (), is_secure=True)
    assert not may_call(ipaddress.ip_address(address), (), is_secure=False)
    assert not may_call(ipaddress.ip_address(address), LOCAL, is_secure=False)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::ffff:10.1.2.3"])
def test_an_allowed_network_is_called_in_either_way(address: str) -> None:
    for is_secure in (True, False):
        assert may_call(ipaddress.ip_address(address), LOCAL, is_secure=is_secure)


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://example.com", "https://example.com/"),
        (" https://Example.COM:8443/a b".replace("a b", "ab"), "https://example.com:8443/ab"),
        ("https://example.com./x?y=1&z=%20", "https://example.com/x?y=1&z=%20"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
        ("https://example.com/ü", "https://example.com/%C3%BC"),
    ],
)
def test_a_url_is_read_as_it_is_called(url: str, read: str) -> None:
    assert read_webhook_url(url, ()) == read


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/texts",
        "ftp://example.com/",
        "http://example.com/",
        "https://",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/a b",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data",
        f"https://example.com/{'x' * 2000}",
    ],
)
def test_a_url_that_must_not_be_called_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_webhook_url(url, ())
    assert refused.value.field == "url"
    assert "secret" not in str(refused.value)


def test_http_is_for_allowed_networks_alone() -> None:
    assert read_webhook_url("http://10.1.2.3:8000/x", LOCAL) == "http://10.1.2.3:8000/x"
    with pytest.raises(InvalidInput):
        read_webhook_url("http://10.9.9.9/x", LOCAL)
