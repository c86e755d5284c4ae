"""Lists of outgoing texts, by filters that each have an index."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from app.domain.ids import LAST_ID
from app.domain.inbound.messages import digest_texts, make_number_key
from app.domain.inbound.queries import has_words
from app.domain.outbound.states import IN_FLIGHT, WAITING
from app.storage.outbound.outbox import find_settled_end
from app.storage.outbound.text_search import find_by_words
from app.storage.outbound.texts import OutboundText, make_texts
from app.storage.tables.conversations import conversations
from app.storage.tables.outbound import outbound, status_changes

# A request reads at most this many texts; the next one continues from there.
WALK_ROWS = 5_000
# A request to many numbers is queued in one transaction, which ends long before that.
SKEW = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A condition on a row of the outbox, or of an alias of it.
Condition = Callable[[FromClause], ColumnElement[bool]]
# Where a list continues: when the last text shown was created, and its id.
Place = tuple[datetime, int]


# Few texts are in these statuses at any time.
_RARE = frozenset({*WAITING, *IN_FLIGHT})


@dataclass(frozen=True, slots=True)
class OutboundFilter:
    """All conditions must hold. `since` (inclusive) and `until` (exclusive) are of `created_at`.

    `statuses` are alternatives; none means any. `updated_since` is of any change of status. `words`
    are folded, and each must be part of the body. `dest` is our number in whose conversation the
    text is shown, whatever sender it names. `batches_as_one`: only the first text of each batch.
    """

    statuses: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    dest: str | None = None
    to: str | None = None
    source: str | None = None
    reference: str | None = None
    in_reply_to: int | None = None
    rule_id: int | None = None
    batch_id: int | None = None
    batches_as_one: bool = False
    since: datetime | None = None
    until: datetime | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutboundPage:
    """`next` is what the next page's `before` is; None at the end."""

    texts: list[OutboundText]
    next: Place | None


@dataclass(frozen=True, slots=True)
class OutboundFeedPage:
    """`next` is what the next page's `after` is, never None."""

    texts: list[OutboundText]
    next: int


def list_outbound(
    conn: Connection, wanted: OutboundFilter, *, before: Place | None, limit: int
) -> OutboundPage:
    """Newest first. A page may be short or empty while `next` is not None, because only the most
    selective of several conditions uses an index.
    """
    indexed, others = _split_conditions(conn, wanted)
    is_narrow = wanted.to or wanted.reference or wanted.in_reply_to is not None
    if wanted.words and not is_narrow:
        return _search(conn, wanted, indexed + others, before, limit)
    driver, rest = indexed[:1], indexed[1:] + others
    place = (outbound.c.created_at, outbound.c.id)
    candidates = (
        select(outbound)
        .where(*(condition(outbound) for condition in driver), *_list_bounds(wanted, before))
        .order_by(*(column.desc() for column in place))
    )
    if not rest and not wanted.words:
        return _make_page(conn, conn.execute(candidates.limit(limit + 1)).all(), limit)
    walked = candidates.limit(WALK_ROWS).subquery()
    query = (
        select(walked)
        .where(*(condition(walked) for condition in rest))
        .order_by(walked.c.created_at.desc(), walked.c.id.desc())
    )
    if not wanted.words:
        query = query.limit(limit + 1)
    rows = [row for row in conn.execute(query).all() if has_words(row.body, wanted.words)]
    page = _make_page(conn, rows[: limit + 1], limit)
    if page.next is not None:
        return page
    cut = candidates.with_only_columns(*place).offset(WALK_ROWS - 1).limit(1)
    last = conn.execute(cut).first()
    return OutboundPage(page.texts, None if last is None else (last.created_at, last.id))


def _search(
    conn: Connection,
    wanted: OutboundFilter,
    conditions: Sequence[Condition],
    before: Place | None,
    limit: int,
) -> OutboundPage:
    """By words, in the order of ids; the time in a place is only for show."""
    low, top = _find_span(conn, wanted)
    fits = [condition(outbound) for condition in conditions] + _list_bounds(wanted, None)
    ids, following = find_by_words(
        conn,
        wanted.words,
        fits,
        top=top if before is None else min(top, before[1]),
        low=low,
        limit=limit,
    )
    rows = conn.execute(select(outbound).where(outbound.c.id.in_(ids))).all() if ids else []
    texts = make_texts(conn, sorted(rows, key=lambda row: -row.id))
    return OutboundPage(texts, None if following is None else (_EPOCH, following))


def _find_span(conn: Connection, wanted: OutboundFilter) -> tuple[int, int]:
    """Bounds [low, high) of the ids of texts that may have been created then.

    Ids are taken when a text is queued, which is less than SKEW after its `created_at`.
    """
    table, low, high = outbound.c, None, None
    query = select(table.id).limit(1)
    if wanted.since is not None:
        earlier = query.where(table.created_at < wanted.since - SKEW)
        low = conn.execute(earlier.order_by(table.created_at.desc(), table.id.desc())).scalar()
    if wanted.until is not None:
        later = query.where(table.created_at >= wanted.until + SKEW)
        high = conn.execute(later.order_by(table.created_at, table.id)).scalar()
    return (low or 0) + 1, high or LAST_ID


