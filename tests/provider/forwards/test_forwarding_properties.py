"""Whatever bytes come, the forward becomes a message that can be stored, and keeps them."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_from_bytes, unquote_to_bytes
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.inbound.messages import PROBLEMS, InboundMessage, RawForward
from app.provider.forwards.forwarding import ForwardRequest, parse, read_request
from app.provider.forwards.parameters import MAX_PAIRS, fold_name

ARRIVED_AT = datetime(2026, 5, 4, 11, 30, 2, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
SECRET = b"the-secret-of-this-number"
LARGEST = 64 * 1024

often = settings(
    max_examples=75 * (40 if os.environ.get("LETTERBOX_SOAK") == "1" else 1), deadline=None
)

# Pieces that mean something in one form or another: joined they reach more than bytes at random.
pieces = st.sampled_from([
    b"source", b"dest=", b"msg", b"id", b"receivedts=", b"auth", b"AUTH=", b"MM1", b"=", b"&",
    b"%", b"%00", b"%E9", b"%26", b"%3d", b"+", b" ", b"\0", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"{", b"}", b"[", b'"', b'"auth":"', b'"msg":', b":", b",", b"\\u", b"\\ud83d", b"\\", b"null",
    b"--cut", b"--", b"\r\n", b"\n", b'Content-Disposition: form-data; name="msg"', b"; name=auth",
    b"2026-03-29 01:30:00", b"9999-12-31 23:59:59", b"447700900123", b"\xc3\xa9", b"\xff",
])  # fmt: skip
wild = st.binary(max_size=60) | st.lists(pieces | st.binary(max_size=4), max_size=25).map(b"".join)
types = wild | st.sampled_from([
    b"", b"text/plain", b"application/json", b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=cut", b"application/json; charset=shift_jis",
    b"text/plain; charset=utf-16", b"text/plain; charset=idna", b"text/plain; charset=rot13",
    b"text/plain; charset=cp1252", b"text/plain; charset=utf-7",
])  # fmt: skip
names = wild.filter(lambda name: fold_name(name) != b"auth")
auth_names = st.sampled_from([b"auth", b"AUTH", b"Auth", b"aUtH"])
KNOWN = {b"auth", b"source", b"dest", b"msg", b"id"}
params = st.lists(st.tuples(names, wild), max_size=8)


def read(request: ForwardRequest, nonce: bytes = b"arrival") -> InboundMessage:
    return parse(
        request.raw, request.fields, zone=LONDON, region="GB", arrived_at=ARRIVED_AT, nonce=nonce
    )


def list_texts(message: InboundMessage) -> Iterator[str]:
    yield from (message.source, message.dest, message.body)
    yield from (message.provider_id or "", message.received_raw or "")
    for fields in (message.merge_fields, message.extra):
        yield from fields
        yield from fields.values()


def encode_form(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return b"&".join(
        f"{quote_from_bytes(name)}={quote_from_bytes(value)}".encode() for name, value in pairs
    )


def encode_parts(pairs: list[tuple[bytes, bytes]]) -> bytes:
    parts = [b'--cut\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % p for p in pairs]
    return b"".join(parts) + b"--cut--\r\n"


@often
@given(method=st.text(max_size=6), query=wild, content_type=types, body=wild)
def test_any_request_becomes_a_message_that_can_be_stored(
    method: str, query: bytes, content_type: bytes, body: bytes
) -> None:
    request = read_request(method, query, content_type, body)
    message = read(request)
    for text in list_texts(message):
        assert "\0" not in text
        text.encode()
    assert set(message.problems) <= set(PROBLEMS)
    assert list(message.problems) == sorted(set(message.problems), key=PROBLEMS.index)
    assert message.received_at.utcoffset() == timedelta(0)
    assert not any(name.lower() == "auth" for name in message.extra)
    assert all(name.lower() != b"auth" for name, _ in request.raw.pairs)


@often
@given(method=st.text(max_size=6), query=wild, content_type=types, body=wild, nonce=wild)
def test_parsing_depends_on_nothing_but_the_raw_forward(
    method: str, query: bytes, content_type: bytes, body: bytes, nonce: bytes
) -> None:
    request = read_request(method, query, content_type, body)
    message = read(request, nonce)
    stored = RawForward.from_bytes(message.raw)
    assert stored == request.raw
    assert read(ForwardRequest(stored, None), nonce) == message
    assert InboundMessage.from_record(message.to_record()) == replace(message, via="spool")


@often
@given(
    values=st.dictionaries(
        st.sampled_from(["source", "dest", "msg", "id", "receivedts", "MMName", "MM1", "MSG", "x"]),
        wild | st.text(max_size=20).map(str.encode) | st.just(b"2026-10-25 01:30:00"),
    ),
    safe=st.sampled_from(["", ":", " :", "%"]),
    in_body=st.booleans(),
)
def test_the_short_way_of_an_ordinary_forward_ends_where_the_long_one_does(
    values: dict[str, bytes], safe: str, in_body: bool
) -> None:
    form = "&".join(
        f"{name}={quote_from_bytes(value, safe).replace(' ', '+')}"
        for name, value in {**values, "auth": SECRET}.items()
    ).encode()
    if in_body:
        request = read_request("POST", b"", b"application/x-www-form-urlencoded", form)
    else:
        request = read_request("GET", form, b"", b"")
    assert request.auth == SECRET
    assert read(request) == read(ForwardRequest(request.raw, None))
    assert request.raw.pairs == [
        (name.encode(), unquote_to_bytes(quote_from_bytes(value, safe)))
        for name, value in values.items()
    ]


def test_an_ordinary_forward_goes_the_short_way() -> None:
    form = b"source=447700900123&dest=447700900456&msg=Hi+%C2%A3&id=17&auth=x&receivedts=2026"
    assert read_request("GET", form, b"", b"").fields is not None
    assert read_request("GET", form + b"&AUTH=y", b"", b"").fields is None


@often
@given(query=params, body=params, auth_name=auth_names, place=st.integers(0, 16))
@pytest.mark.slow
def test_every_parameter_of_a_form_is_in_raw_and_auth_is_not(
    query: list[tuple[bytes, bytes]],
    body: list[tuple[bytes, bytes]],
    auth_name: bytes,
    place: int,
) -> None:
    sent = [*query, *body]
    with_auth = [*sent[:place], (auth_name, SECRET), *sent[place:]]
    request = read_request(
        "POST",
        encode_form(with_auth[: len(query)]),
        b"application/x-www-form-urlencoded",
        b"x=&" + encode_form(with_auth[len(query) :]),
    )
    kept = [pair for pair in request.raw.pairs if pair != (b"x", b"")]
    assert kept == [pair for pair in sent if pair != (b"x", b"")]
    assert request.auth == SECRET
    assert SECRET not in request.raw.to_bytes()


@often
@given(
    pairs=st.lists(st.tuples(names.filter(lambda name: not set(name) & set(b'\\"\r\n')), wild)),
    auth_name=auth_names,
    place=st.integers(0, 16),
)
@pytest.mark.slow
def test_every_part_of_a_multipart_body_is_in_raw_and_auth_is_not(
    pairs: list[tuple[bytes, bytes]], auth_name: bytes, place: int
) -> None:
    sent = [(name, value) for name, value in pairs if b"\n--cut" not in b"\n" + value]
    with_auth = [*sent[:place], (auth_name, SECRET), *sent[place:]]
    request = read_request(
        "POST", b"", b"multipart/form-data; boundary=cut", encode_parts(with_auth)
    )
    assert list(request.raw.pairs) == sent
    assert request.auth == SECRET
    assert SECRET not in read(request).raw


@often
@given(
    members=st.dictionaries(
        st.text(max_size=8).filter(
            lambda name: fold_name(name.encode("utf-8", "surrogatepass")) not in KNOWN
        ),
        st.text() | st.integers() | st.none() | st.booleans() | st.lists(st.text(max_size=3)),
        max_size=6,
    ),
    ascii_only=st.booleans(),
    indent=st.none() | st.integers(0, 2),
)
def test_every_member_of_a_json_body_is_in_raw_and_auth_is_not(
    members: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    body = json.dumps(
        {**members, "Auth": SECRET.decode()}, ensure_ascii=ascii_only, indent=indent
    ).encode("utf-8", "surrogatepass")
    request = read_request("POST", b"", b"application/json", body)
    kept = [
        (name.decode("utf-8", "surrogatepass"), value.decode("utf-8", "surrogatepass"))
        for name, value in request.raw.pairs
    ]
    assert [name for name, _ in kept] == list(members)
    for (_, text), value in zip(kept, members.values(), strict=True):
        expected = "" if value is None else value
        assert (text if isinstance(expected, str) else json.loads(text)) == expected
    assert request.auth == SECRET
    assert SECRET not in read(request).raw


@often
@given(name=st.text(max_size=6), text=st.text())
def test_text_in_utf_8_comes_through_without_a_problem(name: str, text: str) -> None:
    pairs = [(b"msg", text.encode()), (b"x-" + name.encode(), b"")]
    message = read(read_request("GET", encode_form(pairs), b"", b""))
    assert message.body == text.removeprefix("\ufeff").replace("\0", "\ufffd")
    assert ("control" in message.problems) == ("\0" in text + name)
    assert "charset" not in message.problems


@often
@given(method=st.text(max_size=6), query=wild, content_type=types, body=wild, hide=st.booleans())
def test_the_secret_that_opened_the_door_is_nowhere_in_what_is_kept(
    method: str, query: bytes, content_type: bytes, body: bytes, hide: bool
) -> None:
    secret = quote_from_bytes(SECRET, "").replace("-", "%2d").encode() if hide else SECRET
    pieces = [query, b"&auth=", SECRET, b"&x=", secret]
    request = read_request(method, b"".join(pieces), content_type + secret, body + secret)
    message = read(request.forget(SECRET))
    assert SECRET not in message.raw
    assert SECRET not in unquote_to_bytes(message.raw)
    assert SECRET.decode() not in json.dumps([*list_texts(message)])


# Works on bytes that are meant to take long: what each kind may cost is counted in pairs, and the
# time limit ends what grows with the square of its length.
@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param(b"", b"a&", id="names"),
        pytest.param(b"", b"=&", id="values"),
        pytest.param(b"", b"a=%26&", id="escaped separators"),
        pytest.param(b"", b"&msg=", id="known names"),
        pytest.param(b"", b"&auth=", id="auth again and again"),
        pytest.param(b"", b";id=", id="semicolons"),
        pytest.param(b"", b"x=%u20ACa", id="wide escapes"),
        pytest.param(b"", b"x=%e9%u20AC", id="wide escapes beside others"),
        pytest.param(b"text/plain", b"id=1\n", id="lines"),
        pytest.param(b"text/plain", b"\nid   ", id="lines with spaces"),
        pytest.param(b"application/x-www-form-urlencoded", b"%", id="escapes"),
        pytest.param(b"application/json", b'{"a":', id="nested objects"),
        pytest.param(b"application/json", b'{"a":[{', id="nested lists"),
        pytest.param(b"application/json", b'["auth":"\\"', id="unfinished auth members"),
        pytest.param(b"application/json", b'{"a" : 1 , ', id="members"),
        pytest.param(b"application/json", b'{"a":"\\u0041', id="JSON escapes"),
        pytest.param(b"application/json", b'{"a":"' + b" " * 999, id="spaces in what is cut off"),
        pytest.param(b"application/json", b'{"a":"\\', id="backslashes"),
        pytest.param(b"multipart/form-data; boundary=x", b"--x\r\n", id="parts"),
        pytest.param(b"multipart/form-data; boundary=x", b"--x\n;name=auth\r\n", id="auth parts"),
        pytest.param(b"multipart/form-data; boundary=" + b"-" * 9_000, b"-", id="long boundary"),
        pytest.param(b"", b"-- \t", id="a first line without an end"),
        pytest.param(b'multipart/form-data; boundary="' * 2_000, b"\r\n--", id="long header"),
        pytest.param(b"text/plain; charset=shift_jis", b"msg=\xed\xa0\x80", id="wide text"),
        pytest.param(b"application/json", b'"{\\"a', id="JSON in a string"),
        pytest.param(b"text/xml", b"<msg>", id="elements"),
        pytest.param(b"text/xml", b"<msg>&amp;</", id="closed elements"),
        pytest.param(b"text/xml", b"<![CDATA[", id="sections"),
        pytest.param(b"text/xml", b"<?xml encoding=", id="declarations"),
        pytest.param(b"", b"t", id="the secret's first letter"),
        pytest.param(b"text/plain", b"auth: ", id="auth in a text"),
        pytest.param(b"text/plain", b" auth => '", id="auth in a text and quotes"),
        pytest.param(b"text/plain", b"{auth" + b" " * 500, id="auth and spaces"),
        pytest.param(b"", b"\\", id="backslashes alone"),
        pytest.param(b"", b"%25", id="escaped escapes"),
        pytest.param(b"", b"&amp;", id="escaped separators of XML"),
        pytest.param(b"", b"\xff\xfe\0\xd8", id="UTF-16 that is none"),
    ],
)
@pytest.mark.slow
def test_the_largest_body_of_any_kind_is_read_in_good_time(
    content_type: bytes, body: bytes
) -> None:
    largest = (body * LARGEST)[:LARGEST]
    for _ in range(10):
        read_request("POST", b"", content_type, largest)
        request = read_request("POST", b"auth=" + SECRET, content_type, largest).forget(SECRET)
        message = read(request)
    assert len(request.raw.pairs) <= MAX_PAIRS + 20
    assert len(message.raw) < 10 * LARGEST
