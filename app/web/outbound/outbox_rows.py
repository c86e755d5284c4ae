"""What the rows of the outbox show besides their texts: names, authors, rules and batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.storage.conversations.people import name_numbers
from app.storage.conversations.threads import list_authors
from app.storage.db.database import Connection
from app.storage.outbound.batches import count_texts, get_batches, sort_counts
from app.storage.outbound.texts import OutboundText
from app.storage.rules.rules import read_rules
from app.web.outbound.batches import BatchView


@dataclass(frozen=True, slots=True)
class Beside:
    """`names` by number, `authors` by text, `rules` and `batches` by id."""

    names: Mapping[str, str]
    authors: Mapping[int, str]
    rules: Mapping[int, str]
    batches: Mapping[int, BatchView]


def read_beside(conn: Connection, texts: Sequence[OutboundText]) -> Beside:
    """For the texts of a page."""
    by_hand = [text.id for text in texts if text.origin == "person"]
    has_rules = any(text.rule_id is not None for text in texts)
    found = get_batches(conn, list({text.batch_id for text in texts if text.batch_id}))
    counts = count_texts(conn, list(found.values()))
    return Beside(
        name_numbers(conn, [text.to for text in texts if text.to]),
        list_authors(conn, by_hand),
        {rule.id: rule.name for rule in read_rules(conn)} if has_rules else {},
        {key: BatchView(batch, sort_counts(counts[key])) for key, batch in found.items()},
    )