def feed_outbound(
    conn: Connection, wanted: OutboundFilter, *, after: int, limit: int
) -> OutboundFeedPage:
    """Oldest first: whoever follows `next` sees each text once, whatever commits meanwhile."""
    end = find_settled_end(conn)
    table = outbound.c
    span = select(outbound).where(table.id > after, table.id <= end).order_by(table.id)
    walked = span.limit(WALK_ROWS).subquery()
    indexed, others = _split_conditions(conn, wanted)
    conditions = [condition(walked) for condition in indexed + others]
    if wanted.since is not None:
        conditions.append(walked.c.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(walked.c.created_at < wanted.until)
    query = select(walked).where(*conditions).order_by(walked.c.id)
    if not wanted.words:
        query = query.limit(limit)
    found = conn.execute(query).all()
    rows = list(islice((row for row in found if has_words(row.body, wanted.words)), limit))
    if len(rows) == limit:
        return OutboundFeedPage(make_texts(conn, rows), rows[-1].id)
    last = conn.execute(select(func.max(walked.c.id))).scalar()
    return OutboundFeedPage(make_texts(conn, rows), last or after)


def _split_conditions(
    conn: Connection, wanted: OutboundFilter
) -> tuple[list[Condition], list[Condition]]:
    """Those with an index of their own, the most selective first; and the others."""
    reference_key = None if wanted.reference is None else digest_texts(wanted.reference)
    indexed = [
        _equals("in_reply_to", wanted.in_reply_to),
        _equals("reference_key", reference_key),
        _equals("batch_id", wanted.batch_id),
        _equals("to_key", None if wanted.to is None else make_number_key(wanted.to)),
        _equals("rule_id", wanted.rule_id),
        _equals("source_key", None if wanted.source is None else make_number_key(wanted.source)),
    ]
    others: list[Condition | None] = [_is_shown_at(wanted.dest)]
    status = _is_one_of(wanted.statuses)
    if wanted.statuses and _RARE.issuperset(wanted.statuses):
        indexed.insert(5, status)
    elif len(wanted.statuses) == 1:
        indexed.append(status)
    else:
        others.append(status)
    if wanted.updated_since is not None:
        ids = _find_updated(conn, wanted.updated_since)
        if ids is None:
            others.append(_was_updated(wanted.updated_since))
        else:
            indexed.insert(5, ids)
    if wanted.batches_as_one:
        indexed.append(_leads)
    return [each for each in indexed if each], [each for each in others if each]


def _leads(texts: FromClause) -> ColumnElement[bool]:
    """Those of no batch, and the first of each; in the words of the partial index."""
    place = texts.c.batch_place
    return or_(place.is_(None), place == literal_column("1"))


def _equals(name: str, value: Any) -> Condition | None:
    return None if value is None else lambda texts: texts.c[name] == value


def _is_shown_at(dest: str | None) -> Condition | None:
    if dest is None:
        return None
    table = conversations.c
    is_ours = table.dest_key == make_number_key(dest)
    return lambda texts: exists().where(table.id == texts.c.conversation_id, is_ours)


def _is_one_of(statuses: Sequence[str]) -> Condition | None:
    if len(statuses) < 2:
        return _equals("status", next(iter(statuses), None))
    return lambda texts: texts.c.status.in_(statuses)


def _find_updated(conn: Connection, since: datetime) -> Condition | None:
    """Those whose status has changed since then; None if they are too many."""
    table = status_changes.c
    query = select(table.outbound_id).where(table.changed_at >= since).distinct()
    ids = conn.execute(query.limit(WALK_ROWS + 1)).scalars().all()
    return None if len(ids) > WALK_ROWS else lambda texts: texts.c.id.in_(query)


def _was_updated(since: datetime) -> Condition:
    table = status_changes.c
    return lambda texts: exists().where(table.outbound_id == texts.c.id, table.changed_at >= since)


def _list_bounds(wanted: OutboundFilter, before: Place | None) -> list[ColumnElement[bool]]:
    created_at = outbound.c.created_at
    bounds = []
    if wanted.since is not None:
        bounds.append(created_at >= wanted.since)
    if wanted.until is not None:
        bounds.append(created_at < wanted.until)
    if before is not None:
        time, number = before
        bounds += [created_at <= time, or_(created_at < time, outbound.c.id < number)]
    return bounds


def _make_page(conn: Connection, rows: Sequence[Row[Any]], limit: int) -> OutboundPage:
    page = rows[:limit]
    place = (page[-1].created_at, page[-1].id) if len(rows) > limit else None
    return OutboundPage(make_texts(conn, page), place)
