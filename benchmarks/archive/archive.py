"""Years of invented texts for the list queries, with every row that Letterbox stores for them."""

import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.inbound.messages import (
    RawForward,
    make_identity_key,
    make_number_key,
    make_pair_key,
)
from app.domain.inbound.urlencoded import join_form
from app.domain.keywords import fold_text
from app.storage.inbound.search import BLOCK_ROWS
from benchmarks.forwards import OUR_NUMBERS

BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(seconds=6)

# What the queries look for, and that it is in every n-th message.
COMMON, MEDIUM = "please", "parcel"
# Each trigram of ABSENT is in COMMON or in ALIKE, the word itself in no text.
ALIKE, ABSENT = "presence", "pleasence"
WORDS_EVERY = ((COMMON, 5), (ALIKE, 21), (MEDIUM, 1_000))
RARE, RARE_TIMES = "quixotic", 5
# Each often enough to fill a page of the small archive, too; the unread ones from as many senders.
PROBLEM, PROBLEM_EVERY = "charset", 100
RARE_PROBLEM, RARE_PROBLEM_EVERY = "time", 500
UNREAD_EVERY = 499
REPORTED_EVERY = 500

TEXTS_OF_A_SENDER = 50
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ha", "ke", "li", "mo", "nu", "pa", "re", "si", "zen")
# A multiplier without a common divisor with any count: neighbours go far apart.
SCATTER = 2_654_435_761

# What the archive makes, table by table, in the order in which the rows hold it.
COLUMNS = {
    "messages": (
        "id",
        "dedupe_key",
        "provider_id",
        "source",
        "dest",
        "body",
        "received_at",
        "received_raw",
        "arrived_at",
        "stored_at",
        "via",
        "merge_fields",
        "extra",
        "problems",
        "raw",
        "read_at",
        "handled_at",
    ),
    "message_index": (
        "message_id",
        "conversation_id",
        "source_key",
        "dest_key",
        "identity_key",
        "via",
        "unread",
        "has_problems",
    ),
    "message_search": ("message_id", "folded"),
    "message_blocks": ("block", "first_received_at", "last_received_at"),
    "conversations": (
        "id",
        "pair_key",
        "dest_key",
        "source_key",
        "dest",
        "source",
        "last_message_id",
        "last_arrived_at",
        "unread",
        "updated_at",
    ),
}

# Rows of messages, of message_index and of message_search.
MessageRows = tuple[tuple[Any, ...], tuple[Any, ...], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Sender:
    """Someone who texts one of our numbers, with everything derived from that."""

    source: str
    dest: str
    source_key: bytes
    dest_key: bytes
    pair_key: bytes
    raw: bytes


class Archive:
    """`rows` messages, numbered from 1 in the order of arrival; the same for the same `rows`.

    A fiftieth as many senders write them, named by words, for there are not so many numbers that
    belong to nobody.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        count = max(1, rows // TEXTS_OF_A_SENDER)
        self.senders = [make_sender(number) for number in range(count)]
        self._last = array("q", bytes(8 * count))
        self._unread = array("q", bytes(8 * count))
        self._openings, self._endings = _make_phrases(0), _make_phrases(1)
        self._rare = {rows * (2 * part + 1) // (2 * RARE_TIMES) for part in range(RARE_TIMES)}

    def make_messages(self, first: int, last: int) -> Iterator[MessageRows]:
        """The rows of the messages first to last, both included; in order, and once only."""
        for number in range(first, min(last, self.rows) + 1):
            place = number * SCATTER % len(self.senders)
            unread = number % UNREAD_EVERY == 0
            self._last[place] = number
            self._unread[place] += unread
            yield _make_rows(number, place, self.senders[place], self._write(number), unread)

    def make_blocks(self) -> Iterator[tuple[Any, ...]]:
        """Rows of message_blocks: block, its first and its last received_at."""
        for block in range(self.rows // BLOCK_ROWS + 1):
            first = max(1, block * BLOCK_ROWS)
            last = min(self.rows, (block + 1) * BLOCK_ROWS - 1)
            if first <= last:
                yield block, tell_time(first), tell_time(last)

    def make_conversations(self) -> Iterator[tuple[Any, ...]]:
        """Rows of conversations, as they are once all messages are made."""
        for place, sender in enumerate(self.senders):
            number = self._last[place]
            if number:
                yield (
                    place + 1,
                    sender.pair_key,
                    sender.dest_key,
                    sender.source_key,
                    sender.dest,
                    sender.source,
                    number,
                    tell_time(number),
                    self._unread[place],
                    tell_time(number),
                )

    def _write(self, number: int) -> str:
        mixed = number * SCATTER
        body = self._openings[mixed % 4093] + self._endings[mixed // 4093 % 4093]
        for word, every in WORDS_EVERY:
            if number % every == 0:
                body = f"{body} {word}"
        return f"{body} {RARE}" if number in self._rare else body


def tell_time(number: int) -> datetime:
    """When the n-th message arrived."""
    return BEGINNING + number * INTERVAL


def _make_rows(number: int, place: int, sender: Sender, body: str, unread: bool) -> MessageRows:
    provider_id = str(number)
    time = tell_time(number)
    problem = _choose_problem(number)
    via = "report" if number % REPORTED_EVERY == 0 else "forward"
    message = (
        number,
        number.to_bytes(32, "big"),
        provider_id,
        sender.source,
        sender.dest,
        body,
        time,
        None,
        time,
        time,
        via,
        "{}",
        "{}",
        problem,
        sender.raw,
        None if unread else time,
        time,
    )
    identity = make_identity_key(sender.dest, sender.source, provider_id)
    keys = (sender.source_key, sender.dest_key, identity)
    index = (number, place + 1, *keys, via, unread, bool(problem))
    return message, index, (number, fold_text(body))


def _choose_problem(number: int) -> str:
    if number % RARE_PROBLEM_EVERY == 0:
        return RARE_PROBLEM
    return PROBLEM if number % PROBLEM_EVERY == 0 else ""


def make_sender(number: int) -> Sender:
    """The n-th, from 0: the same in an archive of any size."""
    source, dest = f"Guest{number:06d}", OUR_NUMBERS[number % len(OUR_NUMBERS)]
    pairs = ((b"source", source.encode()), (b"dest", dest.encode()), (b"msg", b"x" * 80))
    return Sender(
        source,
        dest,
        make_number_key(source),
        make_number_key(dest),
        make_pair_key(dest, source),
        RawForward("GET", "", None, join_form(pairs)).to_bytes(),
    )


def _make_phrases(seed: int) -> list[str]:
    """Half texts of five words, frequent words more often."""
    chance = random.Random(seed)
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(3_000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return [" ".join(chance.choices(words, weights, k=5)) + " " for _ in range(4_093)]
