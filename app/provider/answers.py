"""What comes back from Send, ImportContactsCSV and GetBGMessages, read without a guess."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from app.domain.errors import CodeError, CountMismatch, ProviderError, UnreadableAnswer
from app.domain.fates import Fate
from app.domain.statuses import read_status
from app.provider.actions import BackgroundMessage, BackgroundSend, ImportedLine, NumberAnswer
from app.provider.codes import make_code_error
from app.provider.wire import CODE, DONE, ID, make_unreadable, refuse_code

_IMPORT_LINE = re.compile(r"([0-9]{1,9})\s*:\s*(.*)")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


def read_sent(text: str, *, all_ids: bool) -> tuple[str, ...]:
    """The ids of a text to one number: one, or with `all_ids` one for each part.

    Raises CodeError, UnreadableAnswer, and CountMismatch, which keeps the ids that came: one
    number and nothing but ids is certainly taken, however many there are.
    """
    items = _read_items(text, lone_fate=None)
    if not all(map(ID.fullmatch, items)):
        raise CountMismatch(
            f"The provider answered ids and codes for one number: {', '.join(items)}",
            answers=items,
        )
    if len(items) > 1 and not all_ids:
        raise CountMismatch(
            f"The provider answered {len(items)} ids for one number: {', '.join(items)}",
            answers=items,
            fate=Fate.TAKEN,
        )
    return items


def read_many_sent(
    text: str, numbers: Sequence[str], parts: int, *, all_ids: bool
) -> tuple[NumberAnswer, ...]:
    """The answers to a text to several numbers, in their order; `parts` is how many it takes.

    With `all_ids` every number that was taken has `parts` ids, or each has one; any other count
    cannot be dealt out and is a CountMismatch. An answer that makes no sense leaves its own number
    unknown. A lone code is about the whole call, and raised.
    """
    refuse_code(text)
    items = _split_items(text)
    refused = sum(1 for item in items if CODE.fullmatch(item))
    share = 1
    if all_ids and len(items) - refused == parts * (len(numbers) - refused):
        share = parts
    dealt = _deal_out(items, len(numbers), share)
    if dealt is None:
        raise CountMismatch(
            f"The provider gave {len(items)} answers for {len(numbers)} numbers:"
            f" {', '.join(items)}",
            answers=items,
        )
    owners = Counter(each for taken in dealt for each in set(taken))
    return tuple(
        NumberAnswer(number, *_judge(taken, owners))
        for number, taken in zip(numbers, dealt, strict=True)
    )


def _deal_out(items: tuple[str, ...], count: int, share: int) -> list[tuple[str, ...]] | None:
    """What of the items is each number's: a code stands alone, ids are as many as `share`."""
    dealt = []
    at = 0
    for _ in range(count):
        taken = items[at : at + 1]
        if share > 1 and taken and not CODE.fullmatch(taken[0]):
            taken = items[at : at + share]
            if len(taken) != share or not all(map(ID.fullmatch, taken)):
                return None
        if not taken:
            return None
        dealt.append(taken)
        at += len(taken)
    return dealt if at == len(items) else None


def _judge(
    taken: tuple[str, ...], owners: Mapping[str, int]
) -> tuple[tuple[str, ...], ProviderError | None]:
    """The ids of one number, or why it has none; an id that several numbers got is nobody's."""
    if CODE.fullmatch(taken[0]):
        return (), make_code_error(int(taken[0]))
    if not all(map(ID.fullmatch, taken)):
        return (), make_unreadable(", ".join(taken), "an id or a code")
    if any(owners[each] > 1 for each in taken):
        return (), UnreadableAnswer(
            f"The provider gave several numbers the same id: {', '.join(taken)}"
        )
    return taken, None


def read_background_send(text: str, *, background_ids: bool) -> BackgroundSend:
    """The answer to a text to a list or group: `1`, or the background sends if asked for.

    Raises CodeError for a lone code; -400 says that the send was taken in part.
    """
    items = _read_items(text, lone_fate=Fate.TAKEN)
    if items == (DONE,):
        return BackgroundSend(())
    if not background_ids:
        raise make_unreadable(text, "the 1 of success")
    errors = tuple(make_code_error(int(item)) for item in items if CODE.fullmatch(item))
    return BackgroundSend(tuple(item for item in items if ID.fullmatch(item)), errors)


def _read_items(text: str, *, lone_fate: Fate | None) -> tuple[str, ...]:
    """Ids and codes between commas; a lone code is raised, -400 with `lone_fate`."""
    try:
        refuse_code(text)
    except CodeError as error:
        if error.code == -400 and lone_fate is not None:
            error.fate = lone_fate
        raise
    items = _split_items(text)
    if not all(ID.fullmatch(item) or CODE.fullmatch(item) for item in items):
        raise make_unreadable(text, "ids and codes")
    return items


def _split_items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(","))


def read_import(text: str, count: int) -> tuple[ImportedLine, ...]:
    """One result for each of `count` lines, with the details that follow a blank line.

    Raises CodeError, UnreadableAnswer, and CountMismatch where a line has no result or two.
    """
    refuse_code(text)
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    head, *tail = _BLANK_LINE.split(plain, maxsplit=1)
    results: dict[int, str] = {}
    rows = head.split("\n")
    for row in rows:
        match = _IMPORT_LINE.fullmatch(row.strip())
        if not match:
            raise make_unreadable(text, "a result for each contact")
        results[int(match[1])] = match[2]
    if len(rows) != count or results.keys() != set(range(1, count + 1)):
        raise CountMismatch(
            f"The provider gave {len(rows)} results for {count} contacts", answers=tuple(rows)
        )
    details = _read_details("".join(tail))
    return tuple(
        ImportedLine(line, results[line], details.get(line, "")) for line in range(1, count + 1)
    )


def _read_details(text: str) -> dict[int, str]:
    details: dict[int, str] = {}
    line = 0
    for row in filter(None, map(str.strip, text.split("\n"))):
        match = _IMPORT_LINE.fullmatch(row)
        line, detail = (int(match[1]), match[2]) if match else (line, row)
        details[line] = f"{details[line]}; {detail}" if line in details else detail
    return details


def read_background_messages(text: str) -> tuple[BackgroundMessage, ...]:
    """A JSON array of messages; errors come as a JSON object or plain, and are raised alike."""
    refuse_code(text)
    wanted = "a JSON array of messages"
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        code = str(answer.get("error", ""))
        if not CODE.fullmatch(code):
            raise make_unreadable(text, wanted)
        raise make_code_error(int(code), [str(answer.get("message") or "")])
    if not isinstance(answer, list):
        raise make_unreadable(text, wanted)
    messages = tuple(map(_read_background_message, answer))
    if None in messages:
        raise make_unreadable(text, wanted)
    return tuple(message for message in messages if message is not None)


def _clean(value: object) -> str:
    """As text that any database stores: JSON can write a NUL and half a character."""
    return str(value).encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _read_background_message(item: object) -> BackgroundMessage | None:
    if not isinstance(item, dict):
        return None
    fields = {str(name).lower(): value for name, value in item.items()}
    # The page's prose says Number where its example says Destination.
    values = (
        fields.get("messageid"),
        fields.get("destination", fields.get("number")),
        fields.get("status"),
    )
    if not all(isinstance(value, str | int) for value in values):
        return None
    message_id, destination, status = map(_clean, values)
    return BackgroundMessage(message_id, destination, read_status(status))
