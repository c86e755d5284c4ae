"""Numbers, keys and the stored forms of a message."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.domain.inbound.messages import (
    PROBLEMS,
    InboundMessage,
    RawForward,
    digest_texts,
    make_dedupe_key,
    make_pair_key,
    sort_problems,
)
from app.domain.inbound.urlencoded import join_form
from tests.support.messages import make_message

NONCE = b"one arrival"


def make_key(
    *,
    provider_id: str | None = "17",
    source: str = "447700900123",
    dest: str = "447700900456",
    body: str = "Hello",
    received_raw: str | None = "2026-05-04 12:30:00",
    merge_fields: dict[str, str] | None = None,
    extra: dict[str, str] | None = None,
    nonce: bytes = NONCE,
) -> bytes:
    return make_dedupe_key(
        provider_id=provider_id,
        source=source,
        dest=dest,
        body=body,
        received_raw=received_raw,
        merge_fields=merge_fields or {},
        extra=extra or {},
        nonce=nonce,
    )


def test_problems_are_listed_once_in_their_order() -> None:
    assert sort_problems(["repeated", "charset", "no-id", "charset"]) == (
        "charset",
        "no-id",
        "repeated",
    )
    assert sort_problems(reversed(PROBLEMS)) == PROBLEMS
    assert sort_problems(set()) == ()


@settings(deadline=None)
@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_two_lists_of_parts_never_share_a_digest(one: list[str], other: list[str]) -> None:
    assert (digest_texts(*one) == digest_texts(*other)) == (one == other)


def test_moving_a_character_between_parts_changes_the_digest() -> None:
    assert digest_texts("ab", "c") != digest_texts("a", "bc")
    assert digest_texts("1:a", "") != digest_texts("1", ":a")


@pytest.mark.parametrize("field", ["provider_id", "source", "dest", "body"])
def test_with_an_id_another_field_makes_another_key(field: str) -> None:
    assert make_key(**{field: "other"}) != make_key()  # type: ignore[arg-type] # one str field


def test_with_an_id_neither_time_nor_extras_nor_arrival_make_another_key() -> None:
    redelivery = make_key(
        received_raw="2026-05-04 12:31:00", merge_fields={"name": "Ann"}, nonce=b"another"
    )
    assert redelivery == make_key()


def test_without_an_id_the_time_and_the_parameters_tell_texts_apart() -> None:
    plain = make_key(provider_id=None)
    assert plain == make_key(provider_id=None, nonce=b"another")
    assert plain == make_key(provider_id="")
    others = [
        make_key(provider_id=None, received_raw="2026-05-04 12:31:00"),
        make_key(provider_id=None, merge_fields={"name": "Ann"}),
        make_key(provider_id=None, extra={"name": "Ann"}),
        make_key(),
    ]
    assert len({plain, *others}) == 5


def test_without_id_and_time_each_arrival_is_its_own_text() -> None:
    one = make_key(provider_id=None, received_raw=None)
    assert one == make_key(provider_id=None, received_raw="")
    assert one != make_key(provider_id=None, received_raw=None, nonce=b"another")


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"provider_id": "1234567890"}, "33343536373839300f92884ad6baccb7dd5f4b4ceb9b51d9"),
        ({"provider_id": None}, "f697352ea0c2f9dc6ebd71784adbc809"),
        ({"provider_id": None, "received_raw": None}, "96f543344e230d824400f6e3c67fe15f"),
    ],
)
def test_a_key_is_the_same_in_every_release(fields: dict[str, str | None], key: str) -> None:
    assert make_key(extra={"a": "1"}, **fields).hex() == key  # type: ignore[arg-type] # optional


def test_the_order_of_parameters_does_not_change_the_key() -> None:
    one = make_key(provider_id=None, extra={"a": "1", "b": "2"})
    assert one == make_key(provider_id=None, extra={"b": "2", "a": "1"})


def test_a_conversation_has_a_direction() -> None:
    assert make_pair_key("447700900123", "447700900456") != make_pair_key(
        "447700900456", "447700900123"
    )


@settings(deadline=None)
@given(
    method=st.text(max_size=8),
    content_type=st.text(max_size=20),
    charset=st.none() | st.text(max_size=8),
    pairs=st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=20)), max_size=5),
)
def test_any_raw_forward_survives_its_stored_form(
    method: str, content_type: str, charset: str | None, pairs: list[tuple[bytes, bytes]]
) -> None:
    raw = RawForward(method, content_type, charset, join_form(pairs))
    assert raw.pairs == pairs
    odd = replace(raw, form=b"a\n" + raw.form, problems=("charset",))
    for each in (raw, odd):
        assert RawForward.from_bytes(each.to_bytes()) == each


@settings(deadline=None)
@given(
    body=st.text(),
    names=st.dictionaries(st.text(), st.text(), max_size=3),
    raw=st.binary(),
)
@example(body="half a character: \ud800", names={}, raw=b"")
def test_a_message_survives_its_spool_record(body: str, names: dict[str, str], raw: bytes) -> None:
    message = make_message(
        provider_id=None,
        received_raw=None,
        body=body,
        merge_fields={"name": body},
        extra=names,
        problems=("control", "no-id"),
        raw=raw,
    )
    record = message.to_record()
    assert InboundMessage.from_record(record) == replace(message, via="spool")
    assert b"\n" not in record


def test_a_record_of_an_earlier_release_is_read() -> None:
    message = make_message(1, body="Caf\u00e9", raw=b"caf\xe9 \x00")
    fields = json.loads(message.to_record())
    del fields["raw_base64"]
    old = json.dumps({**fields, "raw": message.raw.decode("latin-1")}).encode()
    assert InboundMessage.from_record(old) == replace(message, via="spool")


def test_a_record_is_not_many_times_longer_than_the_message() -> None:
    message = make_message(1, body="\u20ac" * 10_000, raw=b"\xff" * 60_000)
    assert len(message.to_record()) < 2 * (30_000 + 60_000)
