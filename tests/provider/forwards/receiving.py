"""Forwards as these tests receive them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from app.domain.inbound.messages import InboundMessage, RawForward, Via
from app.provider.forwards.forwarding import parse, read_request

ARRIVED_AT = datetime(2026, 5, 4, 11, 30, 2, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
FORM = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=cut"
JSON = b"application/json"

# A whole forward, so that a case shows its own oddity and no other.
WHOLE = b"source=447700900123&dest=447700900456&id=17&receivedts=2026-05-04+12:30:00"


def receive(
    query: bytes = b"", *, content_type: bytes = b"", body: bytes = b"", nonce: bytes = b"arrival"
) -> InboundMessage:
    method = "POST" if body else "GET"
    request = read_request(method, query, content_type, body)
    return parse_here(request.raw, nonce=nonce)


def parse_here(
    raw: RawForward,
    fields: dict[str, str] | None = None,
    *,
    nonce: bytes = b"arrival",
    via: Via = "forward",
) -> InboundMessage:
    return parse(raw, fields, zone=LONDON, region="GB", arrived_at=ARRIVED_AT, nonce=nonce, via=via)


def assert_fields(message: InboundMessage, expected: Mapping[str, object]) -> None:
    assert {field: getattr(message, field) for field in expected} == expected
