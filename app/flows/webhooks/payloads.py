"""Makes what endpoints are sent from what has changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.webhooks.payloads import find_types, make_body, make_message_id
from app.flows.operations.changes import Change, Note, Render, Subject
from app.storage.conversations.conversations import Conversation
from app.storage.inbound.search import Message
from app.storage.operations.alerts import Alert
from app.storage.outbound.texts import OutboundText


@dataclass(frozen=True, slots=True)
class Payload:
    """One event as one type. `number` is the one of ours that it concerns, if any; events with the
    same `order_key` are kept in order.
    """

    event_id: int
    message_id: str
    type: str
    happened_at: datetime
    number: str | None
    order_key: str
    body: str


def make_payloads(change: Change, render: Render) -> Sequence[Payload]:
    """One for each type that the change is sent as; none where no webhook hears of it."""
    if change.subject is None or change.happened_at is None:
        return ()
    made = []
    for each in find_types(change.kind):
        message_id = make_message_id(change.id, each)
        body = make_body(message_id, each, change.happened_at, change.write(render))
        number, key = _find_number(change.subject), _find_key(change.subject)
        made.append(Payload(change.id, message_id, each, change.happened_at, number, key, body))
    return made


def _find_number(subject: Subject) -> str | None:
    if isinstance(subject, Message):
        return subject.dest
    return subject.source if isinstance(subject, OutboundText) else None


def _find_key(subject: Subject) -> str:
    """The conversation; of what belongs to none, the thing itself."""
    if isinstance(subject, Message | OutboundText):
        if subject.conversation_id is not None:
            return f"conversation {subject.conversation_id}"
        return f"text {subject.id}"
    if isinstance(subject, Note | Conversation):
        return ""  # no webhook hears of them
    return f"{'alert' if isinstance(subject, Alert) else 'opt-out'} {subject.id}"
