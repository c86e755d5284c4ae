"""What a webhook is sent: the types of events, their ids, and the body around the object."""

import json
from datetime import UTC, datetime
from typing import Literal, get_args

from app.domain.ids import encode_id

WebhookType = Literal[
    "message.received",
    "message.handled",
    "outbound.status",
    "opt_out.changed",
    "alert.opened",
    "alert.closed",
]
TYPES: tuple[WebhookType, ...] = get_args(WebhookType)
TEST_TYPE = "webhook.test"

# What each kind of event in the feed is for webhooks. A text comes in and is handled in one event,
# because the feed has no earlier one: another would make every forward dearer.
_TYPES_OF: dict[str, tuple[WebhookType, ...]] = {
    "message": ("message.received", "message.handled"),
    "replay": ("message.handled",),
    "outbound": ("outbound.status",),
    "status": ("outbound.status",),
    "opt-out": ("opt_out.changed",),
    "alert": ("alert.opened",),
    "alert-closed": ("alert.closed",),
}


def find_types(kind: str) -> tuple[WebhookType, ...]:
    """The types that an event of this kind is sent as, in order."""
    return _TYPES_OF.get(kind, ())


def make_message_id(event_id: int, webhook_type: str) -> str:
    """The `webhook-id`: the same for every endpoint and however often it is sent."""
    return f"{encode_id('evt', event_id)}_{webhook_type.rpartition('.')[2]}"


def make_body(message_id: str, webhook_type: str, happened_at: datetime, data: str) -> str:
    """The body as JSON; `data` is JSON already."""
    head = {"id": message_id, "type": webhook_type, "timestamp": _format(happened_at)}
    return f'{json.dumps(head)[:-1]}, "data": {data}}}'


def _format(time: datetime) -> str:
    text = time.astimezone(UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"
