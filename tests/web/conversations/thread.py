"""A conversation with Ada, and what stands in it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from app.domain.inbound.messages import InboundMessage
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.compose import compose_once
from app.storage.db.database import Connection
from app.storage.tables.conversations import conversations
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.simulated import ADA, LONDON
from tests.web.visiting import Visitor

SHOP = "447700900100"
PATH = "/conversations/1"
RAW = b'["GET", "", null]\nsource=447700900011&dest=447700900100&id=1&msg=Are+you+open%3F'


def hear(number: int, body: str, **changes: Any) -> InboundMessage:
    message = make_message(
        number,
        source=ADA,
        body=body,
        arrived_at=NOW - timedelta(minutes=60 - number),
        merge_fields={"name": "Ada", "email": "ada@example.com", "1": "C-1001"},
        raw=RAW,
    )
    return replace(message, **changes)


def list_thread(page: str) -> list[str]:
    """The texts of the thread as they stand, oldest first."""
    return re.findall(r'<p class="body" dir="auto">([^<]*)</p>', page)


async def write(visitor: Visitor, body: str) -> None:
    await compose_once(
        visitor.running.runtime.database,
        OutboundRequest(SHOP, body, to=ADA),
        None,
        lambda _queued: {},
        who="key:shop",
        region="GB",
        zone=LONDON,
        now=visitor.running.clock.now,
    )


async def change_outbound(visitor: Visitor, **values: object) -> None:
    def change(conn: Connection) -> None:
        conn.execute(update(outbound).values(**values))

    await visitor.running.runtime.database.write(change)


async def read_statuses(visitor: Visitor) -> list[str]:
    def read(conn: Connection) -> list[str]:
        return list(conn.execute(select(outbound.c.status).order_by(outbound.c.id)).scalars())

    return await visitor.running.runtime.database.read(read)


async def count_unread(visitor: Visitor) -> int:
    def read(conn: Connection) -> int:
        return int(conn.execute(select(conversations.c.unread)).scalar_one())

    return await visitor.running.runtime.database.read(read)
