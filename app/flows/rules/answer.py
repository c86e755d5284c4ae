"""Answers a batch of messages by rules, guards and opt-outs, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from app.domain.inbound.messages import StoredMessage
from app.domain.outbound.requests import OutboundRequest
from app.domain.rules.answering import Answering, OurNumber, Reply, ReplyLimits
from app.domain.rules.patterns import Search
from app.domain.rules.replies import find_fault
from app.domain.rules.rules import Rule
from app.storage.db.database import Connection
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.operations.events import Change
from app.storage.outbound.outbox import Addressee, add_replies
from app.storage.rules.answers import add_last_replies, fail_reply, read_our_numbers
from app.storage.rules.opt_outs import OptOutChange, add_opt_out_changes, cancel_texts
from app.storage.rules.pair_context import PairContext
from app.storage.rules.rules import read_rules

TOO_LONG = "reply-too-long"


@dataclass(slots=True)
class Answers:
    """The results of answering, to be written at the end of the transaction.

    `outcomes` are message ids by outcome and rule; `added` are the ids of new texts, `queued` those
    of them that can be sent. `stops` are numbers that opted out, each with how many replies there
    were at that point; `cancelled` texts waited for them. `opted` are the ids of the
    opt-outs that changed. `faults` say by rule id why a reply could not be
    sent.
    """

    outcomes: dict[tuple[str | None, int | None], list[int]] = field(default_factory=dict)
    added: list[int] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)
    stops: list[tuple[str, int]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    opt_outs: list[OptOutChange] = field(default_factory=list)
    opted: list[int] = field(default_factory=list)
    faults: dict[int, tuple[Rule, str]] = field(default_factory=dict)

    def note_outcome(self, message_id: int, outcome: str | None, rule_id: int | None) -> None:
        self.outcomes.setdefault((outcome, rule_id), []).append(message_id)

    def list_changes(self) -> list[Change]:
        """New and changed texts and opt-outs, for the events."""
        added: list[Change] = [("outbound", each) for each in self.added]
        added += [("status", each) for each in self.cancelled]
        return added + [("opt-out", each) for each in self.opted]


class RuleBook:
    """The enabled rules and our numbers, reread only after a change."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.numbers: dict[str, OurNumber] = {}
        self._revision: int | None = None

    def refresh(self, conn: Connection, revision: int) -> None:
        """`revision` must have been read before this, so that nothing read here is older."""
        if revision == self._revision:
            return
        self._revision = None
        self.rules = [rule for rule in read_rules(conn) if rule.enabled]
        self.numbers = read_our_numbers(conn)
        self._revision = revision


def answer_messages(
    conn: Connection,
    batch: Sequence[StoredMessage],
    conversation_ids: Mapping[bytes, int],
    context: PairContext,
    now: datetime,
    *,
    book: RuleBook,
    limits: ReplyLimits,
    search: Search,
) -> Answers:
    """Decide about messages in order, and queue the replies.

    Their conversations must be locked, because budgets are counted here. The current rules apply,
    so that a changed one takes effect at once in every process. `search` raises Unprepared for a
    pattern that was not searched for before, because that would take too long in a transaction.
    """
    answers = Answers()
    book.refresh(conn, context.revision)
    pairs = context.pairs
    by_conversation = {conversation_ids[key]: pair for key, pair in pairs.items()}
    add_last_replies(conn, by_conversation, book.rules, now)
    answering = Answering(
        book.rules,
        book.numbers,
        opt_outs={pair.source: pair.opt_out for pair in pairs.values() if pair.opt_out},
        histories={key: pair.history for key, pair in pairs.items() if pair.history},
        limits=limits,
        search=search,
    )
    replies: list[_Reply] = []
    for message in batch:
        decision = answering.answer(message, now)
        rule_id = decision.rule.id if decision.rule else None
        answers.note_outcome(message.id, decision.outcome, rule_id)
        if decision.opt_out is not None:
            answers.opt_outs.append(OptOutChange(message.source, message.body, decision.opt_out))
            if decision.opt_out.is_out:
                answers.stops.append((message.source, len(replies)))
        if decision.reply is not None:
            conversation_id = conversation_ids[message.pair_key]
            replies.append(_Reply(message, conversation_id, decision.rule, decision.reply))
    ids = _queue(conn, replies, answers, now)
    answers.opted = add_opt_out_changes(conn, answers.opt_outs)
    for number, before in answers.stops:
        later = [each for each in ids[before:] if each is not None]
        answers.cancelled += cancel_texts(conn, number, now, but=later)
    return answers


def raise_faults(conn: Connection, answers: Answers, now: datetime) -> None:
    """Alert about replies that could not be sent. It adds events, so it comes last."""
    for rule_id, (rule, reason) in sorted(answers.faults.items()):
        raise_alert(
            conn,
            TOO_LONG,
            str(rule_id),
            text=f"The rule {rule.name!r} did not answer: {reason}.",
            action="Shorten the rule's reply, or what fills its placeholders; the texts that it"
            " did not answer are in the outbox as failed.",
            now=now,
        )


def close_fault(conn: Connection, rule_id: int, now: datetime) -> None:
    """Close the rule's alert after a change. It adds an event, so it comes last."""
    close_alert(conn, TOO_LONG, str(rule_id), now=now)


class _Reply(NamedTuple):
    """A reply that is to be queued, and what it answers."""

    message: StoredMessage
    conversation_id: int
    rule: Rule | None
    reply: Reply

    def make_text(self) -> tuple[OutboundRequest, Addressee]:
        rule = self.answering_rule
        request = OutboundRequest(
            self.reply.source,
            self.reply.body,
            in_reply_to=self.message.id,
            origin=self.reply.origin,
            rule_id=rule.id if rule else None,
            send_before=self.reply.send_before,
        )
        return request, Addressee(self.message.source, self.conversation_id)

    @property
    def answering_rule(self) -> Rule | None:
        return self.rule if self.reply.origin == "rule" else None


def _queue(
    conn: Connection, replies: Sequence[_Reply], answers: Answers, now: datetime
) -> list[int | None]:
    """Returns their ids in order; None for a message that has been answered before."""
    added = add_replies(conn, [each.make_text() for each in replies], now)
    ids = [added.get(each.message.id) for each in replies]
    for each, outbound_id in zip(replies, ids, strict=True):
        if outbound_id is not None:
            _note_added(conn, each, outbound_id, answers, now)
    return ids


def _note_added(
    conn: Connection, each: _Reply, outbound_id: int, answers: Answers, now: datetime
) -> None:
    answers.added.append(outbound_id)
    fault = find_fault(each.reply.body)
    if fault is None:
        answers.queued.append(outbound_id)
        return
    fail_reply(conn, outbound_id, fault, now)
    if each.answering_rule is not None:
        answers.faults[each.answering_rule.id] = (each.answering_rule, fault)
