"""A forward read again: the raw parameters that are kept, and which forwards are the same text."""

from app.domain.inbound.messages import RawForward
from app.provider.forwards.forwarding import read_request
from tests.provider.forwards.receiving import (
    FORM,
    JSON,
    WHOLE,
    parse_here,
    receive,
)


def test_what_was_odd_on_the_wire_is_told_by_a_replay_too() -> None:
    body = (WHOLE + b"&msg=Hi").decode().encode("utf-16")
    first = receive(content_type=FORM, body=body)
    assert (first.body, first.problems) == ("Hi", ("charset",))
    raw = RawForward.from_bytes(first.raw)
    assert raw.problems == ("charset",)
    assert parse_here(raw) == first


def test_what_was_stored_before_is_read_by_the_same_rules() -> None:
    head = b'["POST", "text/plain; charset=ISO-8859-1", "ISO-8859-1"]\n'
    raw = RawForward.from_bytes(head + WHOLE + b"&msg=caf%C3%A9+%E2%82%AC5")
    message = parse_here(raw)
    assert (message.body, message.problems) == ("café €5", ("charset",))
    assert message.raw == raw.to_bytes()


def test_json_keeps_what_the_fields_cannot_hold() -> None:
    body = b'{"source":"ACME","msg":"a\\ud800b\\u0000 caf\xe9","MSG":null,"x":{"y": [1, "z"]}} more'
    message = receive(content_type=JSON, body=body)
    assert (message.source, message.extra) == ("ACME", {"x": '{"y":[1,"z"]}', "body": " more"})
    assert message.problems == (
        "charset", "control", "time", "no-id", "no-dest", "repeated",
    )  # fmt: skip
    assert (
        receive(content_type=JSON, body=body.replace(b"\xe9", b"e")).body == "a\ufffdb\ufffd cafe"
    )


def test_raw_keeps_what_came_and_in_its_order() -> None:
    request = read_request("POST", b"b=%00%E9&a=1", FORM + b"; charset=x", b"A=2&%ff=+")
    assert request.raw == RawForward(
        "POST",
        "application/x-www-form-urlencoded; charset=x",
        "x",
        b"b=%00%E9&a=1&A=2&%FF=%20",
    )


def test_a_replay_from_the_stored_raw_gives_the_same_message() -> None:
    body = WHOLE + b"&msg=caf%E9&x=%80"
    first = receive(content_type=FORM + b"; charset=ISO-8859-15", body=body)
    raw = RawForward.from_bytes(first.raw)
    assert parse_here(raw) == first
    again = parse_here(raw, nonce=b"another", via="report")
    assert (again.dedupe_key, again.via) == (first.dedupe_key, "report")


def test_a_redelivery_in_another_form_is_the_same_text() -> None:
    by_query = receive(WHOLE + b"&msg=Hi&MM1=x")
    by_body = receive(content_type=FORM, body=b"ID=17&msg=Hi&dest=%2B447700900456&auth=secret"
        b"&source=00447700900123")  # fmt: skip
    assert by_query.dedupe_key == by_body.dedupe_key
    assert by_query.dedupe_key != receive(WHOLE + b"&msg=Ho").dedupe_key


def test_only_the_nonce_tells_texts_apart_without_id_and_time() -> None:
    anonymous = b"source=ACME&dest=60777&msg=Hi"
    assert receive(anonymous).dedupe_key != receive(anonymous, nonce=b"another").dedupe_key
    timed = anonymous + b"&receivedts=2026-05-04+12:30:00"
    assert receive(timed).dedupe_key == receive(timed, nonce=b"another").dedupe_key
