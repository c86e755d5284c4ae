"""Answers a batch of messages by rules, guards and opt-outs, inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.answering import Answering, Decision, Reply, ReplyLimits
from app.domain.messages import is_full_number, make_pair_key
from app.domain.replies import find_fault
from app.domain.rules import Rule
from app.storage.alerts import close_alert, raise_alert
from app.storage.answers import fail_reply, read_histories, read_our_numbers
from app.storage.database import Connection
from app.storage.events import add_events
from app.storage.handling import Unhandled
from app.storage.opt_outs import NewWord, add_words, cancel_texts, read_last_words
from app.storage.outbox import NewOutbound, add_outbound
from app.storage.rules import read_rules

TOO_LONG = "reply-too-long"


@dataclass(slots=True)
class Answers:
    """What answering did, left for the end of the transaction to note.

    `outcomes` are groups of message ids by outcome and rule; `added` are new texts, `queued` those
    of them that may go out. `stops` are numbers that opted out, each with how many of `added` were
    there before; `cancelled` texts waited for them. `faults` say of a rule (by id) why its reply
    could not go out.
    """

    outcomes: dict[tuple[str | None, int | None], list[int]] = field(default_factory=dict)
    added: list[int] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)
    stops: list[tuple[str, int]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    words: list[NewWord] = field(default_factory=list)
    faults: dict[int, tuple[Rule, str]] = field(default_factory=dict)

    def note_outcome(self, message_id: int, outcome: str | None, rule_id: int | None) -> None:
        self.outcomes.setdefault((outcome, rule_id), []).append(message_id)

    def add_events(self, conn: Connection, now: datetime) -> None:
        """Tell of every text that is new or changed: the transaction's last step."""
        add_events(conn, "outbound", self.added, now)
        add_events(conn, "status", self.cancelled, now)


def answer_messages(
    conn: Connection,
    batch: Sequence[Unhandled],
    conversation_ids: Mapping[bytes, int],
    now: datetime,
    *,
    limits: ReplyLimits,
) -> Answers:
    """Decide about messages in their order, and queue what answers them.

    Their conversations' rows must be locked: budgets are counted here. Rules are read anew each
    time, so that a changed one takes effect at once in every process.
    """
    answers = Answers()
    answering = _open_answering(conn, batch, conversation_ids, now, limits)
    for message in batch:
        decision = answering.answer(message, now)
        rule_id = decision.rule.id if decision.rule else None
        answers.note_outcome(message.id, decision.outcome, rule_id)
        if decision.word is not None:
            answers.words.append(NewWord(message.source, message.body, decision.word))
            if decision.word.is_out:
                answers.stops.append((message.source, len(answers.added)))
        if decision.reply is not None:
            key = make_pair_key(message.dest, message.source)
            _queue(conn, message, conversation_ids[key], decision, decision.reply, answers, now)
    add_words(conn, answers.words)
    for number, before in answers.stops:
        answers.cancelled += cancel_texts(conn, number, now, but=answers.added[before:])
    return answers


def raise_faults(conn: Connection, answers: Answers, now: datetime) -> None:
    """Alert of replies that could not go out. It adds events: the transaction's last step."""
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
    """The rule has been changed or removed. It adds an event: the transaction's last step."""
    close_alert(conn, TOO_LONG, str(rule_id), now=now)


def _open_answering(
    conn: Connection,
    batch: Sequence[Unhandled],
    conversation_ids: Mapping[bytes, int],
    now: datetime,
    limits: ReplyLimits,
) -> Answering:
    rules = [rule for rule in read_rules(conn) if rule.enabled]
    ours = read_our_numbers(conn)
    sources = {message.source for message in batch if is_full_number(message.source)}
    words = read_last_words(conn, sources) if sources else {}
    # Where nothing could reply, nothing has to be counted.
    replies = rules or any(number.opt_out_reply for number in ours.values())
    histories = read_histories(conn, conversation_ids, rules, now) if replies else {}
    return Answering(rules, ours, words=words, histories=histories, limits=limits)


def _queue(
    conn: Connection,
    message: Unhandled,
    conversation_id: int,
    decision: Decision,
    reply: Reply,
    answers: Answers,
    now: datetime,
) -> None:
    rule = decision.rule if reply.origin == "rule" else None
    outbound_id = add_outbound(
        conn,
        NewOutbound(
            source=reply.source,
            body=reply.body,
            origin=reply.origin,
            to=message.source,
            conversation_id=conversation_id,
            in_reply_to=message.id,
            rule_id=rule.id if rule else None,
            send_before=reply.send_before,
        ),
        now,
    )
    if outbound_id is None:  # it has been answered before
        return
    answers.added.append(outbound_id)
    fault = find_fault(reply.body)
    if fault is None:
        answers.queued.append(outbound_id)
        return
    fail_reply(conn, outbound_id, fault, now)
    if rule is not None:
        answers.faults[rule.id] = (rule, fault)
