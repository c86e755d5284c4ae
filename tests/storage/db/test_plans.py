"""No list query looks through a whole table: the plans of both databases, for every filter."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from app.domain.inbound.queries import MessageFilter
from app.domain.outbound.requests import OutboundRequest
from app.flows.inbound.handle import handle_batch
from app.storage.access import keys, numbers
from app.storage.access.audit import list_audit
from app.storage.conversations import attention, conversations, inbox, people, threads
from app.storage.conversations import conversation_lists as lists_of_conversations
from app.storage.conversations.conversation_lists import ConversationFilter
from app.storage.conversations.text_matches import search_texts
from app.storage.db.database import Connection, Database, begin_transaction
from app.storage.inbound import refusals, search
from app.storage.inbound.duplicates import find_reported
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.rewriting.replays import has_reply
from app.storage.operations import alerts, events, stats
from app.storage.operations.idempotency import IdempotencyKey, find_answer
from app.storage.outbound import lists
from app.storage.outbound import texts as outbound_texts
from app.storage.outbound.lists import OutboundFilter
from app.storage.outbound.outbox import Addressee, queue_texts
from app.storage.outbound.text_search import has_unindexed
from app.storage.rules.opt_outs import find_opted_out, list_opt_outs
from app.storage.rules.pair_context import read_pair_context
from tests.conftest import NOW
from tests.support.messages import make_message

LARGE = (
    "messages",
    "message_index",
    "conversations",
    "refusals",
    "alerts",
    "events",
    "api_keys",
    "outbound",
    "provider_messages",
    "send_attempts",
    "status_changes",
    "opt_outs",
    "idempotency_keys",
    "audit",
    "people",
    "conversation_notes",
)

Query = Callable[[Connection], Any]


def list_by(**conditions: Any) -> Query:
    wanted = MessageFilter(**conditions)
    return lambda conn: search.list_messages(conn, wanted, before=900, limit=50)


def feed_by(**conditions: Any) -> Query:
    wanted = MessageFilter(**conditions)
    return lambda conn: search.feed_messages(conn, wanted, after=100, limit=50)


def list_conversations(**conditions: Any) -> Query:
    wanted = ConversationFilter(**conditions)
    return lambda conn: lists_of_conversations.list_conversations(
        conn, wanted, before=(NOW, 5), limit=50
    )


def count_conversations(**conditions: Any) -> Query:
    wanted = ConversationFilter(**conditions)
    return lambda conn: lists_of_conversations.count_conversations(conn, wanted)


def list_outbound(**conditions: Any) -> Query:
    wanted = OutboundFilter(**conditions)
    return lambda conn: lists.list_outbound(conn, wanted, before=(NOW, 200), limit=50)


def list_thread(conn: Connection) -> Any:
    found = conversations.get_conversation(conn, 1)
    return threads.list_thread(conn, found, before=(900, 200, 50), limit=50)


SENDER, NUMBER = "447700900001", "447700900100"
SPAN: dict[str, Any] = {"since": NOW - timedelta(days=1), "until": NOW + timedelta(days=1)}
# Each in its index's own order: nothing is sorted, however much there is.
OUTBOUND: dict[str, Query] = {
    "newest": list_outbound(),
    "of a time": list_outbound(**SPAN),
    "in a status": list_outbound(statuses=("queued",)),
    "in a status and of a time": list_outbound(statuses=("queued",), **SPAN),
    "to a number": list_outbound(to=SENDER),
    "to a number and of a time": list_outbound(to=SENDER, **SPAN),
    "from a source": list_outbound(source=NUMBER),
    "by a rule": list_outbound(rule_id=1),
    "by a reference": list_outbound(reference="order 4711"),
    "of a conversation": lambda conn: outbound_texts.list_sent_in(conn, 1, before=200, limit=50),
    "recipients": lambda conn: outbound_texts.list_recipients(conn, 1, before=200, limit=50),
    "history": lambda conn: outbound_texts.read_history(conn, 1),
}
# The views of the inbox, each in its index's own order.
VIEWS: dict[str, Query] = {
    "open": list_conversations(state="open"),
    "done": list_conversations(state="done", origin="received"),
    "that await an answer": list_conversations(is_waiting=True),
    "that need an answer": list_conversations(needs="answer"),
    "of a member": list_conversations(assigned_to=1, state="open"),
    "of nobody": list_conversations(state="open", is_assigned=False),
    "of all": list_conversations(origin="received"),
    "sent": list_conversations(origin="sent"),
    "counted": count_conversations(is_waiting=True),
}
QUERIES: dict[str, Query] = {
    "newest": lambda conn: search.list_messages(conn, MessageFilter(), before=None, limit=50),
    "deep": list_by(),
    "source": list_by(source=SENDER),
    "dest": list_by(dest=NUMBER),
    "conversation": list_by(source=SENDER, dest=NUMBER),
    "unread": list_by(unread=True),
    "read": list_by(unread=False),
    "problem": list_by(problem="time"),
    "any problem": list_by(has_problems=True),
    "via": list_by(via="spool"),
    "since": list_by(since=NOW - timedelta(days=1)),
    "until": list_by(until=NOW),
    "dest and since": list_by(dest=NUMBER, since=NOW - timedelta(days=1)),
    "merge field": list_by(merge_fields={"name": "Anna"}),
    "words": list_by(words=("text", "never")),
    "short words": list_by(words=("te",)),
    "feed": feed_by(),
    "feed of a source": feed_by(source=SENDER),
    "feed since": feed_by(since=NOW - timedelta(days=1)),
    "one": lambda conn: search.get_message(conn, 1),
    "conversations": list_conversations(),
    "conversations of a number": list_conversations(dest=NUMBER),
    "conversations of a sender": list_conversations(source=SENDER),
    "unread conversations": list_conversations(unread=True),
    "unread conversations of a number": list_conversations(unread=True, dest=NUMBER),
    "people by name": lambda conn: inbox.find_people(conn, "anna", digits="", dest=None, limit=20),
    "people by number": lambda conn: inbox.find_people(
        conn, SENDER, digits=SENDER, dest=NUMBER, limit=20
    ),
    "the numbers of unread conversations": count_conversations(unread=True),
    "conversations that need attention": list_conversations(needs="attention"),
    "texts that need attention": attention.count_failed,
    "names": lambda conn: people.name_numbers(conn, [SENDER, NUMBER]),
    "a card": lambda conn: people.find_person(conn, SENDER),
    "cards": lambda conn: people.list_people(conn, before=900, limit=50),
    "cards by a word": lambda conn: people.list_people(conn, words=("anna",), before=900, limit=50),
    **{f"conversations {name}": query for name, query in VIEWS.items()},
    "our numbers": inbox.list_our_numbers,
    "one conversation": lambda conn: conversations.get_conversation(conn, 1),
    "refusals": lambda conn: refusals.list_refusals(conn, before=900, limit=50),
    "alerts": lambda conn: alerts.list_alerts(conn, before=900, limit=50),
    "keys": lambda conn: keys.list_keys(conn, before=900, limit=50),
    "a key": lambda conn: keys.find_key(conn, b"digest"),
    "numbers": lambda conn: numbers.list_numbers(conn, before=900, limit=50),
    "events": lambda conn: events.read_events(conn, after=5, limit=50),
    "bounds of events": events.read_event_bounds,
    "counts": lambda conn: stats.count_days(conn, since="2026-01-01", until=None, number=None),
    "outbound in reply": list_outbound(in_reply_to=1),
    "outbound with words": list_outbound(words=("text", "never")),
    "outbound with words of a time": list_outbound(words=("text", "never"), **SPAN),
    "outbound with words to a number": list_outbound(words=("text", "never"), to=SENDER),
    "texts that are not indexed": has_unindexed,
    "texts of both sides with words": lambda conn: search_texts(
        conn, ["text"], dest=NUMBER, before=(900, 200), limit=50
    ),
    "outbound in a status to a number": list_outbound(to=SENDER, statuses=("queued",)),
    "replies": lambda conn: outbound_texts.list_replies(conn, 1),
    "one outbound": lambda conn: outbound_texts.get_outbound(conn, 1),
    "a list": lambda conn: outbound_texts.get_outbound(conn, 301),
    "a thread": list_thread,
    "opted out": lambda conn: find_opted_out(conn, [SENDER, NUMBER]),
    "an answer given before": lambda conn: find_answer(conn, IdempotencyKey("1", "key", b""), NOW),
    **{f"outbound {name}": query for name, query in OUTBOUND.items()},
    "opt-outs": lambda conn: list_opt_outs(conn, before=900, limit=50),
    "an opt-out": lambda conn: list_opt_outs(conn, number=SENDER, before=None, limit=1),
    "audit": lambda conn: list_audit(conn, before=900, limit=50),
    "audit of an actor": lambda conn: list_audit(conn, actor="key:x", before=900, limit=50),
    "audit of an action": lambda conn: list_audit(conn, action="x", before=900, limit=50),
    "audit of a time": lambda conn: list_audit(conn, before=None, limit=50, **SPAN),
    "whether it was answered": lambda conn: has_reply(conn, 1),
    "what handling knows": lambda conn: read_pair_context(conn, [1, 2], NOW, identity_keys=[b"x"]),
    "reported before": lambda conn: find_reported(conn, [1, 2], NOW),
    "backlog": lambda conn: stats.count_backlog(conn, at_most=1000),
}


def explain(conn: Connection, query: Query) -> list[tuple[str, str]]:
    """Each statement of a query with its plan, by an index wherever one can serve."""
    ran: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        ran.append((statement, parameters))

    event.listen(conn, "before_cursor_execute", note)
    query(conn)
    event.remove(conn, "before_cursor_execute", note)
    selects = [(sql, given) for sql, given in ran if sql.lstrip().startswith("SELECT")]
    if conn.dialect.name == "sqlite":
        return [
            (
                sql,
                "\n".join(
                    row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)
                ),
            )
            for sql, given in selects
        ]
    begin_transaction(conn)
    conn.exec_driver_sql("SET LOCAL enable_sort = off")
    return [
        (sql, "\n".join(row[0] for row in conn.exec_driver_sql(f"EXPLAIN {sql}", given)))
        for sql, given in selects
    ]


def find_scans(plan: str) -> list[str]:
    """The lines of a plan that walk a large table from end to end."""
    return [
        line
        for line in plan.splitlines()
        for table in LARGE
        if line.strip().removeprefix("->").strip().startswith(f"Seq Scan on {table} ")
        or line.strip() == f"SCAN {table}"
    ]


@pytest.fixture
async def filled(database: Database) -> Database:
    inserter = make_inserter(database)
    batch = [
        replace(make_message(number), source=f"4477009000{number % 50:02}")
        for number in range(1, 301)
    ]
    await inserter.insert(batch, NOW)
    inserter.abandon()
    while await database.write(handle_batch, NOW):
        pass
    await database.write(_fill_outbox)
    return database


def _fill_outbox(conn: Connection) -> None:
    for number in range(300):
        addressee = Addressee(f"4477009000{number % 50:02}")
        queue_texts(conn, OutboundRequest(NUMBER, "Hi"), [addressee], "key:x", NOW)
    people = OutboundRequest(NUMBER, "Hi", list_name="people")
    queue_texts(conn, people, [Addressee()], "key:x", NOW)


async def test_no_list_walks_a_whole_table(filled: Database) -> None:
    found = {}
    for name, query in QUERIES.items():
        plans = await filled.read(explain, query)
        assert plans, name
        scans = [(sql, plan) for sql, plan in plans if find_scans(plan)]
        if scans:
            found[name] = scans
    assert found == {}


async def test_the_guard_sees_a_scan(filled: Database) -> None:
    plans = await filled.read(
        explain, lambda conn: conn.exec_driver_sql("SELECT id FROM messages WHERE body = 'x'")
    )
    assert find_scans(plans[0][1])


async def test_no_list_of_texts_that_go_out_and_no_view_of_the_inbox_is_sorted(
    filled: Database,
) -> None:
    for name, query in (OUTBOUND | VIEWS).items():
        for _, plan in await filled.read(explain, query):
            assert "TEMP B-TREE" not in plan, (name, plan)
            assert "Sort" not in plan, (name, plan)


async def test_who_waits_is_not_looked_for_among_all_that_are_open(filled: Database) -> None:
    for query in (list_conversations(is_waiting=True), count_conversations(is_waiting=True)):
        plans = [plan for _, plan in await filled.read(explain, query)]
        assert any("conversations_answer_idx" in plan for plan in plans), plans
