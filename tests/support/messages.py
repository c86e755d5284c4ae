"""Makes messages for tests."""

from dataclasses import replace
from typing import Any

from app.domain.inbound.messages import InboundMessage, StoredMessage
from tests.conftest import NOW


def make_message(number: int = 1, **changes: Any) -> InboundMessage:
    """A message that differs from those of other numbers in key, id and body."""
    message = InboundMessage(
        dedupe_key=number.to_bytes(32, "big"),
        provider_id=str(number),
        source="447700900001",
        dest="447700900100",
        body=f"text {number}",
        received_at=NOW,
        received_raw="2026-06-01 13:00:00",
        arrived_at=NOW,
        via="forward",
        merge_fields={"name": "Anna"},
        extra={},
        problems=(),
        raw=b'["GET", "", null, []]',
    )
    return replace(message, **changes)


def make_stored(body: str = "Hello", **changes: Any) -> StoredMessage:
    """A stored message that nobody has read, without an id of the provider."""
    fields: dict[str, Any] = {
        "id": 1,
        "provider_id": None,
        "source": "447700900123",
        "dest": "447700900100",
        "received_at": NOW,
        "arrived_at": NOW,
        "via": "forward",
        "merge_fields": {},
        "problems": "",
        "read_at": None,
    }
    return StoredMessage(body=body, **fields | changes)
