"""Which rows belong to a number, rather than only speak of it."""

from sqlalchemy import ColumnElement, Table, Text, cast, false, or_, select

from app.domain.inbound.messages import make_number_key
from app.storage.tables.access import audit
from app.storage.tables.batches import batch_rows, batches
from app.storage.tables.conversations import conversation_notes, conversations, drafts, people
from app.storage.tables.inbound import message_index, messages, number_last_seen
from app.storage.tables.operations import daily_counts
from app.storage.tables.outbound import outbound, provider_messages, send_attempts, status_changes
from app.storage.tables.rules import opt_outs
from app.storage.tables.webhooks import webhook_deliveries


def has_own(table: Table) -> bool:
    """Whether rows can belong to a number, rather than only speak of it."""
    return table.name in _list_own("")


def is_own(table: Table, number: str) -> ColumnElement[bool]:
    """Whether a row belongs to that number (in normal form): it is its text, person or history."""
    return _list_own(number).get(table.name, false())


def _list_own(number: str) -> dict[str, ColumnElement[bool]]:
    key = make_number_key(number)
    index, text, talk = message_index.c, outbound.c, conversations.c
    indexed = select(index.message_id).where((index.source_key == key) | (index.dest_key == key))
    unhandled = messages.c.handled_at.is_(None) & (
        (messages.c.source == number) | (messages.c.dest == number)
    )
    got = select(provider_messages.c.outbound_id).where(provider_messages.c.destination == number)
    is_text = (text.to_key == key) | (text.source_key == key)
    texts = select(text.id).where(is_text)
    is_talk = (talk.source_key == key) | (talk.dest_key == key)
    talks = select(talk.id).where(is_talk)
    rows = batch_rows.c
    is_row = (rows.number == number) | rows.outbound_id.in_(texts)
    of_texts = select(text.batch_id).where(is_text, text.batch_id.is_not(None))
    own_batches = of_texts.union(select(rows.batch_id).where(rows.number == number))
    named = {"outbound": texts, "message": indexed, "conversation": talks}
    ids = [
        audit.c.action.startswith(f"{subject}.")
        & audit.c.subject.in_(select(cast(some.subquery().c[0], Text)))
        for subject, some in named.items()
    ]
    return {
        "messages": messages.c.id.in_(indexed) | unhandled,
        "outbound": is_text | text.id.in_(got),
        "provider_messages": (provider_messages.c.destination == number)
        | provider_messages.c.outbound_id.in_(texts),
        "send_attempts": send_attempts.c.outbound_id.in_(texts),
        "status_changes": status_changes.c.outbound_id.in_(texts),
        "batches": batches.c.id.in_(own_batches),
        "batch_rows": is_row,
        "conversations": is_talk,
        "conversation_notes": conversation_notes.c.conversation_id.in_(talks),
        "drafts": drafts.c.conversation_id.in_(talks),
        "people": people.c.number_key == key,
        "opt_outs": opt_outs.c.number_key == key,
        # Our JSON, in which a text that only speaks of the number has more between the quotes.
        "webhook_deliveries": webhook_deliveries.c.body.contains(f'"{number}"', autoescape=True),
        "daily_counts": daily_counts.c.number_key == key,
        "number_last_seen": number_last_seen.c.dest_key == key,
        "audit": or_(*ids),
    }
