"""The lists of what goes out and went out, by filters that each have an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, or_, select

from app.domain.messages import make_number_key
from app.domain.outbound import OutboundStatus
from app.storage.outbound_tables import outbound
from app.storage.outbound_texts import OutboundText, make_texts

# A request looks at no more texts than this, then says where the next one goes on.
WALK_ROWS = 5_000

# Where a list goes on: when the last text that was shown was created, and its id.
Place = tuple[datetime, int]


# What texts pass through: few are in such a status at any time.
_RARE = frozenset(
    {
        OutboundStatus.QUEUED,
        OutboundStatus.HELD,
        OutboundStatus.SENDING,
        OutboundStatus.UNCERTAIN,
    }
)


@dataclass(frozen=True, slots=True)
class OutboundFilter:
    """Every stated condition must hold; `since` is inclusive, `until` exclusive: of created_at."""

    status: str | None = None
    to: str | None = None
    source: str | None = None
    in_reply_to: int | None = None
    rule_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutboundPage:
    """`next` is what the next page's `before` is; None at the end."""

    texts: list[OutboundText]
    next: Place | None


def list_outbound(
    conn: Connection, wanted: OutboundFilter, *, before: Place | None, limit: int
) -> OutboundPage:
    """Newest first. The page may be short or empty while `next` is not None: where several
    conditions are stated, only the one that narrows most has an index.
    """
    driver, rest = _split_conditions(wanted)
    place = (outbound.c.created_at, outbound.c.id)
    candidates = (
        select(outbound)
        .where(*driver, *_list_bounds(wanted, before))
        .order_by(*(column.desc() for column in place))
    )
    if not rest:
        return _make_page(conn, conn.execute(candidates.limit(limit + 1)).all(), limit)
    walked = candidates.limit(WALK_ROWS).subquery()
    query = (
        select(walked)
        .where(*(walked.c[name] == value for name, value in rest))
        .order_by(walked.c.created_at.desc(), walked.c.id.desc())
    )
    page = _make_page(conn, conn.execute(query.limit(limit + 1)).all(), limit)
    if page.next is not None:
        return page
    cut = candidates.with_only_columns(*place).offset(WALK_ROWS - 1).limit(1)
    last = conn.execute(cut).first()
    return OutboundPage(page.texts, None if last is None else (last.created_at, last.id))


def _split_conditions(
    wanted: OutboundFilter,
) -> tuple[list[ColumnElement[bool]], list[tuple[str, Any]]]:
    """The condition whose index narrows most, and the others, by column."""
    stated = [
        ("in_reply_to", wanted.in_reply_to),
        ("to_key", None if wanted.to is None else make_number_key(wanted.to)),
        ("rule_id", wanted.rule_id),
        ("source_key", None if wanted.source is None else make_number_key(wanted.source)),
        ("status", wanted.status),
    ]
    if wanted.status in _RARE:
        stated.insert(3, stated.pop())
    conditions = [(name, value) for name, value in stated if value is not None]
    return [outbound.c[name] == value for name, value in conditions[:1]], conditions[1:]


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
