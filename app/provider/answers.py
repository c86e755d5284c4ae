"""Reads the answers of Send, ImportContactsCSV and GetBGMessages, without guessing."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.statuses import read_status
from app.domain.provider_errors import CodeError, CountMismatch, ProviderError, UnreadableAnswer
from app.provider.actions import BackgroundMessage, BackgroundSend, ImportedLine, NumberAnswer
from app.provider.codes import make_code_error
from app.provider.wire import (
    CODE,
    DONE,
    ID,
    find_code,
    make_unreadable,
    read_json,
    refuse_code,
    split_lines,
    unquote,
)

PARTLY_TAKEN = -400
_QUOTES = "\"'"
_IMPORT_LINE = re.compile(r"([0-9]{1,9})\s*:\s*(.*)")
_SEPARATOR = re.compile(r"\s*[,;\n]\s*")


def read_sent(text: str) -> tuple[str, ...]:
    """The ids of a text to one number; it was certainly taken if there are only ids, however many.

    Raises CodeError, UnreadableAnswer, and CountMismatch, which keeps the ids that came.
    """
    items = _read_items(text, whole_outcome=None)
    if not all(map(ID.fullmatch, items)):
        raise CountMismatch(
            f"The provider answered ids and codes for one number: {', '.join(items)}",
            answers=items,
        )
    return items


def read_many_sent(text: str, numbers: Sequence[str], parts: int) -> tuple[NumberAnswer, ...]:
    """The answers for a text of `parts` parts to several numbers, in their order.

    Every accepted number has `parts` ids, or each has one; any other count is ambiguous and a
    CountMismatch. An answer that makes no sense makes only its own number unknown. A single code is
    about the whole call, and is raised.
    """
    _refuse_lone_code(text)
    items = _split_items(text)
    refused = sum(1 for item in items if CODE.fullmatch(item))
    share = 1
    if len(items) - refused == parts * (len(numbers) - refused):
        share = parts
    dealt = _deal_out(items, len(numbers), share)
    if dealt is None:
        if len(items) == 1 and refused:
            raise make_code_error(int(items[0]))
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
    """The items of each number: one code, or `share` ids."""
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
    """The ids of one number, or why it has none; an id that several numbers got is ignored."""
    if CODE.fullmatch(taken[0]):
        return (), make_code_error(int(taken[0]))
    if not all(map(ID.fullmatch, taken)):
        return (), make_unreadable(", ".join(taken), "an id or a code")
    if any(owners[each] > 1 for each in taken):
        return (), UnreadableAnswer(
            f"The provider gave several numbers the same id: {', '.join(taken)}"
        )
    return taken, None


def read_background_send(text: str) -> BackgroundSend:
    """The answer to a text to a list or group: `1`, or the background sends.

    Raises CodeError if only codes came; -400 means that the send was partly accepted.
    """
    items = _read_items(text, whole_outcome=SendOutcome.TAKEN)
    if set(items) == {DONE}:
        return BackgroundSend(())
    errors = tuple(make_code_error(int(item)) for item in items if CODE.fullmatch(item))
    ids = tuple(item for item in items if ID.fullmatch(item) and item != DONE)
    return BackgroundSend(ids, errors)


def _read_items(text: str, *, whole_outcome: SendOutcome | None) -> tuple[str, ...]:
    """Ids and codes of one send; only codes are raised, -400 with `whole_outcome`."""
    try:
        _refuse_lone_code(text)
    except CodeError as error:
        raise _with_outcome(error, whole_outcome) from None
    items = tuple(filter(None, _split_items(text)))
    if not items or not all(ID.fullmatch(item) or CODE.fullmatch(item) for item in items):
        refuse_code(text)
        if items and CODE.fullmatch(items[0]) and not any(map(ID.fullmatch, items)):
            # A comma separates the code from its text.
            raise _with_outcome(
                make_code_error(int(items[0]), [", ".join(items[1:])]), whole_outcome
            )
        raise make_unreadable(text, "ids and codes")
    if all(map(CODE.fullmatch, items)):
        errors = [_with_outcome(make_code_error(int(item)), whole_outcome) for item in items]
        # If part of it may have been accepted, that matters more than a refusal.
        raise next((each for each in errors if each.outcome is not SendOutcome.REFUSED), errors[0])
    return items


def _refuse_lone_code(text: str) -> None:
    """Raise the error of a single code, with or without its text."""
    if not any(ID.fullmatch(item) or CODE.fullmatch(item) for item in _split_items(text)[1:]):
        refuse_code(text)


def _with_outcome(error: CodeError, whole_outcome: SendOutcome | None) -> CodeError:
    if error.code == PARTLY_TAKEN and whole_outcome is not None:
        error.outcome = whole_outcome
    return error


def _split_items(text: str) -> tuple[str, ...]:
    """The items between commas, semicolons and line ends, without empty ones at the end."""
    items = []
    for item in map(unquote, _SEPARATOR.split("\n".join(split_lines(text)))):
        words, found = item.split(), find_code(item)
        if len(words) > 1 and all(map(CODE.fullmatch, words)):
            items += words
        else:
            items.append(item if found is None else str(found[0]))
    while items and not items[-1]:
        items.pop()
    return tuple(items)


def read_import(text: str, count: int) -> tuple[ImportedLine, ...]:
    """The results for up to `count` lines, with the details that follow a blank line.

    Raises CodeError, and UnreadableAnswer if no line has a result.
    """
    refuse_code(text)
    rows = split_lines(text)
    end = rows.index("") if "" in rows else len(rows)
    results: dict[int, str] = {}
    for row in rows[:end]:
        match = _IMPORT_LINE.fullmatch(row.strip(_QUOTES))
        if match and 1 <= int(match[1]) <= count:
            results.setdefault(int(match[1]), match[2])
    if not results:
        raise make_unreadable(text, "a result for each contact")
    details = _read_details(rows[end:])
    return tuple(
        ImportedLine(line, result, details.get(line, ""))
        for line, result in sorted(results.items())
    )


def _read_details(rows: Sequence[str]) -> dict[int, str]:
    details: dict[int, str] = {}
    line = 0
    for row in filter(None, rows):
        match = _IMPORT_LINE.fullmatch(row)
        line, detail = (int(match[1]), match[2]) if match else (line, row)
        details[line] = f"{details[line]}; {detail}" if line in details else detail
    return details


def read_background_messages(text: str) -> tuple[BackgroundMessage, ...]:
    """A JSON array of messages; errors, as a JSON object or plain text, are raised.

    An element that makes no sense is skipped.
    """
    refuse_code(text)
    wanted = "a JSON array of messages"
    answer = read_json(text)
    if not isinstance(answer, list):
        raise make_unreadable(text, wanted)
    messages = [each for each in map(_read_background_message, answer) if each is not None]
    if answer and not messages:
        raise make_unreadable(text, wanted)
    return tuple(messages)


def _clean(value: object) -> str:
    """As text that any database stores: JSON can have a NUL or half a surrogate pair."""
    return str(value).strip().encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _read_background_message(item: object) -> BackgroundMessage | None:
    if not isinstance(item, dict):
        return None
    fields = {str(name).strip().lower(): value for name, value in item.items()}
    # The page calls it Number in its text and Destination in its example.
    values = (
        fields.get("messageid"),
        fields.get("destination", fields.get("number")),
        fields.get("status"),
    )
    if not all(isinstance(value, str | int) and value != "" for value in values):
        return None
    message_id, destination, status = map(_clean, values)
    return BackgroundMessage(message_id, destination, read_status(status))
