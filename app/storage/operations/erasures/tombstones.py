"""Keyed digests of what was erased: late forwards and the provider's reports may name it again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, exists, or_, select, update

from app.domain.inbound.duplicates import TOLERANCE
from app.domain.inbound.messages import StoredMessage
from app.domain.inbound.reconciling import fold_body, pair_nearest
from app.storage.db.keyed_digests import make_keyed_digest
from app.storage.db.upserts import make_insert
from app.storage.tables.erasures import erasures, tombstones
from app.storage.tables.rules import opt_outs

# Nobody knows how far back the provider's reports reach; a year is the longest that is likely.
KEPT = timedelta(days=400)

# Whether there is anything to compare a text with: asked along with other things.
HAS_ERASED = or_(exists(select(tombstones.c.id)), exists(select(erasures.c.id)))


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An erased message: `identity` and `text` are digests; `via` is how it came."""

    id: int
    identity: bytes | None
    text: bytes | None
    via: str
    received_at: datetime


def has_digests(conn: Connection) -> bool:
    """Whether anything would be lost with the key."""
    erased = exists(select(opt_outs.c.id).where(opt_outs.c.number == ""))
    return bool(conn.execute(select(or_(HAS_ERASED, erased))).scalar())


def bury_messages(
    conn: Connection, found: Iterable[tuple[bytes, StoredMessage]], now: datetime
) -> None:
    """Keep digests of messages that are about to be removed, given with their dedupe keys."""
    rows = [
        {
            "kind": "message",
            "digest": make_keyed_digest(conn, "dedupe", key),
            "identity_digest": _digest_identity(conn, *_name(message)),
            "text_digest": _digest_text(conn, message.dest, message.source, message.body),
            "via": message.via,
            "received_at": message.received_at,
            "created_at": now,
        }
        for key, message in found
    ]
    _add(conn, rows)


def bury_sent(conn: Connection, provider_ids: Iterable[str], now: datetime) -> None:
    """Keep digests of the provider's ids of texts that are about to be removed."""
    _add(
        conn,
        [
            {"kind": "sent", "digest": make_keyed_digest(conn, "sent", each), "created_at": now}
            for each in sorted(set(provider_ids))
        ],
    )


def find_buried_ids(conn: Connection, provider_ids: Iterable[str]) -> set[str]:
    """Those of the provider's ids that belong to a text that was erased."""
    digests = {make_keyed_digest(conn, "sent", each): each for each in provider_ids}
    table = tombstones.c
    query = select(table.digest).where(table.kind == "sent", table.digest.in_(_known(digests)))
    return {digests[each] for each in conn.execute(query).scalars()}


def take_returned(conn: Connection, batch: Sequence[tuple[bytes, StoredMessage]]) -> list[int]:
    """The ids of messages, given with their dedupe keys, that are erased ones come again.

    A forward of a text that the report had brought has another key: it is known by the provider's
    id, or by its text and time. An erased text has one such forward, which is known by its own key
    if it comes once more; the same words from the same sender are another text.
    """
    keys = {make_keyed_digest(conn, "dedupe", key): message.id for key, message in batch}
    table = tombstones.c
    same = select(table.digest).where(table.kind == "message", table.digest.in_(_known(keys)))
    found = {keys[each] for each in conn.execute(same).scalars()}
    left = {message.id: (key, message) for key, message in batch if message.id not in found}
    forwards = _match_forwards(conn, [message for _, message in left.values()])
    if forwards:
        used = table.id.in_(forwards.values())
        conn.execute(update(tombstones).where(used).values(via="forward"))
        for message_id in forwards:
            key, message = left[message_id]
            digest = make_keyed_digest(conn, "dedupe", key)
            row = {"kind": "message", "digest": digest, "created_at": message.arrived_at}
            _add(conn, [row])
    return sorted(found | forwards.keys())


def _match_forwards(conn: Connection, forwards: Sequence[StoredMessage]) -> dict[int, int]:
    """Forward → tombstone of a text that the report had brought, one to one."""
    names = {each.id: _digest_identity(conn, *_name(each)) for each in forwards}
    texts = {each.id: _digest_text(conn, each.dest, each.source, each.body) for each in forwards}
    buried = find_buried(conn, names.values(), texts.values())
    return pair_nearest(
        ((not has_same_id, distance), message.id, stone.id)
        for message in forwards
        for stone in buried
        if stone.via == "report"
        and (distance := abs(stone.received_at - message.received_at)) <= TOLERANCE
        and (
            (has_same_id := stone.identity is not None and stone.identity == names[message.id])
            or stone.text == texts[message.id]
        )
    )


def find_buried(
    conn: Connection, identities: Iterable[bytes | None], texts: Iterable[bytes | None]
) -> list[Tombstone]:
    """Erased messages with one of these digests."""
    table = tombstones.c
    query = select(table.id, table.identity_digest, table.text_digest, table.via, table.received_at)
    alike = or_(table.identity_digest.in_(_known(identities)), table.text_digest.in_(_known(texts)))
    found = conn.execute(query.where(table.kind == "message", alike).order_by(table.id))
    return [Tombstone(*row) for row in found]


def digest_reported(
    conn: Connection, dest: str, source: str, provider_id: str, body: str
) -> tuple[bytes | None, bytes | None]:
    """The two digests by which a row of the report is compared with erased messages."""
    identity = _digest_identity(conn, dest, source, provider_id)
    return identity, _digest_text(conn, dest, source, body)


def forget_old_tombstones(conn: Connection, now: datetime, *, limit: int) -> int:
    """Remove those older than KEPT, `limit` at most; returns how many went."""
    table = tombstones.c
    old = select(table.id).where(table.created_at < now - KEPT).order_by(table.created_at)
    return conn.execute(delete(tombstones).where(table.id.in_(old.limit(limit)))).rowcount


def _add(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows and rows[0]["digest"] is not None:
        conn.execute(make_insert(conn, tombstones).on_conflict_do_nothing(), rows)


def _name(message: StoredMessage) -> tuple[str, str, str]:
    return message.dest, message.source, message.provider_id or ""


def _digest_identity(conn: Connection, dest: str, source: str, provider_id: str) -> bytes | None:
    if not provider_id:
        return None
    return make_keyed_digest(conn, "identity", dest, source, provider_id)


def _digest_text(conn: Connection, dest: str, source: str, body: str) -> bytes | None:
    return make_keyed_digest(conn, "text", dest, source, fold_body(body))


def _known(digests: Iterable[bytes | None]) -> list[bytes]:
    return [each for each in digests if each is not None]
