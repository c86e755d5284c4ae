"""Stores texts of the provider's report that never arrived, and alerts people to them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from app.domain.inbound.messages import InboundMessage, RawForward, digest_texts
from app.domain.inbound.reconciling import (
    ReportedText,
)
from app.domain.inbound.urlencoded import join_form
from app.provider.forwards.forwarding import parse
from app.storage.db.database import Connection
from app.storage.inbound.reconciling import store_reported
from app.storage.operations.alerts import raise_alert
from app.storage.operations.daily_counts import DailyCounts

MISSING = "messages-missing"


def make_message(row: ReportedText, zone: ZoneInfo, region: str, now: datetime) -> InboundMessage:
    """The row as a forward, under a key of its own: a late forward has more fields."""
    pairs = {"source": row.source, "dest": row.dest, "msg": row.body, "id": row.provider_id}
    if row.received_at is not None:
        pairs["receivedts"] = row.received_at.isoformat()
    form = join_form((name.encode(), value.encode()) for name, value in pairs.items())
    raw = RawForward("REPORT", "", None, form)
    received = str(row.received_at)
    return replace(
        parse(raw, zone=zone, region=region, arrived_at=now, nonce=b"", via="report"),
        dedupe_key=digest_texts(
            "report", row.dest, row.source, row.provider_id, row.body, received
        ),
    )


def store_batch(
    conn: Connection,
    missing: Sequence[InboundMessage],
    now: datetime,
) -> int:
    new = store_reported(conn, missing, now)
    counts = DailyCounts()
    for message in new:
        counts.add("missing", message.dest, message.received_at)
    counts.write(conn)
    for dest, count in sorted(Counter(message.dest for message in new).items()):
        raise_alert(
            conn,
            MISSING,
            dest,
            text=f"Texts to {dest} were in the provider's report but had never been forwarded;"
            " they were stored from it, with a delay.",
            action="Look at the number's forwarding URL on the provider's page and at /refusals:"
            " the provider could not reach it, or with another auth value.",
            now=now,
            count=count,
        )
    return len(new)
