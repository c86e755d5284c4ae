"""What becomes of the provider's forward, in every form that it might come in."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

import pytest

from app.domain.inbound.messages import InboundMessage
from app.provider.forwards.forwarding import read_request
from tests.provider.forwards.receiving import (
    ARRIVED_AT,
    FORM,
    JSON,
    MULTIPART,
    WHOLE,
    assert_fields,
    parse_here,
    receive,
)


def test_an_ordinary_forward_fills_every_field() -> None:
    request = read_request(
        "GET",
        b"source=447700900123&dest=447700900456&msg=Hello+there%2C+%C2%A35%21&id=17"
        b"&receivedts=2026-05-04%2012%3A30%3A00&auth=secret&MMName=Ann&MMEmail=ann%40example.org"
        b"&MM1=a&MM2=b&MM3=c&MM4=d&MM5=e",
        b"",
        b"",
    )
    message = parse_here(request.raw, request.fields)
    assert request.auth == b"secret"
    assert len(message.dedupe_key) == len("17") + 16
    assert message == InboundMessage(
        dedupe_key=message.dedupe_key,
        provider_id="17",
        source="447700900123",
        dest="447700900456",
        body="Hello there, £5!",
        received_at=datetime(2026, 5, 4, 11, 30, tzinfo=UTC),
        received_raw="2026-05-04 12:30:00",
        arrived_at=ARRIVED_AT,
        via="forward",
        merge_fields={
            "name": "Ann",
            "email": "ann@example.org",
            "1": "a",
            "2": "b",
            "3": "c",
            "4": "d",
            "5": "e",
        },
        extra={},
        problems=(),
        raw=request.raw.to_bytes(),
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(b"SOURCE=ACME&Dest=60777&mSg=Hi&ID=9&ReceivedTS=2026-01-04+12:30:00&mm1=x",
            {"source": "ACME", "dest": "60777", "body": "Hi", "provider_id": "9",
             "merge_fields": {"1": "x"}, "extra": {}, "problems": ()}, id="names in any case"),
        pytest.param(WHOLE + b"&msg=Hi&Operator=X&keyword=",
            {"extra": {"Operator": "X", "keyword": ""}, "problems": ()}, id="unknown names"),
        pytest.param(WHOLE + b"&msg=one&Msg=two",
            {"body": "one", "problems": ("repeated",)}, id="a known name twice"),
        pytest.param(WHOLE + b"&msg=Hi&mm1=a&MM1=b",
            {"merge_fields": {"1": "a"}, "problems": ("repeated",)}, id="a merge field twice"),
        pytest.param(WHOLE + b"&msg=Hi&net=a&Net=b",
            {"extra": {"net": "a"}, "problems": ("repeated",)}, id="an unknown name twice"),
        pytest.param(WHOLE + b"&msg=Hi&1=x&name=y",
            {"merge_fields": {}, "extra": {"1": "x", "name": "y"}, "problems": ()},
            id="our own names for merge fields mean nothing"),
        pytest.param(WHOLE + b"&msg=", {"body": "", "problems": ()}, id="an empty text"),
        pytest.param(WHOLE, {"body": "", "problems": ("no-msg",)}, id="no text"),
        pytest.param(b"msg=Hi",
            {"source": "", "dest": "", "provider_id": None, "received_raw": None,
             "received_at": ARRIVED_AT, "problems": ("time", "no-id", "no-source", "no-dest")},
            id="nothing but a text"),
        pytest.param(b"msg=Hi&id=&source=&dest=+&receivedts=",
            {"source": "", "dest": "", "provider_id": None, "received_raw": "",
             "received_at": ARRIVED_AT, "problems": ("time", "no-id", "no-source", "no-dest")},
            id="empty is as good as missing"),
        pytest.param(b"", {"body": "", "extra": {}, "problems":
            ("time", "no-id", "no-source", "no-dest", "no-msg")}, id="nothing at all"),
        pytest.param(WHOLE + b"&msg=a%3Db%26c%3dd;e=f", {"body": "a=b&c=d;e=f", "extra": {}},
            id="escaped separators, a semicolon and a further equals sign belong to the text"),
        pytest.param(WHOLE + b"&msg=100%&x=%zz%4", {"body": "100%", "extra": {"x": "%zz%4"}},
            id="broken escapes stay"),
        pytest.param(WHOLE + b"&msg=%2541%2526", {"body": "%41%26"}, id="unescaped only once"),
        pytest.param(WHOLE + b"&msg=1%2B1+%2B2", {"body": "1+1 +2"}, id="plus is a space"),
        pytest.param(WHOLE + b"&msg=a%0D%0Ab", {"body": "a\r\nb"}, id="line breaks"),
        pytest.param(WHOLE + b"&&msg=Hi&&", {"body": "Hi", "extra": {}, "problems": ()},
            id="empty pieces are nothing"),
        pytest.param(WHOLE + b"&msg=Hi&x=&flag&=v",
            {"extra": {"x": "", "flag": "", "": "v"}, "problems": ()},
            id="a name alone and a value alone"),
        pytest.param(b"source=%2B44+7700+900123&dest=00447700900456&msg=Hi",
            {"source": "447700900123", "dest": "447700900456"}, id="numbers become digits"),
        pytest.param(b"source=+447700900123&dest=07700900456&msg=Hi",
            {"source": "447700900123", "dest": "447700900456"}, id="a plus lost on the way"),
    ],
)  # fmt: skip
def test_a_query_becomes_fields(query: bytes, expected: Mapping[str, object]) -> None:
    assert_fields(receive(query), expected)


@pytest.mark.parametrize(
    ("declared", "msg", "body", "problems"),
    [
        pytest.param(b"", b"caf%C3%A9", "café", (), id="UTF-8"),
        pytest.param(b"", b"caf%E9 %80", "café €", ("charset",), id="Windows-1252"),
        pytest.param(b"; charset=ISO-8859-15", b"%A4", "€", (), id="the declared charset"),
        pytest.param(b"; charset=no-such", b"caf%C3%A9", "café", (), id="an unknown charset"),
        pytest.param(b"", b"%00%E9", "\ufffdé", ("charset", "control"), id="NUL and more"),
    ],
)
def test_the_bytes_of_a_form_become_text(
    declared: bytes, msg: bytes, body: str, problems: tuple[str, ...]
) -> None:
    message = receive(content_type=FORM + declared, body=WHOLE + b"&msg=" + msg)
    assert (message.body, message.problems) == (body, problems)


def test_a_charset_declared_without_a_body_is_that_of_the_query() -> None:
    message = receive(WHOLE + b"&msg=%A4", content_type=FORM + b"; charset=ISO-8859-15")
    assert (message.body, message.problems) == ("€", ())


@pytest.mark.parametrize(
    ("charset", "msg", "body"),
    [
        pytest.param("utf-16be", b"%4F%60%59%7D", "O`Y}", id="UTF-16"),
        pytest.param("iso-2022-jp", b"%1B%24B%242%1B%28B", "\x1b$B$2\x1b(B", id="escapes"),
        pytest.param("utf-7", b"caf%2BAOk-", "caf+AOk-", id="UTF-7"),
        pytest.param("cp037", b"Hi", "Hi", id="EBCDIC"),
    ],
)
def test_a_declared_charset_that_is_not_used_is_flagged(
    charset: str, msg: bytes, body: str
) -> None:
    """The bytes may be ASCII and mean something else in it."""
    declared = b"; charset=" + charset.encode()
    value = unquote_to_bytes(msg)
    head = b'--cut\r\nContent-Disposition: form-data; name="msg"\r\nContent-Type: text/plain'
    for message in (
        receive(content_type=FORM + declared, body=WHOLE + b"&msg=" + msg),
        receive(WHOLE + b"&msg=" + msg, content_type=FORM + declared),
        receive(WHOLE + b"&_charset_=" + charset.encode() + b"&msg=" + msg),
        receive(
            WHOLE,
            content_type=MULTIPART,
            body=head + declared + b"\r\n\r\n" + value + b"\r\n--cut--",
        ),
    ):
        assert (message.body, message.problems) == (body, ("charset",))


def test_names_are_decoded_as_values_are() -> None:
    message = receive(WHOLE + b"&msg=Hi&caf%E9=1&a%00=2")
    assert message.extra == {"café": "1", "a\ufffd": "2"}
    assert message.problems == ("charset", "control")


def test_names_that_become_the_same_text_are_repeated() -> None:
    message = receive(WHOLE + b"&msg=Hi&a%00=1&a%EF%BF%BD=2")
    assert message.extra == {"a\ufffd": "1"}
    assert message.problems == ("control", "repeated")


@pytest.mark.parametrize(
    ("text", "received_at", "problems"),
    [
        pytest.param("2026-05-04 12:30:00", "2026-05-04T11:30:00Z", (), id="summer"),
        pytest.param("2026-03-29 01:30:00", "2026-03-29T01:30:00Z", ("time",), id="skipped hour"),
        pytest.param(
            "2026-10-25 01:30:00", "2026-10-25T00:30:00Z", ("time-ambiguous",), id="repeated hour"
        ),
        pytest.param("soon", ARRIVED_AT.isoformat(), ("time",), id="unreadable"),
        pytest.param("9999-12-31 23:59:59", ARRIVED_AT.isoformat(), ("time",), id="too far"),
    ],
)
def test_the_time_is_read_in_the_zone_of_the_provider(
    text: str, received_at: str, problems: tuple[str, ...]
) -> None:
    message = receive(f"source=ACME&dest=60777&id=1&msg=Hi&receivedts={text}".encode())
    assert message.received_at == datetime.fromisoformat(received_at)
    assert message.received_raw == text
    assert message.problems == problems


PARAMETERS = {
    "source": "447700900123",
    "dest": "447700900456",
    "msg": "café & co = 1+1\n",
    "id": "17",
    "receivedts": "2026-05-04 12:30:00",
    "MMName": "Ann",
    "operator": "X",
    "auth": "secret",
}
AS_FORM = (
    b"source=447700900123&dest=447700900456&msg=caf%C3%A9+%26+co+%3D+1%2B1%0A&id=17"
    b"&receivedts=2026-05-04+12%3A30%3A00&MMName=Ann&operator=X&auth=secret"
)
AS_PARTS = (
    "".join(
        f'--cut\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in PARAMETERS.items()
    ).encode()
    + b"--cut--\r\n"
)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param(FORM, AS_FORM, id="form"),
        pytest.param(FORM.upper() + b" ; charset=UTF-8", AS_FORM, id="form with charset"),
        pytest.param(FORM, b"\xef\xbb\xbf" + AS_FORM + b"\r\n", id="form with mark and line break"),
        pytest.param(b"", AS_FORM, id="form without a type"),
        pytest.param(b"text/plain", AS_FORM, id="form as plain text"),
        pytest.param(b"application/octet-stream", AS_FORM, id="form as bytes"),
        pytest.param(JSON, AS_FORM, id="form called JSON"),
        pytest.param(MULTIPART, AS_FORM, id="form called multipart"),
        pytest.param(JSON, json.dumps(PARAMETERS).encode(), id="JSON, escaped"),
        pytest.param(JSON, json.dumps(PARAMETERS, ensure_ascii=False).encode(), id="JSON, UTF-8"),
        pytest.param(JSON, b"\xef\xbb\xbf" + json.dumps(PARAMETERS, indent=1).encode(),
            id="JSON with mark and indent"),
        pytest.param(JSON + b"; charset=ISO-8859-1",
            json.dumps(PARAMETERS, ensure_ascii=False).encode("latin-1"), id="JSON in Latin-1"),
        pytest.param(b"", json.dumps(PARAMETERS).encode(), id="JSON without a type"),
        pytest.param(FORM, json.dumps(PARAMETERS).encode(), id="JSON called a form"),
        pytest.param(MULTIPART, AS_PARTS, id="multipart"),
        pytest.param(b'multipart/form-data; boundary="cut"', AS_PARTS, id="multipart, quoted"),
        pytest.param(b"multipart/form-data", AS_PARTS, id="multipart without boundary"),
        pytest.param(b"", AS_PARTS, id="multipart without a type"),
        pytest.param(b"multipart/form-data; boundary=other", AS_PARTS, id="another boundary"),
        pytest.param(MULTIPART, AS_PARTS.removesuffix(b"\r\n--cut--\r\n"), id="multipart, no end"),
        pytest.param(MULTIPART, AS_PARTS.replace(b"\r\n", b"\n"), id="multipart, bare newlines"),
    ],
)  # fmt: skip
def test_every_kind_of_body_gives_the_same_message(content_type: bytes, body: bytes) -> None:
    request = read_request("POST", b"", content_type, body)
    message = parse_here(request.raw, request.fields)
    assert request.auth == b"secret"
    assert b"secret" not in message.raw
    assert_fields(
        message,
        {
            "source": "447700900123",
            "dest": "447700900456",
            "body": "café & co = 1+1\n",
            "provider_id": "17",
            "received_raw": "2026-05-04 12:30:00",
            "merge_fields": {"name": "Ann"},
            "extra": {"operator": "X"},
            "problems": (),
        },
    )


@pytest.mark.parametrize("content_type", [FORM, FORM + b"; charset=UTF-8", b"", b"text/plain"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r\n\r\n", b"\0", b"\r\n\0"])
def test_a_line_break_after_a_form_belongs_to_nothing(content_type: bytes, end: bytes) -> None:
    request = read_request("POST", b"", content_type, AS_FORM + end)
    assert request.auth == b"secret"
    message = parse_here(request.raw, request.fields)
    assert (message.body, message.problems) == ("café & co = 1+1\n", ())
    assert message.dedupe_key == receive(content_type=FORM, body=AS_FORM).dedupe_key


def test_the_query_of_a_post_comes_before_its_body() -> None:
    request = read_request("POST", b"msg=query&auth=one", FORM, b"msg=body&auth=two&id=17")
    message = parse_here(request.raw, request.fields)
    assert (request.auth, message.body, message.provider_id) == (b"one", "query", "17")
    assert "repeated" in message.problems
    assert request.raw.pairs == [(b"msg", b"query"), (b"msg", b"body"), (b"id", b"17")]
