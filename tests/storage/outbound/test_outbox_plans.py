"""What workers look for in the outbox every second is found by an index made for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.storage.db.database import Connection, Database
from app.storage.outbound.batches import add_batch, count_texts, get_batch
from app.storage.outbound.changes import list_scheduled
from app.storage.outbound.lists import OutboundFilter, list_outbound
from app.storage.outbound.sending import backlog
from app.storage.outbound.sending.deliveries import list_unsettled
from app.storage.outbound.sending.expiry import end_leases, expire_overdue
from app.storage.outbound.sending.uncertain import list_uncertain
from tests.conftest import NOW
from tests.storage.db.test_plans import explain
from tests.support.outbox import claim_due

FIRST_PAGE: dict[str, Any] = {"before": None, "limit": 9}


def count_first_batch(conn: Connection) -> Any:
    batch_id = add_batch(conn, "key:test", NOW, {"state": "done", "total": 2})
    return count_texts(conn, [get_batch(conn, batch_id)])


LATER = NOW + timedelta(days=1)
QUERIES: dict[str, tuple[Callable[[Connection], Any], str]] = {
    "claim": (
        lambda conn: claim_due(conn, limit=8, per_second=10, now=NOW),
        "outbound_due_idx",
    ),
    "overdue": (lambda conn: expire_overdue(conn, NOW), "outbound_send_before_idx"),
    "leases": (lambda conn: end_leases(conn, NOW), "outbound_"),
    "checks": (lambda conn: list_unsettled(conn, NOW, limit=9), "outbound_check_idx"),
    "proofs": (lambda conn: list_uncertain(conn, NOW, limit=9), "outbound_check_idx"),
    "oldest": (lambda conn: backlog.find_oldest_due(conn, LATER), "outbound_due_idx"),
    "waiting": (lambda conn: backlog.count_waiting(conn, at_most=9), "outbound_"),
    "uncertain": (backlog.count_uncertain, "outbound_"),
    "batches as one": (
        lambda conn: list_outbound(conn, OutboundFilter(batches_as_one=True), **FIRST_PAGE),
        "outbound_leads_idx",
    ),
    "of a batch": (
        lambda conn: list_outbound(conn, OutboundFilter(batch_id=1), **FIRST_PAGE),
        "outbound_batch_created_idx",
    ),
    "counts": (count_first_batch, "outbound_batch_idx"),
    "scheduled": (
        lambda conn: list_scheduled(conn, NOW, after=None, limit=9),
        "outbound_scheduled_idx",
    ),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_the_work_is_found_by_its_index(database: Database, name: str) -> None:
    query, index = QUERIES[name]
    plans = await database.write(explain, query)
    assert plans
    for sql, plan in plans:
        if "FROM outbound" in sql:
            assert index in plan, (sql, plan)
            # Those that are being sent are few, and may be sorted.
            assert name == "leases" or "TEMP B-TREE" not in plan, (sql, plan)
