"""Who calls, through which proxies, however they write it."""

import ipaddress

import pytest

from app.domain.access.addresses import LOOKS, CallerFinder, NetworkSet, read_address

PROXY = "127.0.0.1"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7\t", "192.0.2.7"),
        ("192.0.2.7:51234", "192.0.2.7"),
        ("192.0.2.7:_hidden", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:443", "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
        ("::1", "::1"),
        ("", ""),
        ("unknown", ""),
        ("_hidden", ""),
        ("nonsense", ""),
        ("192.0.2", ""),
        ("192.0.2.256", ""),
        ("192.0.2.07", ""),
        ("192.0.2.7 192.0.2.8", ""),
        ("[192.0.2.7", ""),
        ("[]", ""),
        ("192.0.2.7/24", ""),
        ("١٩٢.0.2.7", ""),
        ("1" * 60_003, ""),
        ("192.0.2.7" + " " * 60_000, ""),
        ("192.0.2.7:" + "1" * 60_000, ""),
    ],
)
def test_an_address_is_read_however_it_is_written(written: str, address: str) -> None:
    assert read_address(written) == address


def find(
    *headers: tuple[str, str], peer: str = PROXY, trusted: str = "127.0.0.1/32,10.0.0.0/8"
) -> str:
    networks = [ipaddress.ip_network(each) for each in trusted.split(",") if each]
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return CallerFinder(networks).find((peer, 40000), pairs)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:51234", "192.0.2.7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("198.51.100.9, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 10.0.0.2:443, [::ffff:10.0.0.3]:80", "192.0.2.7"),
        ("192.0.2.7,,10.0.0.2, ", "192.0.2.7"),
        ("nonsense", PROXY),
        ("192.0.2.7, unknown", PROXY),
        ("192.0.2.7, _hidden, 10.0.0.2", "10.0.0.2"),
        ("", PROXY),
        (" , ", PROXY),
        ("x" * 60_003, PROXY),
        ("192.0.2.7, " + "10.0.0.2," * 20_000, "10.0.0.2"),
    ],
)
def test_x_forwarded_for_is_read_from_the_trusted_end(value: str, address: str) -> None:
    assert find(("x-forwarded-for", value)) == address


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("for=192.0.2.7", "192.0.2.7"),
        ('For="192.0.2.7:47011"', "192.0.2.7"),
        ('for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("proto=https;for=192.0.2.7;by=10.0.0.1", "192.0.2.7"),
        ("by=10.0.0.1; for = 192.0.2.7", "192.0.2.7"),
        ('for=198.51.100.9, for=192.0.2.7;host="a", for="[::ffff:10.0.0.2]"', "192.0.2.7"),
        ('for="198.51.100.9, for=192.0.2.7', "192.0.2.7"),
        ("for=unknown", PROXY),
        ("for=192.0.2.7, for=_secret", PROXY),
        ("proto=https", PROXY),
        ("xfor=192.0.2.7", PROXY),
        ("for=", PROXY),
    ],
)
def test_forwarded_is_read_as_rfc_7239_has_it(value: str, address: str) -> None:
    assert find(("forwarded", value)) == address


def test_headers_that_come_several_times_are_one_list() -> None:
    assert find(("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "10.0.0.2")) == "192.0.2.7"


def test_where_both_headers_come_the_usual_one_counts() -> None:
    # Most proxies write this one and let the other through as a stranger wrote it.
    both = (("forwarded", "for=198.51.100.9"), ("x-forwarded-for", "192.0.2.7"))
    assert find(*both) == "192.0.2.7"


@pytest.mark.parametrize(
    ("peer", "trusted", "address"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1/32", "192.0.2.7"),
        ("127.0.0.1", "::ffff:127.0.0.1/128", "192.0.2.7"),
        ("10.1.2.3", "::ffff:10.0.0.0/104", "192.0.2.7"),
        ("fe80::5%eth0", "fe80::/10", "192.0.2.7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("::ffff:198.51.100.1", "127.0.0.1/32", "198.51.100.1"),
        ("198.51.100.1", "::/0", "198.51.100.1"),
        ("", "0.0.0.0/0", ""),
    ],
)
def test_the_one_at_the_other_end_is_trusted_by_its_own_address(
    peer: str, trusted: str, address: str
) -> None:
    assert find(("x-forwarded-for", "192.0.2.7"), peer=peer, trusted=trusted) == address


def test_nobody_at_the_other_end_is_nobody() -> None:
    finder = CallerFinder([ipaddress.ip_network("0.0.0.0/0")])
    assert finder.find(None, [(b"x-forwarded-for", b"192.0.2.7")]) == ""


@pytest.mark.parametrize(
    ("peer", "header", "unheeded"),
    [
        ("192.0.2.9", ("x-forwarded-for", "198.51.100.1"), "192.0.2.9"),
        ("::ffff:192.0.2.9", ("forwarded", "for=198.51.100.1"), "192.0.2.9"),
        ("192.0.2.9", ("x-forwarded-for", "nonsense"), "192.0.2.9"),
        ("192.0.2.9", ("x-forwarded-for", " "), ""),
        ("192.0.2.9", ("user-agent", "x"), ""),
        (PROXY, ("x-forwarded-for", "198.51.100.1"), ""),
    ],
)
def test_a_header_from_nobody_who_is_trusted_is_noticed(
    peer: str, header: tuple[str, str], unheeded: str
) -> None:
    finder = CallerFinder([ipaddress.ip_network(PROXY)])
    pairs = [(header[0].encode(), header[1].encode())]
    assert finder.find_unheeded((peer, 40000), pairs) == unheeded


@pytest.mark.parametrize(
    ("peer", "is_told"),
    [
        ("127.0.0.1", True),
        ("172.18.0.1", True),
        ("100.64.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("fe80::1%eth0", True),
        ("8.8.8.8", False),
        ("2606:4700::1", False),
        ("10.9.9.9", False),
        ("", False),
    ],
)
def test_a_proxy_near_us_that_is_not_believed_is_told_of(peer: str, is_told: bool) -> None:
    told: list[str] = []
    finder = CallerFinder([ipaddress.ip_network("10.9.9.9")], told.append)
    client = (peer, 40000)
    for _ in range(3 * LOOKS):
        finder.find(client, [(b"host", b"x")])
    assert told == []
    for _ in range(LOOKS):
        finder.find(client, [(b"x-forwarded-for", b"198.51.100.1")])
    assert told == ([read_address(peer)] if is_told else [])
    fresh = CallerFinder([ipaddress.ip_network("10.9.9.9")], told.append)
    fresh.find(client, [(b"forwarded", b"for=198.51.100.1")])
    assert len(told) == (2 if is_told else 0)


def test_what_is_no_address_lies_in_no_network_and_is_not_remembered() -> None:
    networks = NetworkSet([ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")])
    for number in range(2_000):
        assert "x" * 50_000 + str(number) not in networks
        assert f"198.51.100.{number % 256}" in networks
    assert len(networks._known) == 256
    assert "" not in networks
